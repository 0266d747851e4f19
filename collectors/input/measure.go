package input

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// derive has requests made out of traces where no input tells of any.
func (s *Set) derive() error {
	var spans int64
	for i := range s.Summaries {
		s.Requests += s.Summaries[i].Requests
		spans += s.Summaries[i].Spans
	}
	if s.Requests > 0 || spans == 0 {
		s.roots = nil
		return nil
	}
	if err := s.roots.finish(); err != nil {
		return err
	}
	r := s.roots
	s.Requests, s.Resolution, s.Notes, s.Model = r.requests, s.stamps, r.notes(), r.model()
	if r.requests > 0 {
		p := &phase{name: tracePhase, attrs: map[string]string{"role": string(assay.RoleSteady)}, begin: r.begin, end: r.end}
		if was := s.phases[p.name]; was != nil {
			p.begin, p.end = min(p.begin, was.begin), max(p.end, was.end)
		}
		s.phases[p.name] = p
	}
	return nil
}

// measure reads an input for the first time.
func (s *Set) measure(ctx context.Context, o *one) error {
	sum := &o.summary
	sum.Begin, sum.End = math.MaxInt64, math.MinInt64
	t, err := s.read(ctx, o, s.count(o))
	if err != nil && !strings.HasPrefix(err.Error(), "import: ") { // the reader of requests says so itself
		err = fmt.Errorf("import: %w", err)
	}
	if err != nil {
		return err
	}
	if sum.End < sum.Begin {
		sum.Begin, sum.End = 0, 0
	}
	sum.Kind, sum.Path, sum.Things = o.spec.Kind.Name, cmp.Or(o.shown, o.path), o.spec.Kind.Things
	o.resolution, o.untimed = t.Resolution, t.Untimed
	if sum.Spans > 0 {
		s.stamps = max(s.stamps, t.Resolution)
	}
	sum.Read, sum.Kept, sum.Rejected, sum.Notes = t.Read(), t.Kept, t.Rejected, t.Notes()
	if j := s.joined[o.spec.Kind.Name]; j != nil && j.last != o {
		sum.Joined = true
	}
	if sum.Kept == 0 && sum.Rejected[Duplicate] == 0 && t.out == 0 {
		return fmt.Errorf("import: %s: nothing to keep of %d %s%s: is it of the kind %s?%s", sum.Path, sum.Read, sum.Things, reasons(sum.Rejected), sum.Kind, also(sum.Notes))
	}
	return nil
}

// count takes the records of an input into its summary.
func (s *Set) count(o *one) func(assay.Record) error {
	sum := &o.summary
	return func(r assay.Record) error {
		switch r.(type) {
		case *assay.Request:
			sum.Requests++
		case *assay.Span:
			sum.Spans++
			s.roots.see(r.(*assay.Span))
		case *assay.Sample:
			sum.Samples++
		case *assay.Scrape:
			sum.Samples += int64(len(r.(*assay.Scrape).Samples))
		case *assay.Event:
			sum.Events++
			s.hold(o, r.(*assay.Event))
		}
		b, e := extent(r)
		sum.Begin, sum.End = min(sum.Begin, b), max(sum.End, e)
		return nil
	}
}

// also adds what was noted, which may be why, to an error.
func also(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return " (" + strings.Join(notes[:min(len(notes), 3)], "; ") + ")"
}

// phase takes up the beginning or the end of a stretch of load.
func (s *Set) phase(e *assay.Event) {
	if e.Kind != assay.EventPhaseBegin && e.Kind != assay.EventPhaseEnd {
		return
	}
	p := s.phases[e.Phase]
	if p == nil {
		p = &phase{name: e.Phase, begin: e.Time, end: e.Time}
		s.phases[e.Phase] = p
	}
	if e.Kind == assay.EventPhaseBegin {
		p.attrs = e.Attrs
	}
	p.begin, p.end = min(p.begin, e.Time), max(p.end, e.Time)
}

// reasons lists why things were rejected, the most frequent first.
func reasons(of map[string]int64) string {
	if len(of) == 0 {
		return ""
	}
	keys := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	var parts []string
	for _, k := range keys {
		parts = append(parts, fmt.Sprintf("%d %s", of[k], k))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
