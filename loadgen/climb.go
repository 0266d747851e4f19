package loadgen

import (
	"cmp"
	"math"
	"slices"

	"github.com/assay-dev/assay/internal/stat"
)

// voidsMost is how often in a row a step is tried that our own late sends spoiled, before its rate is left undecided.
const voidsMost = 3

// climb is the state of a search for saturation: what each rate has shown, and which comes next.
type climb struct {
	*Search
	limits []limit
	levels []*level // by rate
	tries  int      // breaks in a row of the rate in hand
	voids  int      // and steps of it that do not count
	at     *level   // in hand
	long   bool     // a step broke, and those that decide have begun
}

// A level is one rate with what its steps showed since it last broke.
type level struct {
	rate   float64
	runs   int
	missed [][]bool    // by limit, in order of due
	values [][]float64 // by limit, for means
	good   bool        // the values that it showed lie within the limits
	bad    bool        // it broke, as often as it must
	close  bool        // it stayed undecided
	late   bool        // because our own sends were late
	brief  bool        // short steps show that it holds, as far as they can
	worst  string      // metric furthest above its limit when it broke
}

// level returns the level of a rate.
func (c *climb) level(rate float64) *level {
	i, ok := slices.BinarySearchFunc(c.levels, rate, func(l *level, r float64) int { return cmp.Compare(l.rate, r) })
	if !ok {
		l := &level{rate: rate}
		c.clear(l)
		c.levels = slices.Insert(c.levels, i, l)
	}
	return c.levels[i]
}

// clear drops what a level has shown.
func (c *climb) clear(l *level) {
	l.runs, l.missed, l.values = 0, make([][]bool, len(c.limits)), make([][]float64, len(c.limits))
}

// take adds what a step at a rate showed and says in a word what the rate has come to.
func (c *climb) take(rate float64, s *step, v verdict) string {
	l := c.level(rate)
	c.at = l
	if v.unmeasured != "" {
		l.close = true
		return "is undecided"
	}
	if v.late > 0 && !v.good {
		if c.voids++; c.voids < voidsMost && !c.Careful {
			return "is void"
		}
		c.voids, c.tries = 0, 0
		l.close, l.late, l.worst = true, true, ""
		return "is undecided for our own late sends"
	}
	c.voids = 0
	l.runs++
	from := s.begin
	if c.long {
		from += s.length / 4
	}
	for i, lim := range c.limits {
		values := s.column(lim, from)
		l.values[i] = append(l.values[i], values...)
		for _, x := range values {
			l.missed[i] = append(l.missed[i], x > lim.max)
		}
	}
	if c.Careful {
		if l.good, l.bad = v.good, !v.good; l.bad {
			l.worst = v.worst
			return "broke"
		}
		return "held"
	}
	l.good = true
	broke := v.cut
	for i, lim := range c.limits {
		_, bad := lim.side(l.missed[i], l.values[i], c.Confidence, c.long)
		l.good = l.good && lim.within(l.missed[i], l.values[i])
		broke = broke || bad
	}
	if broke {
		c.clear(l) // another try stands for itself
		l.worst = v.worst
		if c.tries++; c.tries >= c.Tries {
			l.bad, c.tries = true, 0
			c.confirm()
		}
		return "broke"
	}
	c.tries, l.worst = 0, ""
	switch {
	case c.holds(l):
		return "held"
	case !c.long && l.good:
		return "passed"
	}
	l.close = c.long && l.runs >= c.Runs
	return "is undecided"
}

// confirm ends the climb: from now on long steps decide.
func (c *climb) confirm() {
	if c.long || c.Careful {
		return
	}
	c.settle()
	for _, l := range c.levels {
		c.clear(l)
	}
	c.long = true
}

// holds reports whether a level holds by its own requests, or by those of higher levels with them: at a higher rate more would have missed.
func (c *climb) holds(l *level) bool {
	switch {
	case l.bad:
		return false
	case c.Careful:
		return l.good
	}
	for i, lim := range c.limits {
		held := false
		var missed []bool
		var values []float64
		for _, m := range c.levels {
			if m.rate < l.rate || m.bad {
				continue
			}
			missed = append(missed, m.missed[i]...)
			values = append(values, m.values[i]...)
			if held, _ = lim.side(missed, values, c.Confidence, c.long); held || lim.stat == "mean" { // a mean at a higher rate is no bound
				break
			}
		}
		if !held {
			return false
		}
	}
	return true
}

// next says which rate to try now, and with how many requests at least; false when the search is at its end.
func (c *climb) next() (rate float64, n int, more bool) {
	l := c.at
	top := c.levels[len(c.levels)-1]
	switch {
	case c.tries > 0, c.voids > 0: // it broke, or does not count, and is tried once more
		return l.rate, 0, true
	case c.Careful && (l.bad || l.late):
		return 0, 0, false
	case !c.long && l.late: // what we cannot send on time we cannot judge: the limit is sought below
	case !c.long && !l.good && l.runs < c.Runs: // it looks bad, but not so that it is sure
		return l.rate, c.missing(l), true
	case !c.long && top.rate < c.Max:
		return min(c.Max, top.rate*c.Factor), 0, true
	case c.Careful:
		return 0, 0, false
	}
	c.confirm()
	broke := c.broke()
	for {
		// What lies between the highest rate that may hold and the lowest that does not.
		var floor, above *level
		for _, l := range c.levels {
			switch {
			case !l.close && !l.bad && (broke == nil || l.rate < broke.rate):
				floor, above = l, nil
			case above == nil:
				above = l
			}
		}
		switch {
		case floor == nil:
			rate = c.levels[0].rate / c.Factor
			return rate, 0, rate >= c.Start/16
		case !c.holds(floor) && floor.runs < c.Runs:
			return floor.rate, c.missing(floor), true
		case !c.holds(floor):
			floor.close = true
			continue
		case above != nil && above.rate/floor.rate > c.Within:
			return math.Sqrt(floor.rate * above.rate), 0, true
		}
		return 0, 0, false
	}
}

// missing returns how many more requests would show that a level holds, if no larger share of them missed than so far.
func (c *climb) missing(l *level) int {
	alpha, most := (1-c.Confidence)/2, 0
	for i, lim := range c.limits {
		n := len(l.missed[i])
		k := float64(count(l.missed[i])) / float64(max(1, n))
		need := max(n, 20)
		for need < 4*max(n, 100) && stat.AtMost(k*float64(need), float64(need), lim.allowed()) > alpha {
			need += max(1, need/16)
		}
		most = max(most, need-n)
	}
	if c.long {
		most += most / 3 // the first quarter does not count
	}
	return most
}

// held returns the highest rate that holds, or 0, and whether steps that decide showed it.
func (c *climb) held() (rate float64, confirmed bool) {
	if c.long || c.Careful {
		for _, l := range c.levels {
			if c.holds(l) {
				rate, confirmed = l.rate, true
			}
		}
		if rate > 0 || c.Careful {
			return rate, confirmed
		}
	} else { // the time ran out while it climbed
		c.settle()
	}
	for _, l := range c.levels {
		if l.brief && !l.bad && !l.close {
			rate = l.rate
		}
	}
	return rate, false
}

// passed returns the highest rate below the lowest that broke whose steps showed values within the limits, or 0.
func (c *climb) passed() (rate float64) {
	broke := c.broke()
	for _, l := range c.levels {
		if l.good && !l.bad && !l.close && (broke == nil || l.rate < broke.rate) {
			rate = l.rate
		}
	}
	return rate
}

// settle marks what the short steps show: a level holds, as far as they can tell, if the next higher passed too, since they pass at rates that are
// too high by as much.
func (c *climb) settle() {
	for i, l := range c.levels {
		l.brief = c.holds(l) && i+1 < len(c.levels) && c.levels[i+1].worst == "" && !c.levels[i+1].late
	}
}

// broke returns the lowest level that broke, or nil. One that broke once counts when there was no time for another try.
func (c *climb) broke() *level {
	for _, l := range c.levels {
		if l.bad || l.runs == 0 && l.worst != "" && l == c.at {
			return l
		}
	}
	return nil
}

// undecided returns the rates between the highest that held and the lowest that broke, and of these apart those where our own sends were late.
func (c *climb) undecided() (open, late []string) {
	held, _ := c.held()
	broke := c.broke()
	for _, l := range c.levels {
		if l.rate > held && !l.bad && l != broke && (broke == nil || l.rate < broke.rate) {
			if l.late {
				late = append(late, number(l.rate))
			} else {
				open = append(open, number(l.rate))
			}
		}
	}
	return open, late
}

func count(missed []bool) int {
	n := 0
	for _, m := range missed {
		if m {
			n++
		}
	}
	return n
}
