package logs

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// maxInstances bounds the processes that one log may speak of. Only a test lowers it.
var maxInstances = 50_000

var tooMany = fmt.Sprintf("of an instance beyond the first %d of its log", maxInstances)

// A decoder makes events of lines. Recorded logs and logs that are followed go through the same.
type decoder struct {
	table    *table
	tally    *input.Tally
	instance string // of lines that name none
	dial     dial
	latest   stamp
	assumed  func()                // told of each line whose stamp names no zone; nil: nobody asks
	fits     func(at int64) string // why a stamp, in Unix ns, cannot be true; nil: all can
	emit     func(assay.Record) error

	procs map[string]*process
}

func newDecoder(t *input.Tally, instance string, zone *time.Location, end time.Time, emit func(assay.Record) error) *decoder {
	return &decoder{table: loadTable(), tally: t, instance: instance, dial: dial{zone: zone, end: end}, emit: emit, procs: map[string]*process{}}
}

var otherWorker = regexp.MustCompile(`(?i)\b(?:Worker_)?(?:TP|PP|DP|EP)[1-9]\d*\b|\bVllmWorkerProcess\b|\bRayWorkerWrapper pid=`)

// take goes on by one line that was made of n raw ones.
func (d *decoder) take(l *line, n int64) error {
	text := strings.TrimSpace(l.text)
	own := d.dial.read(text)
	at, odd := l.stamp, ""
	if at.at == 0 {
		at = own
	}
	if at.at == 0 {
		at = d.latest
		at.resolution = max(at.resolution, int64(time.Second))
	} else {
		if d.fits != nil {
			odd = d.fits(at.at)
		}
		if odd == "" {
			d.latest = at
		}
	}
	if text == "" || len(text) > 64<<10 {
		d.tally.Reject("says nothing we record", n)
		return nil
	}
	p, groups := d.table.meaning(text)
	switch {
	case p == nil:
		d.tally.Reject("says nothing we record", n)
		return nil
	case at.at == 0:
		d.tally.Reject("no stamp, nor one on a line before it", n)
		return nil
	case odd != "":
		d.tally.Omit(odd, n)
		return nil
	case (p.Is == "phase" || p.Is == "begin" || p.Is == "end") && otherWorker.MatchString(prefix(text)):
		d.tally.Reject("said by the first worker too", n)
		return nil
	}
	if l.instance == "" {
		l.instance = d.instance
	}
	pr := d.procs[l.instance]
	if pr == nil {
		if len(d.procs) >= maxInstances {
			d.tally.Reject(tooMany, n)
			return nil
		}
		pr = &process{name: l.instance, of: d}
		d.procs[l.instance] = pr
	}
	d.tally.Keep(n)
	if d.assumed != nil && l.stamp.at == 0 && own.at != 0 && d.dial.bare {
		d.assumed()
	}
	return pr.take(p, groups, at)
}

// prefix is the part of a line in which it says who says it.
func prefix(text string) string {
	n := min(len(text), 80)
	for n > 0 && !utf8.RuneStart(text[n-1]) {
		n--
	}
	return text[:n]
}
