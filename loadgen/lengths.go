package loadgen

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/assay-dev/assay/internal/trace"
)

// Lengths is a distribution of lengths in tokens.
type Lengths interface{ Draw(rng *rand.Rand) int }

// Fixed is the same length for all.
type Fixed int

// Draw implements [Lengths].
func (f Fixed) Draw(*rand.Rand) int { return int(f) }

// Mean is the expected length.
func (f Fixed) Mean() float64 { return float64(f) }

// Check says what is wrong with the settings.
func (f Fixed) Check() error { return checkLength("a fixed length", float64(f)) }

// Uniform has each length from Min to Max alike.
type Uniform struct{ Min, Max int }

// Draw implements [Lengths].
func (u Uniform) Draw(rng *rand.Rand) int { return u.Min + rng.IntN(u.Max-u.Min+1) }

// Mean is the expected length.
func (u Uniform) Mean() float64 { return float64(u.Min+u.Max) / 2 }

// Check says what is wrong with the settings.
func (u Uniform) Check() error {
	return cmp.Or(checkRange("uniform", u.Min, u.Max), checkLength("uniform", float64(u.Max)))
}

// Normal has a normal distribution that is rounded, and clipped to [Min, Max]: what lies outside gets the bound. Max 0
// is no bound.
type Normal struct {
	Mean, SD float64 // before it is clipped
	Min, Max int
}

// Draw implements [Lengths].
func (n Normal) Draw(rng *rand.Rand) int { return clip(n.Mean+n.SD*rng.NormFloat64(), n.Min, n.Max) }

// Check says what is wrong with the settings.
func (n Normal) Check() error { return checkMoments("normal", n.Mean, n.SD, n.Min, n.Max, 0) }

// Lognormal has a lognormal distribution, which the lengths of real prompts and answers resemble, rounded and clipped as Normal is.
type Lognormal struct {
	Mean, SD float64 // of the lengths themselves, before they are clipped
	Min, Max int
}

// Draw implements [Lengths].
func (l Lognormal) Draw(rng *rand.Rand) int {
	variance := math.Log1p(l.SD * l.SD / (l.Mean * l.Mean))
	return clip(l.Mean*math.Exp(math.Sqrt(variance)*rng.NormFloat64()-variance/2), l.Min, l.Max)
}

// Check says what is wrong with the settings.
func (l Lognormal) Check() error { return checkMoments("lognormal", l.Mean, l.SD, l.Min, l.Max, 1e-9) }

// clip rounds v into [low, high]; a high of 0 is no bound.
func clip(v float64, low, high int) int {
	if high == 0 {
		high = math.MaxInt32
	}
	return int(math.Round(min(max(v, float64(low)), float64(high))))
}

// Empirical draws from lengths that were seen, as often as they were. Make one with [NewEmpirical], [ReadHistogram] or [TraceLengths].
type Empirical struct {
	lengths []int
	upTo    []float64 // weight of this length and those before it
}

// NewEmpirical returns the distribution of a histogram: the weight of each length.
func NewEmpirical(histogram map[int]float64) (*Empirical, error) {
	e := &Empirical{lengths: slices.Sorted(maps.Keys(histogram))}
	total := 0.0
	for _, n := range e.lengths {
		w := histogram[n]
		if n < 0 || n > math.MaxInt32 || !(w >= 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("histogram: length %d with weight %g: want both 0 or more", n, w)
		}
		total += w
		e.upTo = append(e.upTo, total)
	}
	if !(total > 0) || math.IsInf(total, 0) {
		return nil, errors.New("histogram: no length has a weight")
	}
	return e, nil
}

// Draw implements [Lengths].
func (e *Empirical) Draw(rng *rand.Rand) int {
	at := rng.Float64() * e.upTo[len(e.upTo)-1]
	i := sort.Search(len(e.upTo)-1, func(i int) bool { return e.upTo[i] > at })
	return e.lengths[i]
}

// Mean is the expected length.
func (e *Empirical) Mean() float64 {
	sum, last := 0.0, 0.0
	for i, n := range e.lengths {
		sum += float64(n) * (e.upTo[i] - last)
		last = e.upTo[i]
	}
	return sum / last
}

// MarshalText describes the distribution in a few words.
func (e *Empirical) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "empirical of %d lengths, mean %s", len(e.lengths), number(e.Mean())), nil
}

// maxHistogram bounds the lengths that a histogram tells apart, which lie in memory.
const maxHistogram = 1 << 20

// ReadHistogram reads a file with a length on each line and, after a comma or space, how often it was seen; without a count, once. A first line
// that is no number is a header.
func ReadHistogram(path string) (*Empirical, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read lengths: %w", err)
	}
	defer f.Close()
	return readHistogram(f, path)
}

func readHistogram(from io.Reader, name string) (*Empirical, error) {
	h := map[int]float64{}
	scan := bufio.NewScanner(from)
	for line := 1; scan.Scan(); line++ {
		fields := strings.FieldsFunc(strings.TrimPrefix(scan.Text(), "\ufeff"), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' })
		if len(fields) == 0 {
			continue
		}
		n, err := strconv.ParseFloat(fields[0], 64)
		if err != nil && line == 1 {
			continue
		}
		if err != nil || !(n >= 0 && n <= math.MaxInt32) || len(fields) > 2 {
			return nil, fmt.Errorf("%s:%d: %q: want a length, and perhaps how often it was seen", name, line, scan.Text())
		}
		count := 1.0
		if len(fields) == 2 {
			if count, err = strconv.ParseFloat(fields[1], 64); err != nil || !(count >= 0) || math.IsInf(count, 0) {
				return nil, fmt.Errorf("%s:%d: count %q: want a number from 0", name, line, fields[1])
			}
		}
		if h[int(math.Round(n))] += count; len(h) > maxHistogram {
			return nil, fmt.Errorf("%s:%d: more than %d different lengths", name, line, maxHistogram)
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("read lengths %s: %w", name, err)
	}
	e, err := NewEmpirical(h)
	if err != nil {
		return nil, fmt.Errorf("read lengths %s: %w", name, err)
	}
	return e, nil
}

// TraceLengths returns the prompt and answer lengths of a trace; nil for one that the trace does not give.
func TraceLengths(s trace.Settings) (prompt, output *Empirical, err error) {
	in, out := map[int]float64{}, map[int]float64{}
	for it, err := range s.Each(0, nil) {
		if err != nil {
			return nil, nil, err
		}
		if it.In != trace.Unknown {
			in[int(it.In)]++
		}
		if it.Out != trace.Unknown {
			out[int(it.Out)]++
		}
		if len(in)+len(out) > maxHistogram {
			return nil, nil, fmt.Errorf("read lengths: the trace has more than %d different lengths", maxHistogram)
		}
	}
	if len(in) > 0 {
		if prompt, err = NewEmpirical(in); err != nil {
			return nil, nil, err
		}
	}
	if len(out) > 0 {
		if output, err = NewEmpirical(out); err != nil {
			return nil, nil, err
		}
	}
	return prompt, output, nil
}

// checkLengths checks a distribution, if it can be.
func checkLengths(l Lengths) error {
	switch l := l.(type) {
	case *Empirical:
		if l == nil || len(l.upTo) == 0 {
			return errors.New("an empirical distribution without lengths")
		}
	case interface{ Check() error }:
		return l.Check()
	}
	return nil
}

func checkLength(what string, v float64) error {
	if !(v >= 0 && v <= 1<<30) {
		return fmt.Errorf("%s of %g tokens: want between 0 and %d", what, v, 1<<30)
	}
	return nil
}

func checkRange(what string, low, high int) error {
	if low < 0 || high < low {
		return fmt.Errorf("%s from %d to %d tokens: want a range from 0 up", what, low, high)
	}
	return nil
}

func checkMoments(what string, mean, sd float64, low, high int, least float64) error {
	if high == 0 {
		high = math.MaxInt32
	}
	if !(sd >= 0 && sd <= 1<<30) {
		return fmt.Errorf("%s with a standard deviation of %g tokens: want 0 or more", what, sd)
	}
	if mean < least {
		return fmt.Errorf("%s with a mean of %g tokens: want more", what, mean)
	}
	return cmp.Or(checkLength(what+" with a mean", mean), checkRange(what, low, high))
}
