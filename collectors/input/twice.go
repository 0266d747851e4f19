package input

import (
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"os"

	"github.com/assay-dev/assay"
)

// Duplicate is why what was told before is rejected: the same export given twice, or two that overlap.
const Duplicate = "duplicate: told before"

// otherContent is why a span is rejected that has the ids of one before it and is another: its place in the trace cannot be told.
const otherContent = "the ids of a span told before, with another name, start or length: want each trace from one recording"

// maxTold bounds what is kept of what was told, to know it again. What comes after is not known again.
const maxTold = 8 << 20

// told knows again what was told before in the reading of a set.
type told struct {
	seed maphash.Seed
	all  map[uint64]uint64 // what it is known by, and what it held
}

func newTold() *told { return &told{seed: maphash.MakeSeed(), all: map[uint64]uint64{}} }

// again reports whether what is known by h came before, and what it held then.
func (t *told) again(h, held uint64) (was uint64, ok bool) {
	if was, ok = t.all[h]; ok {
		return was, true
	}
	if len(t.all) < maxTold {
		t.all[h] = held
	}
	return 0, false
}

// span says why a span is rejected since one of its ids came before, within its trace; "" where none did.
func (t *told) span(s *assay.Span) string {
	if s.SpanID.IsZero() || s.TraceID.IsZero() {
		return ""
	}
	held := maphash.Comparable(t.seed, struct {
		name       string
		start, end int64
	}{s.Name, s.Start, s.End})
	was, ok := t.again(maphash.Comparable(t.seed, struct {
		trace assay.TraceID
		id    assay.SpanID
	}{s.TraceID, s.SpanID}), held)
	switch {
	case !ok:
		return ""
	case was != held:
		return otherContent
	}
	return Duplicate
}

// Again reports whether an input of the same kind, or this one, told of the same thing before in this reading: by its id, with what else makes it one. Whoever
// asks rejects it as Duplicate.
func (in *Input) Again(key string) bool {
	if in.told == nil {
		in.told = newTold()
	}
	_, ok := in.told.again(maphash.String(in.told.seed, key), 0)
	return ok
}

// twins finds inputs of one kind that hold the same, byte for byte.
func (s *Set) twins() error {
	type like struct {
		kind string
		size int64
	}
	groups := map[like][]*one{}
	for _, o := range s.inputs {
		if st, err := os.Stat(o.path); err == nil && st.Size() > 0 && st.Mode().IsRegular() {
			k := like{o.spec.Kind.Name, st.Size()}
			groups[k] = append(groups[k], o)
		}
	}
	for _, group := range groups {
		if len(group) == 1 {
			continue
		}
		first := map[[sha256.Size]byte]*one{}
		for _, o := range group {
			sum, err := digest(o.path)
			if err != nil {
				return fmt.Errorf("import: %w", err)
			}
			if first[sum] == nil {
				first[sum] = o
			} else {
				o.twin = first[sum]
			}
		}
	}
	return nil
}

func digest(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err = io.Copy(h, f); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// alike leaves out an input that tells the same requests or spans as one before it. Samples without stamps may be the same at another time, and who gives
// another option means another thing: these are kept, and told of.
func (s *Set) alike(o *one, sum *Summary) {
	if o.twin == nil {
		return
	}
	as := o.twin.summary.Path
	if sum.Requests+sum.Spans+sum.Rejected[Duplicate] == 0 || o.spec.Kind.Finish != nil || !maps.Equal(o.spec.Options, o.twin.spec.Options) {
		sum.Notes = append(sum.Notes, "it holds the same as "+as+", byte for byte")
		return
	}
	o.left = true
	*sum = Summary{Kind: sum.Kind, Path: sum.Path, Things: sum.Things, Read: sum.Read, Rejected: map[string]int64{Duplicate: sum.Read},
		Notes: []string{"it holds the same as " + as + ", byte for byte, and was left out"}}
}
