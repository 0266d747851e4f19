package live

import (
	"fmt"
	"time"
)

// Steady says in a few words how the target is, for people who decide whether to hurt it.
func (s *State) Steady() string {
	return fmt.Sprintf("%.1f/s sent, %s of %d failed in the last %v, TTFT p95 %s, instances %s, fault %s",
		s.Rate, percent(s.ErrorRatio), s.Judged, s.Over, seconds(s.TTFT), s.instanceCount(), clean(s.faultNames()))
}

// Since says in a few words what became of the target since an earlier state.
func (s *State) Since(before *State) string {
	failed := s.Failed - before.Failed
	return fmt.Sprintf("%d ok, %d failed since; TTFT p95 %s, instances %s", s.Requests-before.Requests-failed, failed, seconds(s.TTFT), s.instanceCount())
}

// Stamp writes the state's instant as progress lines do.
func (s *State) Stamp() string { return span(time.Duration(s.Now)) }
