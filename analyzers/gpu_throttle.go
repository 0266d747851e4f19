package analyzers

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/gpu"
	"github.com/assay-dev/assay/internal/profile"
)

// A grown is what a counter of cards did in natural time.
type grown struct {
	sum    float64 // growth, in the unit of the quantity
	time   float64 // seconds of all series
	series int
}

// growth adds up what the series of a counter grew by from point to point, resets taken into account, where both points are natural.
func (p gpuPass) growth(ctx context.Context, n profile.Name) (g grown) {
	begin, end, step := facts.MetricsSpan(p.f)
	scale := n.Scale
	if scale == 0 {
		scale = 1
	}
	for _, s := range held(ctx, p.f, n.Metric+labelMatch(n), n.Metric+labelMatch(n), begin, end, step) {
		g.series++
		for i := 1; i < len(s.Times); i++ {
			if !p.natural(s.Times[i-1]) || !p.natural(s.Times[i]) || s.Times[i]-s.Times[i-1] > 2*step {
				continue
			}
			d := float64(s.Values[i]) - float64(s.Values[i-1])
			if d < 0 {
				d = float64(s.Values[i]) // it began anew
			}
			g.sum += d * scale
			g.time += seconds(s.Times[i] - s.Times[i-1])
		}
	}
	return g
}

// labelMatch returns the labels that a name asks for, of which those of GPUs are plain values.
func labelMatch(n profile.Name) string {
	if len(n.Match) == 0 {
		return ""
	}
	out := ""
	for k, v := range n.Match {
		out += fmt.Sprintf(",%s=%q", k, v)
	}
	return "{" + out[1:] + "}"
}

func (p gpuPass) natural(at int64) bool { l, _ := p.f.At(at); return l == assay.Natural }

// A share is how much of the cards' time a reason held their clocks down, by how it is known.
type share struct {
	ratio float64
	err   float64 // of looking now and then
	cards int
	by    string
}

// sampled returns the share of a value over the points of all series of a gauge; of is the value of a point, 0 to 1.
func (p gpuPass) sampled(series []assay.Series, of func(v float64) float64) (s share) {
	points, sum, moved := 0, 0.0, 0
	for i := range series {
		s.cards++
		last := math.NaN()
		for j, at := range series[i].Times {
			v := float64(series[i].Values[j])
			if math.IsNaN(v) || !p.natural(at) {
				continue
			}
			v = of(v)
			if !math.IsNaN(last) && v != last {
				moved++
			}
			points, sum, last = points+1, sum+v, v
		}
	}
	if points == 0 {
		return share{}
	}
	s.ratio, s.err, s.by = sum/float64(points), float64(moved)/float64(points), "by samples"
	return s
}

// throttled reports for which share of time clocks were held down.
func (p gpuPass) throttled(ctx context.Context, r *assay.Report) {
	shares := map[string]share{}
	begin, end, step := facts.MetricsSpan(p.f)
	for _, kind := range profile.GPUs {
		v := profile.For(kind)
		for _, reason := range gpu.Reasons() {
			if _, known := shares[reason.Name]; known {
				continue
			}
			for _, n := range namesOf(v, profile.GPUThrottled+profile.Quantity(reason.Name)) {
				if g := p.growth(ctx, n); g.time > 0 {
					shares[reason.Name] = share{ratio: min(1, g.sum/g.time), cards: g.series, by: "by a counter"}
				}
			}
			if _, known := shares[reason.Name]; known {
				continue
			}
			for _, n := range namesOf(v, profile.GPUThrottling+profile.Quantity(reason.Name)) {
				scale := n.Scale
				if scale == 0 {
					scale = 1
				}
				s := p.sampled(held(ctx, p.f, n.Metric, n.Metric, begin, end, step), func(v float64) float64 { return min(1, max(0, v*scale)) })
				if _, known := shares[reason.Name]; s.cards > 0 && !known {
					shares[reason.Name] = s
				}
			}
		}
		for _, n := range namesOf(v, profile.GPUThrottleMask) {
			series := held(ctx, p.f, n.Metric, n.Metric, begin, end, step)
			for _, reason := range gpu.Reasons() {
				if _, known := shares[reason.Name]; known || reason.Bit == 0 || len(series) == 0 {
					continue
				}
				s := p.sampled(series, func(v float64) float64 {
					if v < 0 || v > 1<<53 {
						return 0
					}
					if uint64(v)&reason.Bit != 0 {
						return 1
					}
					return 0
				})
				if s.cards > 0 {
					shares[reason.Name] = s
				}
			}
		}
	}
	for _, class := range []string{"fault", "capacity", "environment", "configuration", "warning"} {
		p.throttledBy(r, class, shares)
	}
}

// throttledBy reports a class. Its reasons may hold at once, so that their shares bound that of the class: it is at least the largest, at most their sum.
func (p gpuPass) throttledBy(r *assay.Report, class string, shares map[string]share) {
	most, sum, err, cards := 0.0, 0.0, 0.0, 0
	var evidence []string
	for _, reason := range gpu.Reasons() {
		s, ok := shares[reason.Name]
		if !ok || reason.Class != class {
			continue
		}
		cards = max(cards, s.cards)
		sum += s.ratio
		err = max(err, s.err)
		most = max(most, s.ratio)
		if s.ratio > 0 {
			evidence = append(evidence, fmt.Sprintf("%s %.3g %% %s", reason.Title, 100*s.ratio, s.by))
		}
	}
	if cards == 0 || sum == 0 && (class == "configuration" || class == "warning") {
		return
	}
	slices.Sort(evidence)
	if sum == 0 {
		evidence = []string{"none of its reasons was seen"}
	}
	r.Findings = append(r.Findings, assay.Finding{Metric: "gpu/throttled", Labels: map[string]string{"class": class}, Ledger: assay.Natural,
		Quantity: measured(most, max(0, most-err), min(1, sum+err), assay.Ratio, cards, "cards", "the largest of its reasons' shares of natural time, at most their sum"), Evidence: evidence})
}
