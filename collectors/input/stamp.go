package input

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Units of numbers, in nanoseconds.
var Units = map[string]int64{"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}

// dates are the forms of a date with a time, a fraction of the second may follow in each: ISO 8601 and those that JMeter writes and reads.
var dates = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", "2006/01/02 15:04:05", "01/02/06 15:04:05"}

// Instant reads a number of units, or a date, which is in the file's zone unless it says otherwise, as nanoseconds.
func (i *File) Instant(text string, unit int64) (ns int64, dated, ok bool) {
	ns, dated, ok = Instant(text, unit, i.Zone)
	if dated && zoneless(text) {
		i.NoZone(1)
	}
	return ns, dated, ok
}

// zoneless reports whether a date ends without a zone.
func zoneless(text string) bool {
	return !strings.HasSuffix(text, "Z") && !strings.ContainsAny(text[min(len(text), 11):], "+-")
}

// NoZone counts stamps that name no zone, so that the file's was taken.
func (i *File) NoZone(n int64) { i.zoneless += n }

// Zoneless returns how many stamps named no zone.
func (i *File) Zoneless() int64 { return i.zoneless }

// ZoneNote says how many stamps named no zone, "" for none.
func (i *File) ZoneNote() string {
	if i.zoneless == 0 {
		return ""
	}
	return fmt.Sprintf("%d stamps name no time zone: %v was taken", i.zoneless, i.Zone)
}

// Instant reads a number of units, or a date, which is in zone unless it says otherwise, as nanoseconds.
func Instant(text string, unit int64, zone *time.Location) (ns int64, dated, ok bool) {
	if v, ok := Number(text, unit); ok {
		return v, false, true
	}
	if len(text) < 17 || len(text) > 40 {
		return 0, false, false
	}
	for _, l := range dates {
		if t, err := time.ParseInLocation(l, text, zone); err == nil && t.Year() > 1700 && t.Year() < 2250 {
			return t.UnixNano(), true, true
		}
	}
	return 0, false, false
}

// Misdated says what is wanted instead of a date that lies too far off for any run; "" where it does not.
func Misdated(ns int64) (want string) {
	switch {
	case ns < year2000:
		return "one after the year 2000"
	case ns > math.MaxInt64/2:
		return "none of the future"
	}
	return ""
}

// YearOf returns the year of a stamp that names none: the one in which it is nearest to the latest stamp of its log, in Unix ns. Lines of several processes
// come out of order, so at the turn of a year either may follow the other. of gives the stamp's instant in a year.
func YearOf(latest int64, of func(year int) int64) int {
	year := time.Unix(0, latest).UTC().Year()
	for y := year - 1; y <= year; y++ {
		if of(y) >= latest-183*24*int64(time.Hour) {
			return y
		}
	}
	return year + 1
}

// Number reads a decimal number of units as nanoseconds, exactly; what is finer than one is rounded off.
func Number(text string, unit int64) (int64, bool) {
	if whole, err := strconv.ParseInt(text, 10, 64); err == nil {
		if whole > math.MaxInt64/unit || whole < math.MinInt64/unit {
			return 0, false
		}
		return whole * unit, true
	}
	for i := range len(text) { // a fraction: the whole part exactly, since a float cannot hold seconds since 1970 to the nanosecond
		if text[i] != '.' {
			continue
		}
		whole, err := strconv.ParseInt(text[:i], 10, 64)
		if err != nil || strings.ContainsAny(text[i:], "eE") {
			break
		}
		part, err := strconv.ParseFloat("0"+text[i:], 64)
		if err != nil || whole > math.MaxInt64/unit-1 || whole < math.MinInt64/unit+1 {
			return 0, false
		}
		ns := int64(math.Round(part * float64(unit)))
		if text[0] == '-' {
			ns = -ns
		}
		return whole*unit + ns, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if f *= float64(unit); err != nil || !(math.Abs(f) < 1<<62) {
		return 0, false
	}
	return int64(math.Round(f)), true
}
