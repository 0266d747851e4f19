package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/chill"
	"github.com/assay-dev/assay/internal/plan"
)

// undoLimit is how long what a chiller changed may take to be put back.
const undoLimit = 30 * time.Second

// forces reports whether the plan forces cold starts.
func forces(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Load, func(l plan.Load) bool { return l.Cold != nil })
}

// chiller returns what makes the target of a plan cold; nil where no phase forces cold starts. admin is the sandbox's admin URL.
func chiller(p *plan.Plan, admin string) (chill.Chiller, error) {
	if !forces(p) {
		return nil, nil
	}
	if p.Target.Kind == "sandbox" {
		return &chill.Sandbox{AdminURL: admin}, nil
	}
	return nil, fmt.Errorf("target.cold: nothing makes the target cold")
}

// makeCold readies what makes the target cold, before the run: a target that does not allow it is refused.
func (s *session) makeCold(ctx context.Context) error {
	admin := ""
	if s.platform != nil {
		admin = s.platform.AdminURL
	}
	c, err := chiller(s.plan, admin)
	if err != nil {
		return &status{assay.ExitUsage, err}
	}
	if c == nil {
		return nil
	}
	checking, cancel := context.WithTimeout(ctx, undoLimit)
	defer cancel()
	if err := c.Check(checking); err != nil {
		return &status{assay.ExitPreflight, fmt.Errorf("target.cold: %w", err)}
	}
	s.chiller = c
	if s.plan.Target.Kind != "sandbox" {
		fmt.Fprintf(s.io.err, "cold starts are forced by making %s cold\n", c)
	}
	return nil
}

// chill makes the target cold; nil where nothing can.
func (s *session) chill() func(context.Context) error {
	if s.chiller == nil {
		return nil
	}
	return s.chiller.Chill
}

// warmAgain puts back what was changed to make the target cold. It is done however the run ends.
func (s *session) warmAgain() error {
	if s.chiller == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), undoLimit)
	defer cancel()
	if err := s.chiller.Undo(ctx); err != nil {
		s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("%s may not be as it was: %v", s.chiller, err)})
		fmt.Fprintf(s.io.err, "assay: %s may not be as it was: %v\n", s.chiller, err)
		return err
	}
	return nil
}
