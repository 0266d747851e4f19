package loadgen

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

const (
	work = 50 * time.Millisecond // of the queue, so that it can do 20/s
	slo  = 0.5                   // seconds, of p95
)

// truth returns the highest rate at which an M/D/1 queue answers 95 % of its requests within the limit in the long run, by Lindley's recursion.
func truth() float64 {
	lo, hi := 1.0, 1/work.Seconds()
	for range 24 {
		rng := rand.New(rand.NewPCG(9, 9))
		mid, wait, missed := (lo+hi)/2, 0.0, 0
		const n = 400_000
		for range n {
			wait = math.Max(0, wait+work.Seconds()-rng.ExpFloat64()/mid)
			if wait+work.Seconds() > slo {
				missed++
			}
		}
		if missed > n/20 {
			hi = mid
		} else {
			lo = mid
		}
	}
	return lo
}

// found is what one search found on the queue, and what it cost.
type found struct {
	held, broke float64
	steps, sent int
	took        time.Duration
	beyond      time.Duration // time in steps above what the queue can do
}

func seek(t *testing.T, seed uint64, s Search) (f found) {
	t.Helper()
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		begin := clk.Now()
		s.Start, s.SLO = 4, map[string]float64{"e2e/p95": slo}
		g, l := run(t, t.Context(), clk, Config{Client: pretend(clk, newQueue(work).serve), Seed: seed, Phases: []Phase{{Name: "s", Search: &s}}})
		got := result(t, l)
		f.held, _ = strconv.ParseFloat(got["held"], 64)
		if f.broke, _ = strconv.ParseFloat(got["broke"], 64); got["broke"] == "" {
			f.broke = math.Inf(1)
		}
		f.steps, f.sent, f.took = len(g.SearchPath()), len(l.requests), time.Duration(clk.Now()-begin)
		var above int64
		for _, e := range l.events {
			if e.Kind != assay.EventPhaseBegin && e.Kind != assay.EventPhaseEnd {
				continue
			}
			if e.Kind == assay.EventPhaseBegin {
				if above = 0; rate(t, e.Attrs["rate"]) > 1/work.Seconds() {
					above = e.Time
				}
			} else if above != 0 {
				f.beyond += time.Duration(e.Time - above)
			}
		}
	})
	return f
}

// naive is a ramp in even steps, each as long as those that decide in a search, until one shows more than the limit allows.
func naive(t *testing.T, seed uint64, increment float64, length time.Duration) (steps int, took, beyond time.Duration) {
	t.Helper()
	bubble(t, func(t *testing.T, clk *clock.Clock) {
		var phases []Phase
		for r := 4.0; r < 40; r += increment {
			phases = append(phases, Phase{Name: number(r), Settle: true, Arrivals: Poisson{Profile{Rate: r}}, For: length})
		}
		begin := clk.Now()
		_, l := run(t, t.Context(), clk, Config{Client: pretend(clk, newQueue(work).serve), Seed: seed, Phases: phases})
		missed, sent, ended := map[string]int{}, map[string]int{}, map[string]int64{}
		for _, r := range l.requests {
			sent[r.Phase]++
			if ended[r.Phase] = max(ended[r.Phase], r.End); float64(r.End-r.Due)/1e9 > slo {
				missed[r.Phase]++
			}
		}
		for _, p := range phases {
			if steps++; p.Arrivals.Mean() > 1/work.Seconds() {
				beyond += length
			}
			if missed[p.Name] > sent[p.Name]/20 {
				took = time.Duration(ended[p.Name] - begin)
				return
			}
		}
	})
	return steps, took, beyond
}

// TestSearchCoversTheTruth: the rate that a search says holds must lie below the true limit nine times in ten and more, although its steps are
// far shorter than what the truth is defined by, and although each begins with an idle queue.
func TestSearchCoversTheTruth(t *testing.T) {
	times := 40
	if os.Getenv("ASSAY_FULL") != "" {
		times = 400
	}
	want := truth()
	for _, c := range []struct {
		name  string
		s     Search
		least float64 // of the truth that the median of what held must reach
		high  float64 // share of the searches that may say that more holds than does
	}{
		{"long steps", Search{Step: 20 * time.Second, For: 15 * time.Minute}, .9, .1},
		{"as by default, with time", Search{For: 3 * time.Minute}, .75, .1},
		{"as by default", Search{}, .5, .1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var high, low, open, steps, sent int
			var took, beyond time.Duration
			var width float64
			var ratios []float64
			for seed := range times {
				f := seek(t, uint64(seed+1), c.s)
				ratios = append(ratios, f.held/want)
				if f.held > want {
					high++
				}
				if f.broke < want {
					low++
				}
				if f.held == 0 || math.IsInf(f.broke, 1) {
					open++
				} else {
					width += math.Log(f.broke / f.held)
				}
				steps, sent, took, beyond = steps+f.steps, sent+f.sent, took+f.took, beyond+f.beyond
			}
			n := time.Duration(times)
			slices.Sort(ratios)
			t.Logf("the truth is %.2f/s; what held was %.2f, %.2f and %.2f of it (tenth, half, nine tenths), above it %d times, what broke below it %d of %d, open %d", want, ratios[times/10], ratios[times/2], ratios[times*9/10], high, low, times, open)
			t.Logf("%d steps, %d requests and %v each, %v of it beyond the capacity; broke/held %.2f", steps/times, sent/times, (took / n).Round(time.Second/10), (beyond / n).Round(time.Second/10), math.Exp(width/float64(max(1, times-open))))
			slack := 3.72 * math.Sqrt(c.high*(1-c.high)/float64(times))
			if got := float64(high) / float64(times); got > c.high+slack {
				t.Errorf("%.2f of the searches say that more holds than does, want at most %g", got, c.high)
			}
			if got := float64(low) / float64(times); got > c.high+slack {
				t.Errorf("%.2f of the searches say that less broke than holds, want at most %g", got, c.high)
			}
			if ratios[times/2] < c.least || ratios[times/2] > 1.02 {
				t.Errorf("the median of what held is %.2f of the truth, want %g to 1", ratios[times/2], c.least)
			}
		})
	}
	steps, took, beyond := naive(t, 1, 0.1*want, 16*time.Second)
	t.Logf("an even ramp in steps of a tenth of the limit, 16 s each: %d steps, %v, %v of it beyond the capacity", steps, took.Round(time.Second/10), beyond)
}
