package analyzers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
	"github.com/assay-dev/assay/internal/stat"
)

// Little holds what engines tell of themselves against Little's law (1961): the mean number of requests in a system is the rate at which they come
// times the time they stay. It does so twice. Of an engine's own metrics, running and waiting requests must be what its counters of answers and its mean time
// make them; if not, one of the three does not mean what it seems to. And of what we sent, as many must have been in the engine as we had in flight, less
// those on their way and held in front; if there were more, somebody else was served too and the numbers of this run are not of our load alone.
type Little struct{}

var _ assay.Analyzer = Little{}

const (
	littleBlocks = 40
	littleLeast  = 0.1 // requests in flight on average, for a ratio to mean anything
	littleOff    = 1.25
)

// Describe lists little/… .
func (Little) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "little/engine", Unit: assay.Ratio, Help: "Requests running and waiting in an engine over those that its rate of answers and its mean time make: 1 if its metrics agree."},
		{Metric: "little/client", Unit: assay.Ratio, Help: "Requests running and waiting in engines over those that we had in flight: 1 or less if nobody else is served; what is missing was on its way or held in front."},
	}
}

type littlePass struct {
	f        *assay.Facts
	inFlight [littleBlocks]float64 // ns of requests in each block
}

// Begin starts a pass.
func (Little) Begin(f *assay.Facts) assay.Pass { return &littlePass{f: f} }

func (p *littlePass) Requests(block []assay.Request) {
	length := p.f.End - p.f.Begin
	if length <= 0 || p.f.Metrics == nil {
		return
	}
	at := func(t int64) int { return int(min(max((t-p.f.Begin)*littleBlocks/length, 0), littleBlocks-1)) }
	for i := range block {
		r := &block[i]
		if r.Sent == 0 || r.End <= r.Sent {
			continue
		}
		for b := at(r.Sent); b <= at(r.End); b++ {
			lo, hi := p.f.Begin+int64(b)*length/littleBlocks, p.f.Begin+int64(b+1)*length/littleBlocks
			p.inFlight[b] += float64(max(0, min(hi, r.End)-max(lo, r.Sent)))
		}
	}
}

// Finish asks for the engines' own numbers.
func (p *littlePass) Finish(r *assay.Report) error {
	if p.f.Metrics == nil || p.f.End-p.f.Begin < littleBlocks*int64(time.Second)/4 {
		return nil
	}
	for _, kind := range profile.Kinds() {
		t := profile.For(kind)
		running := t.Query(profile.Running)
		if running == "" {
			continue
		}
		inside, err := p.blocks("sum(" + running + ")")
		if err != nil {
			return err
		}
		if inside == nil {
			continue
		}
		if waiting := t.Query(profile.Waiting); waiting != "" {
			w, err := p.blocks("sum(" + waiting + ")")
			if err != nil {
				return err
			}
			for b := range w {
				if !math.IsNaN(w[b]) {
					inside[b] += w[b]
				}
			}
		}
		labels := map[string]string{"engine": kind}
		add := func(metric string, q assay.Quantity, low, high string) {
			f := assay.Finding{Metric: metric, Labels: labels, Quantity: q}
			if q.Known() && q.Lo > littleOff && high != "" {
				f.Warnings = []string{high}
			}
			if q.Known() && q.Hi < 1/littleOff && low != "" {
				f.Warnings = []string{low}
			}
			r.Findings = append(r.Findings, f)
		}
		add("little/client", p.client(inside), "", t.Title+" had more requests than we sent: it serves others too, or counts some twice")
		const disagree = ": its numbers of requests, its answers a second and its mean time do not fit together"
		q, err := p.engine(t, inside)
		if err != nil {
			return err
		}
		add("little/engine", q, t.Title+disagree, t.Title+disagree)
	}
	return nil
}

// blocks returns the mean of an expression in each block, NaN where it has no value; nil if it never has one.
func (p *littlePass) blocks(expr string) ([]float64, error) {
	length := p.f.End - p.f.Begin
	const looks = 5 // in a block
	step := max(length/(littleBlocks*looks), int64(time.Second)/4)
	series, err := p.f.Metrics.Range(context.Background(), expr, p.f.Begin, p.f.End-1, step)
	if err != nil {
		return nil, fmt.Errorf("read what engines hold: %w", err)
	}
	if len(series) == 0 {
		return nil, nil
	}
	sum, n := make([]float64, littleBlocks), make([]float64, littleBlocks)
	for i, t := range series[0].Times {
		if v := float64(series[0].Values[i]); !math.IsNaN(v) && t >= p.f.Begin {
			b := min((t-p.f.Begin)*littleBlocks/length, littleBlocks-1)
			sum[b] += v
			n[b]++
		}
	}
	for b := range sum {
		sum[b] /= n[b] // NaN without a look
	}
	return sum, nil
}

// client is the ratio of what was inside to what we had in flight, over the blocks in which both are known.
func (p *littlePass) client(inside []float64) assay.Quantity {
	var x, y []float64
	per := float64(p.f.End-p.f.Begin) / littleBlocks
	for b, v := range inside {
		if !math.IsNaN(v) {
			x, y = append(x, v), append(y, p.inFlight[b]/per)
		}
	}
	return ratioOf(x, y, "requests inside the engine over requests in flight here")
}

// engine is the ratio of what was inside to the time of requests that was counted each second, which is their rate times their mean time.
func (p *littlePass) engine(t *profile.Profile, inside []float64) (assay.Quantity, error) {
	spec, _ := t.Spec(profile.E2E)
	window := max(time.Duration((p.f.End-p.f.Begin)/littleBlocks*2), 5*time.Second)
	for _, n := range spec.Names {
		sum := n.Growth(profile.Sum, window, false)
		if sum == "" {
			continue
		}
		made, err := p.blocks(fmt.Sprintf("%s * %g / %g", sum, cmp.Or(n.Scale, 1), window.Seconds()))
		if err != nil {
			return assay.Quantity{}, err
		}
		if made == nil {
			continue
		}
		var x, y []float64
		for b, v := range inside {
			if !math.IsNaN(v) && !math.IsNaN(made[b]) {
				x, y = append(x, v), append(y, made[b])
			}
		}
		return ratioOf(x, y, fmt.Sprintf("running and waiting over answers a second × mean time (%s_sum, by windows of %v)", n.Metric, window.Round(time.Millisecond))), nil
	}
	return assay.NotMeasured(assay.Ratio, t.Title+" exposed no sum of the times of requests"), nil
}

// ratioOf is the ratio of two sums over blocks with the jackknife's interval.
func ratioOf(x, y []float64, method string) assay.Quantity {
	const of = "blocks of the run"
	n := len(x)
	if n < littleBlocks/4 {
		return assay.NotEstimable(assay.Ratio, n, of, fmt.Sprintf("both are known in %d of %d blocks; %d are the least", n, littleBlocks, littleBlocks/4))
	}
	var sx, sy float64
	for i := range x {
		sx, sy = sx+x[i], sy+y[i]
	}
	if sy/float64(n) < littleLeast {
		return assay.NotEstimable(assay.Ratio, n, of, fmt.Sprintf("%.2g requests at a time are too few to compare", sy/float64(n)))
	}
	v, in := stat.Jackknife(n, Confidence, func(without int) float64 {
		if without < 0 {
			return sx / sy
		}
		return (sx - x[without]) / (sy - y[without])
	})
	return assay.Quantity{Value: v, Lo: math.Max(0, in.Lo), Hi: in.Hi, Confidence: in.Confidence, Unit: assay.Ratio, N: n, Of: of, Method: method + "; jackknife over blocks, Student's t", Basis: assay.Estimated}
}
