package main

import (
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
)

// namesAndGPUs fills in the settings of faults of names, clocks and GPUs.
func namesAndGPUs(s *chaos.Step, f *plan.Fault) {
	s.Names, s.Answer = f.Names, f.Answer
	s.GPU, s.MHz, s.Watts, s.XID = f.GPU, f.MHz, f.Watts, f.XID
}
