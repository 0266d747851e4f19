package analyzers

import (
	"math"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// seconds converts a stretch of nanoseconds.
func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// measured returns what happened in this run, between the bounds of measurement error.
func measured(v, lo, hi float64, u assay.Unit, n int, of, method string) assay.Quantity {
	return assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: 1, Unit: u, N: n, Of: of, Method: method, Basis: assay.Measured}
}

// counted returns what happened in this run where it can be counted without error.
func counted(v float64, u assay.Unit, n int, of, method string) assay.Quantity {
	return measured(v, v, v, u, n, of, method)
}

// stretch returns a measured stretch of time in seconds from nanoseconds.
func stretch(v, lo, hi int64, n int, of, method string) assay.Quantity {
	return measured(seconds(v), seconds(lo), seconds(hi), assay.Seconds, n, of, method)
}

// atLeast returns a stretch of time of which only the lower bound was seen.
func atLeast(lo int64, n int, of, method string) assay.Quantity {
	return measured(math.NaN(), seconds(lo), math.Inf(1), assay.Seconds, n, of, method)
}

// bounds returns the closed range an objective allows.
func bounds(o *assay.Objective) (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if o.Min != nil {
		lo = *o.Min
	}
	if o.Max != nil {
		hi = *o.Max
	}
	return lo, hi
}

// quantileOf reads p95 or p99.9 as 0.95 or 0.999.
func quantileOf(name string) (float64, bool) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || digits == "" || digits[0] < '0' || digits[0] > '9' {
		return 0, false
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || v <= 0 || v >= 100 {
		return 0, false
	}
	// 99.9/100 is not the nearest number to 0.999; parsing the decimal shifted by two is.
	p, err := strconv.ParseFloat(digits+"e-2", 64)
	return p, err == nil
}
