package facts

import (
	"cmp"

	"github.com/assay-dev/assay"
)

// learnVague notes the stretches in which an instance became ready and nothing tells when: a pod that is dead when it is looked at first was ready at some instant between its start and its end.
func (s *instanceScan) learnVague() {
	f := s.f
	for i := range f.Lives {
		l := &f.Lives[i]
		if !l.Vague || l.Ready == 0 {
			continue
		}
		last := l.Exited
		if len(l.Unready) > 0 {
			last = l.Unready[0].Begin
		}
		begin := cmp.Or(l.Started, l.Ready-l.Coarse)
		if last != 0 && near(l.Ready, last, second) && begin < l.Ready {
			f.Unsure = append(f.Unsure, assay.Interval{Name: l.Instance, Begin: begin, End: l.Ready})
		}
	}
}
