package facts

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// Reasons of an exit that was asked for, or is none.
const (
	exitScaleIn  = "scale_in"
	exitShutdown = "shutdown"
	exitSight    = "out_of_sight" // what it is known to have lived for ends: nobody told that it went, or why
	exitRecycle  = "recycle"
	exitRollout  = "rollout"
	exitForced   = "forced_cold" // by us, for a cold start
)

// Reasons of an exit that leave it open.
const (
	exitUnknown = "unknown" // its source does not say why
	exitUnseen  = "unseen"  // nobody saw it: the process was started anew
	exitReload  = "reload"  // its model was loaded once more, and nothing else is told of it
)

// Reloaded reports whether all that is told of a life's end is that the model was loaded once more.
func Reloaded(l *assay.Life) bool { return l.Exit == exitReload }

func planned(reason string) bool {
	switch reason {
	case exitScaleIn, exitShutdown, exitRecycle, exitRollout, exitForced, exitSight:
		return true
	}
	return false
}

// ScaledIn reports whether an instance went for lack of load, so far as its exit tells why.
func ScaledIn(l *assay.Life) bool { return l.Exit == exitScaleIn }

// A register follows each instance through its events. An id whose process is started anew has a life for each process.
type register struct {
	m      *assay.Manifest
	out    []assay.Life
	index  map[string]int    // of the latest life of an id
	source map[string]string // who told that the latest life was started
	ready  map[string]string // who told that it was ready
	slots  map[string]string // latest id of each slot
}

// slotOf is what an id has in common with those that come in its place: sources that tell of one place, such as a log stream or a server, number the processes in it
// ("server#2"). Others call each instance by a name of its own.
func slotOf(id string) string {
	if i := strings.LastIndexByte(id, '#'); i > 0 {
		if _, err := strconv.Atoi(id[i+1:]); err == nil {
			return id[:i]
		}
	}
	return id
}

// lives follows each instance through its events, in order of creation. Spans of its start fill what events leave open.
func lives(m *assay.Manifest, events []assay.Event, starts map[string]*start) []assay.Life {
	g := &register{m: m, index: map[string]int{}, source: map[string]string{}, ready: map[string]string{}, slots: map[string]string{}}
	for i := range events {
		if e := &events[i]; e.Instance != "" {
			g.take(e)
		}
	}
	for _, id := range sortedKeys(starts) {
		g.span(id, starts[id])
	}
	for i := range g.out {
		l := &g.out[i]
		l.Phases = upFrom(distinct(l.Phases))
		if l.Again && l.Created == 0 && l.Exited != firstOf(l) { // nobody asked for it anew
			l.Created, l.Reason = firstOf(l), cmp.Or(l.Reason, "restart")
		}
		slices.SortStableFunc(l.Phases, func(a, b assay.Interval) int { return cmp.Compare(a.Begin, b.Begin) })
	}
	slices.SortStableFunc(g.out, func(a, b assay.Life) int { return cmp.Compare(firstOf(&a), firstOf(&b)) })
	return g.out
}

// of returns the latest life of an id.
func (g *register) of(id string) *assay.Life {
	i, ok := g.index[id]
	if !ok {
		i = len(g.out)
		g.index[id] = i
		g.out = append(g.out, assay.Life{Instance: id, Ledger: assay.Natural})
	}
	return &g.out[i]
}

// begun returns the life that an event of a start belongs to: a new one where the latest has ended.
func (g *register) begun(e *assay.Event) *assay.Life {
	l := g.of(e.Instance)
	if l.Exited != 0 && e.Time >= l.Exited {
		l = g.anew(e.Instance)
	}
	return l
}

// follow ends the life before in the same slot, if nobody saw its end: one process there comes after the other.
func (g *register) follow(e *assay.Event) {
	slot := slotOf(e.Instance)
	was, ok := g.slots[slot]
	g.slots[slot] = e.Instance
	if !ok || was == e.Instance {
		return
	}
	if l := g.of(was); l.Exited == 0 {
		l.Exited, l.Exit = e.Time, exitUnseen
		closeUnready(l, e.Time, 0)
	}
	g.of(e.Instance).Again = true
}

func (g *register) anew(id string) *assay.Life {
	was := *g.of(id)
	delete(g.index, id)
	delete(g.source, id)
	delete(g.ready, id)
	l := g.of(id)
	l.Again = true
	l.Workload, l.Revision, l.Node = was.Workload, was.Revision, was.Node
	return l
}

// belong takes up what an instance is of, and where it runs.
func belong(l *assay.Life, e *assay.Event) {
	l.Workload, l.Revision, l.Node = cmp.Or(e.Attrs["workload"], l.Workload), cmp.Or(e.Attrs["revision"], l.Revision), cmp.Or(e.Attrs["node"], l.Node)
}

// unseen ends the latest life of an id, of which nobody saw the end, at the start of the next.
func (g *register) unseen(id string, at int64) *assay.Life {
	return g.over(id, at, exitUnseen)
}

// over ends the latest life of an id for a reason, at the start of the next.
func (g *register) over(id string, at int64, reason string) *assay.Life {
	l := g.of(id)
	l.Exited, l.Exit = at, reason
	closeUnready(l, at, 0)
	return g.anew(id)
}

// take takes the next event, in order of time.
func (g *register) take(e *assay.Event) {
	switch e.Kind {
	case assay.EventInstanceCreated:
		g.follow(e)
		l := g.begun(e)
		if l.Created == 0 { // of several sources the first counts
			l.Created, l.Coarse = e.Time, max(l.Coarse, e.Resolution)
		}
		belong(l, e)
		l.Reason, l.Forced = cmp.Or(l.Reason, e.Attrs["reason"]), l.Forced || e.Attrs["forced"] == "true"
	case assay.EventInstanceStarted:
		g.follow(e)
		l := g.begun(e)
		if l.Started != 0 && e.Source == g.source[e.Instance] && e.Time > l.Started+e.Resolution {
			l = g.unseen(e.Instance, e.Time) // one source tells of two starts, and nobody of an end
		}
		firstLine(l, e, g.source[e.Instance])
		if l.Started == 0 {
			l.Started, l.Coarse, g.source[e.Instance] = e.Time, max(l.Coarse, e.Resolution), e.Source
		}
		belong(l, e)
	case assay.EventInstancePhase:
		g.phase(e)
	case assay.EventInstanceReady:
		l := g.begun(e)
		switch {
		case l.Ready == 0:
			l.Ready, l.Coarse = e.Time, max(l.Coarse, e.Resolution)
			l.Vague = e.Attrs["inferred"] == "true"
			g.ready[e.Instance] = e.Source
		case g.ready[e.Instance] == engineLog && e.Source != engineLog && len(l.Unready) == 0 && e.Time <= l.Ready+routedWithin:
			g.routed(l, e)
		default:
			closeUnready(l, e.Time, e.Resolution)
		}
	case assay.EventInstanceUnready, assay.EventInstanceEjected:
		l := g.of(e.Instance)
		if l.Exited != 0 && e.Time >= l.Exited {
			return // that it ended says so already, and why
		}
		if n := len(l.Unready); l.Ready != 0 && (n == 0 || l.Unready[n-1].End != 0) {
			l.Unready = append(l.Unready, assay.Interval{Name: because(e), Begin: e.Time, Resolution: e.Resolution})
		}
	case assay.EventInstanceRestarted:
		g.restarted(e)
	case assay.EventInstanceDraining:
		if l := g.of(e.Instance); l.Draining == 0 {
			l.Draining = e.Time
		}
	case assay.EventInstanceExited:
		g.exit(e)
	}
}

// restarted makes the start of the process that runs that of the instance's life, where runs that nobody saw lie between its creation and that start.
func (g *register) restarted(e *assay.Event) {
	l := g.of(e.Instance)
	if l.Created == 0 || l.Exited != 0 || l.Ready != 0 || l.Started <= l.Created || !near(l.Started, e.Time, second) {
		return
	}
	l.Created, l.Reason, l.Again = l.Started, "restart", true
	l.Phases = slices.DeleteFunc(l.Phases, func(p assay.Interval) bool { return p.Begin+p.Resolution < l.Started })
}

func (g *register) exit(e *assay.Event) {
	l := g.of(e.Instance)
	reason := cmp.Or(e.Attrs["reason"], e.Text)
	if l.Exited != 0 && e.Time > l.Exited+max(second, 2*e.Resolution) {
		l = g.anew(e.Instance) // it began and ended again, and only the end was seen
	}
	if l.Exited == 0 {
		l.Exited = e.Time
	}
	if l.Exit == "" || l.Exit == exitUnknown {
		l.Exit = cmp.Or(reason, l.Exit)
	}
	l.Code, l.Signal = cmp.Or(l.Code, e.Attrs["code"]), cmp.Or(l.Signal, e.Attrs["signal"])
	closeUnready(l, e.Time, e.Resolution)
	if n := len(l.Unready); n > 0 && l.Unready[n-1].Begin >= l.Exited { // told first, and the same
		l.Unready = l.Unready[:n-1]
	}
}

// begins are the phases that only a process that starts goes through. A model may be loaded by one that goes on.
var begins = []string{"schedule", "image_pull", "init", "runtime_start", "server_start"}

func (g *register) phase(e *assay.Event) {
	p := assay.Interval{Name: e.Attrs["phase"], Begin: stamp(g.m, e.Attrs["start_ns"]), End: stamp(g.m, e.Attrs["end_ns"]), Resolution: e.Resolution, Source: cmp.Or(e.Attrs["source"], e.Source)}
	if p.End == 0 {
		p.End = e.Time
	}
	if p.Begin == 0 || p.Begin > p.End {
		p.Begin = p.End
	}
	l := g.of(e.Instance)
	late := func(t int64) bool { return t != 0 && p.Begin > t+p.Resolution }
	switch {
	case l.Exited != 0 && p.Begin+p.Resolution >= l.Exited && p.End > l.Exited:
		l = g.anew(e.Instance)
	case p.Name == weightsLoad && onlyLoads(l) && late(lastPhase(l)+second):
		l = g.over(e.Instance, p.Begin, exitReload)
		l.Reason = exitReload
	case !slices.Contains(begins, p.Name) || !slices.ContainsFunc(l.Phases, func(q assay.Interval) bool { return q.Name == p.Name }):
	case late(l.Ready), l.Ready == 0 && late(lastPhase(l)+second):
		l = g.unseen(e.Instance, p.Begin) // it was up, or as good as, and goes through it once more
	}
	l.Phases = append(l.Phases, p)
}

const weightsLoad = "weights_load"

// onlyLoads reports whether nothing is told of a life but loads of its model, so that each is the only sign of a start.
func onlyLoads(l *assay.Life) bool {
	return len(l.Phases) > 0 && l.Created == 0 && l.Started == 0 && l.Ready == 0 && !slices.ContainsFunc(l.Phases, func(p assay.Interval) bool { return p.Name != weightsLoad })
}

// lastPhase is the end of what was told of a start so far.
func lastPhase(l *assay.Life) (last int64) {
	for _, p := range l.Phases {
		last = max(last, p.End)
	}
	return last
}

// span adds what the spans of a start tell.
func (g *register) span(id string, s *start) {
	l := g.of(id)
	if l.Exited != 0 && s.begin >= l.Exited {
		l = g.anew(id)
	}
	if l.Created == 0 {
		l.Created, l.Reason = s.begin, cmp.Or(l.Reason, s.reason)
	}
	if l.Ready == 0 {
		l.Ready = s.end
	}
	l.Phases = append(l.Phases, s.phases...)
}

// distinct leaves out what a source tells that another told before with a clock as good: the same phase between the same instants. What one source
// tells of one phase more than once, as an engine does of its weights, is one stretch where it overlaps.
func distinct(phases []assay.Interval) []assay.Interval {
	var out []assay.Interval
	for _, p := range phases {
		if i := slices.IndexFunc(out, func(q assay.Interval) bool {
			return q.Name == p.Name && q.Source == p.Source && p.Begin < q.End && q.Begin < p.End
		}); i >= 0 {
			q := &out[i]
			q.Begin, q.End, q.Resolution = min(q.Begin, p.Begin), max(q.End, p.End), max(q.Resolution, p.Resolution)
			continue
		}
		twin := slices.IndexFunc(out, func(q assay.Interval) bool {
			return q.Name == p.Name && q.Source != p.Source && near(p.Begin, q.Begin, p.Resolution+q.Resolution) && near(p.End, q.End, p.Resolution+q.Resolution)
		})
		switch {
		case twin < 0:
			out = append(out, p)
		case p.Resolution != 0 && p.Resolution < out[twin].Resolution: // spans tell none
			out[twin] = p
		}
	}
	return out
}

// clocks is what two stamps of one machine may differ by that mean the same.
const clocks = second / 1000

func near(a, b, resolution int64) bool { return max(a-b, b-a) <= resolution+clocks }

func because(e *assay.Event) string {
	if e.Text != "" {
		return e.Text
	}
	if r := e.Attrs["reason"]; r != "" {
		return r
	}
	return e.Kind
}

func closeUnready(l *assay.Life, t, resolution int64) {
	if n := len(l.Unready); n > 0 && l.Unready[n-1].End == 0 {
		l.Unready[n-1].End = t
		l.Unready[n-1].Resolution = max(l.Unready[n-1].Resolution, resolution)
	}
}

// stamp reads an instant out of an attribute: run time, or Unix time where it is plainly that (run times stay below three years).
func stamp(m *assay.Manifest, s string) int64 {
	t, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	if t > 1e17 {
		t -= m.Epoch
	}
	return t
}

// firstOf is the first instant that is known of a life.
func firstOf(l *assay.Life) int64 {
	var phase int64
	for _, p := range l.Phases {
		if phase == 0 || p.Begin < phase {
			phase = p.Begin
		}
	}
	return cmp.Or(l.Created, l.Started, phase, l.Ready, l.Exited)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// exitLedger says to which ledger the end of a life belongs.
func exitLedger(f *assay.Facts, l *assay.Life) assay.Ledger {
	if l.Exited == 0 {
		return assay.Natural
	}
	if w := faultOn(f, l.Instance, l.Exited); w != nil {
		return assay.Injected
	}
	if planned(l.Exit) {
		return assay.Planned
	}
	return assay.Natural
}

// faultOn returns the fault whose target the instance is and in whose window or washout t lies.
func faultOn(f *assay.Facts, instance string, t int64) *assay.FaultWindow {
	for i := range f.Faults {
		w := &f.Faults[i]
		if w.Target == instance && w.Applied != 0 && from(w) <= t && (t <= w.Washout || t <= closed(w)) {
			return w
		}
	}
	return nil
}
