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

// Latency reports time to first token, inter-token latency, time per output token and end-to-end time. All but the two in the middle count from the instant the
// request was due.
type Latency struct{}

var latencyFamilies = []string{"ttft", "itl", "tpot", "e2e"}

var latencyStats = []string{"p50", "p90", "p95", "p99", "max", "mean"}

var latencyHelp = map[string]string{
	"ttft": "from the instant the request was due to its first content chunk",
	"itl":  "between consecutive content chunks of an answer, pooled over answers",
	"tpot": "from the first to the last content chunk, per token after the first",
	"e2e":  "from the instant the request was due to the end of its answer",
}

// Describe returns the metrics.
func (Latency) Describe() []assay.Desc {
	var out []assay.Desc
	for _, family := range latencyFamilies {
		for _, s := range latencyStats {
			out = append(out, assay.Desc{Metric: family + "/" + s, Unit: assay.Seconds, Better: "lower", Help: "Time " + latencyHelp[family] + "; " + s + ", type 7. Natural, warm, steady phases unless phase or cold says otherwise."})
		}
		out = append(out, assay.Desc{Metric: family + "/pNN", Unit: assay.Seconds, Better: "lower", Help: "Time " + latencyHelp[family] + "; any quantile, for example p99.9."})
	}
	return out
}

// A cell is what a selection may ask about a request.
type cell struct {
	phase  string
	ledger assay.Ledger
	cold   assay.Cold
	class  string
}

// maxClasses bounds the classes that are told apart: those beyond it are one without a name.
const maxClasses = 32

// Begin starts a pass.
func (Latency) Begin(f *assay.Facts) assay.Pass {
	return &latencyPass{f: f, index: map[cell]uint16{}, classes: map[string]bool{}}
}

type latencyPass struct {
	f       *assay.Facts
	cells   []cell
	index   map[cell]uint16
	classes map[string]bool
	served  []int // by cell: requests
	failed  []int
	columns [4]column // as latencyFamilies
	streams []int     // by cell: requests with gaps
}

func (p *latencyPass) cell(c cell) uint16 {
	i, ok := p.index[c]
	if !ok {
		i = uint16(len(p.cells))
		p.index[c] = i
		p.cells = append(p.cells, c)
		p.served, p.failed, p.streams = append(p.served, 0), append(p.failed, 0), append(p.streams, 0)
	}
	return i
}

// class returns the class by which a request is told from others.
func (p *latencyPass) class(name string) string {
	if !p.classes[name] {
		if len(p.classes) == maxClasses {
			return ""
		}
		p.classes[name] = true
	}
	return name
}

func (p *latencyPass) Requests(block []assay.Request) {
	var scratch assay.Request
	for i := range block {
		r := facts.AsUser(p.f, &block[i], &scratch)
		if r == nil || r.Canary || r.Forced || !p.f.Manifest.Judged(r.Outcome) {
			continue
		}
		l, _ := facts.LedgerOf(p.f, r)
		c := p.cell(cell{r.Phase, l, r.Cold, p.class(r.Class)})
		if r.Outcome != assay.OK {
			p.failed[c]++
			continue
		}
		p.served[c]++
		if r.FirstToken != 0 {
			p.columns[0].add(c, r.FirstToken-r.Due)
		}
		if len(r.Arrivals) > 1 {
			p.streams[c]++
			for j := 1; j < len(r.Arrivals); j++ {
				p.columns[1].add(c, r.Arrivals[j]-r.Arrivals[j-1])
			}
		}
		if t, ok := facts.TPOT(r); ok {
			p.columns[2].add(c, int64(math.Round(t)))
		}
		if r.End != 0 {
			p.columns[3].add(c, r.End-r.Due)
		}
	}
}

// A selection is one set of labels with the statistics wanted of it.
type selection struct {
	labels map[string]string
	stats  []string
}

// selections returns, for one family, what is always reported and what objectives ask for besides.
func (p *latencyPass) selections(family string) []selection {
	out := []selection{{nil, slices.Clone(latencyStats)}}
	for i := range p.f.Phases {
		if ph := &p.f.Phases[i]; ph.Role == assay.RoleSteady || ph.Role == assay.RoleWarmup {
			out = append(out, selection{map[string]string{"phase": ph.Name}, slices.Clone(latencyStats)})
		}
	}
	for _, c := range []string{"cold", "all"} {
		out = append(out, selection{map[string]string{"cold": c}, slices.Clone(latencyStats)})
	}
	if len(p.classes) > 1 {
		for _, c := range keys(p.classes) {
			if c != "" {
				out = append(out, selection{map[string]string{"class": c}, slices.Clone(latencyStats)})
			}
		}
	}
	for _, o := range p.f.Manifest.Objectives {
		fam, name, _ := strings.Cut(o.Metric, "/")
		if fam != family {
			continue
		}
		if _, ok := quantileOf(name); !ok && !slices.Contains(latencyStats, name) {
			continue
		}
		i := slices.IndexFunc(out, func(s selection) bool { return key(s.labels) == key(o.Labels) })
		if i < 0 {
			i = len(out)
			out = append(out, selection{labels: o.Labels})
		}
		if !slices.Contains(out[i].stats, name) {
			out[i].stats = append(out[i].stats, name)
		}
	}
	return out
}

func key(labels map[string]string) string {
	var b strings.Builder
	for _, k := range keys(labels) {
		fmt.Fprintf(&b, "%s=%s;", k, labels[k])
	}
	return b.String()
}

// wants returns which cells a set of labels selects. A stress phase must be asked for by name, and is then of the overload ledger.
func (p *latencyPass) wants(labels map[string]string, warm assay.Cold) (func(uint16) bool, assay.Ledger) {
	ledger := assay.Natural
	inPhase := func(ph *assay.Phase) bool { return ph.Role == assay.RoleSteady }
	if name := labels["phase"]; name != "" {
		inPhase = func(ph *assay.Phase) bool { return ph.Name == name || ph.Of == name }
		for i := range p.f.Phases {
			if ph := &p.f.Phases[i]; inPhase(ph) && ph.Role == assay.RoleStress {
				ledger = assay.Overload
			}
		}
	} else if labels["cold"] == "cold" {
		inPhase = func(ph *assay.Phase) bool { return ph.Role != assay.RoleStress } // cold starts are where they are
	}
	names := map[string]bool{}
	for i := range p.f.Phases {
		if inPhase(&p.f.Phases[i]) {
			names[p.f.Phases[i].Name] = true
		}
	}
	none := len(p.f.Phases) == 0 // an import without phases is one steady stretch
	class, byClass := labels["class"]
	return func(i uint16) bool {
		c := &p.cells[i]
		if c.ledger != ledger || !none && !names[c.phase] || byClass && c.class != class {
			return false
		}
		switch labels["cold"] {
		case "all":
			return true
		case "cold":
			return c.cold == assay.ColdYes
		case "unknown":
			return c.cold == assay.ColdUnknown
		}
		return c.cold == warm
	}, ledger
}

func (p *latencyPass) Finish(r *assay.Report) error {
	known := false
	for i := range p.cells {
		known = known || p.cells[i].cold != assay.ColdUnknown
	}
	warm := assay.ColdNo
	if !known {
		warm = assay.ColdUnknown // nothing tells cold from warm: take all, and say so
	}
	for i, family := range latencyFamilies {
		picked := map[string]sample{} // selections that hold the same cells share one
		for _, s := range p.selections(family) {
			want, ledger := p.wants(s.labels, warm)
			smp := p.pick(picked, i, want)
			requests, failed, unknown, streams := p.count(want, s.labels, known)
			var warnings []string
			if failed > 0 {
				warnings = append(warnings, fmt.Sprintf("%d of %d requests failed and have no latency", failed, failed+requests))
			}
			if !known && s.labels["cold"] == "" && requests > 0 {
				warnings = append(warnings, "nothing told cold from warm: cold requests may be among these")
			}
			if unknown > 0 {
				warnings = append(warnings, fmt.Sprintf("%d requests of unknown cold state are left out", unknown))
			}
			for _, name := range s.stats {
				f := assay.Finding{Metric: family + "/" + name, Labels: s.labels, Ledger: ledger, Warnings: warnings}
				of := "requests"
				if family == "itl" {
					of = fmt.Sprintf("gaps of %d answers", streams)
				}
				f.Quantity = quantity(&smp, name, of, s.labels["cold"] == "cold")
				r.Findings = append(r.Findings, f)
			}
		}
	}
	return nil
}

// pick returns the values of a column in the cells wanted, sorted once for each distinct set of cells.
func (p *latencyPass) pick(picked map[string]sample, column int, want func(uint16) bool) sample {
	set := make([]byte, len(p.cells))
	for i := range set {
		if want(uint16(i)) {
			set[i] = 1
		}
	}
	s, ok := picked[string(set)]
	if !ok {
		s = p.columns[column].pick(func(c uint16) bool { return set[c] == 1 })
		picked[string(set)] = s
	}
	return s
}

// count returns how many requests a selection holds and how many it leaves out: failed ones, and those that may or may not be warm.
func (p *latencyPass) count(want func(uint16) bool, labels map[string]string, known bool) (served, failed, unknown, streams int) {
	any := map[string]string{"cold": "all"}
	for _, k := range []string{"phase", "class"} {
		if v := labels[k]; v != "" {
			any[k] = v
		}
	}
	all, _ := p.wants(any, assay.ColdNo)
	for i := range p.cells {
		c := uint16(i)
		if want(c) {
			served += p.served[i]
			streams += p.streams[i]
		}
		// Failed requests are often of unknown cold state: count them with all selections of their phase.
		if all(c) && labels["cold"] != "cold" {
			failed += p.failed[i]
			if known && labels["cold"] == "" && p.cells[i].cold == assay.ColdUnknown {
				unknown += p.served[i]
			}
		}
	}
	return served, failed, unknown, streams
}

// quantity computes one statistic of a sample of seconds. Cold requests share the start that held them, so
// theirs are told as measured, without a claim about the service: see the cold-start metrics for that.
func quantity(s *sample, name, of string, cold bool) assay.Quantity {
	if s.n == 0 {
		return assay.NotMeasured(assay.Seconds, "no request of this selection has it")
	}
	exact := ""
	if s.coarse() {
		exact = ", from a histogram good to 0.5 %"
	}
	p, isQuantile := quantileOf(name)
	switch {
	case name == "max":
		return counted(s.max(), assay.Seconds, s.n, of, "largest of this run")
	case name == "mean" && cold:
		m, _ := s.mean()
		return counted(m, assay.Seconds, s.n, of, "mean of this run's cold requests"+exact)
	case isQuantile && cold:
		return counted(s.quantile(p), assay.Seconds, s.n, of, "type 7 quantile of this run's cold requests, which share their starts"+exact)
	case name == "mean":
		m, in := s.mean()
		if math.IsInf(in.Hi, 1) {
			return assay.NotEstimable(assay.Seconds, s.n, of, "a mean needs at least 4 values for an interval")
		}
		return assay.Quantity{Value: m, Lo: in.Lo, Hi: in.Hi, Confidence: in.Confidence, Unit: assay.Seconds, N: s.n,
			Of: fmt.Sprintf("%s in %d blocks", of, blocks(s)), Method: "mean; interval from block means, Student's t" + exact, Basis: assay.Estimated}
	}
	least := stat.LeastN(p, Confidence)
	if s.n < least {
		return assay.NotEstimable(assay.Seconds, s.n, of, fmt.Sprintf("%s needs at least %d values and there are %d", name, least, s.n))
	}
	effective, m := s.effective(p)
	in, ok := s.interval(p, effective)
	if !ok {
		return assay.NotEstimable(assay.Seconds, s.n, of, fmt.Sprintf("%s needs at least %d independent values, and these %d come so bunched that they are worth %.0f; about %.0f %s like these would do",
			name, least, s.n, effective, math.Ceil(float64(least)*float64(s.n)/effective), of))
	}
	return assay.Quantity{Value: s.quantile(p), Lo: in.Lo, Hi: in.Hi, Confidence: in.Confidence, Unit: assay.Seconds, N: s.n,
		Of: fmt.Sprintf("%s in %d blocks", of, m), Method: fmt.Sprintf("type 7 quantile; order statistics of %.0f independent values%s", effective, exact), Basis: assay.Estimated}
}

func blocks(s *sample) int {
	if s.coarse() {
		return len(s.blocks)
	}
	return stat.NumBlocks(s.n)
}
