package compare

import (
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// lossy makes a block of n requests of one speed, of which each is lost with chance each, and all with chance whole.
func lossy(r *rand.Rand, n int, each, whole float64) Block {
	b := Block{times: map[string][]float64{}, judged: n, Requests: n}
	if r.Float64() < whole {
		each = 1
	}
	for range n {
		if r.Float64() < each {
			b.failed++
			continue
		}
		b.times["e2e"] = append(b.times["e2e"], 0.1)
	}
	return b
}

// The default budget of compare --live at its default rate: 99 pairs of blocks of 20 requests.
const budgetPairs, budgetRequests = 99, 20

// lossRace races over losses alone or with end-to-end times that are surely good, until it is decided or the budget is spent.
func lossRace(r *rand.Rand, pairs int, gates []assay.Objective, margins map[string]float64, base, other func() Block) *Race {
	race := NewRace(RaceSettings{Most: pairs, Gates: gates, Margins: margins})
	for !race.Decided() && race.Pairs() < pairs {
		race.Pair(base(), other())
	}
	return race
}

// A candidate that loses as much as the base, or half a point more, is next to never failed, whether the losses of the base come one by one or whole blocks at once,
// and a candidate that loses less all the time than a base in bursts is not taken for worse. One that loses the bound more passes as seldom.
func TestRaceLossesAreNotMadeUp(t *testing.T) {
	races := 100
	if os.Getenv("ASSAY_FULL") != "" {
		races = 1000
	}
	for _, test := range []struct {
		name        string
		each, whole [2]float64 // of base and candidate
		pass        bool       // is wrong, rather than a failure
	}{
		{name: "none at all"},
		{name: "equal", each: [2]float64{0.03, 0.03}},
		{name: "equal, in bursts", whole: [2]float64{0.05, 0.05}},
		{name: "at the margin", each: [2]float64{0.03, 0.035}},
		{name: "at the margin, the base none", each: [2]float64{0, 0.005}},
		{name: "at the margin, the base in bursts", each: [2]float64{0, 0.055}, whole: [2]float64{0.05, 0}},
		{name: "below the base, which is in bursts", each: [2]float64{0, 0.04}, whole: [2]float64{0.1, 0}},
		{name: "at the bound", each: [2]float64{0, LossBound}, pass: true},
		{name: "at the bound, over losses", each: [2]float64{0.03, 0.03 + LossBound}, pass: true},
		{name: "at the bound, the base in bursts", each: [2]float64{0, 0.02 + LossBound}, whole: [2]float64{0.02, 0}, pass: true},
	} {
		r := rand.New(rand.NewPCG(uint64(len(test.name)), 12))
		got := map[assay.Verdict]int{}
		for range races {
			race := lossRace(r, budgetPairs, []assay.Objective{{Metric: "e2e/p50"}}, nil,
				func() Block { return lossy(r, budgetRequests, test.each[0], test.whole[0]) },
				func() Block { return lossy(r, budgetRequests, test.each[1], test.whole[1]) })
			got[verdictOf(race)]++
		}
		t.Logf("%s: %v", test.name, got)
		wrong := assay.VerdictFail
		if test.pass {
			wrong = assay.VerdictPass
		}
		if most := 0.05*float64(races) + 3*math.Sqrt(0.05*0.95*float64(races)); float64(got[wrong]) > most {
			t.Errorf("%s: %d of %d races %s, want %.0f at most", test.name, got[wrong], races, wrong, most)
		}
	}
}

// What loses clearly more never passes, however fast the rest of it is, and is found within the default budget.
func TestRaceFindsLosses(t *testing.T) {
	races := 40
	if os.Getenv("ASSAY_FULL") != "" {
		races = 1000
	}
	for _, test := range []struct {
		base, other float64
		pass, fail  float64 // shares of the races: at most and at least
	}{
		{0, 0.06, 0, 0.8},
		{0.02, 0.08, 0, 0.5},
		{0, 0.1, 0, 1},
		{0, 0.02, 0.1, 0},
		{0, 0.3, 0, 1},
		{0, 1, 0, 1},
	} {
		r := rand.New(rand.NewPCG(uint64(1000*test.other), 13))
		got, pairs := map[assay.Verdict]float64{}, 0
		for range races {
			race := lossRace(r, budgetPairs, []assay.Objective{{Metric: "e2e/p50"}}, nil,
				func() Block { return lossy(r, budgetRequests, test.base, 0) }, func() Block { return lossy(r, budgetRequests, test.other, 0) })
			got[verdictOf(race)] += 1 / float64(races)
			pairs += race.Pairs()
		}
		t.Logf("%g %% against %g %%: %.3v, %d pairs", 100*test.other, 100*test.base, got, pairs/races)
		if got[assay.VerdictPass] > test.pass || got[assay.VerdictFail] < test.fail-1e-9 {
			t.Errorf("%g %% against %g %%: %.3v, want pass %g at most and fail %g at least", 100*test.other, 100*test.base, got, test.pass, test.fail)
		}
	}
}

// A pass says up to which loss it is shown, and by which assumption; the margin that somebody names must be shown itself.
func TestRaceSaysWhatIsShown(t *testing.T) {
	none := func() Block { return lossy(rand.New(rand.NewPCG(1, 1)), budgetRequests, 0, 0) }
	r := rand.New(rand.NewPCG(2, 2))
	change := func(race *Race) assay.Change {
		cs := race.Changes()
		return cs[len(cs)-1]
	}
	gates := []assay.Objective{{Metric: "e2e/p50"}}
	race := lossRace(r, budgetPairs, gates, nil, none, none)
	c := change(race)
	if c.Verdict != assay.VerdictPass || c.Role != assay.ChangeGate || race.Pairs() > 20 || !strings.Contains(c.Why, "at most 2 points more where requests fail one by one; bursts that no block met") && !strings.Contains(c.Why, "at most 1.9") {
		t.Errorf("none lost: %s after %d pairs: %s", c.Verdict, race.Pairs(), c.Why)
	}
	if all := race.Comparison(Side{Name: "a"}, Side{Name: "b"}); all.Verdict == assay.VerdictPass && !strings.Contains(all.Why, "points more are shown") {
		t.Errorf("passed silently: %s", all.Why)
	}
	if strict := lossRace(r, budgetPairs, gates, map[string]float64{"error_ratio": 0.005}, none, none); strict.Pairs() < 2*race.Pairs() || change(strict).Verdict != assay.VerdictPass {
		t.Errorf("half a point shown after %d pairs, two after %d", strict.Pairs(), race.Pairs())
	}
	held := lossRace(r, budgetPairs, gates, nil, none, func() Block { return lossy(r, budgetRequests, 0.03, 0) })
	if c := change(held); c.Verdict != assay.VerdictInconclusive || !strings.HasPrefix(c.Why, "the candidate lost ") || strings.Contains(c.Why, "no sign") || held.Pairs() != budgetPairs {
		t.Errorf("3 %% lost: %s after %d pairs: %s", c.Verdict, held.Pairs(), c.Why)
	}
	// Shown in full and lost again.
	back := NewRace(RaceSettings{Gates: []assay.Objective{{Metric: "error_ratio"}}, Margins: map[string]float64{"error_ratio": 0.02}})
	for range 20 {
		back.Pair(none(), none())
	}
	was := back.Changes()[0].Verdict
	back.Pair(none(), lossy(r, budgetRequests, 1, 0))
	if is := back.Changes()[0].Verdict; was != assay.VerdictPass || is != assay.VerdictInconclusive {
		t.Errorf("%s, and after a block that was lost %s", was, is)
	}
	// The bounds that are printed are those that judge.
	if c := change(lossRace(r, budgetPairs, gates, nil, none, func() Block { return lossy(r, budgetRequests, 0.3, 0) })); c.Verdict != assay.VerdictFail || c.Change.Lo <= c.Margin {
		t.Errorf("%s, %s", c.Verdict, c.Change)
	}
}

// A failure of any metric ends a race, whatever is open before it.
func TestRaceEndsWithItsFirstFailure(t *testing.T) {
	race := NewRace(RaceSettings{})
	for _, v := range []assay.Verdict{assay.VerdictInconclusive, assay.VerdictFail} {
		race.lanes = append(race.lanes, &lane{role: assay.ChangeGate, verdict: v})
	}
	if !race.Decided() {
		t.Error("it goes on though a gate failed")
	}
	race.lanes[1].verdict = assay.VerdictPass
	if race.Decided() {
		t.Error("it ended though a gate is open")
	}
}

// Beyond the margin by the bounds that are shown, and not by the stricter ones that may fail: it says so.
func TestRaceBeyondByItself(t *testing.T) {
	l := &lane{metric: "e2e/p50", role: assay.ChangeGate, scale: assay.ScaleRatio, margin: 0.05, limit: math.Log1p(0.05), among: 3, verdict: assay.VerdictInconclusive}
	l.open, l.strict = stat.Sequence{Alpha: 0.05}, stat.Sequence{Alpha: 0.0001}
	for range 7 {
		l.open.Add(0.4)
		l.strict.Add(0.4)
		l.base, l.other = append(l.base, 1), append(l.other, math.Exp(0.4))
	}
	c := l.change(&RaceSettings{Confidence: 0.9})
	if c.Change.Lo <= c.Margin || c.Why != "beyond the margin by itself, which is not enough among 3 metrics that may fail" {
		t.Errorf("%s: %s", c.Change, c.Why)
	}
}
