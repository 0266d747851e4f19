package analyzers

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

func TestChargePhases(t *testing.T) {
	phases := []assay.Interval{{Name: "schedule", Begin: 0, End: 10}, {Name: "weights_fetch", Begin: 20, End: 60}, {Name: "compile", Begin: 40, End: 80}}
	for i := range phases {
		phases[i].Begin, phases[i].End = phases[i].Begin*ms+1, phases[i].End*ms+1
	}
	shares, rest := chargePhases(phases, 1, 100*ms+1)
	got := map[string]float64{}
	for _, s := range shares {
		got[s.Name] = s.Seconds
	}
	// compile overlaps the fetch by 20 ms: the later one is charged, nothing is counted twice.
	want := map[string]float64{"schedule": 0.010, "weights_fetch": 0.020, "compile": 0.040}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" || math.Abs(rest-0.030) > 1e-9 {
		t.Errorf("rest %v (-want +got)\n%s", rest, diff)
	}
}

func coldFacts() *assay.Facts {
	f := someFacts(nil)
	for i, total := range []int64{700, 900, 800, 1500} {
		begin := int64(i+1) * 1000 * ms
		f.Lives = append(f.Lives, assay.Life{Instance: "w", Trigger: begin, Created: begin + 10*ms, Ready: begin + total*ms, First: begin + total*ms + 40*ms, Held: i, Ledger: assay.Natural,
			Phases: []assay.Interval{{Name: "weights_fetch", Begin: begin + 100*ms, End: begin + 500*ms, Resolution: ms}}})
	}
	return f
}

func TestColdStarts(t *testing.T) {
	p := ColdStarts{}.Begin(coldFacts())
	block := make([]assay.Request, 20)
	for i := range block {
		block[i] = assay.Request{Outcome: assay.OK, Cold: assay.ColdNo}
	}
	block[0].Cold, block[1].Cold, block[2].Cold = assay.ColdYes, assay.ColdYes, assay.ColdUnknown
	p.Requests(block)
	r := &assay.Report{}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	worst := r.Find("cold/start/worst").Quantity
	if worst.Value != 1.5 || worst.N != 4 || math.Abs(worst.Lo-1.499) > 1e-9 {
		t.Errorf("worst: got %v", worst)
	}
	if q := r.Find("cold/share", "of", "requests").Quantity; q.Value != 2.0/19 || q.Lo != 0.1 || q.Hi != 0.15 {
		t.Errorf("share of requests: got %v; the unknown one must widen it", q)
	}
	if q := r.Find("cold/share", "of", "instances").Quantity; q.Value != 0.75 {
		t.Errorf("share of instances: got %v", q)
	}
	if q := r.Find("cold/start/p50").Quantity; math.Abs(q.Value-0.85) > 1e-9 || q.Confidence != 0.875 || q.Lo != 0.7 || q.Hi != 1.5 {
		t.Errorf("median of 4: got %v, want the range with the confidence it attains, 1 - 2/16", q)
	}
	if q := r.Find("cold/start/p90").Quantity; q.Known() {
		t.Errorf("p90 of 4: got %v, want not estimable", q)
	}
	if q := r.Find("cold/phase/weights_fetch").Quantity; math.Abs(q.Value-0.4) > 1e-9 {
		t.Errorf("weights: got %v", q)
	}
	if q := r.Find("cold/phase/compile").Quantity; q.Known() {
		t.Errorf("compile: got %v, want not measured", q)
	}
	if q := r.Find("cold/held").Quantity; q.Value != 6 {
		t.Errorf("held: got %v", q)
	}
}

func scale(at int64, desired, ready string) assay.Event {
	return assay.Event{Time: at * ms, Kind: assay.EventScale, Attrs: map[string]string{"desired": desired, "ready": ready}}
}

func TestScaling(t *testing.T) {
	f := &assay.Facts{Manifest: &assay.Manifest{}, Begin: ms, End: 30_000 * ms,
		Phases: []assay.Phase{{Name: "a", Role: assay.RoleSteady, Begin: 1000 * ms, End: 10_000 * ms, Rate: 5}, {Name: "idle", Role: assay.RoleIdle, Begin: 10_000 * ms, End: 30_000 * ms}},
		Lives: []assay.Life{{Instance: "w-1", Created: 1100 * ms, Ready: 2000 * ms, First: 2100 * ms, Draining: 17_000 * ms, Exited: 17_100 * ms},
			{Instance: "w-2", Created: 1100 * ms, Ready: 2500 * ms, First: 2600 * ms, Draining: 14_000 * ms, Exited: 14_100 * ms}},
		Events: []assay.Event{scale(1050, "3", "0"), scale(3000, "2", "2"), scale(14_000, "1", "2"), scale(17_000, "0", "1")}}
	p := Scaling{}.Begin(f)
	p.Requests([]assay.Request{{Phase: "a", Due: 9900 * ms, End: 10_500 * ms}})
	r := &assay.Report{}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, finding := range r.Findings {
		got[finding.Metric] = finding.Quantity.Value
	}
	want := map[string]float64{"scaling/decide": 0.05, "scaling/provision": 0.95, "scaling/serve": 0.1, "scaling/total": 1.1, "scaling/overshoot": 1, "scaling/to_zero": 6.5}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	step := r.Scaling[0]
	if sum := step.Decide.Value + step.Provision.Value + step.Serve.Value; math.Abs(sum-step.Total.Value) > 1e-9 {
		t.Errorf("lags sum to %v, total is %v", sum, step.Total.Value)
	}
}

func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		name   string
		attrs  map[string]string
		lo, hi float64
		known  bool
	}{
		{"between", map[string]string{"search": "stress", "held": "12", "broke": "16", "metric": "ttft/p95"}, 12, 16, true},
		{"all held", map[string]string{"search": "stress", "held": "8"}, 8, math.Inf(1), true},
		{"none held", map[string]string{"search": "stress", "broke": "8", "metric": "ttft/p95"}, 0, 8, true},
		{"nothing judged", map[string]string{"search": "stress"}, math.NaN(), math.NaN(), false},
		{"no search", map[string]string{"note": "x"}, math.NaN(), math.NaN(), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := someFacts(nil)
			f.Events = []assay.Event{{Kind: assay.EventAnnotation, Attrs: tt.attrs}}
			r := &assay.Report{}
			if err := (Limit{}).Begin(f).Finish(r); err != nil {
				t.Fatal(err)
			}
			q := r.Find("limit/rate").Quantity
			if q.Known() != tt.known || tt.known && (q.Lo != tt.lo || q.Hi != tt.hi) || (r.Limit != nil) != tt.known {
				t.Errorf("got %v, limit %+v", q, r.Limit)
			}
		})
	}
}

func TestTimelineBins(t *testing.T) {
	f := someFacts(nil)
	p := Timeline{}.Begin(f)
	p.Requests([]assay.Request{
		{Outcome: assay.OK, Due: 1500 * ms, Sent: 1500 * ms, FirstToken: 1700 * ms, End: 2500 * ms, Cold: assay.ColdNo},
		{Outcome: assay.Reset, Due: 2100 * ms, Sent: 2100 * ms, End: 2200 * ms},
		{Outcome: assay.RefusedByCap, Due: 2300 * ms, End: 2300 * ms},
	})
	r := &assay.Report{}
	if err := p.Finish(r); err != nil {
		t.Fatal(err)
	}
	at := func(name string, i int) float64 {
		for _, s := range r.Series {
			if s.Name == name {
				return float64(s.Values[i])
			}
		}
		t.Fatalf("no series %s", name)
		return 0
	}
	for _, tt := range []struct {
		name string
		bin  int
		want float64
	}{{"requests/ok", 1, 1}, {"requests/failed", 2, 1}, {"requests/refused", 2, 1}, {"in_flight", 1, 0.5}, {"in_flight", 2, 0.6}, {"ttft/p50", 1, 0.2}, {"ttft/ecdf/warm", 0, 0.2}} {
		if got := at(tt.name, tt.bin); math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%s bin %d: got %v, want %v", tt.name, tt.bin, got, tt.want)
		}
	}
	if !math.IsNaN(at("ttft/p50", 5)) {
		t.Error("a bin without answers has a latency")
	}
}

// What was not told is not said not to have been.
func TestScalingWithoutRatesOrDecisions(t *testing.T) {
	for want, f := range map[string]*assay.Facts{
		"not measured, because no phase tells at which rate it offered load, and the requests are too few to tell when it rose": {
			Phases: []assay.Phase{{Name: "load", End: sec}}, Lives: []assay.Life{{Instance: "w-1"}}},
		"not measured, because no decision of the platform to scale was recorded, and no instance's creation": {Phases: []assay.Phase{{Name: "load", End: sec, Rate: 2}}, Lives: []assay.Life{{Instance: "w-1"}}},
	} {
		r := &assay.Report{}
		if err := (Scaling{}).Begin(f).Finish(r); err != nil {
			t.Fatal(err)
		}
		for _, metric := range []string{"scaling/decide", "scaling/overshoot"} {
			if q := r.Find(metric).Quantity; q.Reason != want {
				t.Errorf("%s: %s, want %q", metric, q, want)
			}
		}
	}
}

// A recording of requests and of instances, without a phase that tells a rate and without decisions, tells of scaling all the same.
func TestScalingOfARecording(t *testing.T) {
	f := &assay.Facts{Begin: sec, End: 600 * sec, Phases: []assay.Phase{{Name: "load", Begin: sec, End: 600 * sec}},
		Levels: []assay.Level{{Begin: sec, Lo: sec, Hi: sec, Rate: 2}, {Begin: 200 * sec, Lo: 199 * sec, Hi: 202 * sec, Rate: 12}, {Begin: 400 * sec, Lo: 399 * sec, Hi: 401 * sec, Rate: 2}},
		Lives: []assay.Life{{Instance: "a", Created: sec, Ready: 2 * sec, First: 3 * sec}, {Instance: "b", Created: 206 * sec, Ready: 214 * sec, First: 215 * sec, Exited: 430 * sec},
			{Instance: "c", Created: 300 * sec, Ready: 302 * sec, Reason: "replace"}}}
	r := &assay.Report{}
	if err := (Scaling{}).Begin(f).Finish(r); err != nil {
		t.Fatal(err)
	}
	type row struct{ Value, Lo, Hi float64 }
	got := map[string]row{}
	for _, m := range []string{"scaling/decide", "scaling/provision", "scaling/serve", "scaling/total"} {
		x := r.Find(m)
		if len(x.Warnings) != 2 {
			t.Errorf("%s: warnings %q", m, x.Warnings)
		}
		got[m] = row{x.Quantity.Value, x.Quantity.Lo, x.Quantity.Hi}
	}
	want := map[string]row{"scaling/decide": {6, 4, 7}, "scaling/provision": {8, 8, 8}, "scaling/serve": {1, 1, 1}, "scaling/total": {15, 13, 16}}
	if d := cmp.Diff(want, got); d != "" || len(r.Scaling) != 1 {
		t.Errorf("%d steps (-want +got):\n%s", len(r.Scaling), d)
	}
	// A phase that tells its rate stands for itself.
	f.Phases[0].Rate = 5
	if got := risesOf(f, nil); len(got) != 0 {
		t.Errorf("rises within a phase of one rate: %+v", got)
	}
}
