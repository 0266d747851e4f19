package analyzers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// Drift tells what changes steadily over a phase: latencies, and the memory of instances. Each steady phase is cut into blocks of
// equal length; the change is the slope through the medians, or the p95, of the blocks (Theil and Sen) times the phase's length, as a share of the
// median of all of them. Blocks that resemble their neighbours widen its interval. Memory is read in the second half of the steady phases only, since what fills up at the begin is no leak; of
// all instances the one that certainly grew most counts. The worst of several phases or instances is chosen for looking bad, so its interval is that at which
// all of them hold at once (Bonferroni).
type Drift struct{}

var _ assay.Analyzer = Drift{}

const (
	driftBlocks = stat.Blocks
	driftLeast  = 5                    // requests in a block, for its median to count
	driftTail   = 20                   // and for its p95
	driftLength = 120 * 1e9            // ns: in a shorter phase nothing drifts that matters
	driftKnown  = (stat.Gamma - 1) / 2 // of a value: half a bucket of the sketches that the blocks are kept in
)

var driftFamilies = []string{"ttft", "e2e"}

// memorySeries are the series that hold the memory of a process or container, in bytes, in the order in which they are tried.
var memorySeries = []string{"process_resident_memory_bytes", "container_memory_working_set_bytes"}

// Describe lists drift/….
func (Drift) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "drift/ttft", Unit: assay.Ratio, Better: "lower", Help: "Steady change of the time to first token over a steady phase, as a share of its median: 0.1 is 10 % slower at the end. Of the phase in which it certainly grew most, unless phase says otherwise."},
		{Metric: "drift/e2e", Unit: assay.Ratio, Better: "lower", Help: "Steady change of the end-to-end time over a steady phase, as a share of its median. Of the phase in which it certainly grew most, unless phase says otherwise."},
		{Metric: "drift/ttft/p95", Unit: assay.Ratio, Better: "lower", Help: "As drift/ttft, of the p95 of each block."},
		{Metric: "drift/e2e/p95", Unit: assay.Ratio, Better: "lower", Help: "As drift/e2e, of the p95 of each block."},
		{Metric: "drift/memory", Unit: assay.Bytes, Better: "lower", Help: "Steady growth of memory over the second half of the steady phases, of the instance that certainly grew most."},
	}
}

// Begin starts a pass.
func (Drift) Begin(f *assay.Facts) assay.Pass {
	p := &driftPass{f: f, phases: map[string]*driftPhase{}}
	for i := range f.Phases {
		if ph := &f.Phases[i]; ph.Role == assay.RoleSteady && ph.End > ph.Begin {
			p.phases[ph.Name] = &driftPhase{begin: ph.Begin, length: ph.End - ph.Begin}
		}
	}
	return p
}

// A driftPhase holds the latencies of a phase by block.
type driftPhase struct {
	begin, length int64
	blocks        [2][driftBlocks]stat.Sketch // as driftFamilies
}

type driftPass struct {
	f      *assay.Facts
	phases map[string]*driftPhase
	last   *driftPhase
	name   string
}

func (p *driftPass) Requests(block []assay.Request) {
	var scratch assay.Request
	for i := range block {
		r := facts.AsUser(p.f, &block[i], &scratch)
		if r == nil || r.Canary || r.Forced || r.Outcome != assay.OK || r.Cold == assay.ColdYes {
			continue
		}
		if p.last == nil || r.Phase != p.name {
			if p.last = p.phases[r.Phase]; p.last == nil {
				continue
			}
			p.name = r.Phase
		}
		if l, _ := facts.LedgerOf(p.f, r); l != assay.Natural {
			continue
		}
		b := min(max((r.Due-p.last.begin)*driftBlocks/p.last.length, 0), driftBlocks-1)
		if r.FirstToken != 0 {
			p.last.blocks[0][b].Add(float64(r.FirstToken - r.Due))
		}
		if r.End != 0 {
			p.last.blocks[1][b].Add(float64(r.End - r.Due))
		}
	}
}

func (p *driftPass) Finish(r *assay.Report) error {
	for i, family := range driftFamilies {
		p.latency(r, "drift/"+family, i, 0.5, driftLeast)
		p.latency(r, "drift/"+family+"/p95", i, 0.95, driftTail)
	}
	r.Findings = append(r.Findings, p.memory())
	return nil
}

// latency adds the drift of one quantile of a latency in each phase and in the one in which it certainly grew most.
func (p *driftPass) latency(r *assay.Report, metric string, family int, quantile float64, least uint64) {
	worst, in := assay.NotMeasured(assay.Ratio, "the run has no steady phase with it"), ""
	var known []string
	for i := range p.f.Phases {
		name := p.f.Phases[i].Name
		ph := p.phases[name]
		if ph == nil {
			continue
		}
		q := ph.change(family, quantile, least, Confidence)
		r.Findings = append(r.Findings, assay.Finding{Metric: metric, Labels: map[string]string{"phase": name}, Ledger: assay.Natural, Quantity: q})
		if q.Known() {
			known = append(known, name)
		} else {
			worst = q
		}
	}
	for i, name := range known {
		q := ofSeveral(p.phases[name].change(family, quantile, least, apiece(len(known))), len(known), "phases")
		if i == 0 || q.Known() && (!worst.Known() || q.Lo > worst.Lo) {
			worst, in = q, name
		}
	}
	f := assay.Finding{Metric: metric, Ledger: assay.Natural, Quantity: worst}
	if worst.Known() {
		f.Evidence = []string{"phase " + in}
	}
	r.Findings = append(r.Findings, f)
}

// apiece is the confidence of each of n intervals that hold all at once with [Confidence].
func apiece(n int) float64 { return 1 - (1-Confidence)/float64(n) }

// ofSeveral says of a quantity, whose interval is of the confidence that apiece returns, that it is the worst of n.
func ofSeveral(q assay.Quantity, n int, what string) assay.Quantity {
	if n > 1 && q.Known() {
		q.Method += fmt.Sprintf("; the worst of %d %s, each at %.4g %% so that all hold at once", n, what, 100*apiece(n))
		q.Confidence = 1 - float64(n)*(1-q.Confidence)
	}
	return q
}

// change is the drift of a quantile of one latency.
func (ph *driftPhase) change(family int, quantile float64, least uint64, confidence float64) assay.Quantity {
	var at, values []float64
	n := 0
	for b := range ph.blocks[family] {
		s := &ph.blocks[family][b]
		n += int(s.N)
		if s.N >= least {
			at, values = append(at, float64(b)+0.5), append(values, s.Placed(quantile))
		}
	}
	if n == 0 {
		return assay.NotMeasured(assay.Ratio, "no request of the phase has it")
	}
	if ph.length < driftLength {
		return assay.NotEstimable(assay.Ratio, n, "requests", fmt.Sprintf("the phase lasted %s, and a drift that matters needs at least %s", duration(seconds(ph.length)), duration(seconds(driftLength))))
	}
	slope, ok := stat.SlopeOf(at, values, confidence)
	unbounded := math.IsInf(slope.Interval.Lo, 0) || math.IsInf(slope.Interval.Hi, 0)
	if ok && unbounded && len(at) >= driftBlocks/2 {
		return assay.NotEstimable(assay.Ratio, n, "requests", fmt.Sprintf("%d blocks cannot bound it at %.4g %%", len(at), 100*confidence))
	}
	if !ok || unbounded || len(at) < driftBlocks/2 {
		return assay.NotEstimable(assay.Ratio, n, "requests", fmt.Sprintf("only %d of %d blocks have %d requests or more; %d are the least", len(at), driftBlocks, least, driftBlocks/2))
	}
	all := slices.Clone(values)
	slices.Sort(all)
	scale := driftBlocks / stat.Quantile(all, 0.5, stat.Type7)
	what := "medians"
	if quantile != 0.5 {
		what = fmt.Sprintf("p%.0f", 100*quantile)
	}
	return assay.Quantity{Value: slope.PerX * scale, Lo: slope.Interval.Lo*scale - driftKnown, Hi: slope.Interval.Hi*scale + driftKnown, Confidence: slope.Interval.Confidence, Unit: assay.Ratio, N: n,
		Of: fmt.Sprintf("requests in %d blocks", len(at)), Method: fmt.Sprintf("Theil-Sen slope through the %s of blocks of equal length, times the phase's length, over their median, to within %g %% of a sketch; Mann-Kendall p = %.2g", what, 100*driftKnown, slope.P), Basis: assay.Estimated}
}

// memory is the growth of the instance that certainly grew most.
func (p *driftPass) memory() assay.Finding {
	f := assay.Finding{Metric: "drift/memory"}
	var begin, end int64
	for _, ph := range p.phases {
		if begin == 0 || ph.begin < begin {
			begin = ph.begin
		}
		end = max(end, ph.begin+ph.length)
	}
	if end > begin && end-begin < driftLength {
		f.Quantity = assay.NotEstimable(assay.Bytes, 0, "readings", fmt.Sprintf("the steady phases lasted %s, and growth that matters needs at least %s", duration(seconds(end-begin)), duration(seconds(driftLength))))
		return f
	}
	if p.f.Metrics == nil || end <= begin {
		f.Quantity = assay.NotMeasured(assay.Bytes, "the run has no metrics of a steady phase")
		return f
	}
	begin = end - (end-begin)/2
	step := max(int64(1e9), (end-begin)/driftBlocks)
	for _, name := range memorySeries {
		series, err := p.f.Metrics.Range(context.Background(), name, begin, end, step)
		if err != nil {
			f.Quantity = assay.NotMeasured(assay.Bytes, "the series of memory cannot be read: "+err.Error())
			return f
		}
		n := 0
		for i := range series {
			if _, ok := growth(&series[i], Confidence); ok {
				n++
			}
		}
		found := false
		for i := range series {
			q, ok := growth(&series[i], apiece(max(1, n)))
			if q = ofSeveral(q, n, "instances"); ok && (!found || q.Lo > f.Quantity.Lo) {
				f.Quantity, f.Evidence, found = q, []string{name + " of " + labelsText(series[i].Labels)}, true
			}
		}
		if found {
			return f
		}
		if n > 0 {
			f.Quantity = assay.NotEstimable(assay.Bytes, n, "instances", fmt.Sprintf("too few readings of each bound the worst of %d", n))
			return f
		}
	}
	f.Quantity = assay.NotMeasured(assay.Bytes, "no series of memory spans the second half of the steady phases")
	return f
}

// growth is the Theil-Sen slope through a series times its length.
func growth(s *assay.Series, confidence float64) (assay.Quantity, bool) {
	var at, v []float64
	for i, x := range s.Values {
		if f := float64(x); !math.IsNaN(f) {
			at, v = append(at, seconds(s.Times[i])), append(v, f)
		}
	}
	slope, ok := stat.SlopeOf(at, v, confidence)
	if !ok || len(at) < driftBlocks/2 || math.IsInf(slope.Interval.Lo, 0) || math.IsInf(slope.Interval.Hi, 0) {
		return assay.Quantity{}, false
	}
	span := at[len(at)-1] - at[0]
	return assay.Quantity{Value: slope.PerX * span, Lo: slope.Interval.Lo * span, Hi: slope.Interval.Hi * span, Confidence: slope.Interval.Confidence, Unit: assay.Bytes, N: len(at), Of: "readings",
		Method: fmt.Sprintf("Theil-Sen slope over %s, times that; Mann-Kendall p = %.2g", duration(span), slope.P), Basis: assay.Estimated}, true
}

func labelsText(labels []assay.Label) string {
	var parts []string
	for _, l := range labels {
		parts = append(parts, l.Name+"="+l.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
