package analyzers

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// paced is a run of a steady phase of 1000 requests a second for four seconds, due at random or evenly, that were sent as late as told.
func paced(even bool, late func(i int, due int64) int64) *factstest.Run {
	run := &factstest.Run{M: quiet().M}
	run.M.Resolution = 1000
	run.E = []assay.Event{{Time: sec, Kind: assay.EventPhaseBegin, Phase: "steady", Attrs: map[string]string{"role": "steady", "rate": "1000"}},
		{Time: 5 * sec, Kind: assay.EventPhaseEnd, Phase: "steady"}}
	rng := rand.New(rand.NewPCG(4, 4))
	due := sec
	for i := 0; due < 5*sec; i++ {
		l := late(i, due)
		r := assay.Request{ID: uint64(i + 1), Phase: "steady", Due: due, Sent: due + l, Outcome: assay.OK, Cold: assay.ColdNo, FirstByte: due + l + msec, FirstToken: due + l + msec, End: due + l + 2*msec, TokensOut: 1}
		if l < 0 {
			r = assay.Request{ID: r.ID, Phase: r.Phase, Due: due, End: due, Outcome: assay.RefusedByCap}
		}
		run.R = append(run.R, r)
		if even {
			due += msec
		} else {
			due += int64(rng.ExpFloat64() * 1e6)
		}
	}
	return run
}

// TestPacingRules: each way to send another load than the one planned breaks a rule, which the report names.
func TestPacingRules(t *testing.T) {
	jitter := rand.New(rand.NewPCG(5, 5))
	for _, c := range []struct {
		name  string
		even  bool
		late  func(i int, due int64) int64
		rules []string
	}{
		{"on time", false, func(int, int64) int64 { return 30_000 }, nil},
		{"on time, even", true, func(int, int64) int64 { return int64(jitter.Float64() * 60_000) }, nil},
		{"one in fifty 5 ms late", false, func(i int, _ int64) int64 { return max(20_000, int64(5e6)*int64(1-min(1, i%50))) }, []string{"lateness/p99"}},
		{"in batches of 20 ms", false, func(_ int, due int64) int64 { return (20*msec - due%(20*msec)) / 40 }, nil}, // half a millisecond is no batch
		{"in real batches", false, func(_ int, due int64) int64 { return 50*msec - due%(50*msec) }, []string{"lateness/p99", "spacing/ks", "spacing/dispersion"}},
		{"even ones at once by the millisecond", true, func(i int, _ int64) int64 { return int64(4-i%5) * msec }, []string{"lateness/p99", "spacing/ks"}},
		{"a twentieth refused", false, func(i int, _ int64) int64 { return 20_000 - 30_000*int64(1-min(1, i%20)) }, []string{"dropped", "delivered"}},
		{"a stall of half a second at the end", false, func(_ int, due int64) int64 { return max(20_000, 5500*msec-due) * max(0, min(1, (due-4850*msec)/msec)) }, []string{"lateness/p99", "delivered", "spacing/dispersion"}},
	} {
		r := assess(t, paced(c.even, c.late), "validity")
		if d := cmp.Diff(c.rules, r.Trust.Rules); d != "" || len(r.Trust.Rules) != len(r.Trust.Problems) {
			t.Errorf("%s: problems %q (-want +got):\n%s", c.name, r.Trust.Problems, d)
		}
		// Nothing was asked of the numbers; once something is, an invalid run has no answer.
		if invalid := len(c.rules) > 0; r.Exit != assay.ExitGo || (r.Decision == assay.InvalidRun) != invalid {
			t.Errorf("%s: %s, exit %d", c.name, r.Decision, r.Exit)
		}
		asked := paced(c.even, c.late)
		most := 0.05
		asked.M.Objectives = []assay.Objective{{Metric: "e2e/p50", Max: &most, Unit: assay.Seconds}}
		if r := assess(t, asked); len(c.rules) > 0 && r.Exit != assay.ExitInvalid {
			t.Errorf("%s: %s, exit %d with an objective", c.name, r.Decision, r.Exit)
		}
		if (len(c.rules) == 0) != r.Trust.Valid {
			t.Errorf("%s: valid %v", c.name, r.Trust.Valid)
		}
		n := 0
		for _, b := range r.Trust.Lateness {
			n += b.N
		}
		if want := r.Find("validity/lateness/p50").Quantity.N; n != want || len(r.Trust.Lateness) > 30 {
			t.Errorf("%s: %d in %d bins, want %d", c.name, n, len(r.Trust.Lateness), want)
		}
		if f := r.Find("validity/delivered", "phase", "steady"); f == nil || (f.Quantity.Value < .99) != slices.Contains(c.rules, "delivered") {
			t.Errorf("%s: delivered %+v", c.name, f)
		}
	}
}

func TestPacingWithoutASchedule(t *testing.T) {
	run := paced(true, func(int, int64) int64 { return 10_000 })
	for i := range run.R {
		run.R[i].NoSchedule = true
	}
	r := assess(t, run, "validity")
	for _, name := range []string{"lateness/p99", "delivered", "spacing/ks", "spacing/dispersion"} {
		if q := r.Find("validity/" + name).Quantity; q.Reason != "not measured, because the load had no schedule: due is the instant a slot was free" {
			t.Errorf("%s: %s", name, q)
		}
	}
	if !r.Trust.Valid || r.Trust.Lateness != nil {
		t.Errorf("%+v", r.Trust)
	}
}

func TestLatenessBins(t *testing.T) {
	var p pacing
	for _, ns := range []int64{0, 500, 1500, 40_000, 40_001, 3_000_000} {
		p.late.add(0, ns)
	}
	var got []assay.Bin
	for _, b := range p.histogram() {
		if b.N > 0 {
			got = append(got, b)
		}
	}
	if len(got) != 4 || got[0].N != 2 || got[1].N != 1 || got[2].N != 2 || got[3].N != 1 || math.Abs(got[2].To-5e-5) > 1e-9 || math.Abs(got[3].To-5e-3) > 1e-9 {
		t.Errorf("%+v, want 2 up to 1 µs, 1 up to 2 µs, 2 up to 50 µs, 1 up to 5 ms", got)
	}
}

func TestMachine(t *testing.T) {
	run := paced(false, func(int, int64) int64 { return 10_000 })
	if got := assess(t, run, "validity").Trust; got.Machine != "not calibrated: assay calibrate" || len(got.Rows) == 0 {
		t.Errorf("%+v", got)
	}
	run.M.Machine = &assay.Calibration{Date: "2026-11-25", PerRequest: 18_000, PerEvent: 1100, SafeRate: 14000}
	run.M.End.Usage = &assay.Usage{CPU: 400 * msec, Wall: 4 * sec, Peak: .3, CPUs: 2}
	r := assess(t, run, "validity")
	if r.Trust.Machine != "18 µs/request, 1.1 µs/event, safe to 14000/s, calibrated 2026-11-25" {
		t.Errorf("machine %q", r.Trust.Machine)
	}
	if q := r.Find("validity/cpu").Quantity; q.Value != .15 {
		t.Errorf("cpu %s", q)
	}
	if q := r.Find("validity/cpu/request").Quantity; math.Abs(q.Value-.4/float64(q.N)) > 1e-12 || q.N < 3900 {
		t.Errorf("cpu of a request %s", q)
	}
	doubts := len(r.Trust.Doubts)
	run.M.Machine.SafeRate, run.M.End.Usage.Peak = 900, 1.9
	r = assess(t, run, "validity")
	if len(r.Trust.Doubts) != doubts+2 || !r.Trust.Valid {
		t.Errorf("doubts %q", r.Trust.Doubts)
	}
	run.M.Imported = true
	if got := assess(t, run, "validity").Trust.Machine; got != "" {
		t.Errorf("an import was made on a machine that %s", got)
	}
}

// TestLatenessByPhase: what a phase says is spoiled by its own late sends, not saved by those of others.
func TestLatenessByPhase(t *testing.T) {
	slo := func(tightest string) map[string]string {
		return map[string]string{"role": "stress", "of": "find", "step": "1", "tightest": tightest}
	}
	role := func(r string) map[string]string { return map[string]string{"role": r} }
	type phase struct {
		name  string
		attrs map[string]string
		n     int
		every int   // one in so many is late …
		late  int64 // by so much; the rest by 20 µs
	}
	for _, c := range []struct {
		name   string
		phases []phase
		max    float64 // tightest objective, seconds; 0: none
		rules  []string
		limit  string
		by     string // the phase that decides
	}{
		{"a short late phase among on-time stress", []phase{{"a", role("steady"), 200, 10, 5 * msec}, {"s", role("stress"), 50_000, 1 << 30, 0}}, 0, []string{"lateness/p99"}, "1 ms", "a"},
		{"a late search beside a clean phase", []phase{{"a", role("steady"), 2000, 1 << 30, 0}, {"find/1", slo("0.1"), 2000, 2, 50 * msec}}, 0, nil, "1 ms", "a"},
		{"a late warm-up", []phase{{"w", role("warmup"), 30, 2, 50 * msec}, {"a", role("steady"), 2000, 1 << 30, 0}}, 0, nil, "1 ms", "a"},
		{"one late send of few", []phase{{"a", role("steady"), 20, 20, 50 * msec}, {"b", role("steady"), 2000, 1 << 30, 0}}, 0, nil, "1 ms", "a"},
		{"a late search alone", []phase{{"w", role("warmup"), 30, 1 << 30, 0}, {"find/1", slo("0.1"), 2000, 2, 5 * msec}}, 0, []string{"lateness/p99"}, "1 ms", "find"},
		{"whose slo allows it", []phase{{"find/1", slo("0.6"), 1000, 2, 5 * msec}, {"find/2", slo("0.6"), 1000, 1 << 30, 0}}, .1, nil, "6 ms", "find"},
	} {
		run := &factstest.Run{M: quiet().M}
		run.M.Resolution = 1000
		if c.max > 0 {
			run.M.Objectives = []assay.Objective{{Metric: "e2e/p99", Max: &c.max}}
		}
		at, id := sec, uint64(0)
		for _, ph := range c.phases {
			run.E = append(run.E, assay.Event{Time: at, Kind: assay.EventPhaseBegin, Phase: ph.name, Attrs: ph.attrs})
			for i := range ph.n {
				late := int64(20_000)
				if i%ph.every == ph.every-1 {
					late = ph.late
				}
				id++
				run.R = append(run.R, assay.Request{ID: id, Phase: ph.name, Due: at, Sent: at + late, Outcome: assay.OK, Cold: assay.ColdNo, FirstByte: at + late + 1, FirstToken: at + late + 1, End: at + late + msec, TokensOut: 1})
				at += msec
			}
			at += 100 * msec
			run.E = append(run.E, assay.Event{Time: at, Kind: assay.EventPhaseEnd, Phase: ph.name})
		}
		r := assess(t, run, "validity")
		late := slices.DeleteFunc(slices.Clone(r.Trust.Rules), func(s string) bool { return s != "lateness/p99" })
		if len(late) == 0 {
			late = nil
		}
		if d := cmp.Diff(c.rules, late); d != "" {
			t.Errorf("%s: problems %q (-want +got):\n%s", c.name, r.Trust.Problems, d)
		}
		row := r.Trust.Rows[slices.IndexFunc(r.Trust.Rows, func(row assay.TrustRow) bool { return row.Name == "lateness/p99" })]
		if row.Limit != c.limit || len(c.phases) > 1 && c.by != "find" && !strings.HasSuffix(row.Quantity.Method, "of the worst phase, "+c.by) {
			t.Errorf("%s: limit %s, %s", c.name, row.Limit, row.Quantity.Method)
		}
		if n := r.Find("validity/lateness/max").Quantity.N; n != len(run.R) || r.Find("validity/lateness/p99", "phase", c.by) == nil {
			t.Errorf("%s: %d sends pooled of %d", c.name, n, len(run.R))
		}
	}
}

// The tightest latency that the plan asks for says how late sends may be, whether it stands in an objective or in a promise.
func TestLatenessLimitOfPromises(t *testing.T) {
	max := 0.4
	m := &assay.Manifest{SLOs: []assay.SLO{{Good: assay.Indicator{Metric: "availability"}}}}
	got := []int64{LatenessLimit(m)}
	m.SLOs = append(m.SLOs, assay.SLO{Good: assay.Indicator{Metric: "e2e", Max: 2e9}})
	got = append(got, LatenessLimit(m))
	m.Objectives = []assay.Objective{{Metric: "ttft/p95", Max: &max}, {Metric: "error_ratio", Max: &max}}
	got = append(got, LatenessLimit(m))
	if diff := cmp.Diff([]int64{1e6, 20e6, 4e6}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
