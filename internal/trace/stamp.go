package trace

import (
	"math"
	"strconv"
	"time"
)

var units = map[string]int64{"": 1e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}

func unitName(unit string) string {
	return map[string]string{"": "seconds", "s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[unit]
}

// layouts are the forms of a date with a time; a fraction of the second may follow in each.
var layouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z07:00"}

// stamp reads a time in nanoseconds: a number of units, or a date, since 1970.
func stamp(b []byte, unit string) (int64, bool) {
	if v, ok := decimal(b, units[unit]); ok {
		return v, true
	}
	if len(b) >= 10 && len(b) < 64 && b[4] == '-' {
		for _, l := range layouts {
			if t, err := time.Parse(l, string(b)); err == nil && t.Year() > 1700 && t.Year() < 2250 {
				return t.UnixNano(), true
			}
		}
		return 0, false
	}
	v, err := strconv.ParseFloat(string(b), 64) // 1.5e3
	v *= float64(units[unit])
	if err != nil || !(math.Abs(v) < 1<<62) {
		return 0, false
	}
	return int64(math.Round(v)), true
}

// decimal reads digits with an optional fraction, exactly to the nanosecond; what is finer is cut off.
func decimal(b []byte, unit int64) (int64, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	whole, i := int64(0), 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if whole > (1<<62)/unit/10-10 {
			return 0, false
		}
		whole = whole*10 + int64(b[i]-'0')
	}
	if i == 0 {
		return 0, false
	}
	v := whole * unit
	if i < len(b) && b[i] == '.' {
		for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			unit /= 10
			v += int64(b[i]-'0') * unit
		}
	}
	if neg {
		v = -v
	}
	return v, i == len(b)
}
