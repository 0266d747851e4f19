package importers

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// unseen is an offset of an instant that was not seen.
const unseen = int64(math.MinInt64)

// A row is one request as its source tells it. The instants of its Request are not set: due is in nanoseconds since 1970, or since whatever
// a source without dates counts from, and the others in nanoseconds from due.
type row struct {
	assay.Request
	due                            int64
	sent, firstByte, firstTok, end int64
	times                          int    // how many requests it stands for, all alike; 0: 1
	id                             string // its own, where its source tells one

	path string
	line int
}

func newRow(path string, line int) row {
	return row{path: path, line: line, sent: unseen, firstByte: unseen, firstTok: unseen, end: unseen}
}

// bad says what is wrong with the row.
func (r *row) bad(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", r.path, r.line, fmt.Sprintf(format, args...))
}

// unfit says what is wrong with an instant of the row, and what is wanted. The other rows may be good.
func (r *row) unfit(want, format string, args ...any) error {
	return &input.RowError{Reason: "stamp: want " + want, Line: r.line, Err: r.bad(format+": want "+want, args...)}
}

// A tally gathers what is to be told beside the requests. It is filled by the first reading only.
type tally struct {
	notes    map[string]int // what was left out or taken for something, and how often
	order    []string
	levels   map[level]map[int64]float64 // by second: the most
	twice    int                         // rows that were told before
	zoneless int64                       // stamps without a zone
	unread   input.Unread                // rows of tables
}

// A level is a series of how loaded the generator was.
type level struct{ name, source string }

const (
	maxLevels  = 100     // series
	maxSeconds = 1 << 20 // points of one
)

// note counts one occurrence of something that a reader of the report has to know. The text of n occurrences follows from the format's %d.
func (t *tally) note(format string, n int) {
	if t.notes == nil {
		t.notes = map[string]int{}
	}
	if t.notes[format] == 0 {
		t.order = append(t.order, format)
	}
	t.notes[format] += n
}

// warnings returns what was noted.
func (t *tally) warnings() []string {
	var out []string
	for _, f := range t.order {
		if strings.Contains(f, "%d") {
			f = fmt.Sprintf(f, t.notes[f])
		}
		out = append(out, f)
	}
	return out
}

// level notes that a series was at v at a time.
func (t *tally) level(name, source string, at int64, v float64) {
	l := level{name, source}
	if t.levels == nil {
		t.levels = map[level]map[int64]float64{}
	}
	points := t.levels[l]
	if points == nil {
		if len(t.levels) >= maxLevels {
			return
		}
		points = map[int64]float64{}
		t.levels[l] = points
	}
	second := at - mod(at, int64(time.Second))
	if old, ok := points[second]; !ok && len(points) < maxSeconds || ok && v > old {
		points[second] = v
	}
}

// mod is the remainder with the sign of m.
func mod(v, m int64) int64 { return ((v % m) + m) % m }

// names keeps one copy of each of a bounded number of texts.
type names map[string]string

const maxNames = 10_000

// of returns the one copy of b; beyond the bound all are "other".
func (n names) of(b string) string {
	if s, ok := n[b]; ok {
		return s
	}
	if len(n) >= maxNames {
		return "other"
	}
	s := strings.Clone(b)
	n[s] = s
	return s
}
