package dashboards

import (
	"math"

	"github.com/assay-dev/assay"
)

// wholeSeconds is the unit of times that are known no better than to a tenth of a second: a clock of 250 ms gives no milliseconds.
const wholeSeconds assay.Unit = "whole s"

// lastDigit is the place of the last digit that a clock of the given resolution can give, in seconds.
func lastDigit(resolution float64) float64 {
	return math.Pow(10, math.Floor(math.Log10(resolution)+1e-9))
}

// rounded returns q without the digits that its clocks cannot give.
func rounded(q assay.Quantity) assay.Quantity {
	if q.Unit != assay.Seconds || !(q.Resolution > 0) || math.IsInf(q.Resolution, 0) {
		return q
	}
	step := lastDigit(q.Resolution)
	q.Value, q.Lo, q.Hi = toDigit(q.Value, step), toDigit(q.Lo, step), toDigit(q.Hi, step)
	if step >= 0.1-1e-9 {
		q.Unit = wholeSeconds
	}
	return q
}

func toDigit(v, step float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	if step < 1 { // a division by the inverse keeps 0.3 what it is
		return math.Round(v/step) / math.Round(1/step)
	}
	return math.Round(v/step) * step
}

// Coarse writes seconds that a clock of the given resolution, in seconds, gave: 0.3 s and not 256 ms where it steps by 250 ms.
func Coarse(s, resolution float64) string {
	return Value(assay.Quantity{Value: s, Lo: s, Hi: s, Confidence: 1, Unit: assay.Seconds, Resolution: resolution})
}

// within writes the resolution of a clock, in seconds: 250 ms steps are 0.25 s, as what they give is in seconds.
func within(resolution float64) string {
	if resolution >= 0.1 {
		return "±" + In(resolution, wholeSeconds)
	}
	return "±" + Duration(resolution)
}
