package main

import (
	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// retry returns the retries that a plan asks for, or nil.
func retry(r *plan.Retry) *loadgen.Retry {
	if r == nil {
		return nil
	}
	var on []assay.Outcome
	for _, o := range r.On {
		on = append(on, assay.Outcome(o))
	}
	return &loadgen.Retry{Attempts: r.Attempts, On: on, Backoff: r.Backoff.D(), Factor: r.Factor, Max: r.Max.D(), RetryAfter: r.RetryAfter}
}

// attempts returns how often a request is sent at most, as the manifest says it: 0 where none is repeated.
func (s *session) attempts() int {
	if r := s.plan.Target.Retry; r != nil {
		return r.Attempts
	}
	return 0
}
