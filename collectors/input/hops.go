package input

import (
	"fmt"

	"github.com/assay-dev/assay"
)

// settle decides whose requests count, since what stands between client and platform sees the requests that others tell of: those of a kind that is a Hop
// count where no other kind tells of any, and those of the hop that was named first where several do. Option requests decides otherwise.
func (s *Set) settle() {
	teller := ""
	for _, hop := range []bool{false, true} {
		for _, o := range s.inputs {
			if teller == "" && o.spec.Kind.Hop == hop && o.summary.Requests > 0 {
				teller = o.spec.Kind.Name
			}
		}
	}
	for i, o := range s.inputs {
		sum := &s.Summaries[i]
		if k := o.spec.Kind; k.Hop && k.Name != teller && o.spec.Options["requests"] != "yes" && sum.Requests > 0 {
			sum.Notes = append(sum.Notes, fmt.Sprintf("its %d requests were left out, since %s tells of them", sum.Requests, teller))
			sum.Requests, o.mute = 0, true
			continue
		}
		for _, e := range o.held {
			s.phase(&e)
		}
		if sum.Requests > 0 {
			s.Resolution = max(s.Resolution, o.resolution)
			s.Untimed = s.Untimed || o.untimed
		}
	}
}

// hold takes up the phases of an input; those of a hop count only if its requests do.
func (s *Set) hold(o *one, e *assay.Event) {
	if !o.spec.Kind.Hop {
		s.phase(e)
	} else if (e.Kind == assay.EventPhaseBegin || e.Kind == assay.EventPhaseEnd) && len(o.held) < maxHeld {
		o.held = append(o.held, *e)
	}
}

// maxHeld bounds the phases of a hop.
const maxHeld = 1000
