package input

import (
	"maps"
	"strconv"

	"github.com/assay-dev/assay"
)

// A mover copies records and moves their instants, since a record belongs to who emitted it. What it returns is valid until its next use.
type mover struct {
	request  assay.Request
	arrivals []int64
	span     assay.Span
	sample   assay.Sample
	scrape   assay.Scrape
	samples  []assay.Sample
	event    assay.Event
}

// move returns r with d added to all its instants. An instant of zero is none and stays.
func (m *mover) move(r assay.Record, d int64) assay.Record {
	if d == 0 {
		return r
	}
	switch r := r.(type) {
	case *assay.Request:
		m.request = *r
		q := &m.request
		add(d, &q.Due, &q.Sent, &q.FirstByte, &q.FirstToken, &q.End)
		m.arrivals = append(m.arrivals[:0], r.Arrivals...)
		for i := range m.arrivals {
			m.arrivals[i] += d
		}
		q.Arrivals = m.arrivals
		return q
	case *assay.Span:
		m.span = *r
		add(d, &m.span.Start, &m.span.End)
		return &m.span
	case *assay.Sample:
		m.sample = *r
		add(d, &m.sample.Time)
		return &m.sample
	case *assay.Scrape:
		m.scrape = *r
		m.samples = append(m.samples[:0], r.Samples...)
		for i := range m.samples {
			add(d, &m.samples[i].Time)
		}
		m.scrape.Samples = m.samples
		add(d, &m.scrape.Time)
		return &m.scrape
	case *assay.Event:
		m.event = *r
		add(d, &m.event.Time)
		return &m.event
	}
	return r
}

// stamps moves those instants of an event that stand in its attributes, which are Unix time on disk too: the phases of a start.
func stamps(r assay.Record, d int64) {
	e, ok := r.(*assay.Event)
	if !ok || e.Attrs["start_ns"] == "" {
		return
	}
	e.Attrs = maps.Clone(e.Attrs)
	for _, name := range [...]string{"start_ns", "end_ns"} {
		if at, err := strconv.ParseInt(e.Attrs[name], 10, 64); err == nil && at != 0 {
			e.Attrs[name] = strconv.FormatInt(at+d, 10)
		}
	}
}

func add(d int64, at ...*int64) {
	for _, t := range at {
		if *t != 0 {
			*t += d
		}
	}
}

// extent returns the first and last instants of a record.
func extent(r assay.Record) (begin, end int64) {
	switch r := r.(type) {
	case *assay.Request:
		return r.Due, max(r.Due, r.End)
	case *assay.Span:
		return r.Start, max(r.Start, r.End)
	case *assay.Sample:
		return r.Time, r.Time
	case *assay.Scrape:
		return r.Time, r.Time
	case *assay.Event:
		return r.Time, r.Time
	}
	return 0, 0
}
