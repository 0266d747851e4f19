package analyzers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// Attribution says where the end-to-end time of delivered requests went: six classes that sum,
// with an unexplained remainder, to the time from due to the last byte. The rules by which a span is
// charged are in classify.go.
//
// Each share is the classes' seconds over the end-to-end seconds of all requests in scope. Its interval is
// a bootstrap over blocks of consecutive requests, since neighbours share their queue. Scopes: all traced requests of
// the natural ledger outside stress phases (no label), and each phase or search (label phase).
type Attribution struct{}

var _ assay.Analyzer = Attribution{}

// The classes, in the order of their index in a decomposition.
const (
	classCompute = iota
	classMemory
	classStorage
	classNetwork
	classConcurrency
	classCold
	classUnexplained
	classes
)

var classNames = [classes]string{"compute", "memory", "storage", "network", "concurrency", "cold_start", "unexplained"}

// Parts of compute that are told apart.
const (
	partPrefill = iota
	partDecode
	partQueue
	parts
)

var partNames = [parts]string{"prefill", "decode", "queue"}

// Describe lists bottleneck/… .
func (Attribution) Describe() []assay.Desc {
	var out []assay.Desc
	for _, n := range classNames {
		out = append(out, assay.Desc{Metric: "bottleneck/" + n, Unit: assay.Ratio, Better: "lower",
			Help: "share of the end-to-end time of traced, delivered requests charged to " + n})
	}
	for _, n := range partNames {
		out = append(out, assay.Desc{Metric: "bottleneck/compute/" + n, Unit: assay.Ratio, Better: "lower",
			Help: "part of bottleneck/compute spent in " + n})
	}
	return append(out, assay.Desc{Metric: "trace/coverage", Unit: assay.Ratio, Better: "higher",
		Help: "Share of the end-to-end time of delivered requests outside faults and stress of which spans tell the cause: requests without spans have none."})
}

// decomposition is the seconds of one request by class, with the parts of compute.
type decomposition struct {
	due   int64
	class [classes]float32
	part  [parts]float32
}

func (d *decomposition) total() (s float64) {
	for _, v := range d.class {
		s += float64(v)
	}
	return s
}

// Limits of memory: beyond keepTraced the scopes keep a seeded reservoir, and say so.
const (
	keepTraced = 1 << 18
	keepSlow   = 64
)

type attribution struct {
	f       *assay.Facts
	busy    *busyness
	scopes  map[string]*scope
	slow    []slowRequest
	spans   []node
	edges   []int64
	moved   []assay.Span // of a trace whose clocks disagree, by one clock
	strayed int          // such traces
	inits   bool         // spans tell of instances that initialize
	seen    int
	skipped int // traced but not delivered, or inside a fault

	requests, naming int // those of the run, and those of them that name a trace

	delivered   int     // outside faults and stress
	whole, told float64 // s: end-to-end time of these, and what of it spans tell the cause of
}

type scope struct {
	kept []decomposition
	seen int
	rng  *rand.Rand
}

type slowRequest struct {
	id  uint64
	e2e float64
	d   decomposition
}

// Begin reads the accelerators' busy share, by which waiting is charged.
func (Attribution) Begin(f *assay.Facts) assay.Pass {
	return &attribution{f: f, busy: readBusyness(context.Background(), f), scopes: map[string]*scope{}}
}

// Requests counts those that name a trace: attribution needs traces.
func (a *attribution) Requests(block []assay.Request) {
	a.requests += len(block)
	for i := range block {
		r := &block[i]
		if !r.TraceID.IsZero() {
			a.naming++
		}
		if a.counts(r) && !a.stress(r) {
			a.delivered++
			a.whole += float64(r.End-r.Due) / 1e9
		}
	}
}

// counts reports whether a request was delivered outside of faults, which attribution speaks of.
func (a *attribution) counts(r *assay.Request) bool {
	ledger, _ := a.f.At(r.Due)
	return !r.Canary && !r.Forced && r.Outcome == assay.OK && ledger != assay.Injected && r.End > r.Due
}

func (a *attribution) stress(r *assay.Request) bool {
	p := a.f.PhaseOf(r.Phase)
	return p != nil && p.Role == assay.RoleStress
}

// Traces decomposes each delivered request.
func (a *attribution) Traces(block []assay.Trace) {
	for i := range block {
		r := block[i].Request
		if r == nil || len(block[i].Spans) == 0 || r.Canary || r.Forced {
			continue
		}
		if !a.counts(r) {
			a.skipped++
			continue
		}
		a.seen++
		spans, strayed := a.aligned(r, block[i].Spans)
		if strayed {
			a.strayed++
		}
		a.inits = a.inits || slices.ContainsFunc(spans, func(s assay.Span) bool { return facts.Initializes(spans, &s) })
		d := a.decompose(r, spans)
		phase, stress := r.Phase, false
		if p := a.f.PhaseOf(r.Phase); p != nil {
			stress = p.Role == assay.RoleStress
			if p.Of != "" {
				phase = p.Of
			}
		}
		a.scope("phase " + phase).add(d)
		if !stress {
			a.scope("").add(d)
			a.told += d.total() - float64(d.class[classUnexplained])
		}
		a.keepSlow(r, d)
	}
}

func (a *attribution) scope(name string) *scope {
	s := a.scopes[name]
	if s == nil {
		s = &scope{rng: rand.New(rand.NewPCG(1, uint64(len(name))))}
		a.scopes[name] = s
	}
	return s
}

func (s *scope) add(d decomposition) {
	if s.seen++; len(s.kept) < keepTraced {
		s.kept = append(s.kept, d)
	} else if i := s.rng.IntN(s.seen); i < keepTraced {
		s.kept[i] = d
	}
}

func (a *attribution) keepSlow(r *assay.Request, d decomposition) {
	e2e := float64(r.End-r.Due) / 1e9
	i := sort.Search(len(a.slow), func(i int) bool { return a.slow[i].e2e < e2e }) // after its equals: the first seen stays
	if i < keepSlow {
		a.slow = slices.Insert(a.slow, i, slowRequest{r.ID, e2e, d})
		a.slow = a.slow[:min(len(a.slow), keepSlow)]
	}
}

// Finish adds the shares of each scope, the ranking, and the shares of the slowest requests.
func (a *attribution) Finish(r *assay.Report) error {
	coverage := fmt.Sprintf("%d of %d requests have spans of the target", a.f.Traced, a.f.Requests)
	if a.strayed*100 > a.f.Traced { // one in a while is a machine that stood still
		coverage += fmt.Sprintf("; in %d of them clocks disagree, and spans were placed within their callers'", a.strayed)
	}
	covered := assay.NotMeasured(assay.Ratio, "no request was delivered outside faults and stress")
	if a.whole > 0 {
		covered = counted(min(1, a.told/a.whole), assay.Ratio, a.delivered, "requests", "end-to-end time that spans tell the cause of, of that of all requests delivered outside faults and stress")
	}
	r.Findings = append(r.Findings, assay.Finding{Metric: "trace/coverage", Quantity: covered})
	var names []string
	for name := range a.scopes {
		names = append(names, name)
	}
	if a.scopes[""] == nil {
		because := "no delivered request outside faults and stress has spans of the target"
		if a.f.Spans > 0 && a.f.Traced == 0 && a.requests > 0 {
			because = fmt.Sprintf("%s, and 0 of %d requests name a trace", things(a.f.Spans, "span"), a.requests)
			if a.naming > 0 {
				because = fmt.Sprintf("%s, and none is of the traces that %d of %d requests name", things(a.f.Spans, "span"), a.naming, a.requests)
			}
			because = "there are " + because
		}
		for _, n := range classNames {
			r.Findings = append(r.Findings, assay.Finding{Metric: "bottleneck/" + n, Ledger: assay.Natural,
				Quantity: assay.NotMeasured(assay.Ratio, because)})
		}
	}
	slices.Sort(names)
	for _, name := range names {
		s := a.scopes[name]
		slices.SortFunc(s.kept, func(x, y decomposition) int { return cmp.Compare(x.due, y.due) })
		var labels map[string]string
		if phase, ok := cutPrefix(name, "phase "); ok {
			labels = map[string]string{"phase": phase}
		}
		shares := s.shares()
		var rows []assay.Share
		for c, n := range classNames {
			evidence := append([]string{coverage}, a.evidence(c, shares)...)
			if s.seen > len(s.kept) {
				evidence = append(evidence, fmt.Sprintf("from a random %d of %d traced requests", len(s.kept), s.seen))
			}
			r.Findings = append(r.Findings, assay.Finding{Metric: "bottleneck/" + n, Labels: labels, Ledger: assay.Natural,
				Quantity: shares.class[c], Evidence: evidence})
			rows = append(rows, assay.Share{Name: n, Seconds: shares.seconds[c], Ratio: shares.class[c], Evidence: append(evidence[1:len(evidence):len(evidence)], coverage)})
		}
		for p, n := range partNames {
			r.Findings = append(r.Findings, assay.Finding{Metric: "bottleneck/compute/" + n, Labels: labels, Ledger: assay.Natural,
				Quantity: shares.part[p]})
		}
		if labels == nil {
			slices.SortStableFunc(rows, func(x, y assay.Share) int {
				if ux, uy := x.Name == classNames[classUnexplained], y.Name == classNames[classUnexplained]; ux != uy {
					return map[bool]int{true: 1, false: -1}[ux]
				}
				return cmp.Compare(y.Seconds, x.Seconds)
			})
			r.Attribution = rows
		}
	}
	for i := range r.Slowest {
		for _, s := range a.slow {
			if s.id == r.Slowest[i].Request {
				for c, n := range classNames {
					if v := float64(s.d.class[c]); v > 0 {
						r.Slowest[i].Shares = append(r.Slowest[i].Shares, assay.Share{Name: n, Seconds: v, Ratio: measuredShare(v / s.d.total())})
					}
				}
			}
		}
	}
	return nil
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && s[:len(prefix)] == prefix {
		return s[len(prefix):], true
	}
	return s, false
}

// measuredShare is a share of one request's time: nothing is estimated.
func measuredShare(v float64) assay.Quantity {
	return assay.Quantity{Value: v, Lo: v, Hi: v, Confidence: 1, Unit: assay.Ratio, N: 1, Of: "requests", Method: "share of one request's time", Basis: assay.Measured}
}

// evidence says in words what a class rests on.
func (a *attribution) evidence(class int, s scopeShares) []string {
	pct := func(q assay.Quantity) string { return fmt.Sprintf("%.0f %%", 100*q.Value) }
	switch class {
	case classCompute:
		out := []string{fmt.Sprintf("queueing behind a busy accelerator %s, prefill %s, decode %s of the end-to-end time",
			pct(s.part[partQueue]), pct(s.part[partPrefill]), pct(s.part[partDecode]))}
		busy := a.busy.evidence()
		if len(a.f.Manifest.Target.Simulated) > 0 && a.busy.known > 0 {
			busy[0] += " (SIMULATED)"
		}
		return append(out, busy...)
	case classMemory:
		return []string{"waiting for KV blocks, and preemption with recompute, as the engine's spans say"}
	case classStorage:
		return []string{"spans with database or object-store attributes"}
	case classNetwork:
		return []string{"gaps between a caller's span and its callee's"}
	case classConcurrency:
		return []string{"waiting for a slot while the accelerators had idle capacity"}
	case classCold:
		if a.inits {
			return []string{"waiting at the gateway while no instance was ready, or for one to initialize"}
		}
		return []string{"waiting at the gateway while no instance was ready"}
	}
	return []string{"our own send lateness, time inside spans that no child covers, and steps in which the accelerator idled"}
}

type scopeShares struct {
	seconds [classes]float64
	class   [classes]assay.Quantity
	part    [parts]assay.Quantity
}

// Blocks of the bootstrap: at least blockMin requests each, at most blocksMax blocks.
const (
	blockMin  = 5
	blocksMax = 40
	resamples = 400
)

// shares computes each share with a percentile interval from a seeded bootstrap over blocks.
func (s *scope) shares() scopeShares {
	const dims = classes + parts
	blocks := max(1, min(blocksMax, len(s.kept)/blockMin))
	sums := make([][dims]float64, blocks)
	var all [dims]float64
	for i := range s.kept {
		b := i * blocks / len(s.kept)
		for c, v := range s.kept[i].class {
			sums[b][c] += float64(v)
		}
		for p, v := range s.kept[i].part {
			sums[b][classes+p] += float64(v)
		}
	}
	for b := range sums {
		for k, v := range sums[b] {
			all[k] += v
		}
	}
	ratio := func(x *[dims]float64, k int) float64 {
		total := 0.0
		for c := range classes {
			total += x[c]
		}
		return x[k] / total
	}
	var draws [dims][]float64
	rng := rand.New(rand.NewPCG(2, 3))
	for range resamples {
		var x [dims]float64
		for range blocks {
			b := rng.IntN(blocks)
			for k, v := range sums[b] {
				x[k] += v
			}
		}
		for k := range dims {
			draws[k] = append(draws[k], ratio(&x, k))
		}
	}
	quantity := func(k int) assay.Quantity {
		q := assay.Quantity{Value: ratio(&all, k), Confidence: 0.95, Unit: assay.Ratio, N: len(s.kept), Of: fmt.Sprintf("requests in %d blocks", blocks),
			Method: "ratio of sums; percentile bootstrap over blocks of consecutive requests", Basis: assay.Estimated}
		if blocks < 5 {
			return assay.Quantity{Value: q.Value, Lo: 0, Hi: 1, Confidence: 1, Unit: assay.Ratio, N: q.N, Of: q.Of,
				Method: "ratio of sums; fewer than 5 blocks of 5 requests bound nothing", Basis: assay.Estimated}
		}
		if q.Value == 0 || q.Value == 1 { // no draw differs
			in := stat.ClopperPearson(int(q.Value)*blocks, blocks, Confidence)
			q.Lo, q.Hi = in.Lo, in.Hi
			q.Method = fmt.Sprintf("ratio of sums; all %d blocks are alike in it: the interval is of the share of blocks that are (Clopper-Pearson)", blocks)
			return q
		}
		slices.Sort(draws[k])
		q.Lo, q.Hi = min(q.Value, draws[k][resamples*25/1000]), max(q.Value, draws[k][resamples*975/1000])
		return q
	}
	var out scopeShares
	for c := range classes {
		out.seconds[c] = all[c]
		out.class[c] = quantity(c)
	}
	for p := range parts {
		out.part[p] = quantity(classes + p)
	}
	return out
}

// busyness is the mean busy share of the accelerators over time.
type busyness struct {
	step   int64
	begin  int64
	values []float64 // NaN where unknown
	known  int
}

// busyQueries are tried in order: accelerator busy share from the exporters' names.
var busyQueries = []string{
	"avg(DCGM_FI_PROF_GR_ENGINE_ACTIVE)",
	"avg(DCGM_FI_DEV_GPU_UTIL) / 100",
	"avg(hw_gpu_utilization_ratio)",
	"avg(nvidia_smi_utilization_gpu_ratio)",
	"avg(gpu_gfx_activity) / 100",
	"avg(amd_gpu_gfx_activity) / 100",
	"avg(xpum_engine_ratio)",
}

const busyStep = int64(500e6)

func readBusyness(ctx context.Context, f *assay.Facts) *busyness {
	b := &busyness{step: busyStep, begin: f.Begin}
	if f.Metrics == nil || f.End <= f.Begin {
		return b
	}
	if n := (f.End - f.Begin) / b.step; n > 10_000 { // the engine answers at most 11,000 points
		b.step = (f.End - f.Begin) / 10_000
	}
	for _, query := range busyQueries {
		series, err := f.Metrics.Range(ctx, query, f.Begin, f.End, b.step)
		if err != nil || len(series) == 0 || len(series[0].Times) == 0 {
			continue
		}
		b.values = make([]float64, (f.End-f.Begin)/b.step+2)
		for i := range b.values {
			b.values[i] = math.NaN()
		}
		for i, t := range series[0].Times {
			if j := (t - b.begin) / b.step; j >= 0 && j < int64(len(b.values)) && !math.IsNaN(float64(series[0].Values[i])) {
				b.values[j] = float64(series[0].Values[i])
				b.known++
			}
		}
		break
	}
	return b
}

// over returns the highest busy share seen in [from, to] and one step after it, since an exporter's value speaks of the time
// before it; false where nothing was recorded.
func (b *busyness) over(from, to int64) (float64, bool) {
	best, ok := 0.0, false
	for j := max(0, (from-b.begin)/b.step); j <= (to-b.begin)/b.step+1 && j < int64(len(b.values)); j++ {
		if v := b.values[j]; !math.IsNaN(v) {
			best, ok = max(best, v), true
		}
	}
	return best, ok
}

func (b *busyness) evidence() []string {
	if b.known == 0 {
		return []string{"no accelerator metrics: waiting for a slot is left unexplained"}
	}
	return []string{"accelerator busy share from the exporter"}
}
