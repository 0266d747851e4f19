package compare

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// blockFor makes a block of requests with a level of its own: blocks of one target differ, too.
func blockFor(r *rand.Rand, n int, median, between, failing float64) []assay.Request {
	level := median * math.Exp(between*r.NormFloat64())
	out := make([]assay.Request, n)
	for i := range out {
		due := int64(1e9) + int64(i)*1e8
		out[i] = assay.Request{ID: uint64(i + 1), Phase: "race", Outcome: assay.OK, Due: due, End: due + int64(1e9*level*math.Exp(0.2*r.NormFloat64()))}
		if r.Float64() < failing {
			out[i].Outcome, out[i].End = assay.Unavailable, due+1
		}
	}
	return out
}

// raced races two targets until it is decided or the pairs are spent.
func raced(r *rand.Rand, pairs, requests int, base, other, failing float64) *Race {
	race := NewRace(RaceSettings{Most: pairs})
	for !race.Decided() && race.Pairs() < pairs {
		race.Pair(BlockOf(blockFor(r, requests, base, 0.05, 0.02)), BlockOf(blockFor(r, requests, other, 0.05, failing)))
	}
	return race
}

func verdictOf(r *Race) assay.Verdict {
	switch {
	case slices.ContainsFunc(r.lanes, func(l *lane) bool { return l.verdict == assay.VerdictFail }):
		return assay.VerdictFail
	case r.Decided():
		return assay.VerdictPass
	}
	return assay.VerdictInconclusive
}

// Over 1,000 races of equal targets, looked at after each pair and stopped at the first answer, next to none fails; and of targets that differ by just the
// margin no more than 5 % do, nor pass.
func TestRaceFalseFailures(t *testing.T) {
	for _, test := range []struct {
		name  string
		other float64
		most  map[assay.Verdict]int // of 1,000
	}{
		{"equal", 0.1, map[assay.Verdict]int{assay.VerdictFail: 10}},
		{"at the margin", 0.105, map[assay.Verdict]int{assay.VerdictFail: 70, assay.VerdictPass: 70}}, // 50 and three standard deviations
	} {
		r := rand.New(rand.NewPCG(8, 8))
		got := map[assay.Verdict]int{}
		for range 1000 {
			got[verdictOf(raced(r, 14, 8, 0.1, test.other, 0.02))]++
		}
		t.Logf("%s: %v", test.name, got)
		for v, most := range test.most {
			if got[v] > most {
				t.Errorf("%s: %d of 1000 races %s, want at most %d", test.name, got[v], v, most)
			}
		}
	}
}

func TestRaceFindsWhatIsWorse(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, test := range []struct {
		name           string
		other, failing float64
		want           assay.Verdict
		wrong          int // of 20, at most
	}{
		{"30 % slower", 0.13, 0.02, assay.VerdictFail, 1},
		{"half of it fails", 0.1, 0.5, assay.VerdictFail, 1},
		{"20 % faster", 0.08, 0.02, assay.VerdictPass, 5}, // that it loses no more than the base, which loses too, is not always shown
	} {
		wrong := 0
		for range 20 {
			if got := verdictOf(raced(r, 99, 20, 0.1, test.other, test.failing)); got != test.want {
				wrong++
			}
		}
		if wrong > test.wrong {
			t.Errorf("%s: %d of 20 races did not %s", test.name, wrong, test.want)
		}
	}
}

// What is recorded gives the same race again, whatever the order of its requests.
func TestRaceAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	live := NewRace(RaceSettings{Most: 9, Gates: []assay.Objective{{Metric: "e2e/p90"}}, Margins: map[string]float64{"": 0.1}})
	var events [2][]assay.Event
	var requests [2][]assay.Request
	at := int64(1e9)
	for pair := 1; pair <= 9; pair++ {
		var blocks [2]Block
		for i := range 2 {
			b := blockFor(r, 20, 0.1*float64(1+i), 0.05, 0.1)
			for j := range b {
				b[j].Due, b[j].End = b[j].Due+at-1e9, b[j].End+at-1e9
			}
			events[i] = append(events[i], assay.Event{Kind: assay.EventBlock, Time: at, Attrs: map[string]string{"pair": fmt.Sprint(pair), "length_ns": "2000000000"}})
			blocks[i], requests[i] = BlockOf(b), append(requests[i], b...)
			at += 3e9
		}
		live.Pair(blocks[0], blocks[1])
	}
	for i := range requests {
		r.Shuffle(len(requests[i]), func(a, b int) { requests[i][a], requests[i][b] = requests[i][b], requests[i][a] })
		requests[i] = append(requests[i], assay.Request{Due: at + 1e12, Outcome: assay.OK, End: at + 2e12}) // of no block
	}
	again := Rerun(live.Settings, Blocks(events[0], requests[0]), Blocks(events[1], requests[1]))
	if diff := cmp.Diff(live.Changes(), again.Changes(), cmp.Comparer(func(a, b float64) bool { return a == b || a != a && b != b }), cmp.Comparer(func(a, b assay.Num) bool { return a == b || a != a && b != b })); diff != "" {
		t.Error(diff)
	}
	if len(live.Changes()) != 2 || live.Changes()[0].Verdict != assay.VerdictFail || live.Changes()[0].Margin != 0.1 {
		t.Errorf("%+v", live.Changes())
	}
}

func TestRaceComparison(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	side := func(id string) Side {
		run := made(id, 0, nil)
		run.Manifest.Target.Name = "http://" + id
		return Side{Name: id, Runs: []Run{run}}
	}
	race := raced(r, 40, 20, 0.1, 0.2, 0.02)
	race.Settings.Stopped = "decided"
	c := race.Comparison(side("a"), side("b"))
	if c.Verdict != assay.VerdictFail || c.Exit != assay.ExitNoGo || c.Kind != "race" || c.Race.Pairs != race.Pairs() || c.Race.Requests != 40*race.Pairs() || len(c.Doubts) > 0 {
		t.Errorf("%s, exit %d: %s; %+v", c.Verdict, c.Exit, c.Why, c.Race)
	}
	late := side("b")
	late.Runs[0].Report.Trust = assay.Trust{Problems: []string{"the generator was late"}}
	if c = race.Comparison(side("a"), late); c.Verdict != assay.VerdictInvalid || !strings.Contains(c.Why, "the generator was late") {
		t.Errorf("%s: %s", c.Verdict, c.Why)
	}
	stopped := side("b")
	stopped.Runs[0].Manifest.End.Status = assay.EndInterrupted
	if c = race.Comparison(side("a"), stopped); c.Verdict != assay.VerdictFail {
		t.Errorf("interrupted after it was decided: %s: %s", c.Verdict, c.Why)
	}
	if c = NewRace(RaceSettings{Pairs: 3}).Comparison(side("a"), side("b")); c.Verdict != assay.VerdictInvalid || !strings.Contains(c.Why, "hold 0 of 3 pairs") {
		t.Errorf("records are missing: %s: %s", c.Verdict, c.Why)
	}
	if c = NewRace(RaceSettings{}).Comparison(side("a"), side("b")); c.Verdict != assay.VerdictInconclusive {
		t.Errorf("without a pair: %s: %s", c.Verdict, c.Why)
	}
	if c = raced(r, 4, 20, 0.1, 0.1, 0.02).Comparison(side("a"), side("a")); c.Verdict != assay.VerdictInconclusive || len(c.Doubts) != 1 || c.Next == "" {
		t.Errorf("four pairs: %s: %s; doubts %q", c.Verdict, c.Why, c.Doubts)
	}
}

func TestCheckRace(t *testing.T) {
	for metric, ok := range map[string]bool{"e2e/p50": true, "ttft/p99.9": true, "error_ratio": true, "e2e/mean": false, "goodput": false, "e2e/p0": false, "e2e/p": false, "mtbf/service": false} {
		if err := CheckRace(assay.Objective{Metric: metric}); (err == nil) != ok {
			t.Errorf("%s: %v", metric, err)
		}
	}
	if err := CheckRace(assay.Objective{Metric: "e2e/p50", Labels: map[string]string{"phase": "x"}}); err == nil {
		t.Error("labels are taken")
	}
}
