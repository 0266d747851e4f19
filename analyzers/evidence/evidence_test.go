package evidence

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

const (
	hour  = int64(3600e9)
	day   = 24 * hour
	epoch = int64(1_800_000_000e9)
)

// natural is a run of so many hours, from so many hours after the epoch, whose service failed at some hours of its own.
func natural(id string, from, hours float64, fails ...float64) (*assay.Manifest, *assay.Report) {
	h := func(x float64) int64 { return int64(x * float64(hour)) }
	m := &assay.Manifest{ID: id, Name: "soak", PlanHash: "p1", Target: assay.Target{Name: "https://api", Model: "m", Release: "r1"}, Epoch: epoch + h(from), End: assay.Ending{Status: assay.EndComplete, At: h(hours)}}
	r := &assay.Report{Begin: 0, End: h(hours), Decision: assay.Go, Trust: assay.Trust{Valid: true}, Segments: []assay.Segment{{Ledger: assay.Natural, Begin: 0, End: h(hours)}}}
	r.Exposure = []assay.Exposure{{Subject: assay.Service, Time: h(hours), In: []assay.Stretch{{Begin: 0, End: h(hours)}}}}
	for _, f := range fails {
		at := h(f)
		r.Episodes = append(r.Episodes, assay.Episode{Subject: assay.Service, Ledger: assay.Natural, Cause: "crash", BeginLo: at - 1e9, Begin: at, End: at, EndHi: at + 1e3})
	}
	return m, r
}

func runOf(m *assay.Manifest, r *assay.Report) *Run { return Of("runs/"+m.ID, m, r, "") }

func pooled(t *testing.T, o Options, runs ...*Run) assay.ServiceEvidence {
	t.Helper()
	if o.Now == 0 {
		o.Now = epoch + 100*day
	}
	e := Pool(runs, o)
	if len(e.Services) != 1 {
		t.Fatalf("%d services, want 1", len(e.Services))
	}
	return e.Services[0]
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A failure counts by the cause that the assessment of its run counts it by, and else by what was told.
func TestCauses(t *testing.T) {
	m, r := natural("a", 0, 100, 10, 20, 30)
	r.Episodes[0].Cause, r.Episodes[0].CountedBy = "exit 137", "xid_node"
	got := map[string]int{}
	for _, c := range pooled(t, Options{}, runOf(m, r)).Units[0].Causes {
		got[c.Cause] = c.Failures
	}
	if d := cmp.Diff(map[string]int{"xid_node": 1, "crash": 2}, got); d != "" {
		t.Errorf("causes (-want +got):\n%s", d)
	}
}

// TestHandbook: the handbook's system, watched in two runs of 400 h with a failure each, comes to the handbook's figures (8.4.5.1).
func TestHandbook(t *testing.T) {
	s := pooled(t, Options{}, runOf(natural("b", 500, 400, 100)), runOf(natural("a", 0, 400, 50)))
	if len(s.Units) != 1 {
		t.Fatalf("units %+v", s.Units)
	}
	u := s.Units[0]
	near(t, "exposure", u.Exposure, 800*3600, 1e-3)
	near(t, "MTBF", u.MTBF.Value, 400*3600, 1e-3)
	in := u.MTBF
	near(t, "lower, 95 %", in.Lo, .2768*400*3600, 80)
	near(t, "upper, 95 %", in.Hi, 8.2573*400*3600, 80)
	if u.Failures != 2 || u.Trend != nil || len(u.Causes) != 1 || u.Causes[0].Cause != "crash" || u.Causes[0].Failures != 2 {
		t.Errorf("%+v", u)
	}
	if s.Runs[0].ID != "a" || s.Runs[1].ID != "b" {
		t.Errorf("runs are not in order of time: %+v", s.Runs)
	}
}

// TestDown: what one run saw fail for a minute worked for no other, and availability is that of the union.
func TestDown(t *testing.T) {
	m, r := natural("a", 0, 400, 50)
	r.Episodes[0].End, r.Episodes[0].EndHi = r.Episodes[0].Begin+59e9, r.Episodes[0].Begin+61e9
	s := pooled(t, Options{}, runOf(m, r), runOf(natural("b", 0, 400)))
	near(t, "exposure", s.Units[0].Exposure, 400*3600-61, 1e-3)
	q := s.Availability[0].Quantity
	near(t, "availability by time", q.Value, (400*3600-61)/(400*3600-1.), 1e-9)
	if q.N != 1 || !(q.Lo < q.Value && q.Value < q.Hi) {
		t.Errorf("availability %v", q)
	}
}

// TestTrendOverCalendar: the handbook's failures of 8.2.3.4, watched in many runs with weeks between them, have its trend and its growth.
func TestTrendOverCalendar(t *testing.T) {
	ages := []float64{5, 40, 43, 175, 389, 712, 747, 795, 1299, 1478}
	var runs []*Run
	for i := range 15 {
		var fails []float64
		for _, a := range ages {
			if int(a)/100 == i {
				fails = append(fails, a-float64(100*i))
			}
		}
		runs = append(runs, runOf(natural(fmt.Sprint(i), 600*float64(i), 100, fails...)))
	}
	s := pooled(t, Options{Objectives: []Objective{{Objective: assay.Objective{Metric: "mtbf/service", Min: ptr(200 * 3600)}, Confidence: .9}}}, runs...)
	u := s.Units[0]
	if u.Trend == nil || u.Trend.Constant || u.Trend.Way != "improving" || u.Trend.N != 10 {
		t.Fatalf("trend %+v", u.Trend)
	}
	near(t, "MIL-HDBK, two-sided", u.Trend.MilHdbkP, 2*.01099, 1e-5)
	near(t, "Laplace, two-sided", u.Trend.LaplaceP, 2*.0923, 1e-4)
	near(t, "MTBF at the end", u.AtEnd.MTBF.Value/3600, 310.234, 1e-3)
	near(t, "mean MTBF", u.MTBF.Value/3600, 150, 1e-6)
	if !strings.HasPrefix(u.AtEnd.MTBF.Method, "Crow-AMSAA") || !strings.HasSuffix(u.MTBF.Method, "mean over the watch") || !strings.Contains(strings.Join(u.Doubts, ""), "not constant") {
		t.Errorf("%+v", u)
	}
	j := s.Objectives[0]
	near(t, "mean, lower, one-sided 90 %", j.Quantity.Lo/3600, 150*.6491, 0.01)
	near(t, "mean, upper, one-sided 90 %", j.Quantity.Hi/3600, 150*1.6074, 0.01)
	if j.Verdict != assay.VerdictInconclusive || !strings.Contains(j.Enough, "not constant") || !strings.HasSuffix(j.Why, "held to the mean over the watch, which is worse than what the rate was at its end") {
		t.Errorf("%+v", j)
	}
	var at []float64
	for _, a := range ages {
		at = append(at, a*3600)
	}
	end := atEnd(at, 1500*3600, u.Trend, .8)
	near(t, "at the end, lower, one-sided 90 %", end.MTBF.Lo/3600, 157.7138, 1e-3)
	near(t, "at the end, upper, one-sided 90 %", end.MTBF.Hi/3600, 548.5566, 1e-3)
}

// TestTrendForTheWorse: an objective is held to what the rate has become.
func TestTrendForTheWorse(t *testing.T) {
	s := pooled(t, Options{Objectives: []Objective{{Objective: assay.Objective{Metric: "mtbf/service", Min: ptr(60 * 3600)}, Confidence: .9}}},
		runOf(natural("a", 0, 1500, 700, 1100, 1200, 1300, 1350, 1400, 1430, 1460, 1480, 1495)))
	u, j := s.Units[0], s.Objectives[0]
	if u.Trend.Way != "worsening" || u.AtEnd.MTBF.Value >= u.MTBF.Value || j.Quantity.Value != u.AtEnd.MTBF.Value || j.Verdict != assay.VerdictFail || !(u.MTBF.Lo > 60*3600) || !strings.HasSuffix(j.Why, "held to what the rate was at the end of the watch, which is worse than the mean over it") {
		t.Errorf("%+v: %+v", u, j)
	}
}

func ptr(v float64) *float64 { return &v }

func TestOverlap(t *testing.T) {
	a := runOf(natural("a", 0, 10, 5))
	b := runOf(natural("b", 4, 10, 1, 8)) // sees the failure at hour 5 too, and one at hour 12
	twin := runOf(natural("a", 0, 10, 5))
	twin.Dir = "copy/a"
	s := pooled(t, Options{}, a, b, twin)
	u := s.Units[0]
	near(t, "exposure", u.Exposure, 14*3600, 1e-3)
	if u.Failures != 2 {
		t.Errorf("%d failures, want 2", u.Failures)
	}
	if got := strings.Join(s.Warnings, "; "); !strings.Contains(got, "1 failure seen by two runs at once") || !strings.Contains(got, "overlap for 6 h") {
		t.Errorf("warnings %q", got)
	}
	if len(s.Runs) != 2 {
		t.Errorf("the copy was counted: %+v", s.Runs)
	}
}

// TestInjectedElsewhere: what one run took for natural lay in the fault of another.
func TestInjectedElsewhere(t *testing.T) {
	watch := runOf(natural("watch", 0, 10, 5, 8))
	m, r := natural("drill", 4, 2)
	r.Segments = []assay.Segment{{Ledger: assay.Natural, End: hour / 2}, {Ledger: assay.Injected, Fault: "f1", Begin: hour / 2, End: 3 * hour / 2}, {Ledger: assay.Natural, Begin: 3 * hour / 2, End: 2 * hour}}
	r.Exposure[0] = assay.Exposure{Subject: assay.Service, Time: hour, In: []assay.Stretch{{Begin: 0, End: hour / 2}, {Begin: 3 * hour / 2, End: 2 * hour}}}
	s := pooled(t, Options{}, watch, runOf(m, r))
	near(t, "exposure", s.Units[0].Exposure, 9*3600, 1e-3)
	if s.Units[0].Failures != 1 || !strings.Contains(strings.Join(s.Warnings, ""), "1 failure that one run took for natural") {
		t.Errorf("%+v, %q", s.Units[0], s.Warnings)
	}
}

func TestApart(t *testing.T) {
	real := runOf(natural("a", 0, 10))
	m, r := natural("b", 20, 10)
	m.Target.Simulated = []string{"time"}
	sim := runOf(m, r)
	m, r = natural("c", 40, 10)
	m.Target.Model = "other"
	other := runOf(m, r)
	m, r = natural("d", 60, 10, 2)
	r.Trust = assay.Trust{Problems: []string{"the generator fell behind"}}
	r.Decision = assay.InvalidRun
	invalid := runOf(m, r)
	unread := Of("runs/e", m, nil, "it cannot be read: no such file")
	unread.ID = "e"
	e := Pool([]*Run{real, sim, other, invalid, unread}, Options{Now: epoch})
	var got []string
	for _, s := range e.Services {
		got = append(got, fmt.Sprintf("%s %v: %d runs, %g h", s.Model, s.Simulated, len(s.Runs), s.Units[0].Exposure/3600))
	}
	if d := cmp.Diff([]string{"m []: 3 runs, 10 h", "m [time]: 1 runs, 10 h", "other []: 1 runs, 10 h"}, got); d != "" {
		t.Errorf("services (-want +got):\n%s", d)
	}
	var why []string
	for _, x := range e.LeftOut {
		why = append(why, x.Dir+": "+x.Why)
	}
	if d := cmp.Diff([]string{"runs/d: it could not measure: the generator fell behind", "runs/e: it cannot be read: no such file"}, why); d != "" {
		t.Errorf("left out (-want +got):\n%s", d)
	}
	if e.Services[0].Units[0].Failures != 0 {
		t.Error("the failure of an invalid run was counted")
	}
}

// TestObjectives: what is still needed is the planning table's.
func TestObjectives(t *testing.T) {
	ask := func(metric string, min float64, c float64, labels ...string) Objective {
		o := Objective{Objective: assay.Objective{Metric: metric, Min: &min}, Confidence: c}
		if len(labels) > 0 {
			o.Labels = map[string]string{labels[0]: labels[1]}
		}
		return o
	}
	for _, c := range []struct {
		name    string
		hours   float64
		fails   []float64
		ask     Objective
		verdict assay.Verdict
		enough  string
		exit    int
	}{
		{"no failure, too short", 1000, nil, ask("mtbf/service", 720*3600, .95), assay.VerdictInconclusive, "48.21 days more with no failure, or 100.6 days more with one", 11},
		{"no failure, enough", 2157, nil, ask("mtbf/service", 720*3600, .95), assay.VerdictPass, "", 0},
		{"one failure, just too short", 3415, []float64{9}, ask("mtbf/service", 720*3600, .95), assay.VerdictInconclusive, "34.95 min more with no further failure, or 46.", 11},
		{"one failure, enough", 3416, []float64{9}, ask("mtbf/service", 720*3600, .95), assay.VerdictPass, "", 0},
		{"bad", 10, []float64{2, 6}, ask("mtbf/service", 720*3600, .95), assay.VerdictFail, "", 10},
		{"no cards", 10, nil, ask("mtbf/gpu", 3600, .95), assay.VerdictInconclusive, "2.996 h without a failure", 11},
		{"availability", 1000, nil, ask("availability/natural", .9, .95), assay.VerdictInconclusive, "", 11},
		{"drills", 1, nil, ask("recovery/rate", .9, .95, "fault", "kill"), assay.VerdictInconclusive, "29 more drills, all good", 11},
	} {
		e := Pool([]*Run{runOf(natural("a", 0, c.hours, c.fails...))}, Options{Now: epoch, Objectives: []Objective{c.ask}})
		j := e.Services[0].Objectives[0]
		if j.Verdict != c.verdict || !strings.HasPrefix(j.Enough, c.enough) || c.enough == "" && j.Enough != "" || e.Exit != c.exit {
			t.Errorf("%s: %s, enough %q, exit %d; want %s, %q, %d (%v, %s)", c.name, j.Verdict, j.Enough, e.Exit, c.verdict, c.enough, c.exit, j.Quantity, j.Why)
		}
	}
}

// drilled adds a fault with what became of it to a run.
func drilled(r *assay.Report, kind string, state assay.FaultState, user float64) {
	q := assay.Quantity{Value: user, Lo: user, Hi: user, Confidence: 1, Unit: assay.Seconds}
	switch state {
	case assay.Unrecovered:
		q.Value, q.Hi = math.NaN(), math.Inf(1)
	case assay.VoidFault, assay.Unmeasured:
		q = assay.NotMeasured(assay.Seconds, "the fault was not in effect")
	}
	at := int64(len(r.Faults)+1) * 60e9
	r.Faults = append(r.Faults, assay.FaultResult{Window: assay.FaultWindow{ID: fmt.Sprint(len(r.Faults)), Kind: kind, Target: "i1", Applied: at}, State: state, User: q})
}

func TestRecovery(t *testing.T) {
	m, r := natural("a", 0, 1)
	for _, s := range []float64{12, 30, 7, 45} {
		drilled(r, "kill", assay.Recovered, s)
	}
	drilled(r, "kill", assay.Unrecovered, 20)
	drilled(r, "kill", assay.Tolerated, 0)
	drilled(r, "kill", assay.VoidFault, 0)
	drilled(r, "hang", assay.Tolerated, 0)
	m2, r2 := natural("b", 24*99, 1)
	drilled(r2, "hang", assay.Unmeasured, 0)
	drilled(r2, "cut", assay.Recovered, 3)
	merged := *m
	merged.ID = "merged"
	s := pooled(t, Options{Stale: 90 * day, Modes: []string{"kill", "hang", "cut", "loss"}, Weights: map[string]float64{"kill": .5, "hang": .3, "cut": .2}},
		runOf(m, r), runOf(m2, r2), Of("runs/merged", &merged, r, ""))
	if len(s.Recovery) != 3 {
		t.Fatalf("%+v", s.Recovery)
	}
	kill := s.Recovery[2]
	if kill.Fault != "kill" || kill.Drills != 7 || kill.Felt != 6 || kill.Recovered != 5 || kill.Tolerated != 1 || kill.Censored != 1 {
		t.Errorf("kill: %+v", kill)
	}
	near(t, "rate", kill.Rate.Value, 5./6, 1e-12)
	if m := kill.Median; !(m.Value > 17 && m.Value < 28) || !(m.Lo > 0 && m.Lo < m.Value && m.Hi > 45) || m.N != 4 {
		t.Errorf("median %v", m)
	}
	if m := kill.Mean; !(m.Value > kill.Median.Value) || !(m.Lo > 0 && m.Lo < m.Value && m.Hi > m.Value) {
		t.Errorf("mean %v", m)
	}
	if s.Recovery[0].Median.Known() || !strings.Contains(s.Recovery[0].Median.Reason, "needs 3 recoveries of hurt users at least, and there are 1") {
		t.Errorf("cut: %+v", s.Recovery[0])
	}
	near(t, "coverage", s.Coverage.Value, .5*5/6+.3+.2, 1e-12)
	var modes []string
	for _, m := range s.Modes {
		line := fmt.Sprintf("%s %d", m.Mode, m.Shown)
		if m.Last != nil {
			line += fmt.Sprintf(" %s %.0f d", m.Last.State, m.Last.Age/86400)
		}
		if m.Empty != nil {
			line += fmt.Sprintf(" %s %.0f d", m.Empty.State, m.Empty.Age/86400)
		}
		if m.Stale {
			line += " stale"
		}
		modes = append(modes, line)
	}
	if d := cmp.Diff([]string{"kill 6 tolerated 100 d void 100 d stale", "hang 1 tolerated 100 d unmeasured 1 d stale", "cut 1 recovered 1 d", "loss 0"}, modes); d != "" {
		t.Errorf("modes (-want +got):\n%s", d)
	}
	if got := (&Options{}).coverage(nil, .95); got.Known() {
		t.Errorf("coverage without weights: %v", got)
	}
}

// The mean is that of Olsson's example, and what has not ended raises it.
func TestMeanTimes(t *testing.T) {
	m, r := natural("a", 0, 1)
	for i := range 20 { // 40 recoveries whose logarithms have mean 5.127 and variance 1.010
		d := math.Sqrt(1.010 * 39 / 40)
		drilled(r, "kill", assay.Recovered, math.Exp(5.127-d))
		drilled(r, "kill", assay.Recovered, math.Exp(5.127+d))
		_ = i
	}
	drills := drillsOf([]*Run{runOf(m, r)})
	q := recovered(drills, "kill", .95).Mean
	near(t, "mean", q.Value, 279.22, 5e-3)
	if !(q.Lo > 187 && q.Lo < q.Value && q.Hi > 414) {
		t.Errorf("interval %v, want one about as wide as Olsson's, 187.92 to 414.88", q)
	}
	drilled(r, "kill", assay.Unrecovered, 2000)
	if more := recovered(drillsOf([]*Run{runOf(m, r)}), "kill", .95).Mean; !(more.Value > q.Value) || more.N != 40 {
		t.Errorf("with one that had not ended after 2000 s: %v", more)
	}
}

func TestAttempts(t *testing.T) {
	var runs []*Run
	for i, d := range []assay.Decision{assay.NoGo, assay.InvalidRun, assay.Go} {
		m, r := natural(fmt.Sprint(i), float64(20*i), 1)
		r.Decision, r.Trust.Valid = d, d != assay.InvalidRun
		runs = append(runs, runOf(m, r))
	}
	m, r := natural("next", 99, 1)
	m.Target.Release = "r2"
	s := pooled(t, Options{}, append(runs, runOf(m, r))...)
	if len(s.Attempts) != 1 || s.Attempts[0].Release != "r1" {
		t.Fatalf("%+v", s.Attempts)
	}
	var got []assay.Decision
	for _, x := range s.Attempts[0].Runs {
		got = append(got, x.Decision)
	}
	if d := cmp.Diff([]assay.Decision{assay.NoGo, assay.InvalidRun, assay.Go}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestInstances: exposure of instances runs in parallel, and the clock of the trend is all of it.
func TestInstances(t *testing.T) {
	m, r := natural("a", 0, 10)
	r.Exposure = append(r.Exposure, assay.Exposure{Subject: assay.InstanceOf, Unit: "i1", Time: 10 * hour, In: []assay.Stretch{{Begin: 0, End: 10 * hour}}},
		assay.Exposure{Subject: assay.InstanceOf, Unit: "i2", Time: 2 * hour, In: []assay.Stretch{{Begin: 5 * hour, End: 10 * hour}}}) // an outline
	r.Episodes = append(r.Episodes, assay.Episode{Subject: assay.InstanceOf, Ledger: assay.Natural, Instance: "i2", BeginLo: 7 * hour, Begin: 7 * hour, End: 7 * hour, EndHi: 7*hour + 1})
	l := ledgerOf([]*Run{runOf(m, r)})
	u, ok := l.unit(assay.InstanceOf)
	if !ok || u.Units != 2 || u.Failures != 1 {
		t.Fatalf("%+v", u)
	}
	near(t, "exposure", u.Exposure, 12*3600, 1e-3)
	ages, total := clock(l.exposure[assay.InstanceOf], []int64{epoch + 7*hour})
	near(t, "age", ages[0], (7+.8)*3600, 1e-3)
	near(t, "all", total, 12*3600, 1e-3)
	if _, ok := l.unit(assay.GPU); ok {
		t.Error("cards without any")
	}
}
