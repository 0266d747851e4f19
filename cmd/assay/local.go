package main

import (
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
)

// local fills the settings of the faults that the local driver alone knows.
func local(s *chaos.Step, f *plan.Fault) {
	s.Quota = float64(f.Quota)
}
