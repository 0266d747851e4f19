package analyzers

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/promrules"
)

// recordedBy returns what the recordings of a run's promises hold, as the engine gives them or as sums do.
func recordedBy(t *testing.T, settings Replay, sums bool, slos ...assay.SLO) map[string]promrules.Line {
	t.Helper()
	run := drilled(slos...)
	for i := range run.R {
		if r := &run.R[i]; i%3 == 0 {
			r.Class = "batch"
		} else if i%7 == 0 {
			r.End = r.Due + 4*sec
		}
	}
	f, err := facts.Compute(context.Background(), run)
	if err != nil {
		t.Fatal(err)
	}
	p := settings.Begin(f).(*replayPass)
	p.Requests(run.R)
	own, _ := promrules.Generate(p.slos)
	groups, err := promrules.Scaled(withoutMeta(own), p.Speed)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Duration(0)
	if p.Past != NoPast {
		if past, err = promrules.Reach(groups); err != nil {
			t.Fatal(err)
		}
	}
	w := promrules.Replay{Groups: groups, Begin: p.ms(f.Begin), End: p.ms(f.End), Every: p.Every, Made: p.made.memory(f, past)}
	if sums {
		w.Known = p.known(past)
	}
	if _, err := w.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	out := map[string]promrules.Line{}
	for _, window := range promrules.Windows(30 * 24 * time.Hour) {
		for _, l := range w.Made.Lines(promrules.ErrorRecording(window)) {
			out[l.Labels.String()] = l
		}
	}
	return out
}

// Sums give what the engine gives over the same series: to the last evaluation, at the edges of the run and of windows, with a past and without.
func TestSumsAsTheEngine(t *testing.T) {
	slos := []assay.SLO{availability999,
		{Name: "fast", Target: .9, Window: availability999.Window, Good: assay.Indicator{Metric: "e2e", Max: 2 * sec}},
		{Name: "batch", Target: .99, Window: availability999.Window, Good: assay.Indicator{Metric: "availability", Class: "batch"}},
		{Name: "nobody", Target: .99, Window: availability999.Window, Good: assay.Indicator{Metric: "availability", Class: "no such"}}}
	for name, settings := range map[string]Replay{
		"as written":                   {Past: NoPast},
		"as written, each second":      {Past: NoPast, Every: time.Second},
		"scaled over what there is":    {Past: NoPast, Speed: 240, Every: time.Second},
		"scaled, windows not in steps": {Past: NoPast, Speed: 97, Every: 700 * time.Millisecond},
		"scaled after a good past":     {Speed: 240, Every: time.Second},
	} {
		want, got := recordedBy(t, settings, false, slos...), recordedBy(t, settings, true, slos...)
		if len(want) != 3*7 {
			t.Errorf("%s: %d recordings, want those of three promises", name, len(want))
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 || a != a && b != b }), cmpopts.IgnoreFields(promrules.Line{}, "Labels")); d != "" {
			t.Errorf("%s (-engine +sums):\n%.2000s", name, d)
		}
	}
}
