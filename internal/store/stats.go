package store

import "maps"

// Stats counts what a [Writer] was given.
type Stats struct {
	Requests, Spans, Samples, Scrapes, Events int64 // recorded, or on their way to the disk
	Bytes                                     int64 // of the logs of requests and spans
	Cut                                       int64 // texts, attributes and lists cut to their limits

	// Unrecorded counts records that were lost, by kind and cause, as in requests/disk_slow. It has no zeros.
	// Causes: disk_slow (no room in memory), disk_failed, future (stamped more than an hour ahead), past (before the year 2000),
	// order (it ends before it begins), number (an attribute of time is none), no_time,
	// rejected (by the TSDB: a second value for one instant), limit (too long or too many labels).
	Unrecorded map[string]int64
}

// Stats returns the counts so far.
func (w *Writer) Stats() Stats {
	s := Stats{
		Requests: w.requests.taken() - w.requests.lostTaken.Load(),
		Spans:    w.spans.taken() - w.spans.lostTaken.Load(),
		Bytes:    w.requests.bytes.Load() + w.spans.bytes.Load(),
		Cut:      w.cuts.Load(),
	}
	w.samples.mu.Lock()
	s.Samples, s.Scrapes = w.samples.taken, w.samples.looks
	w.samples.mu.Unlock()
	e := &w.events.stats
	e.Lock()
	s.Events = e.taken - e.lost
	eventsDropped, eventsLost := e.dropped, e.lost
	e.Unlock()
	refused := w.db.future.Load() + w.db.timeless.Load() + w.db.rejected.Load()
	s.Samples -= refused + w.samples.lostTaken.Load()
	for cause, n := range map[string]int64{
		"requests/disk_slow":   w.requests.dropped.Load(),
		"requests/disk_failed": w.requests.lost.Load() + w.requests.lostTaken.Load(),
		"spans/disk_slow":      w.spans.dropped.Load(),
		"spans/disk_failed":    w.spans.lost.Load() + w.spans.lostTaken.Load(),
		"samples/disk_slow":    w.samples.dropped.Load(),
		"samples/disk_failed":  w.samples.lost.Load() + w.samples.lostTaken.Load(),
		"samples/limit":        w.samples.limited.Load(),
		"samples/future":       w.db.future.Load(),
		"samples/no_time":      w.db.timeless.Load(),
		"samples/rejected":     w.db.rejected.Load(),
		"events/disk_slow":     eventsDropped,
		"events/disk_failed":   eventsLost,
	} {
		if n > 0 {
			s.Unrecorded = addCounts(s.Unrecorded, map[string]int64{cause: n})
		}
	}
	w.stamps.unrecorded(func(cause string, n int64) {
		if n > 0 {
			s.Unrecorded = addCounts(s.Unrecorded, map[string]int64{cause: n})
		}
	})
	return s
}

// addCounts returns the sums of two counts; it changes neither.
func addCounts(a, b map[string]int64) map[string]int64 {
	if len(b) == 0 {
		return a
	}
	sum := maps.Clone(a)
	if sum == nil {
		sum = map[string]int64{}
	}
	for k, n := range b {
		sum[k] += n
	}
	return sum
}
