package logs

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay/collectors/input"
)

// A stamp is an instant with what its form can tell apart.
type stamp struct {
	at         int64 // Unix ns; 0: none
	resolution int64
}

// A dial turns stamps into instants. The first one without a year has that of the log's end, or the one before; others the one that is nearest to the latest.
type dial struct {
	zone   *time.Location
	year   int       // of the log's first line that tells none; 0: that of end
	latest int64     // Unix ns: of the stamps that tell none; 0: there was none
	end    time.Time // when the log was written last

	bare    bool // the stamp read last names no zone
	guessed bool // a year was taken from end
	first   int  // that year
}

// Forms of stamps within a line.
var (
	isoStamp  = regexp.MustCompile(`^(?:time=)?"?\[?(\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?)(?: [A-Z0-9 ]*)?[\]" ,\t]`)
	slashes   = regexp.MustCompile(`^(?:\[GIN\] )?(\d{4}/\d{2}/\d{2}(?: -)? \d{2}:\d{2}:\d{2})\b`)
	vllmStamp = regexp.MustCompile(`\b(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) (\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,6}))? `)
	glogStamp = regexp.MustCompile(`^[IWEF](\d{2})(\d{2}) (\d{2}):(\d{2}):(\d{2})\.(\d{6}) `)
)

// read reads the stamp that a line bears; none is a stamp of zero.
func (d *dial) read(text string) stamp {
	d.bare = false
	if m := isoStamp.FindStringSubmatch(text); m != nil {
		return d.date(m[1])
	}
	if m := vllmStamp.FindStringSubmatch(prefix(text)); m != nil {
		return d.yearless(m[1:])
	}
	if m := glogStamp.FindStringSubmatch(text); m != nil {
		return d.yearless(m[1:])
	}
	if m := slashes.FindStringSubmatch(text); m != nil {
		return d.date(strings.Replace(m[1], " -", "", 1))
	}
	return stamp{}
}

var zoned = regexp.MustCompile(`(?:Z|[+-]\d{2}:?\d{2})$`)

// date reads a date with its year.
func (d *dial) date(text string) stamp {
	text = strings.Replace(text, ",", ".", 1)
	d.bare = !zoned.MatchString(text)
	at, _, ok := input.Instant(text, 1, d.zone)
	if !ok {
		t, err := time.Parse("2006-01-02T15:04:05Z0700", strings.Replace(text, " ", "T", 1))
		if err != nil {
			return stamp{}
		}
		at = t.UnixNano()
	}
	return stamp{at, fraction(text)}
}

// fraction returns what the digits after the point can tell apart.
func fraction(text string) int64 {
	r := int64(time.Second)
	_, after, ok := strings.Cut(text, ".")
	if !ok {
		return r
	}
	for i := 0; i < len(after) && after[i] >= '0' && after[i] <= '9' && r > 1; i++ {
		r /= 10
	}
	return r
}

// yearless reads month, day, hour, minute, second and a fraction.
func (d *dial) yearless(m []string) stamp {
	var n [5]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i])
	}
	if n[0] < 1 || n[0] > 12 || n[1] < 1 || n[1] > 31 {
		return stamp{}
	}
	s := stamp{resolution: int64(time.Second)}
	var ns int
	if len(m) > 5 && m[5] != "" {
		s.resolution = fraction("." + m[5])
		ns, _ = strconv.Atoi((m[5] + "000000000")[:9])
	}
	d.bare = true
	month := time.Month(n[0])
	of := func(year int) time.Time {
		return time.Date(year, month, n[1], n[2], n[3], n[4], ns, d.zone)
	}
	year := d.year
	switch {
	case d.latest != 0:
		year = input.YearOf(d.latest, func(year int) int64 { return of(year).UnixNano() })
	case year == 0:
		if year = d.end.Year(); of(year).After(d.end.Add(24 * time.Hour)) {
			year--
		}
		d.guessed, d.first = true, year
	}
	s.at = of(year).UnixNano()
	d.latest = max(d.latest, s.at)
	return s
}
