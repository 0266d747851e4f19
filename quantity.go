package assay

import (
	"encoding/json"
	"fmt"
	"math"
)

// Unit is a base unit. Scale to people's units only where people read.
type Unit string

// The units.
const (
	Seconds   Unit = "s"
	Bytes     Unit = "By"
	Ratio     Unit = "1"   // 0 to 1 unless the metric says otherwise
	Count     Unit = "{n}" // a plain number of things
	PerSecond Unit = "1/s" // requests, tokens per second; the metric says of what
	PerHour   Unit = "1/h" // failure rates
	Tokens    Unit = "{token}"
	Watts     Unit = "W"
	Joules    Unit = "J"
	Celsius   Unit = "Cel"
	Hertz     Unit = "Hz"
	Bandwidth Unit = "By/s"

	BytesPerHour Unit = "By/h" // growth of memory
)

// Basis says what a quantity speaks of.
type Basis string

// The bases. A measured value is what happened in this run and its interval is the error of
// measurement; an estimated one speaks of the service and its interval is statistical.
const (
	Measured  Basis = "measured"
	Estimated Basis = "estimated"
	Simulated Basis = "simulated" // derived from signals the target simulates
	Assumed   Basis = "assumed"   // a what-if: it rests on what somebody assumed
)

// A Quantity is a value with its interval, or a reason why there is none. A one-sided bound has
// an infinite other side and a NaN Value. The zero Quantity is invalid: use [NotEstimable] or [NotMeasured].
type Quantity struct {
	Value      float64 // in Unit; NaN if only a bound or a reason is known
	Lo, Hi     float64 // the interval; ±Inf where open; NaN with a reason
	Confidence float64 // of the interval, attained, 0 to 1; 1 for bounds on a measurement error
	Unit       Unit
	N          int    // how many independent things it rests on
	Of         string // what N counts: "requests", "episodes", "instance starts"
	Method     string // how it was computed, with the definition of a quantile
	Basis      Basis
	Reason     string // why there is no value: "not estimable, because …", "not measured, because …"

	Resolution float64 // in Unit: of the coarsest clock that Value rests on; digits below it say nothing. 0 where it does not matter
}

// NotEstimable returns a quantity without a value: there is data, but it cannot show this.
func NotEstimable(u Unit, n int, of, because string) Quantity {
	return none(u, n, of, "not estimable, because "+because)
}

// NotMeasured returns a quantity without a value: nothing that would show this was recorded.
func NotMeasured(u Unit, because string) Quantity {
	return none(u, 0, "", "not measured, because "+because)
}

func none(u Unit, n int, of, reason string) Quantity {
	nan := math.NaN()
	return Quantity{Value: nan, Lo: nan, Hi: nan, Confidence: 0, Unit: u, N: n, Of: of, Reason: reason}
}

// Known reports whether q has a value or a bound.
func (q Quantity) Known() bool { return q.Reason == "" }

// Bounded reports whether q has an interval with at least one finite side.
func (q Quantity) Bounded() bool {
	return q.Known() && !math.IsNaN(q.Lo) && !math.IsNaN(q.Hi) && (!math.IsInf(q.Lo, 0) || !math.IsInf(q.Hi, 0))
}

// Verdict is the answer to one objective.
type Verdict string

// The verdicts. Pass and fail need the whole interval on one side of the objective.
const (
	VerdictPass         Verdict = "pass"
	VerdictFail         Verdict = "fail"
	VerdictInconclusive Verdict = "inconclusive"
	VerdictInvalid      Verdict = "invalid"
)

// Judge compares q with the closed range [min, max] that an objective allows; use ±Inf for a missing side.
func Judge(q Quantity, min, max float64) Verdict {
	switch {
	case !q.Bounded():
		return VerdictInconclusive
	case q.Lo >= min && q.Hi <= max:
		return VerdictPass
	case q.Hi < min || q.Lo > max:
		return VerdictFail
	}
	return VerdictInconclusive
}

// String returns q for logs and tests, in its base unit.
func (q Quantity) String() string {
	if !q.Known() {
		return q.Reason
	}
	return fmt.Sprintf("%.6g [%.6g, %.6g] %s (%g %%, n=%d %s, %s)", q.Value, q.Lo, q.Hi, q.Unit, q.Confidence*100, q.N, q.Of, q.Method)
}

type quantityJSON struct {
	Value      *float64 `json:"value"`
	Lo         *float64 `json:"lo"`
	Hi         *float64 `json:"hi"`
	Confidence float64  `json:"confidence"`
	Unit       Unit     `json:"unit"`
	N          int      `json:"n"`
	Of         string   `json:"of,omitempty"`
	Method     string   `json:"method,omitempty"`
	Basis      Basis    `json:"basis,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Resolution float64  `json:"resolution,omitempty"`
}

// MarshalJSON writes numbers that JSON lacks as null: an open side of the interval, a missing value.
func (q Quantity) MarshalJSON() ([]byte, error) {
	num := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	return json.Marshal(quantityJSON{num(q.Value), num(q.Lo), num(q.Hi), q.Confidence, q.Unit, q.N, q.Of, q.Method, q.Basis, q.Reason, q.Resolution})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (q *Quantity) UnmarshalJSON(b []byte) error {
	var j quantityJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("quantity: %w", err)
	}
	val := func(p *float64, missing float64) float64 {
		if p == nil {
			return missing
		}
		return *p
	}
	lo, hi := math.Inf(-1), math.Inf(1)
	if j.Reason != "" {
		lo, hi = math.NaN(), math.NaN()
	}
	*q = Quantity{val(j.Value, math.NaN()), val(j.Lo, lo), val(j.Hi, hi), j.Confidence, j.Unit, j.N, j.Of, j.Method, j.Basis, j.Reason, j.Resolution}
	return nil
}
