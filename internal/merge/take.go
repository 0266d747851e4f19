package merge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// take copies the records of all parts.
func take(ctx context.Context, w *store.Writer, list []*source, missing []string) error {
	emit := func(r assay.Record) error { return w.EmitWait(ctx, r) }
	base := uint64(0)
	for _, s := range list {
		s.base = base
		err := s.run.Requests(ctx, func(block []assay.Request) error {
			for i := range block {
				r := &block[i]
				s.move(r)
				base = max(base, r.ID)
				if err := emit(r); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return fmt.Errorf("%s: %w", s.Dir, err)
		}
	}
	events, err := events(list)
	if err != nil {
		return err
	}
	for _, gap := range missing {
		events = append(events, assay.Event{Kind: assay.EventWarning, Source: "merge", Text: "no part has segment " + gap + ": its load is missing"})
	}
	for i := range events {
		if err := emit(&events[i]); err != nil {
			return err
		}
	}
	return nil
}

// move puts a request on the merged clock and gives it an id of its own.
func (s *source) move(r *assay.Request) {
	r.ID += s.base
	for _, t := range []*int64{&r.Due, &r.Sent, &r.FirstByte, &r.FirstToken, &r.End} {
		if *t != 0 {
			*t += s.Shift
		}
	}
	for i := range r.Arrivals {
		r.Arrivals[i] += s.Shift
	}
}

// events joins the events of the parts: a phase of the whole begins with the first part that has it and ends with the last, at the rate of
// all; the load ends once. What else a part said stays, with its name.
func events(list []*source) ([]assay.Event, error) {
	var out []assay.Event
	begins, ends := map[string]*assay.Event{}, map[string]*assay.Event{}
	rates := map[string]float64{}
	var over *assay.Event
	later := func(have *assay.Event, e assay.Event) *assay.Event {
		if have == nil || e.Time > have.Time {
			return &e
		}
		return have
	}
	for _, s := range list {
		all, err := s.run.Events()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Dir, err)
		}
		for _, e := range all {
			if e.Time != 0 {
				e.Time += s.Shift
			}
			switch e.Kind {
			case assay.EventPhaseBegin:
				rate, _ := strconv.ParseFloat(e.Attrs["rate"], 64)
				rates[e.Phase] += rate
				if have := begins[e.Phase]; have == nil || e.Time < have.Time {
					begins[e.Phase] = &e
				}
				out = append(out, assay.Event{Time: e.Time, Kind: assay.EventAnnotation, Source: s.name(), Phase: e.Phase, Text: "began"})
			case assay.EventPhaseEnd:
				ends[e.Phase] = later(ends[e.Phase], e)
			case assay.EventLoadEnd:
				over = later(over, e)
			default:
				e.Source = s.name()
				out = append(out, e)
			}
		}
		for _, text := range s.run.Warnings() {
			out = append(out, assay.Event{Kind: assay.EventWarning, Source: s.name(), Text: text})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(begins)) {
		e := *begins[name]
		e.Attrs = maps.Clone(e.Attrs)
		if e.Attrs == nil {
			e.Attrs = map[string]string{}
		}
		e.Attrs["rate"] = strconv.FormatFloat(rates[name], 'g', -1, 64)
		out = append(out, e)
		if end := ends[name]; end != nil {
			out = append(out, *end)
		}
	}
	if over != nil {
		out = append(out, *over)
	}
	slices.SortStableFunc(out, func(a, b assay.Event) int { return int(min(1, max(-1, a.Time-b.Time))) })
	return out, nil
}
