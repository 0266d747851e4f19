package stat

import (
	"fmt"
	"math"
	"sort"
)

// A Sequential is Wald's test of an MTBF while a soak runs: it accepts Good against Bad with risks Alpha (of rejecting the good) and Beta
// (of accepting the bad).
type Sequential struct{ Good, Bad, Alpha, Beta float64 }

// Check returns what is wrong with the test.
func (s Sequential) Check() error {
	if !(s.Bad > 0) || !(s.Good > s.Bad) || math.IsInf(s.Good, 1) {
		return fmt.Errorf("good %g and bad %g: want 0 < bad < good", s.Good, s.Bad)
	}
	if !(s.Alpha > 0) || !(s.Beta > 0) || s.Alpha+s.Beta >= 1 {
		return fmt.Errorf("risks %g and %g: want both above 0 and less than 1 together", s.Alpha, s.Beta)
	}
	return nil
}

// Accept returns the time after which the good is accepted with so many failures by then.
func (s Sequential) Accept(failures int) float64 {
	return (float64(failures)*math.Log(s.Good/s.Bad) - math.Log(s.Beta/(1-s.Alpha))) / (1/s.Bad - 1/s.Good)
}

// Reject returns the time up to which so many failures reject the good; below 0 if they never do.
func (s Sequential) Reject(failures int) float64 {
	return (float64(failures)*math.Log(s.Good/s.Bad) - math.Log((1-s.Beta)/s.Alpha)) / (1/s.Bad - 1/s.Good)
}

// LoadGenQueries returns how many queries MLPerf's LoadGen demands for quantile p: enough for a margin of a twentieth of the tail at 99 %, in
// multiples of 2^13.
func LoadGenQueries(p float64) int {
	margin := (1 - p) / 20
	z := normalQuantile(1 - (1-0.99)/2)
	n := z * z * p * (1 - p) / (margin * margin)
	const block = 1 << 13
	return int(math.Ceil(n/block)) * block
}

// LoadGenEarly returns how many queries within the limit LoadGen's early stopping needs beside so many over it, to show quantile p at 99 % with its
// tolerance of zero.
func LoadGenEarly(p float64, over int) int {
	return sort.Search(1<<30, func(h int) bool { return binomialCDF(over, h+over, 1-p) <= 1-0.99 })
}
