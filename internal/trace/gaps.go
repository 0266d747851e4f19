package trace

import (
	"math"
	"math/rand/v2"
)

// A Gap draws one gap between arrivals, relative to the mean gap: its own mean is one.
type Gap func(rng *rand.Rand) float64

// GammaGap returns gaps with a gamma distribution of the given shape. Their coefficient of variation is
// 1/√shape: shape 1 is Poisson arrivals, less is bursty, more is regular.
func GammaGap(shape float64) Gap {
	return func(rng *rand.Rand) float64 { return gamma(rng, shape) / shape }
}

// WeibullGap returns gaps with a Weibull distribution of the given shape. Shape 1 is Poisson arrivals, less has a
// heavier tail.
func WeibullGap(shape float64) Gap {
	mean := math.Gamma(1 + 1/shape)
	return func(rng *rand.Rand) float64 { return math.Pow(rng.ExpFloat64(), 1/shape) / mean }
}

// gamma draws from the gamma distribution of the given shape and scale 1, by the method of Marsaglia and Tsang (2000).
func gamma(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		// A gamma of shape+1 times U^(1/shape); 1-U is never zero.
		return gamma(rng, shape+1) * math.Pow(1-rng.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v *= v * v
		if u := 1 - rng.Float64(); math.Log(u) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
