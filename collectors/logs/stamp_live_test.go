package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// TestTailStamps: what a line that is written now says of another age is left out, and counted.
func TestTailStamps(t *testing.T) {
	var got []string
	err := follow(t, func() (text string) {
		for _, l := range []struct {
			at   time.Time
			says string
		}{
			{time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC), "vLLM API server version 0.9.0"},
			{time.Now().Add(2 * time.Minute), "vLLM API server version 0.9.1"},
			{time.Now(), "vLLM API server version 0.9.2"},
			{time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), "Application startup complete."},
			{time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), "says nothing"},
			{time.Now().Add(30 * time.Second), "Application startup complete."},
		} {
			text += fmt.Sprintf("{\"ts\":%q,\"message\":%q}\n", l.at.UTC().Format(time.RFC3339), l.says)
		}
		return text
	}, func(e *assay.Event) error {
		_, text, _ := strings.Cut(e.Text, ".log: ")
		got = append(got, fmt.Sprintf("%v %s %s", time.Duration(e.Time), strings.TrimPrefix(e.Kind, "instance."), text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	inputtest.Compare(t, []string{"1s started ", "31s ready ",
		"3s run.warning 1 of 6 lines were left out: stamped more than a minute before they were followed; is its clock right, and its zone?",
		"3s run.warning 2 of 6 lines were left out: stamped more than a minute ahead; is its clock right, and its zone?"}, got)
}
