package loadgen

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"

	"github.com/assay-dev/assay"
)

// identify derives the trace and span id of request id from the seed. They look random and are
// never zero, and the same run gives the same ones.
func identify(seed, id uint64) (t assay.TraceID, s assay.SpanID) {
	rng := rand.NewPCG(seed^0x9e3779b97f4a7c15, id)
	binary.BigEndian.PutUint64(t[:8], rng.Uint64())
	binary.BigEndian.PutUint64(t[8:], rng.Uint64()|1)
	binary.BigEndian.PutUint64(s[:], rng.Uint64()|1)
	return t, s
}

// traceparent returns the W3C header of a sampled trace.
func traceparent(t assay.TraceID, s assay.SpanID) string {
	var b [55]byte
	copy(b[:], "00-")
	hex.Encode(b[3:35], t[:])
	b[35] = '-'
	hex.Encode(b[36:52], s[:])
	copy(b[52:], "-01")
	return string(b[:])
}

// words are short, common and, in the usual tokenizers, one token each.
var words = [...]string{"time", "year", "people", "way", "day", "man", "thing", "woman", "life", "child", "world", "school",
	"state", "family", "student", "group", "country", "problem", "hand", "part", "place", "case", "week", "company",
	"system", "program", "question", "work", "number", "night", "point", "home", "water", "room", "mother", "area",
	"money", "story", "fact", "month", "lot", "right", "study", "book", "eye", "job", "word", "business", "issue", "side",
	"kind", "head", "house", "service", "friend", "father", "power", "hour", "game", "line", "end", "member", "law", "car"}

// appendPrompt appends n words chosen by seed and id, with one space between them. Each request has words of its
// own, so that no cache of prefixes answers for the model unless the load asks for it.
func appendPrompt(dst []byte, n int, seed, id uint64) []byte {
	return appendWords(dst, n, rand.NewPCG(seed, id))
}
