package input

import (
	"context"
	"strings"

	"github.com/assay-dev/assay"
)

// read reads an input and hands on the records whose stamps can be.
func (s *Set) read(ctx context.Context, o *one, emit func(assay.Record) error) (*Tally, error) {
	f, err := OpenFile(o.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	f.Until(ctx)
	t, m := &Tally{}, &mover{}
	f.Zone = o.zone
	if o.shown != "" {
		f.Path = o.shown
	}
	state, finish := &o.state, false
	if j := s.joined[o.spec.Kind.Name]; j != nil {
		state, finish = &j.state, j.last == o
	}
	in := &Input{File: f, Tally: t, From: s.settings.From, State: *state, options: o.spec.Options, set: s, shift: o.shift, told: s.toldOf(o.spec.Kind.Name)}
	spans := s.toldOf("")
	single := strings.HasPrefix(o.spec.Kind.Things, "spans") // each thing is one span
	n := 0
	var out leftOut
	var refused error // by emit: no fault of the input
	pass := func(r assay.Record) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if o.shift != 0 {
			r = m.move(r, o.shift)
			stamps(r, o.shift)
		}
		if why := s.unfit(extent(r)); why != "" {
			out.add(why, r)
			return nil
		}
		if sp, ok := r.(*assay.Span); ok && single {
			if why := spans.span(sp); why != "" {
				t.Kept--
				t.Omit(why, 1)
				return nil
			}
		}
		out.things += thingsIn(r)
		refused = emit(r)
		return refused
	}
	if !o.late {
		err = o.spec.Kind.Read(ctx, in, pass)
		if err != nil && o.dir != "" && t.Kept > 0 && refused == nil && ctx.Err() == nil {
			t.Reject(afterError, 1)
			t.Note(strings.ReplaceAll(err.Error(), "%d", "%"), 1)
			err = nil
		}
	}
	if err == nil && finish && (o.dir == "" || t.Kept > 0 || o.late) { // else it is passed over: see finishBefore
		err = o.spec.Kind.Finish(ctx, in, pass)
	}
	*state = in.State
	if n := f.Long(); n > 0 {
		t.Reject(ErrLong.Error(), n)
	}
	out.tell(t)
	if note := f.ZoneNote(); note != "" && o.spec.Options["zone"] == "" {
		t.Note(note+"; zone= names another", 1)
	}
	return t, err
}

func (s *Set) toldOf(what string) *told {
	if s.told[what] == nil {
		s.told[what] = newTold()
	}
	return s.told[what]
}

// Untrue says why a stamp of the input, in Unix time, cannot be true; "" if it can. A reader of lines asks before it takes one for what happened: a record of it would
// be left out, and what is told of the lines around it must not reach there.
func (in *Input) Untrue(at int64) string {
	if in.set == nil {
		return ""
	}
	return in.set.untrue(at+in.shift, at+in.shift)
}

// Unfit is Untrue, and says it of a stamp outside of From and To too. It is for readers whose lines stand each for itself.
func (in *Input) Unfit(at int64) string {
	if in.set == nil {
		return ""
	}
	return in.set.unfit(at+in.shift, at+in.shift)
}

// unfit says why instants from b to e, in Unix time, cannot be those of this run; "" if they can.
func (s *Set) unfit(b, e int64) string {
	if why := s.untrue(b, e); why != "" {
		return why
	}
	if s.settings.From != 0 && b < s.settings.From || s.settings.To != 0 && b > s.settings.To {
		return "outside of --from and --to"
	}
	return ""
}

func (s *Set) untrue(b, e int64) string {
	switch {
	case b < year2000:
		return "stamped before the year 2000"
	case s.settings.Latest != 0 && e > s.settings.Latest:
		return "stamped in the future"
	}
	return ""
}
