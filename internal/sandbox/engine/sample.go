package engine

import (
	"math"
	"math/rand/v2"
)

// sample draws the next token from scores, only among words. A temperature of zero takes the best. The
// draw depends on the seed and the position alone, so a sequence that is computed again draws the same.
// scratch has room for all scores.
func sample(scores, scratch []float32, temperature float64, seed uint64, pos int) int32 {
	best := firstWord
	for i := firstWord; i < len(scores); i++ {
		if scores[i] > scores[best] {
			best = i
		}
	}
	if temperature <= 0 {
		return int32(best)
	}
	var sum float64
	for i := firstWord; i < len(scores); i++ {
		e := math.Exp(float64(scores[i]-scores[best]) / temperature)
		scratch[i] = float32(e)
		sum += float64(scratch[i])
	}
	var rng rand.PCG
	rng.Seed(seed, uint64(pos))
	left := float64(rng.Uint64()>>11) / (1 << 53) * sum
	for i := firstWord; i < len(scores); i++ {
		if left -= float64(scratch[i]); left < 0 {
			return int32(i)
		}
	}
	return int32(best)
}
