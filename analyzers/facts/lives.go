package facts

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
)

// Reasons of an exit that was asked for.
const (
	exitScaleIn  = "scale_in"
	exitShutdown = "shutdown"
	exitRecycle  = "recycle"
	exitRollout  = "rollout"
	exitForced   = "forced_cold" // by us, for a cold start
)

func planned(reason string) bool {
	switch reason {
	case exitScaleIn, exitShutdown, exitRecycle, exitRollout, exitForced:
		return true
	}
	return false
}

// ScaledIn reports whether an instance went for lack of load, so far as its exit tells why.
func ScaledIn(l *assay.Life) bool { return l.Exit == exitScaleIn }

// A start is what the spans of one cold start tell, for platforms that emit no events of it.
type start struct {
	reason     string
	begin, end int64
	phases     []assay.Interval
}

const coldStartSpan = "cold_start"

func learnStart(starts map[string]*start, t *assay.Trace) {
	var root *assay.Span
	for i := range t.Spans {
		if t.Spans[i].Name == coldStartSpan {
			root = &t.Spans[i]
		}
	}
	if root == nil {
		return
	}
	id, _ := root.Attr("faas.instance")
	if id == "" {
		id = root.Instance
	}
	if id == "" {
		return
	}
	s := &start{begin: root.Start, end: root.End}
	s.reason, _ = root.Attr("reason")
	for i := range t.Spans {
		if c := &t.Spans[i]; c.Parent == root.SpanID && c != root {
			s.phases = append(s.phases, assay.Interval{Name: c.Name, Begin: c.Start, End: c.End})
		}
	}
	starts[id] = s
}

// lives follows each instance through its events, in order of creation. Spans of its start fill what events leave open. An instance that
// starts again under its name, as the containers of a pod do, lives again: a Life ends with its exit.
func lives(m *assay.Manifest, events []assay.Event, starts map[string]*start) []assay.Life {
	var out []assay.Life
	index := map[string]int{}
	follows := map[string]bool{} // an earlier life of its
	life := func(id string) *assay.Life {
		i, ok := index[id]
		if !ok {
			i = len(out)
			index[id] = i
			out = append(out, assay.Life{Instance: id, Ledger: assay.Natural})
		}
		return &out[i]
	}
	again := func(id string) *assay.Life {
		if l := life(id); l.Exited == 0 {
			return l
		}
		delete(index, id)
		follows[id] = true
		return life(id)
	}
	for i := range events {
		e := &events[i]
		if e.Instance == "" {
			continue
		}
		switch e.Kind {
		case assay.EventInstanceCreated:
			l := again(e.Instance)
			l.Created, l.Reason, l.Forced = e.Time, e.Attrs["reason"], e.Attrs["forced"] == "true"
		case assay.EventInstanceStarted:
			l := again(e.Instance)
			l.Started = e.Time
			if l.Created == 0 && follows[e.Instance] {
				l.Created, l.Reason = e.Time, "restart"
			}
		case assay.EventInstancePhase:
			l := life(e.Instance)
			p := assay.Interval{Name: e.Attrs["phase"], Begin: stamp(m, e.Attrs["start_ns"]), End: stamp(m, e.Attrs["end_ns"]), Resolution: e.Resolution}
			if p.End == 0 {
				p.End = e.Time
			}
			if p.Begin == 0 {
				p.Begin = p.End
			}
			l.Phases = append(l.Phases, p)
		case assay.EventInstanceReady:
			l := life(e.Instance)
			if l.Ready == 0 {
				l.Ready = e.Time
			} else {
				closeUnready(l, e.Time, e.Resolution)
			}
		case assay.EventInstanceUnready, assay.EventInstanceEjected:
			l := life(e.Instance)
			if n := len(l.Unready); l.Ready != 0 && (n == 0 || l.Unready[n-1].End != 0) {
				l.Unready = append(l.Unready, assay.Interval{Name: because(e), Begin: e.Time, Resolution: e.Resolution})
			}
		case assay.EventInstanceDraining:
			if l := life(e.Instance); l.Draining == 0 {
				l.Draining = e.Time
			}
		case assay.EventInstanceExited:
			l := life(e.Instance)
			l.Exited, l.Exit = e.Time, e.Attrs["reason"]
			if l.Exit == "" {
				l.Exit = e.Text
			}
			closeUnready(l, e.Time, e.Resolution)
		}
	}
	for _, id := range sortedKeys(starts) {
		s, l := starts[id], life(id)
		if l.Created == 0 {
			l.Created, l.Reason = s.begin, s.reason
		}
		if l.Ready == 0 {
			l.Ready = s.end
		}
		if len(l.Phases) == 0 {
			l.Phases = s.phases
		}
	}
	for i := range out {
		slices.SortStableFunc(out[i].Phases, func(a, b assay.Interval) int { return cmp.Compare(a.Begin, b.Begin) })
	}
	slices.SortStableFunc(out, func(a, b assay.Life) int { return cmp.Compare(firstOf(&a), firstOf(&b)) })
	return out
}

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

func firstOf(l *assay.Life) int64 { return cmp.Or(l.Created, l.Started, l.Ready, l.Exited) }

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
