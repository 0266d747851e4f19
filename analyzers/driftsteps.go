package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

const (
	shiftBlocks  = 100
	shiftCertain = 0.99 // that no step is told, at any place of any series of the run, where there is none
	shiftLeast   = 0.02 // of the level before: what is smaller matters to nobody
	shiftErrors  = 0.001
	shiftLives   = 200 // lives whose memory is looked at
)

// finer are the numbers of blocks that a phase is cut into, the finest first that leaves enough in each.
var finer = []int{shiftBlocks, 50, stat.StepsLeast}

var changeHelp = []struct {
	of   string
	unit assay.Unit
	help string
}{
	{"ttft", assay.Ratio, "the median time to first token, as a share of the level before"},
	{"ttft/p95", assay.Ratio, "the p95 of the time to first token, as a share of the level before"},
	{"e2e", assay.Ratio, "the median end-to-end time, as a share of the level before"},
	{"e2e/p95", assay.Ratio, "the p95 of the end-to-end time, as a share of the level before"},
	{"error_ratio", assay.Ratio, "the share of requests that failed, in points"},
	{"throughput", assay.Ratio, "the requests served well in a second, as a share of the level before; what the offered load did too is none of it"},
	{"memory", assay.Bytes, "the memory of an instance within a life, but for its first quarter"},
}

func describeChanges() (out []assay.Desc) {
	for _, c := range changeHelp {
		better := "lower"
		if c.of == "throughput" {
			better = "higher"
		}
		out = append(out, assay.Desc{Metric: "change/" + c.of, Unit: c.unit, Better: better, Help: "Largest step within a steady phase of " + c.help + ". 0 where none was found, with what may be there all the same as its interval. Change points of blocks of natural time, by E-divisive means; serial correlation widens intervals."})
	}
	return out
}

// latencyChange is by what name a change of a quantile of a latency goes.
func latencyChange(family int, quantile float64) string {
	if quantile == 0.5 {
		return driftFamilies[family]
	}
	return driftFamilies[family] + "/p95"
}

// A blockSeries is one figure by block of a phase.
type blockSeries struct {
	of     string
	blocks int
	index  []int     // of the blocks in which enough was seen
	values []float64 // as they are looked at: logarithms where a change is a share
	log    bool
	unit   assay.Unit
	least  float64
	n      int    // requests
	short  string // why it is not looked at
	steps  stat.Steps
	ok     bool
}

// steps finds the changes of level of each phase and reports them.
func (p *driftPass) steps(r *assay.Report) {
	all := map[string][]*blockSeries{}
	looks := 0
	for name, ph := range p.phases {
		ph.changes = map[string][]assay.PhaseStep{}
		all[name] = p.series(ph)
		looks += len(all[name]) - 1 // the offered load is looked at for what others are blamed on
	}
	lives := p.memoryLives()
	looks += len(lives)
	for i := range p.f.Phases {
		name := p.f.Phases[i].Name
		ph, list := p.phases[name], all[name]
		if ph == nil || list == nil {
			continue
		}
		delete(all, name) // a name that comes twice is looked at once
		for _, s := range list {
			if s.short == "" {
				s.steps, s.ok = stat.StepsOf(s.values, looks, s.least, shiftCertain, Confidence)
			}
		}
		offered := list[len(list)-1]
		for _, s := range list[:len(list)-1] {
			p.tell(r, name, ph, s, offered)
		}
	}
	for _, c := range changeHelp[:len(changeHelp)-1] {
		p.worstChange(r, c.of, c.unit)
	}
	p.memorySteps(r, lives, looks)
}

// series are what is looked at of a phase, the offered load last.
func (p *driftPass) series(ph *driftPhase) (out []*blockSeries) {
	for family := range driftFamilies {
		for _, q := range []struct {
			p     float64
			least uint64
		}{{0.5, 2 * driftLeast}, {0.95, 2 * driftTail}} {
			s := &blockSeries{of: latencyChange(family, q.p), log: true, unit: assay.Seconds, least: math.Log1p(shiftLeast)}
			for _, s.blocks = range finer {
				s.index, s.values, s.n = nil, nil, 0
				for b, sketch := range ph.merged(family, s.blocks) {
					s.n += int(sketch.N)
					if v := sketch.Placed(q.p) / 1e9; sketch.N >= q.least && v > 0 {
						s.index, s.values = append(s.index, b), append(s.values, math.Log(v))
					}
				}
				if 10*len(s.index) >= 9*s.blocks {
					break
				}
			}
			out = append(out, s.checked(ph, fmt.Sprintf("%d requests", q.least)))
		}
	}
	errors, served, offered := &blockSeries{of: "error_ratio", unit: assay.Ratio, least: shiftErrors}, &blockSeries{of: "throughput", unit: assay.PerSecond, log: true, least: math.Log1p(shiftLeast)}, &blockSeries{of: "offered", unit: assay.PerSecond, log: true, least: math.Log1p(shiftLeast)}
	for _, m := range finer {
		var judged, failed [shiftBlocks]int
		for b := range ph.judged {
			judged[b*m/shiftBlocks] += ph.judged[b]
			failed[b*m/shiftBlocks] += ph.failed[b]
		}
		for _, s := range []*blockSeries{errors, served, offered} {
			s.blocks, s.index, s.values, s.n = m, nil, nil, 0
		}
		for b := range m {
			lo, hi := ph.begin+edge(ph.length, b, m), ph.begin+edge(ph.length, b+1, m)
			watched := hi - lo
			if len(p.f.Segments) > 0 {
				watched = facts.Within(p.f, assay.Natural, lo, hi)
			}
			for _, s := range []*blockSeries{errors, served, offered} {
				s.n += judged[b]
			}
			if watched < (hi-lo)/2 || judged[b] < 2*driftLeast {
				continue
			}
			good := math.Max(0.5, float64(judged[b]-failed[b]))
			errors.index, errors.values = append(errors.index, b), append(errors.values, float64(failed[b])/float64(judged[b]))
			served.index, served.values = append(served.index, b), append(served.values, math.Log(good/seconds(watched)))
			offered.index, offered.values = append(offered.index, b), append(offered.values, math.Log(float64(judged[b])/seconds(watched)))
		}
		if 10*len(errors.index) >= 9*m {
			break
		}
	}
	for _, s := range []*blockSeries{errors, served, offered} {
		out = append(out, s.checked(ph, fmt.Sprintf("%d requests and half of their time natural", 2*driftLeast)))
	}
	return out
}

// edge is where block b of m of a length begins.
func edge(length int64, b, m int) int64 {
	return length/int64(m)*int64(b) + length%int64(m)*int64(b)/int64(m)
}

func (s *blockSeries) checked(ph *driftPhase, least string) *blockSeries {
	switch {
	case ph.length < driftLength:
		s.short = fmt.Sprintf("the phase lasted %s, and a change that matters needs at least %s", duration(seconds(ph.length)), duration(seconds(driftLength)))
	case len(s.index) < stat.StepsLeast:
		s.short = fmt.Sprintf("only %d of %d blocks have %s; %d are the least", len(s.index), s.blocks, least, stat.StepsLeast)
	}
	return s
}

// size turns a difference of two values, as they are looked at, into what it is told as.
func (s *blockSeries) size(d float64) float64 {
	if s.log {
		return math.Expm1(d)
	}
	return d
}

func (s *blockSeries) level(v float64) float64 {
	if s.log {
		return math.Exp(v)
	}
	return v
}

const shiftMethod = "change point of %d blocks by E-divisive means of normal scores; Student's t with serial correlation %.2g; p is of %d places in all series that were looked at"

// quantity is a figure of blocks.
func (s *blockSeries) quantity(v float64, in stat.Interval, unit assay.Unit, of func(float64) float64, method string) assay.Quantity {
	return assay.Quantity{Value: of(v), Lo: of(in.Lo), Hi: of(in.Hi), Confidence: in.Confidence, Unit: unit, N: s.n, Of: fmt.Sprintf("requests in %d blocks", len(s.index)), Method: method, Basis: assay.Estimated}
}

func same(v float64) float64 { return v }

// changed are the steps of a series as they are told.
func (s *blockSeries) changed(phase string, begin, length int64) (out []assay.PhaseStep) {
	for _, x := range s.steps.Steps {
		b := s.index[x.Index]
		method := fmt.Sprintf(shiftMethod, len(s.index), s.steps.Rho, len(s.index)-1)
		unit, mean := assay.Ratio, "mean of the blocks"
		if s.log {
			mean = "geometric mean of the blocks"
		} else if s.unit == assay.Bytes {
			unit = assay.Bytes
		}
		out = append(out, assay.PhaseStep{Of: s.of, Phase: phase, At: begin + edge(length, b, s.blocks), Block: b + 1, Blocks: s.blocks, P: x.P,
			Before: s.quantity(x.Before, x.BeforeIn, s.unit, s.level, mean), After: s.quantity(x.After, x.AfterIn, s.unit, s.level, mean), Size: s.quantity(x.Size, x.In, unit, s.size, method)})
	}
	return out
}

// none is the quantity of a series in which no step was found.
func (s *blockSeries) none(unit assay.Unit, because string) assay.Quantity {
	switch {
	case s.short != "":
		return assay.NotEstimable(unit, s.n, "requests", s.short)
	case s.steps.Trend:
		return assay.NotEstimable(unit, s.n, "requests", "it changes steadily and not in steps"+because)
	}
	in := s.steps.In
	switch {
	case math.IsInf(in.Lo, 0) || math.IsInf(in.Hi, 0):
		return assay.NotEstimable(unit, s.n, "requests", "its blocks resemble their neighbours so much that they bound no step")
	case in.Lo == in.Hi && s.of == "error_ratio" && s.n > 0: // none failed: what three failures in the shortest stretch come to
		in.Lo, in.Hi = -60/float64(s.n), 60/float64(s.n)
	}
	return s.quantity(0, in, unit, s.size, fmt.Sprintf("no change point in %d blocks; interval: the largest step that no place of it excludes, with serial correlation %.2g", len(s.index), s.steps.Rho))
}

// tell reports one series of a phase.
func (p *driftPass) tell(r *assay.Report, name string, ph *driftPhase, s, offered *blockSeries) {
	changes := s.changed(name, ph.begin, ph.length)
	load := offered.changed(name, ph.begin, ph.length)
	kept := changes[:0]
	for _, c := range changes {
		for _, l := range load {
			if math.Abs(seconds(c.At-l.At)) > 2.5*seconds(ph.length)/float64(min(c.Blocks, l.Blocks)) {
				continue
			}
			c.Beside = fmt.Sprintf("the offered load changed there too, from %.3g/s to %.3g/s", l.Before.Value, l.After.Value)
			if s.of == "throughput" && c.Size.Lo <= l.Size.Hi && l.Size.Lo <= c.Size.Hi {
				c.Of = "" // what was asked for changed, and not what was served of it
			}
		}
		if c.Of != "" {
			kept = append(kept, c)
		}
	}
	ph.changes[s.of] = kept
	r.Changes = append(r.Changes, kept...)
	f := assay.Finding{Metric: "change/" + s.of, Labels: map[string]string{"phase": name}, Ledger: assay.Natural}
	if len(kept) == 0 {
		f.Quantity = s.none(assay.Ratio, ": see drift/"+s.of)
		if len(changes) > 0 {
			f.Quantity = assay.NotEstimable(assay.Ratio, s.n, "requests", "the offered load changed, and it with that")
		}
	} else {
		f.Quantity = largest(kept).Size
		for i := range kept {
			f.Evidence = append(f.Evidence, changeText(&kept[i], p.f.Begin))
		}
	}
	r.Findings = append(r.Findings, f)
}

// largest is the change of the largest size.
func largest(of []assay.PhaseStep) *assay.PhaseStep {
	c := slices.MaxFunc(of, func(a, b assay.PhaseStep) int { return cmp.Compare(math.Abs(a.Size.Value), math.Abs(b.Size.Value)) })
	return &c
}

// instant is so many nanoseconds into a run, to the second.
func instant(ns int64) string { return time.Duration(ns).Round(time.Second).String() }

func changeText(c *assay.PhaseStep, begin int64) string {
	s := fmt.Sprintf("%s at %s, block %d of %d, p = %.2g", c.Phase, instant(c.At-begin), c.Block, c.Blocks, c.P)
	if c.Beside != "" {
		s += "; " + c.Beside
	}
	return s
}

// worstChange adds, of the phases, the one with the largest step, or where none has one that of which least is known.
func (p *driftPass) worstChange(r *assay.Report, of string, unit assay.Unit) {
	f := assay.Finding{Metric: "change/" + of, Ledger: assay.Natural, Quantity: assay.NotMeasured(unit, "the run has no steady phase with it")}
	n := 0
	for i := range r.Findings {
		x := &r.Findings[i]
		if x.Metric != f.Metric || x.Labels["phase"] == "" {
			continue
		}
		q := &f.Quantity
		if x.Quantity.Known() {
			n++
		}
		bigger := math.Abs(x.Quantity.Value) > math.Abs(q.Value) || x.Quantity.Value == 0 && q.Value == 0 && x.Quantity.Hi-x.Quantity.Lo > q.Hi-q.Lo
		if !q.Known() || x.Quantity.Known() && bigger {
			f.Quantity, f.Evidence = x.Quantity, append([]string{"phase " + x.Labels["phase"]}, x.Evidence...)
		}
	}
	if n > 1 {
		f.Quantity.Method += fmt.Sprintf("; the largest of %d phases", n)
	}
	r.Findings = append(r.Findings, f)
}

// A memoryLife is the memory of one life of an instance.
type memoryLife struct {
	name   string
	labels []assay.Label
	at     []float64 // s
	series blockSeries
}

// memoryLives are the lives of instances whose memory is looked at for steps.
func (p *driftPass) memoryLives() (out []memoryLife) {
	begin, end := p.steady()
	if p.f.Metrics == nil || end-begin < driftLength {
		return nil
	}
	m := memoryKinds[0]
	for _, kind := range m.kinds {
		all, err := p.growths(kind, m.q, begin, end)
		if err != nil {
			continue
		}
		for i := range all {
			for _, l := range all[i].whole {
				if len(l.X) >= stat.StepsLeast && len(out) < shiftLives {
					out = append(out, memoryLife{nameOf(kind, m.q), unnamed(all[i].s.Labels), l.X, blockSeries{of: "memory", blocks: len(l.X), values: l.Y, unit: assay.Bytes, n: all[i].n,
						least: shiftLeast * stat.Quantile(slices.Sorted(slices.Values(l.Y)), 0.5, stat.Type7)}})
				}
			}
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

// memorySteps reports the steps of memory.
func (p *driftPass) memorySteps(r *assay.Report, lives []memoryLife, looks int) {
	f := assay.Finding{Metric: "change/memory", Quantity: assay.NotMeasured(assay.Bytes, fmt.Sprintf("no life of an instance has %d readings of its memory", stat.StepsLeast))}
	var changes []assay.PhaseStep
	for i := range lives {
		l := &lives[i]
		s := &l.series
		for k := range s.values {
			s.index = append(s.index, k)
		}
		s.steps, s.ok = stat.StepsOf(s.values, looks, s.least, shiftCertain, Confidence)
		s.steps.Steps = slices.DeleteFunc(s.steps.Steps, func(x stat.Step) bool { return l.at[x.Index] < l.at[0]+(l.at[len(l.at)-1]-l.at[0])/4 })
		q := s.none(assay.Bytes, ": see drift/memory")
		if q.Known() && (!f.Quantity.Known() || q.Hi-q.Lo > f.Quantity.Hi-f.Quantity.Lo) || !q.Known() && i == 0 {
			f.Quantity = q
		}
		for k, c := range s.changed("", 0, 1) {
			c.At, c.Labels = int64(l.at[s.steps.Steps[k].Index]*1e9), map[string]string{"series": l.name + labelsText(l.labels)}
			for _, q := range []*assay.Quantity{&c.Before, &c.After, &c.Size} {
				q.Of = fmt.Sprintf("readings in %d points", len(s.index))
			}
			changes = append(changes, c)
		}
	}
	if f.Quantity.Known() {
		f.Quantity.Of = "readings"
	}
	if len(changes) > 0 {
		f.Quantity, f.Evidence = largest(changes).Size, nil
		for i := range changes {
			f.Evidence = append(f.Evidence, changes[i].Labels["series"]+changeText(&changes[i], p.f.Begin))
		}
	}
	r.Changes = append(r.Changes, changes...)
	r.Findings = append(r.Findings, f)
}
