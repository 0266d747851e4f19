package live

import (
	"context"
	"io"
	"time"

	"github.com/assay-dev/assay"
)

// A Mode says how progress is shown.
type Mode string

// The modes.
const (
	Terminal Mode = "tui"   // one status line, redrawn in place, and a line per event above it
	Plain    Mode = "plain" // a line per event, and heartbeats that become rare
	JSON     Mode = "json"  // the same, as JSON lines
	None     Mode = "none"
)

// A Progress writes what a window sees for people who wait. It never blocks the run: it looks at the window, not the other way round.
type Progress struct {
	W      io.Writer
	Mode   Mode
	Colour bool       // only with Terminal; the caller honours NO_COLOR through Choose
	Width  func() int // columns of the terminal; 80 without it

	next    uint64 // number of the first event not written
	beat    int64  // run time of the last heartbeat
	drawn   bool   // a status line stands at the bottom
	stopped bool
}

// Choose resolves the mode "auto": the terminal's if there is one, plain lines otherwise. Colour is off where
// NO_COLOR is set to anything or the terminal is dumb.
func Choose(mode string, terminal bool, getenv func(string) string) (Mode, bool) {
	m := Mode(mode)
	if m != Terminal && m != Plain && m != JSON && m != None {
		m = Plain
		if terminal && getenv("TERM") != "dumb" {
			m = Terminal
		}
	}
	return m, m == Terminal && terminal && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// redraw is how often a terminal's line is drawn anew, and how often events are looked for.
const redraw = 200 * time.Millisecond

// Run writes progress until ctx is done, and then what has happened since, so that no event is lost at the end.
func (p *Progress) Run(ctx context.Context, w *Window) {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.Tick(w, w.o.Clock.Now())
		case <-ctx.Done():
			p.Stop(w)
			return
		}
	}
}

// Tick writes what is due at now: events that were not written yet, a heartbeat, the redrawn line.
func (p *Progress) Tick(w *Window, now int64) {
	if p.Mode == None || p.stopped {
		return
	}
	events, next := w.Notes(p.next)
	p.next = next
	beat := p.Mode != Terminal && due(p.beat, now, w.o.Total)
	if len(events) == 0 && !beat && p.Mode != Terminal {
		return
	}
	s := w.State(now)
	p.W.Write(p.frame(&s, events, beat))
	if beat {
		p.beat = now
	}
}

// Stop writes the events that are left and takes the status line away, so that what is printed next stands on a clean line.
func (p *Progress) Stop(w *Window) {
	if p.Mode == None || p.stopped {
		return
	}
	events, next := w.Notes(p.next)
	p.next, p.stopped = next, true
	var out []byte
	if p.drawn {
		out = append(out, "\r\x1b[K"...)
		p.drawn = false
	}
	for i := range events {
		out = p.event(out, &events[i])
	}
	if len(out) > 0 {
		p.W.Write(out)
	}
}

// frame returns all that is written at one instant, in one piece so that it does not flicker.
func (p *Progress) frame(s *State, events []assay.Event, beat bool) []byte {
	var out []byte
	if p.drawn {
		out = append(out, "\r\x1b[K"...)
	}
	for i := range events {
		out = p.event(out, &events[i])
	}
	switch p.Mode {
	case Terminal:
		width := 80
		if p.Width != nil {
			width = p.Width()
		}
		out = append(out, status(s, width, p.Colour)...)
		p.drawn = true
	case Plain:
		if beat {
			out = append(append(out, heartbeat(s)...), '\n')
		}
	case JSON:
		if beat {
			out = appendJSON(out, s, nil)
		}
	}
	return out
}

func (p *Progress) event(out []byte, e *assay.Event) []byte {
	if p.Mode == JSON {
		return appendJSON(out, nil, e)
	}
	return append(append(out, eventLine(e)...), '\n')
}

func appendJSON(out []byte, s *State, e *assay.Event) []byte {
	b, err := jsonLine(s, e)
	if err != nil {
		return out // its types cannot fail
	}
	return append(append(out, b...), '\n')
}

// Heartbeats of plain lines: soon at first, so that people see it lives, then rarely, so that a night's log stays short.
const (
	beatShort = 10 * time.Second // in runs of less than five minutes
	beatLong  = 5 * time.Minute
)

var firstBeats = []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// due reports whether a heartbeat is due at now, the last having been at last. A run whose length is not known is a long one.
func due(last, now int64, total time.Duration) bool {
	if total > 0 && total < beatLong {
		return now/int64(beatShort) > last/int64(beatShort)
	}
	for _, b := range firstBeats {
		if now >= int64(b) && last < int64(b) {
			return true
		}
	}
	return now/int64(beatLong) > last/int64(beatLong)
}
