package main

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/dashboards"
	"github.com/assay-dev/assay/loadgen"
)

// Tokens of each request of the ramp at --url.
const (
	gentlePrompt = 64
	gentleAnswer = 32
)

// dryRun says what the ramp at --url would send, and sends nothing.
func (s *session) dryRun() error {
	if s.opt.url == "" {
		return exit(assay.ExitUsage, "--dry-run goes with --url; of a plan assay validate PLAN says what it will send")
	}
	sched, err := loadgen.NewSchedule(s.phases, s.plan.Seed)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	var last time.Duration
	total := 0
	fmt.Fprintf(s.io.out, "to %s, nothing of it was sent:\n", targetName(s.plan))
	for i := range s.phases {
		ph := &s.phases[i]
		rate := ""
		switch {
		case ph.Search != nil:
			last, rate = ph.Search.For, fmt.Sprintf("from %g/s up to %g/s at most, doubled every %v; it ends at the first goal that breaks, and at the first request that fails", ph.Search.Start, ph.Search.Max, ph.Search.Step)
		case ph.Hold != nil:
			last, rate = ph.For, fmt.Sprintf("at %g %% of the highest rate that held", 100*ph.Hold.Share)
		default:
			last, rate = ph.For, "one alone"
		}
		total += ph.Max
		fmt.Fprintf(s.io.out, "  %-8s at most %s in %v, %s\n", ph.Name, dashboards.Things(ph.Max, "requests"), last, rate)
	}
	fmt.Fprintf(s.io.out, "  first    one short request of the same kind, asked up to %d times if it is refused\n", askTries)
	total += askTries
	fmt.Fprintf(s.io.out, "  in all   at most %d requests in %v, %d in flight at once; for models %d tokens of prompts and %d of answers\n", total, sched.Duration().Round(time.Second), s.plan.Target.Cap, gentlePrompt*total, gentleAnswer*total)
	return nil
}
