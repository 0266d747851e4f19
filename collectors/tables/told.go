package tables

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// maxTold bounds the values that are kept to know that another was told of the same series and instant. What comes after is not known.
const maxTold = 4 << 20

// told are the values that were told. The zero value is ready.
type told struct {
	seed maphash.Seed
	of   map[uint64]float64
}

// otherwise reports whether another value of the sample's series was told at its instant.
func (t *told) otherwise(s *assay.Sample) bool {
	if t.of == nil {
		t.seed, t.of = maphash.MakeSeed(), map[uint64]float64{}
	}
	var h maphash.Hash
	h.SetSeed(t.seed)
	maphash.WriteComparable(&h, s.Time)
	maphash.WriteComparable(&h, s.Name)
	for _, l := range s.Labels {
		maphash.WriteComparable(&h, l)
	}
	key := h.Sum64()
	was, ok := t.of[key]
	if !ok && len(t.of) < maxTold {
		t.of[key] = s.Value
	}
	return ok && was != s.Value
}

// untold is why another value of the same series and instant is not kept: most often a column that tells series apart is not among the labels.
func (s *samples) untold(rows input.Rows) string {
	if s.same != "" {
		return s.same
	}
	s.same = "another value of the same series at the same instant"
	var apart []string
	for _, c := range rows.Columns() {
		text, _ := rows.Get(c)
		_, err := strconv.ParseFloat(text, 64)
		valued := func(m metric) bool { return m.column == c }
		if c != s.time.column && c != s.value && c != s.name && err != nil && text != "" && !slices.Contains(s.labels, c) && !slices.ContainsFunc(s.wide, valued) {
			apart = append(apart, c)
		}
	}
	if len(apart) > 0 && len(apart) <= 4 {
		s.same += fmt.Sprintf("; labels=%s may tell them apart", strings.Join(append(slices.Clone(s.labels), apart...), "|"))
	}
	return s.same
}
