package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
)

// Scaling reports how the number of instances followed the load: from the change of the load to the decision, to a ready
// instance, to its first answer; how far it overshot; and how long it took to go to zero when load ended.
//
// A step begins with a load phase that offers more than the one before and ends with the phase or with the next fault: the
// platform's answer to a fault is recovery, not scaling. Lags are measured, not estimated; the worst step is reported, with all steps in
// the report.
type Scaling struct{}

var _ assay.Analyzer = Scaling{}

// Describe lists scaling/… .
func (Scaling) Describe() []assay.Desc {
	d := func(metric string, u assay.Unit, help string) assay.Desc {
		return assay.Desc{Metric: metric, Unit: u, Better: "lower", Help: help}
	}
	return []assay.Desc{
		d("scaling/decide", assay.Seconds, "longest time from a rise of the load to the decision to add instances"),
		d("scaling/provision", assay.Seconds, "longest time from that decision to a new ready instance"),
		d("scaling/serve", assay.Seconds, "longest time from a new ready instance to its first answer"),
		d("scaling/total", assay.Seconds, "longest time from a rise of the load to the first answer of a new instance"),
		d("scaling/overshoot", assay.Count, "most instances wanted beyond the number that the step ended with"),
		d("scaling/to_zero", assay.Seconds, "time from the end of the load to the last instance's exit from routing"),
	}
}

type scalingPass struct {
	f       *assay.Facts
	lastEnd []int64 // last end of a request due in each phase
}

// Begin prepares one slot for each phase.
func (Scaling) Begin(f *assay.Facts) assay.Pass {
	return &scalingPass{f, make([]int64, len(f.Phases))}
}

// Requests notes when the last request of each phase ended.
func (s *scalingPass) Requests(block []assay.Request) {
	for i := range block {
		for j := range s.f.Phases {
			if s.f.Phases[j].Name == block[i].Phase {
				s.lastEnd[j] = max(s.lastEnd[j], block[i].End)
				break
			}
		}
	}
}

// Finish walks the phases and the platform's decisions.
func (s *scalingPass) Finish(r *assay.Report) error {
	var doubts []string
	add := func(metric string, q assay.Quantity) {
		r.Findings = append(r.Findings, assay.Finding{Metric: metric, Quantity: q, Warnings: doubts})
	}
	decisions, created := scalesOf(s.f)
	if len(decisions) == 0 && len(s.f.Lives) == 0 {
		for _, d := range (Scaling{}).Describe() {
			add(d.Metric, assay.NotMeasured(d.Unit, "no life-cycle events of the platform were recorded"))
		}
		return nil
	}
	overshoot := 0
	for _, x := range risesOf(s.f, decisions) {
		r.Scaling = append(r.Scaling, x.step)
		overshoot = max(overshoot, x.over)
	}
	none := unrisen(s.f, decisions)
	if len(r.Scaling) > 0 {
		if s.f.Levels != nil {
			doubts = append(doubts, "no phase tells when the load rose: the requests do, where their rate changed by a fifth or more")
		}
		if created {
			doubts = append(doubts, "no decision to scale was recorded: the creation of an instance stands for it")
		}
	}
	lags := []struct {
		metric string
		of     func(assay.ScaleStep) assay.Quantity
	}{
		{"scaling/decide", func(x assay.ScaleStep) assay.Quantity { return x.Decide }},
		{"scaling/provision", func(x assay.ScaleStep) assay.Quantity { return x.Provision }},
		{"scaling/serve", func(x assay.ScaleStep) assay.Quantity { return x.Serve }},
		{"scaling/total", func(x assay.ScaleStep) assay.Quantity { return x.Total }},
	}
	for _, l := range lags {
		worst, n := assay.NotMeasured(assay.Seconds, none), 0
		for _, step := range r.Scaling {
			if q := l.of(step); q.Known() {
				if n++; !worst.Known() || q.Value > worst.Value {
					worst = q
				}
			} else if !worst.Known() {
				worst = q
			}
		}
		if worst.Known() {
			worst.N, worst.Of, worst.Method = n, "steps of the load", "longest of all steps; "+orElse(intervalOf(worst), "interval is the resolution of the clocks")
		}
		if l.metric == "scaling/provision" && len(r.Scaling) == 0 && !created {
			if x := s.provisioned(decisions); x.Quantity.Known() || x.Evidence != nil {
				r.Findings = append(r.Findings, x)
				continue
			}
		}
		add(l.metric, worst)
	}
	if len(r.Scaling) > 0 {
		add("scaling/overshoot", exactly(float64(overshoot), assay.Count, len(r.Scaling), "steps of the load", "most instances wanted less those ready at the end of the step"))
	} else {
		add("scaling/overshoot", assay.NotMeasured(assay.Count, none))
	}
	add("scaling/to_zero", s.toZero())
	return nil
}

// unrisen says why no rise of the load is known to which the platform added instances.
func unrisen(f *assay.Facts, decisions []scaleEvent) string {
	told := slices.ContainsFunc(f.Phases, func(p assay.Phase) bool { return p.Rate > 0 })
	switch {
	case !told && f.Levels == nil:
		return "no phase tells at which rate it offered load, and the requests are too few to tell when it rose"
	case !told && !slices.ContainsFunc(f.Levels[1:], func(l assay.Level) bool { return l.Rate > 0 }):
		return "the rate of the requests did not change by a fifth or more"
	case len(decisions) == 0:
		return "no decision of the platform to scale was recorded, and no instance's creation"
	}
	return "no rise of the load made the platform add instances"
}

// A rise is a rise of the load to which the platform added instances.
type rise struct {
	begin, end int64 // to the end of the phase, or to the next fault
	step       assay.ScaleStep
	over       int         // most instances wanted beyond those that it ended with
	first      *assay.Life // the first new instance that got ready; nil if none did
}

// risesOf returns the rises of the load that instances were added for, in order of time: at the begin of a phase that offers more than the one before, or where the requests show that more
// were sent and no phase tells.
func risesOf(f *assay.Facts, decisions []scaleEvent) (out []rise) {
	add := func(begin, lo, hi, end int64) {
		for _, w := range f.Faults {
			if w.Applied > begin && w.Applied < end {
				end = w.Applied
			}
			if w.Applied != 0 && w.Applied <= begin && w.Washout > begin {
				end = begin // still recovering: not the load's doing
			}
		}
		if x, ok := riseOf(f, begin, end, decisions); ok {
			x.step.Decide = unsure(x.step.Decide, begin, lo, hi)
			x.step.Total = unsure(x.step.Total, begin, lo, hi)
			out = append(out, x)
		}
	}
	for i, p := range f.Phases {
		if p.Rate > rateBefore(f.Phases, i) {
			add(p.Begin, p.Begin, p.Begin, p.End)
		}
	}
	for i := 1; i < len(f.Levels); i++ {
		l := &f.Levels[i]
		if l.Rate <= f.Levels[i-1].Rate || slices.ContainsFunc(f.Phases, func(p assay.Phase) bool { return p.Rate > 0 && !p.Varies && p.Begin <= l.Begin && l.Begin <= p.End }) {
			continue
		}
		end := f.End
		if i+1 < len(f.Levels) {
			end = f.Levels[i+1].Begin
		}
		add(l.Begin, l.Lo, l.Hi, end)
	}
	slices.SortStableFunc(out, func(a, b rise) int { return cmp.Compare(a.begin, b.begin) })
	return out
}

// unsure widens a time since the load rose by how well that instant is known.
func unsure(q assay.Quantity, begin, lo, hi int64) assay.Quantity {
	if !q.Known() || lo == hi {
		return q
	}
	q.Lo, q.Hi, q.Confidence = math.Max(0, q.Lo-seconds(hi-begin)), q.Hi+seconds(begin-lo), Confidence
	q.Method = "from where the requests show that the load rose, most likely and between which instants at 95 %"
	return q
}

// rateBefore is the rate offered just before phase i.
func rateBefore(phases []assay.Phase, i int) float64 {
	if i == 0 {
		return 0
	}
	return phases[i-1].Rate
}

// intervalOf says what the interval of a lag is of, where that is not the resolution of the clocks.
func intervalOf(q assay.Quantity) string {
	if q.Confidence < 1 {
		return q.Method
	}
	return ""
}

// scalesOf returns the platform's decisions, or, where none was recorded, one for each instance that was created to be one more, and one for each that went.
func scalesOf(f *assay.Facts) (decisions []scaleEvent, created bool) {
	if decisions = scaleEvents(f.Events); len(decisions) > 0 {
		return decisions, false
	}
	there := func(t int64) (n int) {
		for i := range f.Lives {
			l := &f.Lives[i]
			if l.Created != 0 && l.Created <= t && (outAt(l) == 0 || outAt(l) > t) {
				n++
			}
		}
		return n
	}
	for i := range f.Lives {
		l := &f.Lives[i]
		switch l.Reason {
		case "replace", "rollout", "recycle":
			continue
		}
		if l.Created != 0 && !l.Vague {
			decisions = append(decisions, scaleEvent{at: l.Created, desired: there(l.Created), ready: readyAt(f.Lives, l.Created), resolution: l.Coarse})
		}
		if out := outAt(l); out != 0 && l.Created != 0 {
			decisions = append(decisions, scaleEvent{at: out, desired: there(out), ready: readyAt(f.Lives, out), resolution: l.Coarse})
		}
	}
	slices.SortStableFunc(decisions, func(a, b scaleEvent) int { return cmp.Compare(a.at, b.at) })
	return decisions, len(decisions) > 0
}

type scaleEvent struct {
	at                    int64
	desired, ready, panic int
	resolution            int64
}

func scaleEvents(events []assay.Event) []scaleEvent {
	var out []scaleEvent
	for _, e := range events {
		if e.Kind == assay.EventScale {
			d, err1 := strconv.Atoi(e.Attrs["desired"])
			r, err2 := strconv.Atoi(e.Attrs["ready"])
			if err1 == nil && err2 == nil {
				out = append(out, scaleEvent{at: e.Time, desired: d, ready: r, resolution: e.Resolution})
			}
		}
	}
	return out
}

// readyAt counts the instances in routing at instant t.
func readyAt(lives []assay.Life, t int64) int {
	n := 0
next:
	for i := range lives {
		l := &lives[i]
		if l.Ready == 0 || l.Ready > t || outAt(l) != 0 && outAt(l) <= t {
			continue
		}
		for _, u := range l.Unready {
			if u.Begin <= t && (t < u.End || u.End == 0) {
				continue next
			}
		}
		n++
	}
	return n
}

// outAt is the instant an instance left routing for good; 0 if it did not.
func outAt(l *assay.Life) int64 {
	if l.Draining != 0 && (l.Exited == 0 || l.Draining < l.Exited) {
		return l.Draining
	}
	return l.Exited
}

// riseOf measures one rise of the load in [begin, end).
func riseOf(f *assay.Facts, begin, end int64, decisions []scaleEvent) (rise, bool) {
	from := readyAt(f.Lives, begin)
	wanted := from
	for _, d := range decisions {
		if d.at < begin {
			wanted = d.desired
		}
	}
	var decided *scaleEvent
	top := wanted
	for i := range decisions {
		d := &decisions[i]
		if d.at < begin || d.at >= end {
			continue
		}
		if d.desired > max(wanted, from) && decided == nil {
			decided = d
		}
		top = max(top, d.desired)
	}
	if decided == nil {
		return rise{}, false
	}
	step := assay.ScaleStep{At: begin, From: from, To: readyAt(f.Lives, end)}
	unready := assay.NotMeasured(assay.Seconds, "no instance created by the step got ready before it ended")
	step.Decide = lag(begin, decided.at, decided.resolution)
	step.Provision, step.Serve, step.Total = unready, unready, unready
	var first *assay.Life
	for i := range f.Lives {
		l := &f.Lives[i]
		if l.Created >= begin && l.Created < end && l.Ready != 0 && (first == nil || l.Ready < first.Ready) {
			first = l
		}
	}
	if first != nil {
		step.Provision = lag(decided.at, first.Ready, decided.resolution)
		if first.First != 0 {
			served := max(first.First, first.Ready)
			step.Serve = lag(first.Ready, served, 0)
			step.Total = lag(begin, served, decided.resolution)
		} else {
			step.Serve = assay.NotMeasured(assay.Seconds, "no answer of the new instance was traced")
			step.Total = step.Serve
		}
	}
	return rise{begin, end, step, max(0, top-max(step.To, 1)), first}, true
}

func lag(from, to, resolution int64) assay.Quantity {
	v := math.Max(0, float64(to-from)/1e9)
	e := float64(resolution) / 1e9
	return assay.Quantity{Value: v, Lo: math.Max(0, v-e), Hi: v, Confidence: 1, Unit: assay.Seconds, N: 1, Of: "steps of the load",
		Method: "difference of two events on one clock; interval is their resolution", Basis: assay.Measured}
}

// toZero measures the longest-lasting phase without load that the service met with instances.
func (s *scalingPass) toZero() assay.Quantity {
	q := assay.NotMeasured(assay.Seconds, "no phase without load, so nothing to scale down for")
	for i, p := range s.f.Phases {
		if p.Rate > 0 || p.Role != assay.RoleIdle {
			continue
		}
		from := p.Begin
		for j := range i {
			from = max(from, s.lastEnd[j])
		}
		last := int64(0)
		for k := range s.f.Lives {
			l := &s.f.Lives[k]
			if l.Ready == 0 || l.Ready > p.End {
				continue
			}
			switch out := outAt(l); {
			case out == 0 || out > p.End:
				last = math.MaxInt64
			default:
				last = max(last, out)
			}
		}
		switch {
		case last == 0:
		case last == math.MaxInt64:
			q = assay.NotEstimable(assay.Seconds, 1, "phases without load", fmt.Sprintf("instances were still there when the %.3g s without load ended", float64(p.End-p.Begin)/1e9))
		default:
			q = lag(from, last, 0)
			q.Of = "phases without load"
		}
	}
	return q
}
