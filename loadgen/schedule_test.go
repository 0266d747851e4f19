package loadgen

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func to(v float64) *float64 { return &v }

func mustSchedule(t *testing.T, seed uint64, phases ...Phase) *Schedule {
	t.Helper()
	s, err := NewSchedule(phases, seed)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plan returns the requests of phase i.
func (s *Schedule) plan(i int) []planned {
	p := &s.phases[i]
	return p.draw(p.Name, p.Arrivals, p.For, s.seed, p.Max)
}

func samePlan(a, b []planned) bool { return cmp.Equal(a, b, cmp.AllowUnexported(planned{})) }

func TestScheduleDependsOnSeedAndSettingsOnly(t *testing.T) {
	a := Phase{Name: "a", Arrivals: Poisson{Profile{Rate: 20}}, For: 10 * time.Second, Prompt: Fixed(64), Output: Fixed(32)}
	b := Phase{Name: "b", Arrivals: Poisson{Profile{Rate: 30}}, For: 10 * time.Second}
	one, again := mustSchedule(t, 1, a, b), mustSchedule(t, 1, a, b)
	if one.Hash() != again.Hash() || len(one.Hash()) != 64 {
		t.Errorf("hashes %q, %q: want the same 64 digits", one.Hash(), again.Hash())
	}
	if d := cmp.Diff(one.plan(0), again.plan(0), cmp.AllowUnexported(planned{})); d != "" {
		t.Errorf("same seed, other plan:\n%s", d)
	}
	other := mustSchedule(t, 2, a, b)
	longer := a
	longer.Prompt = Fixed(65)
	change := map[string]*Schedule{"seed": other, "prompt length": mustSchedule(t, 1, longer, b), "order": mustSchedule(t, 1, b, a)}
	for name, s := range change {
		if s.Hash() == one.Hash() {
			t.Errorf("another %s, same hash", name)
		}
	}
	faster := a
	faster.Arrivals = Poisson{Profile{Rate: 40}}
	if d := cmp.Diff(one.plan(1), mustSchedule(t, 1, faster, b).plan(1), cmp.AllowUnexported(planned{})); d != "" {
		t.Errorf("phase b changed with phase a:\n%s", d)
	}
	if samePlan(one.plan(0), one.plan(1)) || samePlan(one.plan(0), other.plan(0)) {
		t.Error("two phases or seeds share their arrivals")
	}
	if p := one.plan(0)[0]; p.in != 64 || p.out != 32 {
		t.Errorf("lengths %d, %d: want 64, 32", p.in, p.out)
	}
}

// TestPoissonGaps is a Kolmogorov-Smirnov test of the gaps against the exponential distribution, for a constant
// rate and, after undoing the change of rate, for a rising one.
func TestPoissonGaps(t *testing.T) {
	for name, p := range map[string]Profile{"constant": {Rate: 50}, "rising": {Rate: 10, To: to(90)}, "falling to zero": {Rate: 100, To: to(0)}} {
		d := 200 * time.Second
		due := Poisson{p}.Due(nil, d, stream(7, name, "arrivals"))
		expected := func(ns int64) float64 { // expected number until ns
			s := float64(ns) / 1e9
			return p.Rate*s + (p.end()-p.Rate)*s*s/(2*d.Seconds())
		}
		gaps := make([]float64, len(due))
		last := 0.0
		for i, at := range due {
			gaps[i] = expected(at) - last
			last = expected(at)
		}
		slices.Sort(gaps)
		worst := 0.0
		for i, g := range gaps {
			f := 1 - math.Exp(-g)
			worst = max(worst, math.Abs(f-float64(i)/float64(len(gaps))), math.Abs(f-float64(i+1)/float64(len(gaps))))
		}
		n := float64(len(gaps))
		if math.Abs(n-10000) > 400 { // four standard deviations
			t.Errorf("%s: %g arrivals, want about 10000", name, n)
		}
		if limit := 1.63 / math.Sqrt(n); worst > limit { // 1 % level
			t.Errorf("%s: distance %g from the exponential distribution, want at most %g", name, worst, limit)
		}
		if !slices.IsSorted(due) || due[len(due)-1] >= int64(d) {
			t.Errorf("%s: arrivals out of order or after the end", name)
		}
	}
}

func TestEvenSpacingIsExact(t *testing.T) {
	got := Even{Profile{Rate: 8}}.Due(nil, time.Second, nil)
	want := []int64{0, 125e6, 250e6, 375e6, 500e6, 625e6, 750e6, 875e6}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("even (-want +got):\n%s", d)
	}
	// From 0/s to 8/s in 1 s the k-th is due when 4t² is k.
	got = Even{Profile{Rate: 0, To: to(8)}}.Due(nil, time.Second, nil)
	want = []int64{0, 500e6, 707106781, 866025404}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("ramp (-want +got):\n%s", d)
	}
	if got := (Even{}).Due(nil, time.Second, nil); len(got) != 0 {
		t.Errorf("rate 0: %v, want nothing", got)
	}
}

func TestPhaseDefaultsAndErrors(t *testing.T) {
	even := Even{Profile{Rate: 1}}
	slo := map[string]float64{"ttft/p95": 1}
	s := mustSchedule(t, 1, Phase{Name: "a", Arrivals: even, For: time.Second}, Phase{Name: "i", For: 2 * time.Second, After: time.Second}, Phase{Name: "s", Search: &Search{Start: 1, SLO: slo}, Max: 40})
	var roles []assay.Role
	for _, p := range s.phases {
		roles = append(roles, p.Role)
	}
	if d := cmp.Diff([]assay.Role{assay.RoleSteady, assay.RoleIdle, assay.RoleStress}, roles); d != "" {
		t.Error(d)
	}
	if fixed, more := s.Requests(); fixed != 1 || more != 40 {
		t.Errorf("%d requests and %d more, want 1 and 40", fixed, more)
	}
	if s.Duration() != 64*time.Second {
		t.Errorf("duration %v, want 1m4s", s.Duration())
	}
	for want, phases := range map[string][]Phase{
		"no phases":              {},
		"no name":                {{For: 1}},
		"is taken":               {{Name: "a", For: 1}, {Name: "a", For: 1}},
		`taken by phase "s"`:     {{Name: "s", Search: &Search{Start: 1, SLO: slo}}, {Name: "s/1", For: 1}},
		"more than 0s":           {{Name: "a", Arrivals: even}},
		"only one of":            {{Name: "a", For: 1, Arrivals: even, Hold: &Hold{}}},
		"between 0/s":            {{Name: "a", For: 1, Arrivals: even}, {Name: "b", For: 1, Arrivals: Poisson{Profile{Rate: -1}}}},
		"more than a schedule":   {{Name: "a", For: 1e6 * time.Second, Arrivals: Even{Profile{Rate: 1e6}}}},
		"starts at 0/s":          {{Name: "a", Search: &Search{SLO: slo}}},
		"has no slo":             {{Name: "a", Search: &Search{Start: 1}}},
		"want error_ratio, or":   {{Name: "a", Search: &Search{Start: 1, SLO: map[string]float64{"itl/p95": 1}}}},
		"ttft/p95: limit 0":      {{Name: "a", Search: &Search{Start: 1, SLO: map[string]float64{"ttft/p95": 0}}}},
		"factor 0.5":             {{Name: "a", Search: &Search{Start: 1, SLO: slo, Factor: 0.5}}},
		`no search "s" before`:   {{Name: "a", For: 1, Hold: &Hold{Of: "s", Share: 0.5}}},
		"hold at 2 of the limit": {{Name: "a", For: 1, Hold: &Hold{Of: "s", Share: 2}}},
	} {
		if _, err := NewSchedule(phases, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	seen := map[assay.TraceID]bool{}
	for id := range uint64(1000) {
		tr, sp := identify(5, id)
		if again, _ := identify(5, id); again != tr || tr.IsZero() || sp.IsZero() || seen[tr] {
			t.Fatalf("request %d: trace %v, span %v: want fresh, not zero and the same each time", id, tr, sp)
		}
		seen[tr] = true
	}
	tr, sp := identify(5, 1)
	if got, want := traceparent(tr, sp), "00-"+tr.String()+"-"+sp.String()+"-01"; got != want {
		t.Errorf("traceparent %s, want %s", got, want)
	}
	if other, _ := identify(6, 1); other == tr {
		t.Error("another seed, same trace")
	}
}

func TestPrompt(t *testing.T) {
	for _, n := range []int{0, 1, 2, 64, 1000} {
		p := string(appendPrompt(nil, n, 3, 4))
		if len(strings.Fields(p)) != n || strings.TrimSpace(p) != p {
			t.Errorf("%d words asked, got %d in %q", n, len(strings.Fields(p)), p)
		}
		if p != string(appendPrompt(nil, n, 3, 4)) || n > 1 && p == string(appendPrompt(nil, n, 3, 5)) {
			t.Errorf("%d words: want the same for the same request and others for another", n)
		}
	}
}

func TestSpread(t *testing.T) {
	var s spread
	if s.quantile(0.99) != 0 {
		t.Errorf("empty: %v, want 0", s.quantile(0.99))
	}
	for i := range int64(100000) {
		s.add(i * 1000)
	}
	for _, q := range []float64{0.01, 0.5, 0.99} {
		got, want := float64(s.quantile(q)), q*1e8
		if got < want*0.999 || got > want*1.07 {
			t.Errorf("%g quantile %g, want within 7 %% above %g", q, got, want)
		}
	}
	for _, v := range []int64{0, 1, 15, 16, 17, 31, 32, 33, 1000, 1 << 40, math.MaxInt64} {
		if c := ceiling(bin(v)); c < v || bin(c) != bin(v) || float64(c) > float64(v)*17/16+1 {
			t.Errorf("%d is in a bin up to %d", v, c)
		}
	}
}
