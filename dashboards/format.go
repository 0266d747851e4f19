package dashboards

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// nbsp groups digits and joins a number with its unit where a line must not break.
const nbsp = "\u00a0"

// Number writes v with three significant digits, without trailing zeros, its
// thousands grouped by a no-break space: 6.9, 412, 0.0153, 74 100.
func Number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "?"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	case v == 0:
		return "0"
	case v < 0:
		return "−" + Number(-v)
	}
	if v >= 1e12 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	decimals := 2 - int(math.Floor(math.Log10(v)))
	if decimals <= 0 {
		p := math.Pow(10, float64(-decimals))
		return group(strconv.FormatFloat(math.Round(v/p)*p, 'f', 0, 64))
	}
	if decimals > 12 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return group(trimZeros(strconv.FormatFloat(v, 'f', decimals, 64)))
}

// Integer writes n with its thousands grouped.
func Integer(n int) string {
	if n < 0 {
		return "−" + group(strconv.Itoa(-n))
	}
	return group(strconv.Itoa(n))
}

func trimZeros(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(s, "0")
		s = strings.TrimSuffix(s, ".")
	}
	return s
}

// group separates thousands once a number has five digits or more before the point.
func group(s string) string {
	whole, frac, dot := strings.Cut(s, ".")
	if len(whole) > 4 {
		var b strings.Builder
		for i, c := range whole {
			if i > 0 && (len(whole)-i)%3 == 0 {
				b.WriteString(nbsp)
			}
			b.WriteRune(c)
		}
		whole = b.String()
	}
	if dot {
		return whole + "." + frac
	}
	return whole
}

// Duration writes seconds the way people say them: 85 µs, 412 ms, 6.9 s, 1m54s, 3h05m, 720 h.
func Duration(s float64) string {
	num, unit := splitDuration(s)
	return join(num, unit)
}

func splitDuration(s float64) (num, unit string) {
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return Number(s), "s"
	}
	if s < 0 {
		num, unit = splitDuration(-s)
		return "−" + num, unit
	}
	switch {
	case s == 0:
		return "0", "s"
	case s < 0.9995e-6:
		return Number(s * 1e9), "ns"
	case s < 0.9995e-3:
		return Number(s * 1e6), "µs"
	case s < 0.9995:
		return Number(s * 1e3), "ms"
	case s < 99.95:
		return Number(s), "s"
	case s < 3599.5:
		n := int(math.Round(s))
		return fmt.Sprintf("%dm%02ds", n/60, n%60), ""
	case s < 48*3600-30:
		n := int(math.Round(s / 60))
		return fmt.Sprintf("%dh%02dm", n/60, n%60), ""
	}
	return Number(s / 3600), "h"
}

// Percent writes a ratio as a percentage. Close to one it keeps as many digits as tell it from
// one: 99.71 %, 99.9953 %.
func Percent(x float64) string { return join(percent(x), "%") }

func percent(x float64) string {
	p := x * 100
	if p <= 99 || p >= 100 {
		return Number(p)
	}
	decimals := min(int(math.Ceil(-math.Log10(100-p)))+1, 7)
	s := strconv.FormatFloat(p, 'f', max(decimals, 1), 64)
	if strings.HasPrefix(s, "100") {
		return "99.9999999" // never round a miss away
	}
	return trimZeros(s)
}

// Nines writes an availability as a number of nines: 0.9971 is "2.5 nines".
func Nines(x float64) string {
	switch {
	case math.IsNaN(x) || x < 0 || x > 1:
		return "?"
	case x == 1:
		return "no loss seen"
	}
	return strconv.FormatFloat(math.Abs(math.Log10(1-x)), 'f', 1, 64) + " nines"
}

// Bytes writes a number of bytes with decimal prefixes.
func Bytes(b float64) string {
	num, unit := splitBytes(b)
	return join(num, unit)
}

func splitBytes(b float64) (num, unit string) {
	for _, u := range []struct {
		at   float64
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if math.Abs(b) >= u.at*0.9995 {
			return Number(b / u.at), u.name
		}
	}
	return Number(b), "B"
}

// In writes v, given in the base unit u, for people.
func In(v float64, u assay.Unit) string {
	num, unit := split(v, u)
	return join(num, unit)
}

func split(v float64, u assay.Unit) (num, unit string) {
	switch u {
	case assay.Seconds:
		return splitDuration(v)
	case wholeSeconds:
		if math.Abs(v) >= 99.95 {
			return splitDuration(v)
		}
		return Number(v), "s"
	case assay.Ratio:
		return percent(v), "%"
	case assay.Bytes:
		return splitBytes(v)
	case assay.BytesPerHour:
		num, unit := splitBytes(v)
		return num, unit + "/h"
	case assay.Bandwidth:
		num, unit := splitBytes(v)
		return num, unit + "/s"
	case assay.PerSecond:
		return Number(v), "/s"
	case assay.PerHour:
		return Number(v), "/h"
	case assay.Tokens:
		return Number(v), "tokens"
	case assay.Count, "":
		if v == math.Trunc(v) && math.Abs(v) < 1e9 {
			return Integer(int(v)), ""
		}
		return Number(v), ""
	}
	return Number(v), string(u)
}

func join(num, unit string) string {
	if unit == "" || strings.HasPrefix(unit, "/") {
		return num + unit
	}
	return num + " " + unit
}

// Value writes the value of q, its bound where only that is known, or the kind of its
// reason ("not estimable", "not measured").
func Value(q assay.Quantity) string {
	exact := q
	q = rounded(q)
	switch {
	case !q.Known():
		return reasonKind(q.Reason)
	case q.Value == 0 && exact.Value != 0:
		return "<" + In(exact.Resolution, q.Unit)
	case q.Unit == assay.Ratio && q.Value > 0.99 && q.Value < 1 && q.Lo < q.Value:
		return join(trimmed(q.Value, q.Lo), "%")
	case !math.IsNaN(q.Value):
		return In(q.Value, q.Unit)
	case q.Bounded():
		return bounds(floor(q), q.Hi, q.Unit)
	}
	return "no value"
}

// trimmed writes a share close to one as a percentage with no more digits than two beyond those that tell the lower end of its interval from one, and four at least: never rounded up.
func trimmed(v, lo float64) string {
	most := math.Max(4, math.Ceil(-math.Log10(100-100*lo))+2)
	if 100-100*v >= math.Pow(10, 1-most) { // it has no more
		return percent(v)
	}
	p := math.Pow(10, most)
	return trimZeros(strconv.FormatFloat(math.Floor(100*v*p)/p, 'f', int(most), 64))
}

// Interval writes the interval of q: 371..498 ms, ≥23 s, ±0.1 s for a measurement error. An
// interval of less than 95 % says so, and a count that cannot err is exact.
func Interval(q assay.Quantity) string {
	if !q.Bounded() {
		return "none"
	}
	if q.Lo == q.Hi && q.Confidence == 1 {
		return "exact"
	}
	if half := (q.Hi - q.Lo) / 2; q.Confidence == 1 && q.Resolution > 0 && half > 0 && math.Abs(q.Value-(q.Lo+half)) <= half/50 {
		return "±" + In(half, rounded(q).Unit)
	}
	q = rounded(q)
	s := bounds(floor(q), q.Hi, q.Unit)
	if half := (q.Hi - q.Lo) / 2; q.Confidence == 1 && half > 0 && math.Abs(q.Value-(q.Lo+half)) <= half/50 {
		if q.Unit == assay.Seconds && math.Abs(q.Value) >= 1 && half < 1 && half >= 0.001 {
			return "±" + Number(half) + " s" // in the unit of the value
		}
		return "±" + In(half, q.Unit)
	}
	return s + lessSure(q)
}

// floor returns the lower end of the interval. Where only a bound is known, a lower end of zero says
// nothing that the unit does not say: it is open, and the bound reads ≤152/h.
func floor(q assay.Quantity) float64 {
	if math.IsNaN(q.Value) && q.Lo == 0 && !math.IsInf(q.Hi, 1) {
		return math.Inf(-1)
	}
	return q.Lo
}

// Bracket writes the interval of q in brackets, without its unit where that is the one in which [Value] writes the value: [10, 12], but [−3.36 MB..5.03 MB] of −363 kB.
func Bracket(q assay.Quantity) string {
	if !q.Bounded() || q.Lo == q.Hi && q.Confidence == 1 {
		return ""
	}
	exact := q
	q = rounded(q)
	_, vu := split(q.Value, q.Unit)
	if q.Value == 0 && exact.Value != 0 {
		_, vu = split(exact.Resolution, q.Unit)
	}
	lo, lu := split(q.Lo, q.Unit)
	hi, hu := split(q.Hi, q.Unit)
	switch {
	case lu == hu && q.Unit == assay.Ratio:
		return "[" + lo + ", " + hi + " %]" + lessSure(q)
	case lu == hu && !math.IsInf(q.Lo, 0) && !math.IsInf(q.Hi, 0) && (lu == vu || math.IsNaN(q.Value)):
		return "[" + lo + ", " + hi + "]" + lessSure(q)
	case lu == hu && !math.IsInf(q.Lo, 0) && !math.IsInf(q.Hi, 0):
		return "[" + join(lo, lu) + ", " + join(hi, hu) + "]" + lessSure(q)
	}
	return "[" + bounds(q.Lo, q.Hi, q.Unit) + "]" + lessSure(q)
}

// lessSure says the confidence of an interval of less than 95 %.
func lessSure(q assay.Quantity) string {
	if q.Confidence > 0 && q.Confidence < 0.9495 {
		return " (" + Percent(math.Round(q.Confidence*1000)/1000) + ")"
	}
	return ""
}

func bounds(lo, hi float64, u assay.Unit) string {
	switch {
	case math.IsInf(hi, 1) && math.IsInf(lo, -1):
		return "none"
	case math.IsInf(hi, 1):
		return "≥" + In(lo, u)
	case math.IsInf(lo, -1):
		return "≤" + In(hi, u)
	}
	ln, lu := split(lo, u)
	hn, hu := split(hi, u)
	if lu == hu || lo == 0 {
		return ln + ".." + join(hn, hu)
	}
	return join(ln, lu) + ".." + join(hn, hu)
}

// NText writes what a quantity rests on: "236 requests", "1 fault".
func NText(q assay.Quantity) string {
	if q.N == 0 && q.Of == "" {
		return "0"
	}
	return Things(q.N, q.Of)
}

// Things writes a count with its noun, given in the plural.
func Things(n int, of string) string {
	if of == "" {
		return Integer(n)
	}
	if n == 1 && strings.HasSuffix(of, "s") && !strings.HasSuffix(of, "ss") {
		of = strings.TrimSuffix(of, "s")
	}
	return Integer(n) + " " + of
}

// Goal writes what an objective asks: ≤800 ms, ≥99.9 %, 1..4.
func Goal(o assay.Objective, fallback assay.Unit) string {
	u := o.Unit
	if u == "" {
		u = fallback
	}
	switch {
	case o.Min != nil && o.Max != nil:
		return bounds(*o.Min, *o.Max, u)
	case o.Max != nil:
		return "≤" + In(*o.Max, u)
	case o.Min != nil:
		return "≥" + In(*o.Min, u)
	}
	return "none"
}

// Instant writes a run time in ns as seconds since the run began.
func Instant(t, begin int64) string { return Duration(seconds(t - begin)) }

func seconds(ns int64) float64 { return float64(ns) / 1e9 }

// Measure writes a quantity in one go: value, interval and n, or its whole reason.
func Measure(q assay.Quantity) string {
	if !q.Known() {
		return q.Reason
	}
	s := Value(q)
	if b := Bracket(q); b != "" && !math.IsNaN(q.Value) {
		s += " " + b
	}
	return s
}

// Brief writes a quantity with its interval, or the kind of its reason.
func Brief(q assay.Quantity) string {
	if !q.Known() {
		return reasonKind(q.Reason)
	}
	return Measure(q)
}

// Whole writes a quantity with what it rests on: 101/h [12.3, 366] (2 failures), or its whole reason.
func Whole(q assay.Quantity) string { return Measure(q) + rests(q) }

func reasonKind(reason string) string {
	kind, _, _ := strings.Cut(reason, ",")
	switch kind {
	case "not estimable", "not measured":
		return kind
	}
	return "not known"
}

// words turns a name of the vocabulary into words: weights_fetch is "weights fetch".
func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

// roundShare rounds a ratio to a whole percent, for lists of shares.
func roundShare(x float64) float64 { return math.Round(x*100) / 100 }
