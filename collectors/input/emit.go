package input

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/assay-dev/assay"
)

// Run implements assay.Source: it reads the inputs again and emits their records in run time.
func (s *Set) Run(ctx context.Context, emit func(assay.Record) error) error {
	var id uint64
	m := &mover{}
	s.told = map[string]*told{}
	for _, o := range s.inputs {
		if o.left {
			continue
		}
		_, err := s.read(ctx, o, func(r assay.Record) error {
			r = m.move(r, -s.Epoch)
			switch r := r.(type) {
			case *assay.Request: // ids of several inputs must not meet
				if o.mute {
					return nil
				}
				id++
				r.ID = id
			case *assay.Event:
				if r.Kind == assay.EventPhaseBegin || r.Kind == assay.EventPhaseEnd || r.Kind == assay.EventLoadEnd {
					return nil // told once, for all inputs
				}
			case *assay.Span:
				if s.roots == nil {
					break
				}
				if q := s.roots.request(r, s.Epoch); q != nil {
					id++
					q.ID = id
					if err := emit(q); err != nil {
						return err
					}
				}
			}
			return emit(r)
		})
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return s.rest(emit)
}

// rest emits the phases of the load, and what a reader of the report has to know of the inputs.
func (s *Set) rest(emit func(assay.Record) error) error {
	phases := slices.SortedFunc(maps.Values(s.phases), func(a, b *phase) int { return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.name, b.name)) })
	var last int64
	for _, p := range phases {
		last = max(last, p.end)
		err := errors.Join(
			emit(&assay.Event{Time: p.begin - s.Epoch, Kind: assay.EventPhaseBegin, Source: "import", Phase: p.name, Attrs: p.attrs}),
			emit(&assay.Event{Time: p.end - s.Epoch, Kind: assay.EventPhaseEnd, Source: "import", Phase: p.name}))
		if err != nil {
			return err
		}
	}
	if last != 0 {
		if err := emit(&assay.Event{Time: last - s.Epoch, Kind: assay.EventLoadEnd, Source: "import"}); err != nil {
			return err
		}
	}
	return s.notes(emit)
}

// notes emits what a reader of the report has to know of the inputs.
func (s *Set) notes(emit func(assay.Record) error) error {
	for _, n := range s.Notes {
		if err := emit(&assay.Event{Time: s.End, Kind: assay.EventWarning, Source: "import", Text: n}); err != nil {
			return err
		}
	}
	for i := range s.Summaries {
		sum := &s.Summaries[i]
		notes := sum.Notes
		if len(sum.Rejected) > 0 {
			notes = append(slices.Clip(notes), fmt.Sprintf("%d of %d %s were not recorded%s", sum.Read-sum.Kept, sum.Read, sum.Things, reasons(sum.Rejected)))
		}
		for _, n := range notes {
			if err := emit(&assay.Event{Time: s.End, Kind: assay.EventWarning, Source: "import", Text: filepath.Base(sum.Path) + ": " + n}); err != nil {
				return err
			}
		}
	}
	return nil
}
