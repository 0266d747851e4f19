package loadgen

import (
	"math/rand/v2"

	"github.com/assay-dev/assay/internal/trace"
)

// The sources of words, apart from each request's own: what is added to the seed.
const (
	prefixSalt = 0xd1b54a32d192ed03
	blockSalt  = 0x8cb92ba72f3d8dd7
)

// appendWords appends n words chosen by rng, each with a space before it unless dst is empty.
func appendWords(dst []byte, n int, rng *rand.PCG) []byte {
	var bits uint64
	for i := range n {
		if i%10 == 0 {
			bits = rng.Uint64()
		}
		if len(dst) > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, words[bits%uint64(len(words))]...)
		bits /= uint64(len(words))
	}
	return dst
}

// appendText appends the prompt of a request: a text of the phase's file, or words: those of its blocks or its prefix, then
// its own. own names the request, or the session, whose words it has: each turn's prompt begins with the one before.
func (p *Phase) appendText(dst []byte, r *planned, seed, own uint64) []byte {
	if r.text > 0 {
		return append(dst, p.Texts.list[r.text-1].Prompt...)
	}
	left := int(r.in)
	for _, id := range r.ids() {
		n := min(left, int(r.block))
		dst = appendWords(dst, n, rand.NewPCG(seed^blockSalt, id))
		left -= n
	}
	if r.prefix > 0 && left > 1 {
		n := min(left-1, p.Prefix.Tokens)
		dst = appendWords(dst, n, rand.NewPCG(seed^prefixSalt, uint64(r.prefix)))
		left -= n
	}
	return appendWords(dst, left, rand.NewPCG(seed, own))
}

// Text makes up the prompt of a request of a trace, as [Replay] does: as many words as it had tokens, and prompts with the same
// prefix blocks begin with the same text. own numbers the request; seed and own choose its own words.
func Text(it *trace.Item, seed, own uint64) string {
	p := &Phase{}
	return string(p.appendText(nil, &planned{in: it.In, block: int32(it.BlockTokens), blocks: &it.Blocks}, seed, own))
}
