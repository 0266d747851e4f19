package suggest

import (
	"fmt"
	"testing"
)

func ExampleMeant() {
	fmt.Println(Meant("pression", []string{"even", "poisson"}))
	fmt.Println(Meant("Poison", []string{"even", "poisson"}))
	// Output:
	// known here: even, poisson
	// did you mean "poisson"?
}

func TestNearest(t *testing.T) {
	for _, tt := range []struct {
		word, want string
		distance   int
	}{{"kil", "kill", 1}, {"KILL", "kill", 0}, {"hagn", "hang", 2}, {"", "cut", 3}} {
		if got, n := Nearest(tt.word, []string{"kill", "hang", "cut"}); got != tt.want || n != tt.distance {
			t.Errorf("%q: got %q at %d, want %q at %d", tt.word, got, n, tt.want, tt.distance)
		}
	}
	if got, _ := Nearest("x", nil); got != "" {
		t.Errorf("without known words: %q", got)
	}
}
