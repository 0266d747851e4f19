package analyzers

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Whether the load was the load that was planned. Three things can go wrong with an open loop, and each has its rule: requests leave
// late, fewer leave than were due, or they leave in other gaps than they were due in. Closed loops have no schedule to keep.
const (
	lateFloor = int64(1e6) // ns: no objective is so tight that this matters
	lateShare = 0.01       // of the tightest latency objective
	lateAt    = 0.99       // quantile of the lateness that is held against the limit

	shortShare = 0.01 // of the requests due in a phase that may not leave in it; one of a small phase may
	shortBy    = 10e6 // ns after the end of a phase that its last sends may take

	spacingLeast = 100     // sends of a phase from which its spacing is judged
	spacingKS    = 0.1     // largest distance between the distributions of planned and sent gaps
	spacingVar   = 0.2     // largest difference between their indices of dispersion; 1 is that of a Poisson process
	gapFloor     = 550e-6  // seconds by which a gap may differ, or a tenth of the mean gap: sends within 500 µs go out together at high rates
	gapsKept     = 1 << 15 // gaps of a phase that are compared
	windowLeast  = 10e6    // ns in which sends are counted, or ten mean gaps
	windowsMost  = 100_000 // of a phase
	cpuShare     = 0.8     // of the machine that our process may take in its busiest second
)

func describePacing() []assay.Desc {
	return []assay.Desc{
		{Metric: "validity/lateness/p50", Unit: assay.Seconds, Better: "lower", Help: "How late our generator sent: from due to the first write; median, type 7."},
		{Metric: "validity/lateness/p99", Unit: assay.Seconds, Better: "lower", Help: "How late our generator sent: from due to the first write; p99, type 7, of the worst phase that is neither stress nor warm-up, or of one; where all are, of the worst stress phase, all steps of a search together. Invalid if more than one are above the larger of 1 ms and 1 % of the tightest latency objective, or of the slo of that search."},
		{Metric: "validity/lateness/max", Unit: assay.Seconds, Better: "lower", Help: "How late our generator sent: from due to the first write; the latest."},
		{Metric: "validity/delivered", Unit: assay.Ratio, Better: "higher", Help: "Requests that our generator sent in their phase, of those that were due; of the worst phase that is not stress, or of one. Invalid below 99 % and more than one request short."},
		{Metric: "validity/spacing/ks", Unit: assay.Ratio, Better: "lower", Help: "Kolmogorov and Smirnov's distance between the gaps of the sends and those planned, each moved by up to 0.55 ms or a tenth of the mean gap; of the worst phase, or of one. Invalid above 0.1."},
		{Metric: "validity/spacing/dispersion", Unit: assay.Ratio, Better: "lower", Help: "By how much the index of dispersion of the sends, counted in windows of 10 ms or ten mean gaps, differs from that planned; of the worst phase, or of one. Invalid above 0.2."},
		{Metric: "validity/cpu", Unit: assay.Ratio, Better: "lower", Help: "Share of the cores of its machine that our process took in the busiest second of the load. Doubtful above 80 %."},
		{Metric: "validity/cpu/request", Unit: assay.Seconds, Better: "lower", Help: "CPU time of our process for each request sent, recording and watching included."},
	}
}

// pacing compares when requests were sent with when they were due. Its memory is bounded.
type pacing struct {
	late   column // cells are indices of phases
	phases []*phasePace
	last   *phasePace
}

// phasePace is how the sends of one phase went.
type phasePace struct {
	name      string
	cell      uint16
	group     string  // of which lateness is told: the search, or the phase
	tightest  float64 // of the slo of the search, seconds; 0: none
	rank      int     // as that of its lateness
	gentle    bool    // not stress
	begin     int64
	end       int64 // of the phase
	due       int
	delivered int
	sent      int

	lastDue, lastSent int64
	every, skip       int // one in so many gaps is kept
	planned, actual   []float64

	window  int64 // ns
	duesIn  []int32
	sendsIn []int32
}

func (p *pacing) phase(f *assay.Facts, name string) *phasePace {
	if p.last != nil && p.last.name == name {
		return p.last
	}
	for _, x := range p.phases {
		if x.name == name {
			p.last = x
			return x
		}
	}
	x := &phasePace{name: name, group: name, cell: uint16(min(len(p.phases), math.MaxUint16)), gentle: true, rank: 2, every: 1, end: math.MaxInt64 - int64(shortBy)}
	if ph := f.PhaseOf(name); ph != nil {
		switch ph.Role {
		case assay.RoleStress:
			x.gentle, x.rank = false, 1
		case assay.RoleWarmup:
			x.rank = 0
		}
		x.begin, x.end, x.tightest = ph.Begin, ph.End, ph.Tightest
		if ph.Of != "" {
			x.group = ph.Of
		}
		if ph.Rate > 0 {
			x.window = max(int64(windowLeast), int64(10e9/ph.Rate), (ph.End-ph.Begin)/windowsMost+1)
		}
	}
	p.phases = append(p.phases, x)
	p.last = x
	return x
}

// add takes the next request in order of due. What the target did to it does not matter, only whether we sent it.
func (p *pacing) add(f *assay.Facts, r *assay.Request) {
	x := p.phase(f, r.Phase)
	x.due++
	ours := r.Outcome == assay.RefusedByCap || r.Sent == 0 && (r.Outcome == assay.Unfinished || r.Outcome == assay.Credential)
	if !ours && r.Sent <= x.end+int64(shortBy) {
		x.delivered++
	}
	if r.Sent == 0 {
		return
	}
	p.late.add(x.cell, max(0, r.Sent-r.Due))
	x.count(r)
	if x.sent++; x.sent > 1 {
		x.gap(seconds(r.Due-x.lastDue), seconds(r.Sent-x.lastSent))
	}
	x.lastDue, x.lastSent = r.Due, r.Sent
}

func (x *phasePace) gap(planned, actual float64) {
	if x.skip++; x.skip < x.every {
		return
	}
	x.skip = 0
	if len(x.planned) == gapsKept {
		for i := range gapsKept / 2 {
			x.planned[i], x.actual[i] = x.planned[2*i], x.actual[2*i]
		}
		x.planned, x.actual, x.every = x.planned[:gapsKept/2], x.actual[:gapsKept/2], 2*x.every
	}
	x.planned, x.actual = append(x.planned, planned), append(x.actual, actual)
}

func (x *phasePace) count(r *assay.Request) {
	if x.window == 0 {
		return
	}
	mark := func(counts []int32, at int64) []int32 {
		i := int((at - x.begin) / x.window)
		if at < x.begin || i >= 2*windowsMost {
			return counts
		}
		for len(counts) <= i {
			counts = append(counts, 0)
		}
		counts[i]++
		return counts
	}
	x.duesIn, x.sendsIn = mark(x.duesIn, r.Due), mark(x.sendsIn, r.Sent)
}

// ks returns the distance between the gaps; NaN where there are too few.
func (x *phasePace) ks() float64 {
	if x.sent < spacingLeast {
		return math.NaN()
	}
	mean := 0.0
	for _, g := range x.planned {
		mean += g / float64(len(x.planned))
	}
	return stat.KSWithin(x.planned, x.actual, max(gapFloor, mean/10))
}

// dispersion returns the difference of the indices of dispersion; NaN where there are too few windows.
func (x *phasePace) dispersion() float64 {
	n := min(len(x.duesIn), len(x.sendsIn)) - 1 // the last window is not whole
	if x.sent < spacingLeast || n < 5 {
		return math.NaN()
	}
	index := func(counts []int32) float64 {
		var mean, ss float64
		for _, c := range counts {
			mean += float64(c) / float64(len(counts))
		}
		for _, c := range counts {
			ss += (float64(c) - mean) * (float64(c) - mean)
		}
		return ss / float64(len(counts)-1) / mean
	}
	return math.Abs(index(x.sendsIn[:n]) - index(x.duesIn[:n]))
}

// histogram returns the lateness of all sends in bins of 1, 2 and 5 times a power of ten.
func (p *pacing) histogram() []assay.Bin {
	s := p.late.pick(func(uint16) bool { return true })
	if s.n == 0 {
		return nil
	}
	var out []assay.Bin
	below := 0
	for exp := -6; below < s.n; exp++ {
		for _, m := range []float64{1, 2, 5} {
			to := m * math.Pow(10, float64(exp))
			n := s.n - s.above(to)
			if n > below || len(out) > 0 && below < s.n {
				out = append(out, assay.Bin{To: to, N: n - below})
			}
			below = n
		}
	}
	return out
}

// limitRule is how the limit comes about.
const limitRule = "1 % of the tightest goal on a latency, and 1 ms at least"

// LatenessLimit returns how late the generator may send at p99, in ns, by the plan's objectives and promises on latencies.
func LatenessLimit(m *assay.Manifest) int64 {
	tightest := math.Inf(1)
	for _, o := range m.Objectives {
		family, _, _ := strings.Cut(o.Metric, "/")
		if o.Max != nil && slices.Contains(latencyFamilies, family) {
			tightest = min(tightest, *o.Max)
		}
	}
	for i := range m.SLOs {
		if limit := m.SLOs[i].Good.Max; limit > 0 {
			tightest = min(tightest, seconds(limit))
		}
	}
	return lateOf(tightest)
}

// lateOf returns how late the generator may send, in ns, where the tightest latency allowed is so many seconds.
func lateOf(tightest float64) int64 {
	if math.IsInf(tightest, 1) {
		return lateFloor
	}
	return max(lateFloor, int64(math.Round(lateShare*tightest*1e9)))
}

// A lateness is how late the sends of a phase were, or those of all steps of a search.
type lateness struct {
	name   string
	rank   int   // how much it says of the run: stress is meant to bring the load to its limits, and of a warm-up nothing is told
	limit  int64 // ns
	sample sample
}

// latenesses returns those of the run, in order of begin.
func (p *pacing) latenesses(m *assay.Manifest) []lateness {
	var out []lateness
	for i, x := range p.phases {
		if slices.ContainsFunc(p.phases[:i], func(y *phasePace) bool { return y.group == x.group }) {
			continue
		}
		l := lateness{name: x.group, rank: x.rank, limit: LatenessLimit(m)}
		if x.tightest > 0 {
			l.limit = lateOf(x.tightest)
		}
		cells := map[uint16]bool{}
		for _, y := range p.phases[i:] {
			if y.group == x.group {
				cells[y.cell] = true
			}
		}
		if l.sample = p.late.pick(func(c uint16) bool { return cells[c] }); l.sample.n > 0 {
			out = append(out, l)
		}
	}
	return out
}

// worstLateness returns the one furthest above its limit, of those that say most of the run.
func worstLateness(all []lateness) *lateness {
	var worst *lateness
	share := func(l *lateness) float64 { return l.sample.quantile(lateAt) / seconds(l.limit) }
	for i := range all {
		if l := &all[i]; worst == nil || l.rank > worst.rank || l.rank == worst.rank && share(l) > share(worst) {
			worst = l
		}
	}
	return worst
}

func (p *validityPass) lateness(check checkFunc) {
	s := p.pace.late.pick(func(uint16) bool { return true })
	if s.n == 0 {
		why := p.unscheduled("no request was sent by a schedule")
		check("lateness/p99", assay.NotMeasured(assay.Seconds, why), duration(seconds(LatenessLimit(p.f.Manifest))), true, "", "")
		return
	}
	res := seconds(p.f.Manifest.Resolution)
	q := func(v float64, n int, how string) assay.Quantity {
		return measured(v, max(0, v-res), v+res, assay.Seconds, n, "requests", how)
	}
	all := p.pace.latenesses(p.f.Manifest)
	worst := worstLateness(all)
	for i := range all {
		l := &all[i]
		p.perPhase("validity/lateness/p99", l.name, q(l.sample.quantile(lateAt), l.sample.n, "type 7 quantile of sent less due"))
	}
	check("lateness/p50", q(s.quantile(0.5), s.n, "type 7 quantile of sent less due"), "", true, "", "")
	v, limit, in := worst.sample.quantile(lateAt), seconds(worst.limit), ""
	how := "type 7 quantile of sent less due"
	if len(all) > 1 {
		how, in = how+"; of the worst phase, "+worst.name, " in phase "+worst.name
	}
	check("lateness/p99", q(v, worst.sample.n, how), duration(limit), v <= limit || worst.sample.above(limit) <= 1,
		fmt.Sprintf("our generator fell behind: it sent %s late at p99%s, and %s is the limit: %s", duration(v), in, duration(limit), limitRule), "")
	check("lateness/max", q(s.max(), s.n, "largest of sent less due"), "", true, "", "")
}

func (p *validityPass) unscheduled(otherwise string) string {
	if p.noSchedule > 0 {
		return "the load had no schedule: due is the instant a slot was free"
	}
	return otherwise
}

// delivered holds what was sent in each phase against what was due in it.
func (p *validityPass) delivered(check checkFunc) {
	limit := fmt.Sprintf("at least %g %% outside stress phases", 100*(1-shortShare))
	var worst *phasePace
	share := func(x *phasePace) float64 { return float64(x.delivered) / float64(x.due) }
	for _, x := range p.pace.phases {
		p.perPhase("validity/delivered", x.name, counted(share(x), assay.Ratio, x.due, "requests", "requests sent by the end of the phase, of those due in it"))
		if x.gentle && (worst == nil || share(x) < share(worst)) {
			worst = x
		}
	}
	if worst == nil {
		check("delivered", assay.NotMeasured(assay.Ratio, p.unscheduled("no request was due outside stress phases")), limit, true, "", "")
		return
	}
	short := worst.due - worst.delivered
	check("delivered", counted(share(worst), assay.Ratio, worst.due, "requests", "requests sent by the end of their phase, of those due in it; of the worst phase, "+worst.name),
		limit, short <= 1 || float64(short) <= shortShare*float64(worst.due),
		fmt.Sprintf("our generator sent %d of the %d requests that were due in phase %s", worst.delivered, worst.due, worst.name), "")
}

func (p *validityPass) perPhase(metric, phase string, q assay.Quantity) {
	if phase != "" {
		p.findings = append(p.findings, assay.Finding{Metric: metric, Labels: map[string]string{"phase": phase}, Quantity: q})
	}
}

// spacing asks whether the gaps between sends are those of the schedule.
func (p *validityPass) spacing(check checkFunc) {
	for _, rule := range []struct {
		name    string
		of      func(x *phasePace) float64
		limit   float64
		method  string
		problem string
	}{
		{"spacing/ks", (*phasePace).ks, spacingKS, "Kolmogorov-Smirnov distance between sent and planned gaps, each moved by up to 0.55 ms or a tenth of the mean gap", "gaps between sends are not those planned: their distributions lie %.2g apart in phase %s, and %g is the limit"},
		{"spacing/dispersion", (*phasePace).dispersion, spacingVar, "difference of the indices of dispersion of sent and planned requests, in windows of 10 ms or ten mean gaps", "sends are bunched otherwise than planned: their index of dispersion is off by %.2g in phase %s, and %g is the limit"},
	} {
		var worst *phasePace
		most := math.Inf(-1)
		for _, x := range p.pace.phases {
			v := rule.of(x)
			if math.IsNaN(v) {
				continue
			}
			p.perPhase("validity/"+rule.name, x.name, counted(v, assay.Ratio, x.sent, "requests", rule.method))
			if v > most {
				worst, most = x, v
			}
		}
		limit := fmt.Sprintf("at most %g", rule.limit)
		if worst == nil {
			check(rule.name, assay.NotMeasured(assay.Ratio, p.unscheduled(fmt.Sprintf("no phase has %d sends over some windows", spacingLeast))), limit, true, "", "")
			continue
		}
		check(rule.name, counted(most, assay.Ratio, worst.sent, "requests", rule.method+"; of the worst phase, "+worst.name), limit, most <= rule.limit,
			fmt.Sprintf(rule.problem, most, worst.name, rule.limit), "")
	}
}

// cpu tells what our own process took of the machine.
func (p *validityPass) cpu(check checkFunc) {
	u := p.f.Manifest.End.Usage
	limit := fmt.Sprintf("at most %g %% of the machine", 100*cpuShare)
	if u == nil || u.CPU <= 0 || u.Wall <= 0 || u.CPUs <= 0 {
		check("cpu", assay.NotMeasured(assay.Ratio, "the run does not tell what its own process took"), limit, true, "", "")
		return
	}
	v := u.Peak / float64(u.CPUs)
	check("cpu", counted(v, assay.Ratio, 1, "run", fmt.Sprintf("CPU time of our process in the busiest second, of %d cores; %.2g of a core on average", u.CPUs, float64(u.CPU)/float64(u.Wall))), limit, v <= cpuShare, "",
		fmt.Sprintf("our own process took %.0f %% of the machine in its busiest second: what else runs there was held up", 100*v))
	n := 0
	for _, x := range p.pace.phases {
		n += x.sent
	}
	if n > 0 {
		check("cpu/request", counted(seconds(u.CPU)/float64(n), assay.Seconds, n, "requests", "CPU time of our process over requests sent, recording and watching included"), "", true, "", "")
	}
}

// machine says what the machine of the load can send, and doubts a load that is more than that.
func (p *validityPass) machine(t *assay.Trust) {
	m := p.f.Manifest
	if m.Imported {
		return
	}
	c := m.Machine
	if c == nil {
		t.Machine = "not calibrated: assay calibrate"
		return
	}
	safe := fmt.Sprintf("safe to %.0f/s", c.SafeRate)
	if c.SafeRate <= 0 {
		safe = "on time at no rate that was tried"
	}
	t.Machine = fmt.Sprintf("%.3g µs/request, %.3g µs/event, %s, calibrated %s", float64(c.PerRequest)/1e3, float64(c.PerEvent)/1e3, safe, c.Date)
	for i := range p.f.Phases {
		if ph := &p.f.Phases[i]; ph.Rate > c.SafeRate && c.SafeRate > 0 {
			t.Doubts = append(t.Doubts, fmt.Sprintf("phase %s was to send %.0f/s, more than the %.0f/s up to which this machine was seen to be on time", ph.Name, ph.Rate, c.SafeRate))
			break
		}
	}
}
