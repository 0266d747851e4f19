package input

import (
	"maps"
	"slices"

	"github.com/assay-dev/assay"
)

// leftOut counts records whose instants cannot be those of the run.
type leftOut struct {
	things int64 // records that things are counted by, kept or left out
	by     map[string]*leftOutFor
}

// leftOutFor is what was left out for one reason.
type leftOutFor struct{ things, others int64 }

// thingsIn is how many of the things in an input a record may be: events tell of things rather than being them.
func thingsIn(r assay.Record) int64 {
	switch r := r.(type) {
	case *assay.Event:
		return 0
	case *assay.Scrape:
		return int64(len(r.Samples))
	}
	return 1
}

func (o *leftOut) add(why string, r assay.Record) {
	if o.by == nil {
		o.by = map[string]*leftOutFor{}
	}
	f := o.by[why]
	if f == nil {
		f = &leftOutFor{}
		o.by[why] = f
	}
	n := thingsIn(r)
	if o.things += n; n == 0 {
		f.others++
	}
	f.things += n
}

// tell has what was left out counted as rejected where each thing is one record. Elsewhere a note says how many records are missing, since a thing
// of which some are left may still be told of by others.
func (o *leftOut) tell(t *Tally) {
	alike := o.things == t.Kept
	for _, why := range slices.Sorted(maps.Keys(o.by)) {
		f := o.by[why]
		notes := f.others
		if alike && f.things > 0 {
			t.Kept -= f.things
			t.Omit(why, f.things)
		} else {
			notes += f.things
		}
		if notes > 0 {
			t.Note("%d records left out: "+why, notes)
		}
	}
}
