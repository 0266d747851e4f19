package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/sandbox"
)

// local fills the settings of the faults that the local driver alone knows.
func local(s *chaos.Step, f *plan.Fault) {
	s.Quota = float64(f.Quota)
}

// ownWeights gives the sandbox a directory of weights of its own if the plan wants them to be read badly: the one that all runs of a user share is
// read by sandboxes that are not of this run.
func (s *session) ownWeights(c *sandbox.Config) error {
	if !slices.ContainsFunc(s.plan.Chaos, func(f plan.Fault) bool { return f.Fault == "slow-reads" && f.Dir == "" }) {
		return nil
	}
	dir, err := filepath.Abs(filepath.Join(s.dir, "weights"))
	if err != nil {
		return fmt.Errorf("make the sandbox's directory: %w", err)
	}
	c.WeightsDir, s.weights = dir, dir
	return nil
}

// dropWeights removes that directory: it is no record of the run.
func (s *session) dropWeights() error {
	if s.weights == "" {
		return nil
	}
	return os.RemoveAll(s.weights)
}

// onThisMachine returns the local driver for a platform. It refuses a file system over what the run itself needs.
func (s *session) onThisMachine(p chaos.Platform) (chaos.Driver, error) {
	d := &chaos.Local{RunID: s.manifest.ID, Platform: p, Weights: s.weights, Spare: []string{s.dir}}
	for i, f := range s.plan.Chaos {
		if f.Fault != "slow-reads" || f.Dir == "" {
			continue
		}
		if err := d.MayCover(f.Dir); err != nil {
			return nil, fmt.Errorf("chaos[%d].dir: %w", i, err)
		}
	}
	return d, nil
}
