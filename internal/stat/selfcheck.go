package stat

import (
	"fmt"
	"slices"
)

// A SelfCheck is a comparison of the base with itself: what a gate says where there is nothing to find.
type SelfCheck struct {
	Alternate GateResult // every other run against the rest: noise alone
	Halves    GateResult // the second half against the first: drift
	Alarms    int        // of the two, those that found a change beyond the margin, in either direction
	Reason    string     // why there is none
}

// CheckSelf compares the base's runs among trials with one another.
func (g Gate) CheckSelf(trials []Trial) SelfCheck {
	var base []Trial
	for _, t := range trials {
		if !t.Candidate {
			base = append(base, t)
		}
	}
	if want := 2 * g.Least(); len(base) < want {
		return SelfCheck{Reason: fmt.Sprintf("%d runs of the base; a comparison of the base with itself needs %d", len(base), want)}
	}
	alternate, halves := slices.Clone(base), slices.Clone(base)
	for i := range base {
		alternate[i].Candidate = i%2 == 1
		halves[i].Candidate = i >= (len(base)+1)/2
	}
	var s SelfCheck
	s.Alternate = g.Decide(alternate)
	plain := g
	plain.Unordered, plain.drift = true, true
	s.Halves = plain.Decide(halves)
	s.Halves.Doubts = nil
	turned := g
	turned.HigherBetter = !g.HigherBetter
	turnedPlain := turned
	turnedPlain.Unordered, turnedPlain.drift = true, true
	if s.Alternate.Verdict == GateFail || turned.Decide(alternate).Verdict == GateFail {
		s.Alarms++
	}
	if s.Halves.Verdict == GateFail || turnedPlain.Decide(halves).Verdict == GateFail {
		s.Alarms++
	}
	return s
}
