package analyzers

import (
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
// median of all of them. Blocks that resemble their neighbours widen its interval. Of all instances the one whose memory certainly grew most counts: see driftmemory.go. The worst of several phases or instances is chosen for looking bad, so its interval is that at which
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

// Describe lists drift/….
func (Drift) Describe() []assay.Desc {
	return append(describeChanges(), []assay.Desc{
		{Metric: "drift/ttft", Unit: assay.Ratio, Better: "lower", Help: "Steady change of the time to first token over a steady phase, as a share of its median: 0.1 is 10 % slower at the end. Of the phase in which it certainly grew most, unless phase says otherwise."},
		{Metric: "drift/e2e", Unit: assay.Ratio, Better: "lower", Help: "Steady change of the end-to-end time over a steady phase, as a share of its median. Of the phase in which it certainly grew most, unless phase says otherwise."},
		{Metric: "drift/ttft/p95", Unit: assay.Ratio, Better: "lower", Help: "As drift/ttft, of the p95 of each block."},
		{Metric: "drift/e2e/p95", Unit: assay.Ratio, Better: "lower", Help: "As drift/e2e, of the p95 of each block."},
		{Metric: "drift/memory", Unit: assay.Bytes, Better: "lower", Help: "Steady growth of memory: what drift/memory/rate comes to over the time for which the instance was watched in the steady phases. Label of=gpu: of the memory of cards."},
		{Metric: "drift/memory/rate", Unit: assay.BytesPerHour, Better: "lower", Help: "Steady growth of memory in an hour, within the second half of each life of an instance, since what fills up at the begin is no leak: a restart begins a life, and so does a fall that gives back half of what was gained. Of the instance that certainly grew most. Label of=gpu: of the memory of cards."},
		{Metric: "drift/memory/left", Unit: assay.Seconds, Better: "higher", Help: "Projection: for how long memory lasts from the last reading on at drift/memory/rate, where the limit of the instance, or the memory of the card, is known."},
	}...)
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
	blocks        [2][shiftBlocks]stat.Sketch // as driftFamilies
	judged        [shiftBlocks]int
	failed        [shiftBlocks]int
	changes       map[string][]assay.PhaseStep // by what changed
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
		if r == nil || r.Canary || r.Forced || !r.Outcome.Judged() {
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
		b := p.last.block(r.Due)
		p.last.judged[b]++
		if r.Outcome != assay.OK {
			p.last.failed[b]++
			continue
		}
		if r.Cold == assay.ColdYes {
			continue
		}
		if r.FirstToken != 0 {
			p.last.blocks[0][b].Add(float64(r.FirstToken - r.Due))
		}
		if r.End != 0 {
			p.last.blocks[1][b].Add(float64(r.End - r.Due))
		}
	}
}

func (p *driftPass) Finish(r *assay.Report) error {
	p.steps(r)
	for i, family := range driftFamilies {
		p.latency(r, "drift/"+family, i, 0.5, driftLeast)
		p.latency(r, "drift/"+family+"/p95", i, 0.95, driftTail)
	}
	r.Findings = append(r.Findings, p.memory()...)
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

// block is the finest block that an instant is in.
func (ph *driftPhase) block(t int64) int64 {
	share := float64(t-ph.begin) / float64(ph.length) * shiftBlocks // nanoseconds times blocks overflow in a long run
	return int64(min(max(share, 0), shiftBlocks-1))
}

// merged are the sketches of one latency in m blocks.
func (ph *driftPhase) merged(family, m int) []stat.Sketch {
	out := make([]stat.Sketch, m)
	for b := range ph.blocks[family] {
		out[b*m/shiftBlocks].Merge(&ph.blocks[family][b])
	}
	return out
}

// change is the drift of a quantile of one latency: nothing where its level changed in a step, through which a slope says nothing.
func (ph *driftPhase) change(family int, quantile float64, least uint64, confidence float64) assay.Quantity {
	var at, values []float64
	n := 0
	blocks := ph.merged(family, driftBlocks)
	for b := range blocks {
		s := &blocks[b]
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
	if of := latencyChange(family, quantile); len(ph.changes[of]) > 0 {
		c := &ph.changes[of][0]
		return assay.NotEstimable(assay.Ratio, n, "requests", fmt.Sprintf("its level changed in %s and not steadily: the first %s into the phase, see change/%s", things(len(ph.changes[of]), "step"), instant(c.At-ph.begin), of))
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

func labelsText(labels []assay.Label) string {
	var parts []string
	for _, l := range labels {
		parts = append(parts, l.Name+"="+l.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
