package facts

import "github.com/assay-dev/assay"

// chains finds the requests that were sent more than once. It keeps what failed, until it is sent again, and what was.
type chains struct {
	all   bool             // any request may be repeated, not only forced cold starts
	open  map[uint64]int64 // due of first attempts that may be repeated
	found map[uint64]assay.Chain
}

func newChains(m *assay.Manifest) *chains {
	return &chains{all: m.Attempts > 1, open: map[uint64]int64{}, found: map[uint64]assay.Chain{}}
}

func (c *chains) add(r *assay.Request) {
	switch {
	case !c.all && !r.Forced:
	case r.Attempt == 0:
		if r.Outcome != assay.OK && r.Outcome != assay.RefusedByCap {
			c.open[r.ID] = r.Due
		}
	default:
		k, ok := c.found[r.ID]
		if !ok {
			k.Due = r.Due
			if due, ok := c.open[r.ID]; ok {
				k.Due = due
				delete(c.open, r.ID)
			}
		}
		k.Last = max(k.Last, r.Attempt)
		c.found[r.ID] = k
	}
}

// AsUser returns a request as its user saw it: nil for an attempt that was followed by another, and for the last of several a copy, made in
// scratch, that was due when the first was. All others are returned as they are.
func AsUser(f *assay.Facts, r, scratch *assay.Request) *assay.Request {
	if len(f.Retried) == 0 {
		return r
	}
	k, ok := f.Retried[r.ID]
	switch {
	case !ok:
		return r
	case r.Attempt < k.Last:
		return nil
	}
	*scratch = *r
	scratch.Due = k.Due
	return scratch
}
