package cloud

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/assay-dev/assay/collectors/input"
)

// maxCompanion bounds what is remembered of the emulator's stderr.
const maxCompanion = 1_000_000

// A companion is what the runtime interface emulator wrote on stderr. It has the times, the inits and the exits; what it wrote on stdout
// has the errors of handlers and the REPORT lines. The n-th START of one is the n-th of the other.
type companion struct {
	told []happening
	next int
}

func openCompanion(path string, zone *time.Location, t *input.Tally) (*companion, error) {
	f, err := input.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := &companion{}
	l := input.Lines{File: f}
	for {
		b, err := l.Next()
		if err == io.EOF {
			return c, nil
		}
		if err != nil {
			return nil, err
		}
		h := untold()
		at, rest, ok := rapidStamp(string(b), zone)
		if ok && strings.Contains(rest, "(rapid)") {
			parseRapid(rest, &h)
		}
		if h.what == nothing {
			t.Reject("says nothing we record", 1)
			continue
		}
		if len(c.told) >= maxCompanion {
			return nil, fmt.Errorf("%s: more than %d lines that matter", path, maxCompanion)
		}
		h.at, h.resolution = at, int64(time.Millisecond)
		c.told = append(c.told, h)
	}
}

// join takes a line of stdout at its place among those of stderr.
func (c *companion) join(l *functionLog, h *happening) error {
	switch h.what {
	case invokeStart: // that of stderr counts: it has the time and the id of the rest
		l.keep(h)
		return c.until(l, func(o *happening) bool { return o.what == invokeStart })
	case invokeEnd:
		l.keep(h)
		return nil
	case invokeReport:
		if c.next > 0 && c.told[c.next-1].what == invokeStart && c.told[c.next-1].id == h.id {
			err := c.until(l, func(o *happening) bool {
				return o.what == invokeDone || o.what == reset
			})
			if err != nil {
				return err
			}
		}
		if c.next > 0 {
			h.at = c.told[c.next-1].at
		}
	}
	return l.happen(h)
}

// until hands on what stderr tells, up to the first that ends it.
func (c *companion) until(l *functionLog, ends func(*happening) bool) error {
	for c.next < len(c.told) {
		h := c.told[c.next]
		c.next++
		if err := l.happen(&h); err != nil {
			return err
		}
		if ends(&h) {
			return nil
		}
	}
	return nil
}

func (c *companion) rest(l *functionLog) error {
	return c.until(l, func(*happening) bool { return false })
}
