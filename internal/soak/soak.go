// Package soak reads the sequential test of an objective: the plan foretells by it, the run stops by it and the report judges by it, so that all three mean the same test.
package soak

import (
	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Test returns the test of an objective that has one, in MTBFs in seconds, as Wald has it. Its lines are those of [stat.Sequential.Sure].
func Test(o assay.Objective) stat.Sequential {
	s := stat.Sequential{Bad: o.Test.Against, Alpha: o.Test.Risk, Beta: o.Test.Risk}
	if o.Metric == "failure_rate/service" {
		s.Good, s.Bad = 3600 / *o.Max, 3600/o.Test.Against
	} else {
		s.Good = *o.Min
	}
	return s
}
