package analyzers

import (
	"slices"
	"testing"

	"github.com/assay-dev/assay"
)

// The rules of a promise by slices count events: the replay says so, and what either way of counting makes of the run.
func TestReplayOfSlices(t *testing.T) {
	sliced := availability999
	sliced.Method, sliced.Slice, sliced.SliceTarget, sliced.Target = assay.Timeslices, 10*sec, .9, .9
	mean := sliced
	mean.Name, mean.Method = "b", assay.RatioTimeslices
	whole := availability999
	whole.Name = "c"
	r := replayed(t, drilled(sliced, mean, whole), nil)
	// Of 1000 requests 50 failed in a slice of their own, and 40 in two others, a fifth each.
	for slo, want := range map[string]string{
		"a": "the rules of a count events, as its file of rules says, and not slices of time: bad in this run were 9 % of events (burn rate 0.9x) and 30 % of slices of 10s (3x), and it allows 10 %",
		"b": "the rules of b count events, as its file of rules says, and not slices of time: bad in this run were 9 % of events (burn rate 0.9x) and 9.02 % as the mean of slices of 10s (0.902x), and it allows 10 %",
	} {
		for i := range r.Replays {
			if x := &r.Replays[i]; slices.Contains(x.Warnings, want) != (x.SLO == slo) {
				t.Errorf("%s of %s: %q; want of %s: %s", x.Severity, x.SLO, x.Warnings, slo, want)
			}
		}
	}
}
