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
// equal length; the change is the slope through the medians of the blocks (Theil and Sen) times the phase's length, as a share of the
// median of all of them. Memory is read in the second half of the steady phases only, since what fills up at the begin is no leak; of
// all instances the one that certainly grew most counts.
type Drift struct{}

var _ assay.Analyzer = Drift{}

const (
	driftBlocks = stat.Blocks
	driftLeast  = 5 // requests in a block, for its median to count
)

var driftFamilies = []string{"ttft", "e2e"}

// memorySeries are the series that hold the memory of a process or container, in bytes, in the order in which they are tried.
var memorySeries = []string{"process_resident_memory_bytes", "container_memory_working_set_bytes"}

// Describe lists drift/….
func (Drift) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "drift/ttft", Unit: assay.Ratio, Better: "lower", Help: "Steady change of the time to first token over a steady phase, as a share of its median: 0.1 is 10 % slower at the end. Of the phase in which it certainly grew most, unless phase says otherwise."},
		{Metric: "drift/e2e", Unit: assay.Ratio, Better: "lower", Help: "Steady change of the end-to-end time over a steady phase, as a share of its median. Of the phase in which it certainly grew most, unless phase says otherwise."},
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
	for i := range block {
		r := &block[i]
		if r.Canary || r.Outcome != assay.OK || r.Cold == assay.ColdYes {
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
		worst := assay.NotMeasured(assay.Ratio, "the run has no steady phase with it")
		in := ""
		for j := range p.f.Phases {
			name := p.f.Phases[j].Name
			ph := p.phases[name]
			if ph == nil {
				continue
			}
			q := ph.change(i)
			r.Findings = append(r.Findings, assay.Finding{Metric: "drift/" + family, Labels: map[string]string{"phase": name}, Ledger: assay.Natural, Quantity: q})
			if q.Known() && (!worst.Known() || q.Lo > worst.Lo) || !q.Known() && !worst.Known() {
				worst, in = q, name
			}
		}
		f := assay.Finding{Metric: "drift/" + family, Ledger: assay.Natural, Quantity: worst}
		if worst.Known() {
			f.Evidence = []string{"phase " + in}
		}
		r.Findings = append(r.Findings, f)
	}
	r.Findings = append(r.Findings, p.memory())
	return nil
}

// change is the drift of one latency.
func (ph *driftPhase) change(family int) assay.Quantity {
	var at, medians []float64
	n := 0
	for b := range ph.blocks[family] {
		s := &ph.blocks[family][b]
		n += int(s.N)
		if s.N >= driftLeast {
			at, medians = append(at, float64(b)+0.5), append(medians, s.Quantile(0.5))
		}
	}
	if n == 0 {
		return assay.NotMeasured(assay.Ratio, "no request of the phase has it")
	}
	slope, in, ok := stat.TheilSen(at, medians, Confidence)
	if !ok || len(at) < driftBlocks/2 {
		return assay.NotEstimable(assay.Ratio, n, "requests", fmt.Sprintf("only %d of %d blocks have %d requests or more; %d are the least", len(at), driftBlocks, driftLeast, driftBlocks/2))
	}
	all := slices.Clone(medians)
	slices.Sort(all)
	scale := driftBlocks / stat.Quantile(all, 0.5, stat.Type7)
	return assay.Quantity{Value: slope * scale, Lo: in.Lo * scale, Hi: in.Hi * scale, Confidence: in.Confidence, Unit: assay.Ratio, N: n,
		Of: fmt.Sprintf("requests in %d blocks", len(at)), Method: "Theil-Sen slope through the medians of blocks of equal length, times the phase's length, over their median", Basis: assay.Estimated}
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
		found := false
		for i := range series {
			q, ok := growth(&series[i])
			if !ok {
				continue
			}
			if !found || q.Lo > f.Quantity.Lo {
				f.Quantity, f.Evidence = q, []string{name + " of " + labelsText(series[i].Labels)}
			}
			found = true
		}
		if found {
			return f
		}
	}
	f.Quantity = assay.NotMeasured(assay.Bytes, "no series of memory spans the second half of the steady phases")
	return f
}

// growth is the Theil-Sen slope through a series times its length.
func growth(s *assay.Series) (assay.Quantity, bool) {
	var at, v []float64
	for i, x := range s.Values {
		if f := float64(x); !math.IsNaN(f) {
			at, v = append(at, seconds(s.Times[i])), append(v, f)
		}
	}
	slope, in, ok := stat.TheilSen(at, v, Confidence)
	if !ok || len(at) < driftBlocks/2 {
		return assay.Quantity{}, false
	}
	span := at[len(at)-1] - at[0]
	return assay.Quantity{Value: slope * span, Lo: in.Lo * span, Hi: in.Hi * span, Confidence: in.Confidence, Unit: assay.Bytes, N: len(at), Of: "readings",
		Method: fmt.Sprintf("Theil-Sen slope over %s, times that", duration(span)), Basis: assay.Estimated}, true
}

func labelsText(labels []assay.Label) string {
	var parts []string
	for _, l := range labels {
		parts = append(parts, l.Name+"="+l.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
