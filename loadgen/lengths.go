package loadgen

import "math/rand/v2"

// Lengths is a distribution of lengths in tokens.
type Lengths interface{ Draw(rng *rand.Rand) int }

// Fixed is the same length for all.
type Fixed int

// Draw implements [Lengths].
func (f Fixed) Draw(*rand.Rand) int { return int(f) }
