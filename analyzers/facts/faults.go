package facts

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// faults gathers the life of each injected fault from the events of the injector and of its guardian.
func faults(m *assay.Manifest, events []assay.Event, ls []assay.Life) []assay.FaultWindow {
	var out []assay.FaultWindow
	index := map[string]int{}
	first := map[string]int64{} // instant of the first event of each fault
	for i := range events {
		e := &events[i]
		if e.Fault == "" {
			continue
		}
		j, ok := index[e.Fault]
		if !ok {
			switch e.Kind {
			case assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVoid:
			default:
				continue
			}
			j = len(out)
			index[e.Fault], first[e.Fault] = j, e.Time
			out = append(out, assay.FaultWindow{ID: e.Fault})
		}
		w := &out[j]
		if k := e.Attrs["kind"]; k != "" && w.Kind == "" {
			w.Kind = k
		}
		if t := e.Attrs["target"]; t != "" && w.Target == "" {
			w.Target = t
		}
		w.Simulated = w.Simulated || e.Attrs["simulated"] == "true"
		if w.Target == "" {
			w.Target = e.Instance
		}
		if n, err := strconv.Atoi(e.Attrs["healthy"]); err == nil {
			w.Healthy = n
		}
		if n, err := strconv.ParseInt(e.Attrs["for_ns"], 10, 64); err == nil {
			w.For = n
		}
		switch e.Kind {
		case assay.EventFaultArmed:
			w.Armed = e.Time
		case assay.EventFaultApplied:
			w.Applied = e.Time
		case assay.EventFaultVerified:
			w.Verified = e.Time
			w.Effect, w.Basis = e.Attrs["effect"], assay.EffectBasis(e.Attrs["basis"])
			if w.Effect == "" {
				w.Effect = e.Text
			}
		case assay.EventFaultVoid:
			w.Void = e.Text
			if w.Void == "" {
				w.Void = "not in effect"
			}
		case assay.EventFaultReverted:
			// Of a fault that both the guardian and the run undid, the first undo that was verified ended it.
			if w.Reverted == 0 || w.Remains != "" {
				w.Reverted, w.Cut = e.Time, cut(w, e, ls)
			}
		case assay.EventFaultClear:
			if w.Clear == 0 || w.Remains != "" {
				w.Clear, w.Remains = e.Time, ""
			}
		case assay.EventFaultRemaining:
			w.Remains = e.Text
			if w.Remains == "" {
				w.Remains = "its undo could not be verified"
			}
		}
	}
	for i := range out {
		w := &out[i]
		if w.Healthy == 0 && w.Applied != 0 {
			w.Healthy = routed(ls, from(w))
		}
		// A fault that was armed is on disk before it is in force, so an armed one without an end may be in force.
		if w.Reverted == 0 && w.Clear == 0 && w.Remains == "" && (w.Applied != 0 || w.Void == "") {
			w.Remains = "no revert was recorded"
		}
	}
	at := func(w *assay.FaultWindow) int64 {
		if w.Armed == 0 && w.Applied == 0 {
			return first[w.ID] // it was given up then
		}
		return from(w)
	}
	slices.SortStableFunc(out, func(a, b assay.FaultWindow) int { return cmp.Compare(at(&a), at(&b)) })
	return out
}

// cut says why a fault was over before its time, or "": the run or its load was over, or somebody else ended it. One whose effect is the end of its
// victim is over with that, and so is one whose victim the platform had taken out of routing before: that is what it is there for.
func cut(w *assay.FaultWindow, reverted *assay.Event, ls []assay.Life) string {
	_, stopped, isStopped := strings.Cut(reverted.Text, "the run was stopped: ")
	early, isEarly := strings.CutPrefix(reverted.Text, "ended early: ")
	switch {
	case w.For == 0 || w.Applied == 0:
		return ""
	case isStopped:
		return stopped
	case reverted.Time-w.Applied >= w.For || strings.HasPrefix(reverted.Text, "over with its victim"):
		return ""
	case isEarly && removed(ls, w.Target, w.Applied, reverted.Time):
		return ""
	case isEarly:
		return early
	}
	return "the run was over" // whoever undid it then did not wait
}

// removed reports whether the platform took an instance out of routing in [begin, end].
func removed(ls []assay.Life, instance string, begin, end int64) bool {
	in := func(t int64) bool { return t >= begin && t <= end }
	for i := range ls {
		if l := &ls[i]; l.Instance == instance && (in(l.Draining) || slices.ContainsFunc(l.Unready, func(u assay.Interval) bool { return in(u.Begin) })) {
			return true
		}
	}
	return false
}

// from returns the first instant at which a fault may have had an effect: it works a
// little before the injector can say so.
func from(w *assay.FaultWindow) int64 {
	if w.Applied == 0 {
		return w.Armed
	}
	return max(w.Armed, w.Applied-second)
}

// closed returns the instant at which a fault was no longer in force, as far as known.
func closed(w *assay.FaultWindow) int64 { return max(w.Applied, w.Reverted, w.Clear) }

// washout returns the end of the stretch that a fault still colours: until its users are well
// again plus two probe periods, at most 30 s after it ended.
func washout(f *assay.Facts, w *assay.FaultWindow, u Users) int64 {
	if w.Applied == 0 {
		return closed(w)
	}
	end := closed(w)
	if w.Reverted == 0 && w.Clear == 0 {
		end = f.End // it may still be in force
	}
	limit := end + maxWashout
	if u.State == assay.VoidFault {
		return end
	}
	if u.State == assay.Unrecovered {
		return limit
	}
	return min(limit, max(end, u.Recovered)+2*Probe(f.Manifest))
}

// routed counts the instances in routing at t.
func routed(ls []assay.Life, t int64) int {
	n := 0
	for i := range ls {
		if InRouting(&ls[i], t) {
			n++
		}
	}
	return n
}

// InRouting reports whether the instance was in routing at t.
func InRouting(l *assay.Life, t int64) bool {
	if l.Ready == 0 || l.Ready > t || l.Exited != 0 && l.Exited <= t || l.Draining != 0 && l.Draining <= t {
		return false
	}
	for _, u := range l.Unready {
		if u.Begin <= t && (t < u.End || u.End == 0) {
			return false
		}
	}
	return true
}
