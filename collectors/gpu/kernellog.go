package gpu

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay/collectors/input"
)

// A logLine is one message of the kernel.
type logLine struct {
	at         int64 // Unix ns
	resolution int64
	text       string
	host       string // "" where the log names none
}

// Why a line says nothing to us.
const (
	whyNoStamp  = "no time that can be read"
	whyNoBoot   = "counted from the start of its machine: want boot="
	whyNoYear   = "names no year: want year="
	whyNoGPU    = "not of a GPU"
	whyNoXID    = "of the GPU driver, but no error of its list"
	whyContinue = "goes on from the line before"
	whyNoJSON   = "no JSON object"
)

// A kernelLog reads the lines of a kernel's log in the forms in which people keep it: dmesg with and without -T, journalctl -k as text and
// as JSON, syslog, and the records of /dev/kmsg.
type kernelLog struct {
	zone *time.Location
	boot int64 // Unix ns at which the machine's clock of messages was zero; 0: not known
	year int   // of the first stamp without one; 0: not known
	end  int64 // Unix ns: when the log was written last, where the year is that of then; 0: the year was named
	last int64 // latest stamp of a form without a year: others lie in the year in which they are nearest to it

	bare  bool // the stamp of the line that was read last names no zone
	first int  // year that was taken for the first stamp without one; 0: none came
}

var (
	kmsgRecord  = regexp.MustCompile(`^\d+,\d+,(\d+),[^;]*;(.*)$`)
	bootStamp   = regexp.MustCompile(`^(?:[a-z0-9]+\s*:[a-z]+\s*:\s*)?\[\s*(\d+\.\d+)\]\s*(.*)$`)
	ctimeStamp  = regexp.MustCompile(`^(?:[a-z0-9]+\s*:[a-z]+\s*:\s*)?\[([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\]\s*(.*)$`)
	isoStamp    = regexp.MustCompile(`^(?:[a-z0-9]+\s*:[a-z]+\s*:\s*)?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)([.,]\d{1,9})?\s?(Z|[+-]\d\d:?\d\d)?\s+(.*)$`)
	fullStamp   = regexp.MustCompile(`^[A-Z][a-z]{2} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d{1,9})? (UTC|[+-]\d\d:?\d\d|[A-Z]{3,5}) (.*)$`)
	syslogStamp = regexp.MustCompile(`^([A-Za-z]{3}) ([ \d]\d) (\d\d:\d\d:\d\d)(\.\d{1,9})? (.*)$`)
	unixStamp   = regexp.MustCompile(`^(\d{9,10}\.\d{1,9}) (.*)$`)
	fromKernel  = regexp.MustCompile(`^(?:(\S+) )?kernel(?:\[\d+\])?: (?:\[\s*\d+\.\d+\]\s*)?(.*)$`)
)

// months in English and in other languages' three letters where they differ and can be told (journalctl keeps to the locale).
var months = map[string]time.Month{"jan": 1, "feb": 2, "mar": 3, "mär": 3, "apr": 4, "avr": 4, "may": 5, "mai": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "okt": 10, "nov": 11, "dec": 12, "dez": 12}

// line reads one line. A reason says why it is none.
func (k *kernelLog) line(b []byte) (l logLine, why string) {
	k.bare = false
	if len(b) > 0 && b[0] == '{' {
		return k.journal(b)
	}
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	if strings.HasPrefix(s, " ") || strings.HasPrefix(s, "\t") {
		return l, whyContinue
	}
	switch {
	case match(kmsgRecord, s, func(m []string) {
		us, _ := strconv.ParseInt(m[1], 10, 64)
		l, why = k.sinceBoot(us*1e3, m[2])
	}):
	case match(bootStamp, s, func(m []string) {
		seconds, _ := strconv.ParseFloat(m[1], 64)
		l, why = k.sinceBoot(int64(min(seconds, 1e10)*1e6)*1e3, strings.TrimSpace(m[2]))
	}):
	case match(ctimeStamp, s, func(m []string) { l, why = k.layout("Mon Jan _2 15:04:05 2006", m[1], "", int64(time.Second), m[2]) }):
	case match(isoStamp, s, func(m []string) {
		l, why = k.layout("2006-01-02T15:04:05", strings.Replace(m[1], " ", "T", 1), m[3], fraction(m[2]), m[4])
		l.at += part(m[2])
	}):
	case match(fullStamp, s, func(m []string) {
		zone := m[3]
		if zone == "UTC" {
			zone = "Z"
		} else if zone[0] != '+' && zone[0] != '-' {
			zone = "" // a name means too little: the zone of the input counts
		}
		l, why = k.layout("2006-01-02 15:04:05", m[1], zone, fraction(m[2]), m[4])
		l.at += part(m[2])
	}):
	case match(unixStamp, s, func(m []string) {
		seconds, rest, _ := strings.Cut(m[1], ".")
		n, _ := strconv.ParseInt(seconds, 10, 64)
		l = logLine{at: n*1e9 + part("."+rest), resolution: fraction("." + rest), text: m[2]}
	}):
	case match(syslogStamp, s, func(m []string) { l, why = k.syslog(m) }):
	default:
		return l, whyNoStamp
	}
	if m := fromKernel.FindStringSubmatch(l.text); m != nil {
		l.host, l.text = m[1], m[2]
	}
	return l, why
}

func match(re *regexp.Regexp, s string, then func([]string)) bool {
	m := re.FindStringSubmatch(s)
	if m != nil {
		then(m)
	}
	return m != nil
}

// maxSinceBoot bounds how long a machine can have been up, so that no sum overflows: a century.
const maxSinceBoot = 100 * 366 * 24 * int64(time.Hour)

func (k *kernelLog) sinceBoot(ns int64, text string) (logLine, string) {
	if k.boot == 0 {
		return logLine{text: text}, whyNoBoot
	}
	if ns < 0 || ns > maxSinceBoot {
		return logLine{text: text}, whyNoStamp
	}
	return logLine{at: k.boot + ns, resolution: int64(time.Millisecond), text: text}, ""
}

// layout reads a stamp in a zone; "" is the zone of the input.
func (k *kernelLog) layout(layout, stamp, zone string, resolution int64, text string) (logLine, string) {
	where := k.zone
	if k.bare = zone == ""; !k.bare {
		t, err := time.Parse("Z0700", strings.Replace(zone, ":", "", 1))
		if err != nil {
			return logLine{text: text}, whyNoStamp
		}
		where = t.Location()
	}
	t, err := time.ParseInLocation(layout, stamp, where)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return logLine{text: text}, whyNoStamp
	}
	return logLine{at: t.UnixNano(), resolution: resolution, text: text}, ""
}

// syslog reads a stamp without a year.
func (k *kernelLog) syslog(m []string) (logLine, string) {
	month, ok := months[strings.ToLower(m[1])]
	if !ok {
		return logLine{text: m[5]}, whyNoStamp
	}
	if k.year == 0 {
		return logLine{text: m[5]}, whyNoYear
	}
	year := k.year
	if k.last != 0 {
		day, _ := strconv.Atoi(strings.TrimSpace(m[2]))
		year = input.YearOf(k.last, func(year int) int64 { return time.Date(year, month, day, 0, 0, 0, 0, k.zone).UnixNano() })
	}
	stamp := func(year int) (logLine, string) {
		return k.layout("2006-1-_2 15:04:05", strconv.Itoa(year)+"-"+strconv.Itoa(int(month))+"-"+m[2]+" "+m[3], "", fraction(m[4]), m[5])
	}
	l, why := stamp(year)
	if why == "" && k.last == 0 && k.end != 0 && l.at > k.end+24*int64(time.Hour) { // it began before the turn of the year
		l, why = stamp(year - 1)
	}
	if why != "" {
		return l, why
	}
	if k.first == 0 {
		k.first = time.Unix(0, l.at).In(k.zone).Year()
	}
	k.last = max(k.last, l.at)
	l.at += part(m[4])
	return l, ""
}

// fraction returns the resolution of a fraction of a second in ns; part its value.
func fraction(s string) int64 {
	r := int64(time.Second)
	for range max(0, len(s)-1) {
		r /= 10
	}
	return max(r, 1)
}

func part(s string) int64 {
	if len(s) < 2 {
		return 0
	}
	n, _ := strconv.ParseInt((s[1:] + "000000000")[:9], 10, 64)
	return n
}

// journal reads a line of journalctl -o json.
func (k *kernelLog) journal(b []byte) (l logLine, why string) {
	var e struct {
		Real      string          `json:"__REALTIME_TIMESTAMP"`
		Source    string          `json:"_SOURCE_REALTIME_TIMESTAMP"`
		Host      string          `json:"_HOSTNAME"`
		Transport string          `json:"_TRANSPORT"`
		Message   json.RawMessage `json:"MESSAGE"`
	}
	if json.Unmarshal(b, &e) != nil {
		return l, whyNoJSON
	}
	if e.Transport != "" && e.Transport != "kernel" {
		return l, whyNoGPU
	}
	us, err := strconv.ParseInt(e.Real, 10, 64)
	if s, serr := strconv.ParseInt(e.Source, 10, 64); serr == nil {
		us, err = s, nil
	}
	if err != nil || us <= 0 || us > 1<<62/1000 {
		return l, whyNoStamp
	}
	var text string
	if json.Unmarshal(e.Message, &text) != nil { // a message that is no UTF-8 is a list of its bytes
		var raw []int
		if json.Unmarshal(e.Message, &raw) == nil {
			var buf bytes.Buffer
			for _, c := range raw {
				buf.WriteByte(byte(c))
			}
			text = strings.ToValidUTF8(buf.String(), "\uFFFD")
		}
	}
	return logLine{at: us * 1e3, resolution: int64(time.Microsecond), text: text, host: clean(e.Host, 80)}, ""
}
