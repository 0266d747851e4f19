package importers

import (
	"encoding/hex"
	"hash/maphash"
	"strings"

	"github.com/assay-dev/assay"
)

const (
	tracelessText = "%d traces are no ids of 32 hexadecimal digits: those requests join no spans"
	twiceText     = "%d rows were left out as duplicates: another has the same id and was due at the same instant"
)

// traceOf reads the id of a trace: as W3C, Zipkin or AWS X-Ray write it, alone, or with what else their headers hold. It is false for another text.
func traceOf(text string) (id assay.TraceID, ok bool) {
	for part := range strings.SplitSeq(text, ";") { // Root=1-…;Parent=…;Sampled=1
		if root, ok := strings.CutPrefix(part, "Root="); ok {
			text = root
		}
	}
	switch {
	case len(text) >= 55 && text[2] == '-' && text[35] == '-':
		text = text[3:35]
	case len(text) == 35 && strings.HasPrefix(text, "1-") && text[10] == '-':
		text = text[2:10] + text[11:]
	}
	if len(text) == 0 || len(text) > 32 {
		return id, false
	}
	b, err := hex.DecodeString(strings.Repeat("0", 32-len(text)) + text)
	if err != nil {
		return id, false
	}
	copy(id[:], b)
	return id, !id.IsZero()
}

// maxIDs bounds the ids of rows that are kept to know them again.
const maxIDs = 8 << 20

// seen knows rows again by their ids.
type seen struct {
	seed maphash.Seed
	rows map[uint64]struct{}
}

// twice reports whether a row of the same id and instant came before.
func (s *seen) twice(r *row) bool {
	if r.id == "" {
		return false
	}
	if s.rows == nil {
		s.seed, s.rows = maphash.MakeSeed(), map[uint64]struct{}{}
	}
	h := maphash.Comparable(s.seed, struct {
		id  string
		due int64
	}{r.id, r.due})
	if _, ok := s.rows[h]; ok {
		return true
	}
	if len(s.rows) < maxIDs {
		s.rows[h] = struct{}{}
	}
	return false
}
