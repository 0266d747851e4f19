package sandbox

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/assay-dev/assay"
)

// Source is what the platform's events carry as their source.
const Source = "sandbox-platform"

// maxEvents bounds the memory of the event log. A run has some hundreds; only a platform
// that stands for days drops its oldest.
const maxEvents = 100_000

// An Event is one line of GET /admin/events: an assay.Event whose instant is in Unix
// nanoseconds, with its number in the platform's sequence, from 1.
type Event struct {
	Seq        int64             `json:"seq"`
	Time       int64             `json:"time_unix_ns"`
	Resolution int64             `json:"resolution_ns,omitempty"`
	Kind       string            `json:"kind"`
	Source     string            `json:"source,omitempty"`
	Instance   string            `json:"instance,omitempty"`
	Text       string            `json:"text,omitempty"`
	Attrs      map[string]string `json:"attrs,omitempty"`
}

// An eventLog keeps what happened, in order, for readers that may come late.
type eventLog struct {
	mu      sync.Mutex
	events  []Event
	first   int64 // sequence number of events[0]
	closed  bool
	changed chan struct{} // closed and replaced at each change
}

func newEventLog() *eventLog { return &eventLog{first: 1, changed: make(chan struct{})} }

// add appends an event with the next number. It only appends to memory, so it may be called under
// a lock, where that keeps the order of events that of what they tell.
func (l *eventLog) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	e.Seq = l.first + int64(len(l.events))
	e.Source = Source
	if len(l.events) == maxEvents {
		l.events = append(l.events[:0], l.events[maxEvents/10:]...)
		l.first += maxEvents / 10
	}
	l.events = append(l.events, e)
	close(l.changed)
	l.changed = make(chan struct{})
}

// instance appends an event of an instance; attrs are pairs of key and value.
func (l *eventLog) instance(at time.Time, kind, id, text string, attrs ...string) {
	l.add(Event{Time: at.UnixNano(), Kind: kind, Instance: id, Text: text, Attrs: pairs(attrs)})
}

// close ends the log: readers get what is there and then its end.
func (l *eventLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.changed)
	}
}

// read returns the events numbered from and later that are there; if there are none, it waits for
// one. It returns none when the log or ctx ended.
func (l *eventLog) read(ctx context.Context, from int64) []Event {
	for {
		l.mu.Lock()
		at := max(from-l.first, 0)
		if at < int64(len(l.events)) {
			out := append([]Event(nil), l.events[at:]...)
			l.mu.Unlock()
			return out
		}
		changed, closed := l.changed, l.closed
		l.mu.Unlock()
		if closed {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func pairs(kv []string) map[string]string {
	if len(kv) == 0 {
		return nil
	}
	m := make(map[string]string, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			m[kv[i]] = kv[i+1]
		}
	}
	return m
}

func decimal(v int64) string { return strconv.FormatInt(v, 10) }

func scaleEvent(at time.Time, want int, l look, panicking bool, reason string) Event {
	return Event{Time: at.UnixNano(), Kind: assay.EventScale, Attrs: map[string]string{
		"desired": strconv.Itoa(want), "ready": strconv.Itoa(l.ready),
		"stable": strconv.FormatFloat(l.stable, 'g', 6, 64), "panic": strconv.FormatFloat(l.panic, 'g', 6, 64),
		"panicking": strconv.FormatBool(panicking), "reason": reason}}
}
