package compare

import (
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// LossBound is how many more of its requests a candidate may lose, as a share, before a race lets it pass: it has to be shown that it loses less. Where somebody
// names error_ratio in a margin or among what must pass, the margin is the bound.
const LossBound = 0.02

// losses are what every race must show beside what it was asked. A race fails as soon as the mean difference of the blocks' shares is surely above
// the margin, whatever comes in bursts on either side: bets on the symmetry of that difference would take a base that loses whole blocks, now and then, for a better
// one than a candidate that loses a little all the time. It passes when the requests show, failing one by one, that the loss is below the bound, and nothing shows that
// there is a loss.
type losses struct {
	bound    float64       // that must be shown
	requests stat.Losses   // what passes
	more     stat.Sequence // holds a pass: blocks of equal sides in random order differ symmetrically around 0
	judged   [2]int        // of base and candidate
	failed   [2]int
	held     bool // a loss above the margin is seen and surely none of chance
}

// newLosses begins to count. named says that somebody asked for the error ratio in particular.
func newLosses(s *RaceSettings, margin float64, named bool) *losses {
	x := &losses{bound: math.Max(margin, LossBound), more: stat.Sequence{Alpha: (1 - s.Confidence) / 2}}
	if _, ok := s.Margins["error_ratio"]; ok || named {
		x.bound = margin
	}
	return x
}

// add takes the blocks of a pair, both with requests that count.
func (x *losses) add(base, other *Block) {
	for i, b := range []*Block{base, other} {
		x.judged[i] += b.judged
		x.failed[i] += b.failed
	}
	x.requests.Add(base.judged, base.failed, other.judged, other.failed)
	x.more.Add(other.value("error_ratio") - base.value("error_ratio"))
}

// shares returns which part of its requests each side lost.
func (x *losses) shares() (base, other float64) {
	return float64(x.failed[0]) / float64(x.judged[0]), float64(x.failed[1]) / float64(x.judged[1])
}

// verdict judges what l has so far. Unlike other verdicts a pass goes away when losses come.
func (x *losses) verdict(l *lane) assay.Verdict {
	base, other := x.shares()
	x.held = other-base > l.margin && x.more.Evidence(0, false) >= -math.Log(x.more.Alpha)
	switch {
	case l.strict.Evidence(l.limit, false) >= -math.Log(l.strict.Alpha):
		return assay.VerdictFail
	case !x.held && x.requests.Evidence(x.bound) >= -math.Log(l.open.Alpha):
		return assay.VerdictPass
	}
	return assay.VerdictInconclusive
}

// explain says what is shown of the losses, by which assumption, and how many pairs would do if they go on as they are.
func (x *losses) explain(c *assay.Change, l *lane, s *RaceSettings) {
	n := l.open.N()
	base, other := x.shares()
	shown := x.requests.Bound(l.open.Alpha)
	say := fmt.Sprintf("shown is that the candidate loses at most %.3g points more where requests fail one by one", 100*shown)
	if hi := c.Change.Hi; c.Change.Bounded() {
		say += fmt.Sprintf("; bursts that no block met may make it %.3g", 100*hi)
	}
	if l.verdict == assay.VerdictPass {
		c.Why = say
		return
	}
	goal := -math.Log(l.strict.Alpha)
	if x.held || other-base > x.bound {
		c.Why = fmt.Sprintf("the candidate lost %.3g %% of its requests and the base %.3g %%", 100*other, 100*base)
		switch {
		case l.strict.Evidence(l.limit, false) <= 0:
			c.Why += "; that this is beyond the margin is not shown"
		case c.Change.Bounded() && c.Change.Lo > l.margin:
			c.Why += fmt.Sprintf("; beyond the margin by itself, which is not enough among %d metrics that may fail", l.among)
		default:
			c.Why += "; whether that is beyond the margin, were the base to lose whole blocks now and then, takes more pairs"
		}
		l.grow(c, l.strict.Evidence(l.limit, false), goal, n)
		return
	}
	c.Why = fmt.Sprintf("%s, and %.3g is what must be shown", say, 100*x.bound)
	l.grow(c, x.requests.Evidence(x.bound), -math.Log(l.open.Alpha), n)
}

// lossesOf is what blocks lose on average, with bounds that allow for bursts.
func lossesOf(v []float64, confidence float64) assay.Quantity {
	s := stat.Sequence{Alpha: (1 - confidence) / 2, Bounded: true}
	for _, x := range v {
		s.Add(x)
	}
	if len(v) == 0 {
		return assay.NotMeasured(assay.Ratio, "no block had a request that counts")
	}
	in := s.Bounds()
	return assay.Quantity{Value: s.Centre(), Lo: math.Max(in.Lo, 0), Hi: in.Hi, Confidence: in.Confidence, Unit: assay.Ratio, N: len(v), Of: "blocks",
		Method: "mean of the blocks; bounds by betting, shares within 0 and 1", Basis: assay.Estimated}
}
