package loadgen

import (
	"fmt"
	"math"
	"slices"
)

// kneeSteps is how many steps a search for the knee takes at most: a fit of the universal scalability law needs five different loads, and more are
// no great help.
const kneeSteps = 12

// Bounds of a search for the knee.
const (
	kneeKeeps = 0.9  // share of what came in its second half that a step must have answered there, less two standard errors, or it is past the limit
	kneeFails = 0.05 // share of the requests that may fail before the step is past the limit
	kneeFalls = 0.5  // share of the best power below which the knee is passed
)

// power is what one step of a search for the knee showed.
type power struct {
	rate  float64
	value float64 // throughput over residence time
	past  bool
}

// knee raises the rate by the factor until the knee is clearly passed, then fills in the gaps around the step with the most power, throughput over
// residence time, until the time is used up. It decides nothing: the analysis takes throughput and residence time of each step from the
// requests. A step past the limit ends the climb: it was cut short, or it fell behind, or more than one in
// twenty of its requests failed.
func (s *search) knee() int64 {
	set := s.p.Search
	var seen []power
	for rate := set.Start; len(seen) < kneeSteps; {
		st := s.step(rate, 0, set.Step)
		if st == nil {
			break
		}
		p, text := st.power()
		s.g.step(fmt.Sprintf("%s %s/s %s", st.name, number(rate), text))
		if !p.past {
			s.served, _ = st.measure(limit{what: "e2e", stat: "quantile", q: 0.95})
		}
		seen = append(seen, p)
		var more bool
		if rate, more = nextPower(seen, set); !more {
			break
		}
	}
	attrs := map[string]string{"knee": s.p.Name}
	text := fmt.Sprintf("%s: %d steps", s.p.Name, len(seen))
	if s.why != "" {
		attrs["ended"] = s.why
		text += "; it ended because " + s.why
	}
	s.g.note(s.begin, s.p.Name, text, attrs)
	return s.begin
}

// nextPower returns the rate of the next step after those seen; false when there is none worth taking.
func nextPower(seen []power, set *Search) (float64, bool) {
	sorted := slices.Clone(seen)
	slices.SortFunc(sorted, func(a, b power) int {
		if a.rate < b.rate {
			return -1
		}
		return 1
	})
	best := 0
	for i := range sorted {
		if sorted[i].value > sorted[best].value {
			best = i
		}
	}
	top := sorted[len(sorted)-1]
	if !top.past && top.value >= kneeFalls*sorted[best].value && top.rate < set.Max {
		return min(set.Max, top.rate*set.Factor), true
	}
	// The wider of the gaps beside the best step is halved; below the first there is as much as above.
	below, above := sorted[best].rate/set.Factor/set.Factor, top.rate
	if best > 0 {
		below = sorted[best-1].rate
	}
	if best+1 < len(sorted) {
		above = sorted[best+1].rate
	}
	down, up := sorted[best].rate/below, above/sorted[best].rate
	if max(down, up) <= set.Within {
		return 0, false
	}
	if up >= down {
		return math.Sqrt(sorted[best].rate * above), true
	}
	return math.Sqrt(below * sorted[best].rate), true
}

// power returns what the step showed.
func (s *step) power() (power, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := power{rate: s.rate, past: s.cut != "" || s.due < s.planned}
	served, residence, last := 0, 0.0, s.begin
	half, end := s.begin+s.length/2, s.begin+s.length
	came, went := 0, 0 // in the second half of the step, when what came first is answered
	for i := range s.seen {
		x := &s.seen[i]
		if half <= x.due && x.due < end {
			came++
		}
		if x.ok {
			if half <= x.end && x.end < end {
				went++
			}
			served++
			residence += float64(x.end-x.due) / 1e9
			last = max(last, x.end)
		}
	}
	if served == 0 {
		p.past = true
		return p, fmt.Sprintf("served nothing (n=%d)", s.due)
	}
	throughput := float64(served) / (float64(last-s.begin) / 1e9)
	residence /= float64(served)
	p.value = throughput / residence
	p.past = p.past || float64(went) < kneeKeeps*float64(came)-2*math.Sqrt(float64(came)) || float64(s.due-served) > kneeFails*float64(s.due)
	text := fmt.Sprintf("served %s/s in %s s, %s in flight (n=%d)", number(throughput), number(residence), number(throughput*residence), s.due)
	if s.cut != "" {
		text += ", cut short (" + s.cut + ")"
	}
	return p, text
}
