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

// maxTold bounds what is kept of what was told, to know it again. What comes after is not known again.
const maxTold = 8 << 20

// told knows again what was told before in the reading of a set.
type told struct {
	seed maphash.Seed
	all  map[uint64]struct{}
}

func newTold() *told { return &told{seed: maphash.MakeSeed(), all: map[uint64]struct{}{}} }

func (t *told) again(h uint64) bool {
	if _, ok := t.all[h]; ok {
		return true
	}
	if len(t.all) < maxTold {
		t.all[h] = struct{}{}
	}
	return false
}

// span reports whether a span came before: its id tells, within its trace.
func (t *told) span(s *assay.Span) bool {
	if s.SpanID.IsZero() || s.TraceID.IsZero() {
		return false
	}
	return t.again(maphash.Comparable(t.seed, struct {
		trace assay.TraceID
		id    assay.SpanID
	}{s.TraceID, s.SpanID}))
}

// Again reports whether an input of the same kind, or this one, told of the same thing before in this reading: by its id, with what else makes it one. Whoever
// asks rejects it as Duplicate.
func (in *Input) Again(key string) bool {
	if in.told == nil {
		in.told = newTold()
	}
	return in.told.again(maphash.String(in.told.seed, key))
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
