package loadgen

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"github.com/assay-dev/assay/internal/trace"
)

// Gamma is the arrival process whose gaps have a gamma distribution. Exactly one of CV and Shape is given. With a rate that
// changes the gaps have that distribution on the scale of the expected number of arrivals. Unlike generators
// that rescale each series so that its last arrival falls on a round time, the number of arrivals is random.
type Gamma struct {
	Profile
	CV    float64 // coefficient of variation of the gaps: 1 is Poisson, more is bursty, less is regular
	Shape float64 // of the distribution, 1/CV²: what vLLM's benchmark calls burstiness
}

// shape returns the shape, however it was given.
func (g Gamma) shape() float64 {
	if g.CV > 0 {
		return 1 / (g.CV * g.CV)
	}
	return g.Shape
}

// Due implements [Arrivals].
func (g Gamma) Due(dst []int64, d time.Duration, rng *rand.Rand) []int64 {
	return gather(dst, g.Each(d, rng))
}

// Each implements [Streamer].
func (g Gamma) Each(d time.Duration, rng *rand.Rand) iter.Seq[int64] {
	shape := g.shape()
	return renewal(g.Profile, d, trace.GammaGap(shape), 1/math.Sqrt(shape), rng)
}

// Check implements [Arrivals].
func (g Gamma) Check() error {
	switch {
	case g.CV != 0 && g.Shape != 0:
		return errors.New("gamma has both cv and shape: want one, since shape is 1/cv²")
	case g.CV == 0 && g.Shape == 0:
		return errors.New("gamma has neither cv nor shape: want for example cv 2")
	}
	if cv := 1 / math.Sqrt(g.shape()); !(cv >= 0.01 && cv <= 20) {
		return fmt.Errorf("gamma with cv %g: want between 0.01 and 20, which is a shape between 0.0025 and 10000", cv)
	}
	return g.Profile.Check()
}
