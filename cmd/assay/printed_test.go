package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// Each flag of a duration reads what is printed.
func TestPrintedDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"43.2 min": 2592 * time.Second, "10min": 10 * time.Minute, "2d": 48 * time.Hour, "1 h 5 s": time.Hour + 5*time.Second, "500 µs": 500 * time.Microsecond} {
		var d time.Duration
		root, below := &cobra.Command{Use: "a"}, &cobra.Command{Use: "b", Run: func(*cobra.Command, []string) {}}
		root.AddCommand(below)
		below.Flags().DurationVar(&d, "for", time.Second, "how long")
		readPrinted(root)
		root.SetArgs([]string{"b", "--for", text})
		if err := root.Execute(); err != nil || d != want {
			t.Errorf("--for %q: got %v, %v, want %v", text, d, err, want)
		}
	}
	if got := assayIn(t, t.TempDir(), "assess", "--help"); strings.Contains(got.out, "default 0s") || !strings.Contains(got.out, "--rule-interval duration") {
		t.Errorf("help shows a default that is none:\n%s", got.out)
	}
	if err := (printed{}).Set("5mins"); err == nil || err.Error() != `"5mins" is not a duration; write for example 800ms, 30s, 5min or 2d` {
		t.Errorf("got %v", err)
	}
}
