package stat

import (
	"fmt"
	"math"
	"slices"
)

// A Trial is one run in a comparison: the value of one metric of it, and whose it is.
type Trial struct {
	Value     float64
	Candidate bool
}

// A Verdict of a [Gate].
const (
	GatePass         = "pass"
	GateFail         = "fail"
	GateInconclusive = "inconclusive"
)

// Levels of a [Gate] that are not settings. They are round ones.
const (
	// gateChange is the chance that a candidate which equals the base fails, at most, whatever the margin and the noise: two-sided 99.2 %. It is reached where noise is wide
	// beside the margin; with one such series in five no more than one comparison in a thousand fails by noise.
	gateChange = 0.004
	// gateApart is the same where the runs are not interleaved or their order is not known: a drift that gateSerial does not see fails comparisons that noise alone would not. On
	// series of real noise, ten runs of each side one after the other, 1.8 in a thousand fail at gateChange, up to 1.9 at a quarter of it, and 1.0 at a fortieth.
	gateApart = gateChange / 40
	// gateMean is gateChange of means: losses that sit in few runs are as wide noise as there is. Five runs a side cannot show it by dealing them anew, which leaves 252 ways; what they show must then be
	// as certain by Student's t too, unless runs of a side are alike.
	gateMean = gateChange / 4
	// gateSix is how much above gateMean the smallest chance may be: of six runs a side it is one in 924.
	gateSix = 1.1
	// gateNarrow is how many margins an interval may be wide that passes by lying on the near side of the margin.
	gateNarrow = 1.5
	// gateLuck is the chance at which a candidate that equals the base passes all the same; where so few runs cannot show as much, all of one side must be better than
	// all of the other, and that no likelier than gateMaxLuck.
	gateLuck, gateMaxLuck = 1e-5, 5e-4
	// gateSerial is the chance of values like their neighbours, at independent runs, from which on the order is taken to matter.
	gateSerial = 0.05
	// gatePower is the chance of finding what is called detectable.
	gatePower = 0.8
	// gateMost bounds how many further runs of each side are worth naming.
	gateMost = 1000
)

// A Gate decides whether a candidate is worse than a base by more than a margin, from one value of each of several runs. Runs are the unit: what happens within one is
// not independent. The zero value has no margin and asks for alpha 0, which nothing attains; see the fields.
//
//   - fail: the whole interval of the change lies beyond the margin, and that there is a change at all is certain at 99.2 %, so that noise
//     alone fails at most one comparison in 250 where it is wide, and next to none where it is narrow; at 99.98 % where the runs are not interleaved or their order is not known;
//   - pass: the whole interval lies on the near side of the margin, and either it is no wider than one and a half margins or the candidate is better than the base
//     beyond doubt: a comparison that cannot see a loss does not pass by luck;
//   - inconclusive: all else, with how many further runs would be enough if what was estimated is true.
//
// One interval for both sides has the confidence 1-2·Alpha, as in tests of equivalence.
type Gate struct {
	HigherBetter bool
	Margin       float64 // loss that is tolerated, 0 or more: a share of the base (0.02) if Relative, and below 1 then; else in the unit of the values
	Relative     bool    // the change is a ratio candidate/base; all values must be above 0
	Alpha        float64 // chance of a false verdict on either side, 0.05 as a rule
	Unordered    bool    // the order of the trials is not that of their execution
	Mean         bool    // means are compared, by dealing the runs anew: of losses that sit in few runs, of which ranks see nothing
	Alike        bool    // of means: runs of a side differ no more than requests that fail one by one let expect, so that fewer runs show a loss

	drift bool // a drift is what is looked for
}

// A GateResult is what a [Gate] found. Changes are ratios candidate/base or differences candidate-base, as the gate was asked.
type GateResult struct {
	N, M            int // runs of base and candidate
	Pairs           int // of neighbours that were compared; 0 where all were compared with all
	Base, Candidate float64
	Change          float64  // Hodges and Lehmann's
	In              Interval // of Change, with the confidence it attains
	Verdict         string
	Reason          string   // of an inconclusive verdict
	PFail, PPass    float64  // fail and pass need at most Alpha, beside what else is asked; PFail goes to [Holm]
	PBeyond         float64  // of a change within the margin: PFail without what is asked besides. Of many metrics this goes to [Holm], beside each one's own verdict, which asks for the rest
	More            int      // further runs of each side to decide with a chance of 80 % if the change is as estimated; 0 if decided, -1 if more than 1,000 or without end
	Detectable      float64  // the smallest loss that these runs find with a chance of 80 %, as a share or difference, 0 or more; +Inf if none
	Interleaved     bool     // the runs of both sides alternate, more or less
	Serial          float64  // chance of values as like their neighbours as these if the order meant nothing; 1 where the order is not known
	Method          string   // of interval and verdict
	Doubts          []string // what may be wrong with it
}

// shiftBounds is what a test of a shift offers.
type shiftBounds interface {
	shift() float64
	lower(alpha float64) float64
	upper(alpha float64) float64
	less(shift float64) float64
	more(shift float64) float64
	attained(alpha float64) float64
	smallest() float64
}

// unlike is what a test offers that few runs are held to besides: the chance of means so far apart, either way, of runs that differ as much as these within their side.
type unlike interface{ unlike() float64 }

// Check returns what is wrong with the settings.
func (g Gate) Check() error {
	switch {
	case !(g.Margin >= 0) || math.IsInf(g.Margin, 1):
		return fmt.Errorf("margin %g: want 0 or more", g.Margin)
	case g.Relative && g.Margin >= 1:
		return fmt.Errorf("margin %g of the base: want less than 1", g.Margin)
	case !(g.Alpha > 0 && g.Alpha < 0.5):
		return fmt.Errorf("alpha %g: want more than 0 and less than 0.5", g.Alpha)
	}
	return nil
}

// Decide compares trials, in the order of their execution unless g says otherwise. The settings must be right: see [Gate.Check].
//
// Values that resemble their neighbours (drift, levels, slow swings) are no independent runs. Interleaved, each run is then compared with its neighbour of the other side only, which
// share what drifts. Not interleaved, nothing tells drift from a change, and there is no verdict; where no drift shows there is one, with a doubt.
func (g Gate) Decide(trials []Trial) GateResult {
	var r GateResult
	var x, y []float64
	for _, t := range trials {
		if math.IsNaN(t.Value) || math.IsInf(t.Value, 0) {
			return r.undecided(fmt.Sprintf("a run has the value %g; want finite ones", t.Value))
		}
		v := t.Value
		if g.Relative {
			if !(v > 0) {
				return r.undecided(fmt.Sprintf("a run has the value %g, and a ratio wants values above 0: give the margin as a difference", v))
			}
			v = math.Log(v)
		}
		if t.Candidate {
			y = append(y, v)
		} else {
			x = append(x, v)
		}
	}
	r.N, r.M = len(x), len(y)
	if r.N == 0 || r.M == 0 {
		return r.undecided(fmt.Sprintf("%d runs of the base and %d of the candidate; want %d of each at least", r.N, r.M, g.Least()))
	}
	r.Base, r.Candidate = g.level(x), g.level(y)
	r.Serial = 1
	var paired []float64
	if !g.Unordered {
		r.Interleaved = interleaved(trials)
		r.Serial = Serial(g.residuals(trials, x, y))
		if r.Interleaved && r.Serial < gateSerial && !g.Mean {
			paired = g.neighbours(trials)
		}
	}
	var t shiftBounds
	switch {
	case g.Mean:
		t = newMeanShift(x, y)
		r.Method = "difference of means, permutation of runs"
	case paired != nil:
		r.Pairs = len(paired)
		t = newPairTest(paired)
		r.Method = fmt.Sprintf("Hodges-Lehmann, signed ranks of %d pairs of neighbours, exact", r.Pairs)
		r.Doubts = append(r.Doubts, fmt.Sprintf("the values follow their order (p %.2g), so that each run was compared with its neighbour only", r.Serial))
	default:
		t = newShiftTest(x, y)
		how := "exact"
		if r.N+r.M > maxExactScores {
			how = "normal approximation"
		}
		r.Method = "Hodges-Lehmann, ranks with normal scores, " + how
	}
	g.judge(t, &r)
	switch {
	case g.Unordered:
		r.Doubts = append(r.Doubts, "the order of the runs is not known: a drift between them would count as a change")
	case r.Interleaved:
	case r.Serial < gateSerial:
		r.Verdict, r.More = GateInconclusive, -1
		r.Reason = fmt.Sprintf("the runs are not interleaved and their values follow the order within a side (p %.2g), so that a drift looks like a change: run base and candidate in turn", r.Serial)
	default:
		r.Doubts = append(r.Doubts, "the runs are not interleaved: a drift between the sides would count as a change")
	}
	return r
}

func (r GateResult) undecided(reason string) GateResult {
	r.Verdict, r.Reason, r.More = GateInconclusive, reason, -1
	r.Base, r.Candidate, r.Change = math.NaN(), math.NaN(), math.NaN()
	r.In = Interval{math.NaN(), math.NaN(), 0}
	r.PFail, r.PBeyond, r.PPass, r.Serial, r.Detectable = 1, 1, 1, 1, math.Inf(1)
	return r
}

// judge fills in what the test says. Within, shifts are turned so that less is worse.
func (g Gate) judge(t shiftBounds, r *GateResult) {
	sign := 1.0
	worse, better, lower, upper := t.less, t.more, t.lower, t.upper
	if !g.HigherBetter {
		sign = -1
		worse, better = t.more, t.less
		lower, upper = func(a float64) float64 { return -t.upper(a) }, func(a float64) float64 { return -t.lower(a) }
	}
	edge := -g.Margin // of what is tolerated
	if g.Relative {
		edge = math.Log1p(sign*-g.Margin) * sign
	}
	change := g.change(r)
	if g.Mean {
		change = min(change, max(gateMean, t.smallest()))
	}
	shift, lo, hi := sign*t.shift(), lower(g.Alpha), upper(g.Alpha)
	r.Change = g.out(sign * shift)
	r.In = Interval{g.out(t.lower(g.Alpha)), g.out(t.upper(g.Alpha)), 1 - 2*t.attained(g.Alpha)}
	r.PBeyond = worse(sign * edge)
	r.PFail = min(1, max(worse(sign*edge), worse(0)*g.Alpha/change))
	fewer := false // runs than show it by themselves
	if u, ok := t.(unlike); ok && change > gateSix*gateMean && !g.Alike {
		r.PFail = min(1, max(r.PFail, u.unlike()*g.Alpha/gateMean))
		fewer = u.unlike() > gateMean
	}
	r.PPass = better(sign * edge)
	narrow := hi-lo <= gateNarrow*-edge
	lucky := !narrow && !(better(0) <= min(gateMaxLuck, max(gateLuck, t.smallest())))
	se := (hi - lo) / 2 / normalQuantile(1-g.Alpha)
	z := normalQuantile(1-g.Alpha) + normalQuantile(gatePower)
	z0 := normalQuantile(1-change) + normalQuantile(gatePower)
	r.Detectable = max(z*se-edge, z0*se)
	if g.Relative {
		r.Detectable = math.Abs(math.Expm1(-sign * r.Detectable))
	}
	if math.IsNaN(r.Detectable) || t.attained(change) == 0 {
		r.Detectable = math.Inf(1)
	}
	switch {
	case r.PFail <= g.Alpha:
		r.Verdict = GateFail
		return
	case r.PPass <= g.Alpha && !lucky:
		r.Verdict = GatePass
		return
	}
	r.Verdict = GateInconclusive
	n, least := min(r.N, r.M), leastRuns(change)
	if fewer {
		least = leastRuns(gateSix * gateMean)
	}
	if r.Pairs > 0 {
		n, least = r.Pairs, g.leastPairs()
	}
	switch {
	case lucky && r.PPass <= g.Alpha:
		r.Reason = "the interval lies on the near side of the margin, but it is wider than one and a half margins: such runs would not show a loss"
	case hi < edge:
		r.Reason = fmt.Sprintf("the interval lies beyond the margin, but that there is a change at all is not certain at %.4g %%", 100*(1-2*change))
		if !r.Interleaved {
			r.Reason += ", as it must be of runs that are not interleaved"
		}
		if fewer {
			r.Reason = fmt.Sprintf("the interval lies beyond the margin, but runs of one side differ as if by luck, and %d a side are too few to tell", n)
		}
	default:
		r.Reason = "the interval holds the margin"
	}
	// How many times as many runs.
	var times float64
	if shift < edge {
		times = math.Max(sq(z*se/(edge-shift)), sq(z0*se/shift))
	} else {
		times = math.Max(sq(z*se/(shift-edge)), sq((hi-lo)/(gateNarrow*edge)))
		if shift > 0 {
			lucky := sq((normalQuantile(1-gateLuck) + normalQuantile(gatePower)) * se / shift)
			times = min(times, math.Max(sq(z*se/(shift-edge)), lucky))
		}
	}
	switch want := math.Ceil(float64(n) * times); {
	case math.IsInf(se, 1) || math.IsNaN(se):
		r.More = max(1, least-n)
		r.Reason = fmt.Sprintf("%d and %d runs are too few for an interval at %g %%; want %d of each at least", r.N, r.M, 100*(1-2*g.Alpha), least)
	case want <= float64(n+gateMost):
		r.More = max(1, max(int(want), least)-n)
	default:
		r.More = -1
	}
}

func sq(v float64) float64 { return v * v }

// change returns the chance that a candidate which equals the base fails, at most.
func (g Gate) change(r *GateResult) float64 {
	if r.Interleaved || g.drift {
		return min(g.Alpha, gateChange)
	}
	return min(g.Alpha, gateApart)
}

// Least returns how many interleaved runs of each side a [Gate] needs for a fail to be possible.
func (g Gate) Least() int { return leastRuns(min(g.Alpha, gateChange)) }

// leastRuns returns how many runs of each side can show a shift at alpha.
func leastRuns(alpha float64) int {
	ways := 1.0 // to choose n of 2n
	for n := 1; ; n++ {
		if ways *= float64(2*(2*n-1)) / float64(n); !(1/ways > alpha) || math.IsInf(ways, 1) { // NaN ends it too
			return n
		}
	}
}

// leastPairs is [Gate.Least] for pairs of neighbours.
func (g Gate) leastPairs() int {
	return int(math.Ceil(-math.Log2(min(g.Alpha, gateChange))))
}

func (g Gate) out(v float64) float64 {
	if g.Relative {
		return math.Exp(v)
	}
	return v
}

// level returns the median of values as it was given.
func (g Gate) level(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	if g.Mean {
		return g.out(mean(s))
	}
	return g.out(Quantile(s, 0.5, Type7))
}

// in returns the value as it is compared.
func (g Gate) in(v float64) float64 {
	if g.Relative {
		return math.Log(v)
	}
	return v
}
