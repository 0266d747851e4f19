package plan

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// part is one number with its unit, as durations are printed and as people write them.
var part = regexp.MustCompile(`^\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*(min|ms|ns|us|µs|μs|[wdhms])`)

// ParseDuration reads a duration as [time.ParseDuration] does and as it is printed: minutes also as min, days and weeks, and spaces before a unit and between parts, as in 43.2 min or 1 h 5 s.
func ParseDuration(text string) (time.Duration, error) {
	rest, sign := strings.TrimSpace(text), time.Duration(1)
	if rest == "0" {
		return 0, nil
	}
	if after, minus := strings.CutPrefix(rest, "-"); minus {
		rest, sign = after, -1
	} else {
		rest = strings.TrimPrefix(rest, "+")
	}
	sum := time.Duration(0)
	for ok := false; !ok || rest != ""; ok = true {
		m := part.FindStringSubmatch(rest)
		if m == nil {
			return 0, fmt.Errorf("%q is no duration", text)
		}
		rest = rest[len(m[0]):]
		if m[2] == "m" && strings.HasPrefix(rest, "in") { // 5mins is no 5ms
			return 0, fmt.Errorf("%q is no duration", text)
		}
		days := map[string]time.Duration{"d": 1, "w": 7}[m[2]]
		unit := m[2]
		switch {
		case unit == "min":
			unit = "m"
		case days > 0:
			unit = "h"
		}
		d, err := time.ParseDuration(m[1] + unit)
		if days > 0 && err == nil {
			if d > math.MaxInt64/(24*days) {
				return 0, fmt.Errorf("%q is too long", text)
			}
			d *= 24 * days
		}
		if err != nil || sum > math.MaxInt64-d {
			return 0, fmt.Errorf("%q is too long", text)
		}
		sum += d
	}
	return sign * sum, nil
}

// Duration is a length of time written as people write it: 800ms, 30s, 5m, 2h.
type Duration time.Duration

// UnmarshalText reads a duration. A number without a unit is refused.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not a duration; write for example 800ms, 30s or 5m", b)
	}
	if v < 0 {
		return fmt.Errorf("%q is negative; a duration here is 0 or more", b)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes the duration as Go does, which UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// D returns the duration as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// Offset is a length of time that may be negative, written as a duration is.
type Offset time.Duration

// UnmarshalText reads an offset.
func (o *Offset) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not an offset; write for example -10m or 90s", b)
	}
	*o = Offset(v)
	return nil
}

// MarshalText writes the offset as Go does.
func (o Offset) MarshalText() ([]byte, error) { return []byte(time.Duration(o).String()), nil }

// Rate is a number of requests per second, written as 8/s, 30/m or 100/h.
type Rate float64

var ratePer = map[string]float64{"s": 1, "m": 60, "h": 3600}

// UnmarshalText reads a rate.
func (r *Rate) UnmarshalText(b []byte) error {
	num, per, ok := strings.Cut(string(b), "/")
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	div, known := ratePer[strings.TrimSpace(per)]
	if !ok || err != nil || !known || v < 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return fmt.Errorf("%q is not a rate; write for example 8/s, 30/m or 100/h", b)
	}
	*r = Rate(v / div)
	return nil
}

// MarshalText writes the rate per second.
func (r Rate) MarshalText() ([]byte, error) {
	return []byte(strconv.FormatFloat(float64(r), 'g', -1, 64) + "/s"), nil
}

// Size is a number of bytes, written as 64MiB, 1GB or 4096.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}

// inBytes cuts the unit off a number of bytes, and tells how many make one of it. ok is false where no unit of bytes stands there.
func inBytes(text string) (number string, bytes float64, ok bool) {
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			return strings.TrimSpace(rest), u.bytes, true
		}
	}
	return text, 1, false
}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(b []byte) error {
	text, unit, _ := inBytes(strings.TrimSpace(string(b)))
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 0 || v*unit >= math.MaxInt64 {
		return fmt.Errorf("%q is not a size; write for example 4096, 64MiB or 1GB", b)
	}
	*s = Size(v * unit)
	return nil
}

// MarshalText writes the size in bytes.
func (s Size) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(s), 10), nil }

// Fraction is a part of a whole, written as 0.6 or 60%. Its range is that of its setting.
type Fraction float64

// UnmarshalText reads a fraction.
func (f *Fraction) UnmarshalText(b []byte) error {
	num, percent := strings.CutSuffix(strings.TrimSpace(string(b)), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
	if err != nil {
		return fmt.Errorf("%q is not a share; write for example 0.6 or 60%%", b)
	}
	if percent {
		v /= 100
	}
	*f = Fraction(v)
	return nil
}

// Value is the bound of an objective or guard: a number in base units with the unit it was written in.
type Value struct {
	Number float64
	Unit   assay.Unit
	text   string
}

// UnmarshalText reads 800ms, 99.9 %, 12/s, 3/h, 10MB, 60MB/h, 1GiB/s or a plain number.
func (v *Value) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	bad := fmt.Errorf("%q is not a bound; write for example 800ms, 99.9%%, 12/s, 10MB, 60MB/h or 3", b)
	parse := func(s string, times, parts float64, u assay.Unit) error {
		n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return bad
		}
		*v = Value{n * times / parts, u, text} // 95 / 100 is the float that 0.95 is; 95 * 0.01 is not
		return nil
	}
	if rest, ok := strings.CutSuffix(text, "%"); ok {
		return parse(rest, 1, 100, assay.Ratio)
	}
	if num, per, ok := strings.Cut(text, "/"); ok {
		num, bytes, of := inBytes(strings.TrimSpace(num))
		switch per = strings.TrimSpace(per); {
		case of && per == "s":
			return parse(num, bytes, 1, assay.Bandwidth)
		case of && per == "h":
			return parse(num, bytes, 1, assay.BytesPerHour)
		case per == "s":
			return parse(num, 1, 1, assay.PerSecond)
		case per == "h":
			return parse(num, 1, 1, assay.PerHour)
		}
		return bad
	}
	if num, bytes, ok := inBytes(text); ok {
		return parse(num, bytes, 1, assay.Bytes)
	}
	if d, err := ParseDuration(text); err == nil && text != "0" {
		*v = Value{d.Seconds(), assay.Seconds, text}
		return nil
	}
	return parse(text, 1, 1, assay.Count)
}

// MarshalText writes the bound as it was written.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.text), nil }

// In converts the bound to a metric's unit, or says why it cannot.
func (v Value) In(u assay.Unit) (float64, error) {
	switch {
	case v.Unit == u,
		v.Unit == assay.Count && (u == assay.Ratio || u == assay.Tokens || u == assay.Bytes || u == assay.BytesPerHour || u == assay.Bandwidth):
		return v.Number, nil
	case v.Unit == assay.PerSecond && u == assay.PerHour, v.Unit == assay.Bandwidth && u == assay.BytesPerHour:
		return v.Number * 3600, nil
	case v.Unit == assay.PerHour && u == assay.PerSecond, v.Unit == assay.BytesPerHour && u == assay.Bandwidth:
		return v.Number / 3600, nil
	}
	want := map[assay.Unit]string{assay.Seconds: "a duration such as 800ms", assay.Ratio: "a share such as 99.9%",
		assay.PerSecond: "a rate such as 12/s", assay.PerHour: "a rate such as 3/h", assay.Count: "a plain number", assay.Tokens: "a plain number", assay.Bytes: "bytes such as 10MB",
		assay.BytesPerHour: "bytes an hour such as 60MB/h", assay.Bandwidth: "bytes a second such as 1GB/s"}[u]
	return 0, fmt.Errorf("%q has the wrong unit for this metric; write %s", v.text, want)
}
