package analyzers

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// seenLoad answers the query for the autoscaler's view from one instant on.
type seenLoad int64

func (s seenLoad) Range(_ context.Context, expr string, begin, end, step int64) ([]assay.Series, error) {
	if !strings.HasPrefix(expr, "max(") || !strings.Contains(expr, "> scalar(max(") {
		return nil, nil
	}
	out := assay.Series{}
	for t := begin; t <= end; t += step {
		if t >= int64(s) {
			out.Times, out.Values = append(out.Times, t), append(out.Values, 9)
		}
	}
	return []assay.Series{out}, nil
}

// swinging is a rise with two new instances, of which the second gets a tenth of the work, a number wanted that swings, and a fall.
func swinging() *assay.Facts {
	return &assay.Facts{Manifest: &assay.Manifest{}, Begin: ms, End: 60_000 * ms, Metrics: seenLoad(13_500 * ms),
		Phases: []assay.Phase{{Name: "low", Role: assay.RoleSteady, Begin: 1000 * ms, End: 10_000 * ms, Rate: 5}, {Name: "high", Role: assay.RoleSteady, Begin: 10_000 * ms, End: 40_000 * ms, Rate: 50},
			{Name: "after", Role: assay.RoleSteady, Begin: 40_000 * ms, End: 60_000 * ms, Rate: 5}},
		Lives: []assay.Life{{Instance: "w-1", Ready: 500 * ms, First: 1100 * ms},
			{Instance: "w-2", Created: 15_000 * ms, Ready: 18_000 * ms, First: 20_000 * ms, Draining: 50_000 * ms}},
		Events: []assay.Event{scale(500, "1", "1"), scale(14_000, "2", "1"), scale(25_000, "3", "2"), scale(26_000, "2", "2"), scale(27_000, "3", "2"), scale(28_000, "2", "2"), scale(47_000, "1", "2")}}
}

func TestSteadiness(t *testing.T) {
	p := Steadiness{}.Begin(swinging())
	var block []assay.Request
	for i := range 600 {
		due := int64(10_000+50*i) * ms
		r := assay.Request{Phase: "high", Due: due, End: due + 10*ms, Outcome: assay.OK, Instance: "w-1"}
		switch {
		case due < 20_000*ms && i%10 == 0:
			r.Outcome = assay.Throttled
		case due < 20_000*ms && i%10 == 1:
			r.Cold = assay.ColdYes
		case due >= 20_000*ms && i%10 == 0:
			r.Instance = "w-2"
		}
		block = append(block, r)
	}
	p.Requests(block)
	r := &assay.Report{}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range r.Findings {
		got[f.Metric] = fmt.Sprintf("%.4g n=%d %s", f.Quantity.Value, f.Quantity.N, f.Quantity.Of)
	}
	jain := math.Pow(360+40, 2) / (2 * (360*360 + 40*40))
	want := map[string]string{
		"scaling/detect":   "4 n=1 steps of the load", // 13.5 s seen at a look each second
		"scaling/held":     "40 n=1 steps of the load",
		"scaling/fairness": fmt.Sprintf("%.4g n=2 instances", jain),
		"scaling/flaps":    "2 n=6 changes of the number wanted", // up, up, down, up, down: three turns, one is overshoot
		"scaling/in":       "7 n=1 falls of the load",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if q := r.Find("scaling/fairness").Quantity; !(q.Lo < q.Value && q.Value < q.Hi && q.Hi < 0.8) {
		t.Errorf("fairness %v", q)
	}
}

// What nothing tells is not measured, and says why.
func TestSteadinessUnknown(t *testing.T) {
	for name, tc := range map[string]struct {
		f    *assay.Facts
		want map[string]string
	}{
		"no events": {&assay.Facts{Manifest: &assay.Manifest{}}, map[string]string{"scaling/detect": "no life-cycle events", "scaling/held": "no life-cycle events", "scaling/fairness": "no life-cycle events", "scaling/flaps": "no life-cycle events", "scaling/in": "no life-cycle events"}},
		"no rise": {&assay.Facts{Manifest: &assay.Manifest{}, Events: []assay.Event{scale(1, "0", "0")}, Phases: []assay.Phase{{Name: "a", Rate: 1, End: 10 * ms}}},
			map[string]string{"scaling/detect": "no rise of the load", "scaling/held": "no rise", "scaling/fairness": "no rise", "scaling/in": "the load did not fall"}},
	} {
		p := Steadiness{}.Begin(tc.f)
		p.Requests([]assay.Request{{Due: ms}})
		r := &assay.Report{}
		if err := p.Finish(r); err != nil {
			t.Fatal(err)
		}
		for m, why := range tc.want {
			if q := r.Find(m).Quantity; q.Known() || !strings.Contains(q.Reason, why) {
				t.Errorf("%s: %s is %v, want %q", name, m, q, why)
			}
		}
	}
	f := swinging()
	f.Metrics = nil
	p := Steadiness{}.Begin(f)
	p.Requests([]assay.Request{{Due: 30_000 * ms, Outcome: assay.OK}})
	r := &assay.Report{}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	got := []string{r.Find("scaling/detect").Quantity.Reason, r.Find("scaling/fairness").Quantity.Reason}
	want := []string{"not measured, because the platform tells neither the load that it sees nor its target for an instance", "not measured, because nothing tells which instance served a request"}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
