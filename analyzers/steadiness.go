package analyzers

import (
	"context"
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
	"github.com/assay-dev/assay/internal/stat"
)

// Steadiness reports how well the number of instances followed the load, beside how fast: when the platform saw a rise at all, what had to wait for it,
// whether new instances got their share of the work, whether the number swung while the load was steady, and when instances were taken away after
// a fall. Rises of the load are those of [Scaling].
type Steadiness struct{}

var _ assay.Analyzer = Steadiness{}

// Describe lists scaling/… .
func (Steadiness) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "scaling/detect", Unit: assay.Seconds, Better: "lower", Help: "longest time from a rise of the load until the load that the autoscaler sees was more than its target for the instances there were"},
		{Metric: "scaling/held", Unit: assay.Count, Better: "lower", Help: "requests due between a rise of the load and the first answer of a new instance that waited for one or were turned away"},
		{Metric: "scaling/fairness", Unit: assay.Ratio, Better: "higher", Help: "Jain's index over instances of the requests that each served per second in routing, from the first answer of a new one to the end of the step: 1 if all got the same; the worst step"},
		{Metric: "scaling/flaps", Unit: assay.Count, Better: "lower", Help: "times that the number of instances wanted turned round while the load was steady, beyond once a phase: that once is overshoot"},
		{Metric: "scaling/in", Unit: assay.Seconds, Better: "lower", Help: "longest time from a fall of the load to the first decision to have fewer instances"},
	}
}

type steadinessPass struct {
	f         *assay.Facts
	decisions []scaleEvent
	rises     []rise
	held      int
	served    []map[string]int // by rise and instance, since a new one answered
	named     bool             // requests name their instances
}

// Begin finds the rises, which are known from events alone.
func (Steadiness) Begin(f *assay.Facts) assay.Pass {
	p := &steadinessPass{f: f, decisions: scaleEvents(f.Events)}
	scales, _ := scalesOf(f)
	p.rises = risesOf(f, scales)
	for range p.rises {
		p.served = append(p.served, map[string]int{})
	}
	return p
}

// since is when the first new instance of a rise answered, or the end of the rise.
func (x *rise) since() int64 {
	if x.first != nil && x.first.First != 0 {
		return max(x.first.First, x.first.Ready)
	}
	return x.end
}

func (p *steadinessPass) Requests(block []assay.Request) {
	if len(p.rises) == 0 {
		return
	}
	for i := range block {
		r := &block[i]
		if r.Canary || r.Forced {
			continue
		}
		p.named = p.named || r.Instance != ""
		for j := range p.rises {
			switch x := &p.rises[j]; {
			case r.Due < x.begin || r.Due >= x.end:
			case r.Due >= x.since():
				if r.Instance != "" && r.Outcome == assay.OK {
					p.served[j][r.Instance]++
				}
			case r.Cold == assay.ColdYes || r.Outcome == assay.Throttled || r.Outcome == assay.Unavailable || r.Outcome == assay.Loading:
				p.held++
			}
		}
	}
}

// Finish reports what the events and the requests told.
func (p *steadinessPass) Finish(r *assay.Report) error {
	add := func(metric string, q assay.Quantity) {
		r.Findings = append(r.Findings, assay.Finding{Metric: metric, Quantity: q})
	}
	if len(p.decisions) == 0 && len(p.f.Lives) == 0 {
		for _, d := range (Steadiness{}).Describe() {
			add(d.Metric, assay.NotMeasured(d.Unit, "no life-cycle events of the platform were recorded"))
		}
		return nil
	}
	scales, _ := scalesOf(p.f)
	none := unrisen(p.f, scales)
	if len(p.rises) == 0 {
		add("scaling/detect", assay.NotMeasured(assay.Seconds, none))
		add("scaling/held", assay.NotMeasured(assay.Count, none))
		add("scaling/fairness", assay.NotMeasured(assay.Ratio, none))
	} else {
		q, err := p.detect()
		if err != nil {
			return err
		}
		add("scaling/detect", q)
		add("scaling/held", exactly(float64(p.held), assay.Count, len(p.rises), "steps of the load", "cold, throttled, unavailable or loading requests from each rise to the first answer of a new instance"))
		add("scaling/fairness", p.fairness())
	}
	add("scaling/flaps", p.flaps())
	add("scaling/in", p.in())
	return nil
}

// detect is the longest time until the autoscaler's own view of the load asked for more than there was.
func (p *steadinessPass) detect() (assay.Quantity, error) {
	worst := assay.NotMeasured(assay.Seconds, "the platform tells neither the load that it sees nor its target for an instance")
	if p.f.Metrics == nil {
		return worst, nil
	}
	n := 0
	for _, kind := range profile.Kinds() {
		t := profile.For(kind)
		target := t.Query(profile.ConcurrencyTarget)
		if target == "" {
			continue
		}
		for _, x := range p.rises {
			step := max(int64(1e9), (x.end-x.begin)/1000)
			least := int64(math.MaxInt64)
			for _, seen := range []profile.Quantity{profile.ConcurrencyPanic, profile.ConcurrencyStable} {
				q := t.Query(seen)
				if q == "" {
					continue
				}
				expr := fmt.Sprintf("max(%s) > scalar(max(%s)) * %d", q, target, max(1, x.step.From))
				series, err := p.f.Metrics.Range(context.Background(), expr, x.begin, x.end, step)
				if err != nil {
					return assay.Quantity{}, fmt.Errorf("read the load that %s sees: %w", kind, err)
				}
				for i := range series {
					for j, at := range series[i].Times {
						if !math.IsNaN(float64(series[i].Values[j])) {
							least = min(least, at)
							break
						}
					}
				}
			}
			if least == math.MaxInt64 {
				continue
			}
			n++
			if q := lag(x.begin, least, step); !worst.Known() || q.Value > worst.Value {
				worst = q
			}
		}
	}
	if worst.Known() {
		worst.N, worst.Method = n, "longest of all steps, from the autoscaler's own series; interval is the distance of its looks"
	}
	return worst, nil
}

// servedLeast is how many requests an instance serves on average in a step whose balance can be told.
const servedLeast = 5

// fairness is the balance of the step in which it was certainly worst.
func (p *steadinessPass) fairness() assay.Quantity {
	if !p.named {
		return assay.NotMeasured(assay.Ratio, "nothing tells which instance served a request")
	}
	worst, n := assay.NotMeasured(assay.Ratio, "no step of the load went on, with two instances or more, after a new one had answered"), 0
	for i := range p.rises {
		q, ok := p.balance(&p.rises[i], p.served[i])
		if !ok {
			continue
		}
		if !q.Known() {
			if !worst.Known() {
				worst = q
			}
			continue
		}
		if n++; !worst.Known() || q.Hi < worst.Hi {
			worst = q
		}
	}
	if n > 1 {
		worst.Method += fmt.Sprintf("; the worst of %d steps", n)
	}
	return worst
}

func (p *steadinessPass) balance(x *rise, served map[string]int) (assay.Quantity, bool) {
	var rates []float64
	var bounds []stat.Interval
	total := 0
	begin := x.since()
	lives := map[string]float64{}
	for i := range p.f.Lives {
		if l := &p.f.Lives[i]; l.Ready != 0 {
			if s := inRouting(l, begin, x.end); s > 0 {
				lives[l.Instance] += s
			}
		}
	}
	if len(lives) < 2 {
		return assay.Quantity{}, false
	}
	for _, id := range keys(lives) {
		k := served[id]
		total += k
		rates = append(rates, float64(k)/lives[id])
		in := stat.Rate(lives[id], k, apiece(len(lives)))
		if k == 0 {
			in.Lo = 0
		}
		bounds = append(bounds, in)
	}
	if total < servedLeast*len(lives) {
		return assay.NotEstimable(assay.Ratio, total, "requests", fmt.Sprintf("%d requests on %d instances tell little of their balance; %d are the least", total, len(lives), servedLeast*len(lives))), true
	}
	lo, hi := stat.JainBounds(bounds)
	return assay.Quantity{Value: stat.Jain(rates), Lo: lo, Hi: hi, Confidence: Confidence, Unit: assay.Ratio, N: len(lives), Of: "instances", Basis: assay.Estimated,
		Method: fmt.Sprintf("Jain's index of requests served per second in routing; from Poisson intervals of all instances, each at %.4g %% so that all hold at once", 100*apiece(len(lives)))}, true
}

// inRouting is how many seconds of [begin, end) an instance was in routing.
func inRouting(l *assay.Life, begin, end int64) float64 {
	if out := outAt(l); out != 0 {
		end = min(end, out)
	}
	begin = max(begin, l.Ready)
	left := max(0, end-begin)
	for _, u := range l.Unready {
		until := u.End
		if until == 0 {
			until = end
		}
		left -= max(0, min(until, end)-max(u.Begin, begin))
	}
	return float64(max(0, left)) / 1e9
}

// flaps counts how often the number wanted turned round in phases of steady load, outside of faults.
func (p *steadinessPass) flaps() assay.Quantity {
	turns, changes, phases := 0, 0, 0
	for _, ph := range p.f.Phases {
		if ph.Rate <= 0 || ph.End <= ph.Begin {
			continue
		}
		hurt := false
		for _, w := range p.f.Faults {
			hurt = hurt || w.Applied != 0 && w.Applied < ph.End && max(w.Washout, w.Applied) > ph.Begin
		}
		if hurt {
			continue
		}
		phases++
		last, way, n := -1, 0, 0
		for _, d := range p.decisions {
			if d.at >= ph.End {
				break
			}
			if d.at >= ph.Begin && last >= 0 && d.desired != last {
				changes++
				up := 1
				if d.desired < last {
					up = -1
				}
				if way != 0 && up != way {
					n++
				}
				way = up
			}
			last = d.desired
		}
		turns += max(0, n-1)
	}
	switch {
	case len(p.decisions) == 0:
		return assay.NotMeasured(assay.Count, "the platform told no decision about its number of instances")
	case phases == 0:
		return assay.NotMeasured(assay.Count, "no phase of steady load was without a fault")
	}
	return exactly(float64(turns), assay.Count, changes, "changes of the number wanted", fmt.Sprintf("turns beyond the first in each of %d phases of steady load without faults", phases))
}

// in is the longest time from a fall of the load to fewer instances wanted.
func (p *steadinessPass) in() assay.Quantity {
	worst, n := assay.NotMeasured(assay.Seconds, "the load did not fall while some was left"), 0
	for i, ph := range p.f.Phases {
		if ph.Rate <= 0 || ph.Rate >= rateBefore(p.f.Phases, i) {
			continue
		}
		wanted, at := -1, int64(0)
		var resolution int64
		for _, d := range p.decisions {
			if d.at < ph.Begin {
				wanted = d.desired
			} else if d.at < ph.End && d.desired < wanted {
				at, resolution = d.at, d.resolution
				break
			} else if d.at < ph.End {
				wanted = max(wanted, d.desired)
			}
		}
		switch {
		case wanted < 0:
		case at == 0:
			if !worst.Known() {
				worst = assay.NotEstimable(assay.Seconds, 1, "falls of the load", fmt.Sprintf("as many instances were wanted when the phase %s ended as before", ph.Name))
			}
		default:
			if q := lag(ph.Begin, at, resolution); !worst.Known() || q.Value > worst.Value {
				worst = q
			}
			n++
		}
	}
	if worst.Known() {
		worst.N, worst.Of = n, "falls of the load"
	}
	return worst
}
