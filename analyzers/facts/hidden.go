package facts

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/assay-dev/assay"
)

// Hidden failures
//
// A crash need not show as an error: an engine that is killed between two requests answers the next with 200, after it loaded its model again. So what
// says that a process was started anew is looked for everywhere: an exit, or none that was seen, before a start under the same id; series that begin
// again at zero; another instance that answers; an answer that was cold right after one that was warm. Where something explains it (the
// autoscaler, a rollout, recycling, idleness) it is planned. Otherwise it is a failure of the instance, with a confidence: high where an unclean exit was
// seen, medium where requests were lost, low where neither was. Where answers do not say who gave them, a cold one after a warm one may as well be one
// instance more, or one that was recycled: unless requests were lost it counts only of a target that is one server. The status of an exit alone is no crash: a server that drains after SIGTERM may end with 1.

// explainWithin is how long before a restart its explanation may lie: a drain may take as long.
const explainWithin = 60 * second

// uncleanSignal are signals by which nobody asks a process to end in order.
func uncleanSignal(s string) bool {
	switch s {
	case "", "0", "terminated", "TERM", "SIGTERM", "15", "interrupt", "INT", "SIGINT", "2":
		return false
	}
	return true
}

// endedByItself is why an end in order that nothing explains is no failure.
const endedByItself = "it ended by itself with status 0 and nobody lost a request with it, which is no failure by itself; nothing tells why"

// judged says what the end of a life was: planned and why, or a failure with its cause, confidence and evidence.
type judged struct {
	planned    string
	cause      string
	confidence assay.Confidence
	evidence   []string
}

// judgeExit judges the end of a life.
func (s *instanceScan) judgeExit(l *assay.Life) judged {
	again := s.after(l) != nil
	lost := s.lostNear(l.Instance, s.unseenSince(l)-second, s.back(l))
	ordered := l.Draining != 0 && l.Draining <= l.Exited && !uncleanSignal(l.Signal)
	status := ""
	if l.Code != "" && l.Code != "0" {
		status = "exit status " + l.Code
	}
	if uncleanSignal(l.Signal) {
		status = "ended by signal " + l.Signal
	}
	j := judged{cause: cmp.Or(l.Exit, "exit"), confidence: assay.ConfidenceHigh}
	if status != "" {
		j.evidence = append(j.evidence, status)
	}
	switch l.Exit {
	case "oom", "evicted", "preempted", "node":
		j.evidence = append(j.evidence, "unclean exit: "+l.Exit)
		return j
	case "", exitUnknown, exitUnseen, exitReload:
	default:
		if ordered && l.Exit == "crash" && l.Code != "" && l.Code != "0" {
			j.planned = fmt.Sprintf("it was draining, and an %s is no crash then", status)
			return j
		}
		j.evidence = append(j.evidence, "unclean exit: "+l.Exit)
		return j
	}
	if l.Exit == exitReload && lost == 0 {
		j.cause, j.planned = exitReload, "its model was loaded once more and nobody lost a request with it, which is no failure by itself"
		return j
	}
	j.cause = "exit"
	if ordered {
		j.planned = "it was draining"
		return j
	}
	if why := s.explained(l.Instance, l.Exited); why != "" {
		j.planned = why
		return j
	}
	if again {
		j.cause = "restart"
		told := "its process was started anew and no decision of the platform tells why"
		if l.Exit == exitReload {
			told = "its model was loaded once more and no decision of the platform tells why"
		}
		j.evidence = append(j.evidence, told)
	}
	if l.Exit == exitUnseen {
		j.evidence = append(j.evidence, "its end was not seen")
	}
	if lost > 0 {
		j.evidence = append(j.evidence, fmt.Sprintf("%d requests were lost with it", lost))
	}
	switch {
	case uncleanSignal(l.Signal), status != "" && (again || lost > 0):
	case lost > 0:
		j.confidence = assay.ConfidenceMedium
	case again && l.Code == "0":
		j.cause, j.planned = assay.UnexplainedRestart, endedByItself
	case again:
		j.confidence = assay.ConfidenceLow
	case l.Exit == "" && status == "": // the event says only that it ended
		j.confidence = assay.ConfidenceLow
		j.evidence = append(j.evidence, "nothing tells why it ended")
	default:
		j.planned = "it ended in order, was not started anew, and nobody lost a request with it"
	}
	return j
}

// unseenSince is the first instant at which a life whose end was not seen may have ended: where the first request stands that failed at it in the ten
// seconds before, or that was lost in flight, but not before its last good answer.
func (s *instanceScan) unseenSince(l *assay.Life) int64 {
	of := s.failed[l.Instance]
	for _, x := range of.around(l.Exited-10*second, l.Exited) {
		if x.at < l.Exited && (x.at >= l.Exited-10*second || x.end >= l.Exited) {
			return min(max(x.at, s.good[l]), l.Exited)
		}
	}
	return l.Exited
}

// after returns the next life in the same slot, or nil.
func (s *instanceScan) after(l *assay.Life) *assay.Life {
	of := s.place(slotOf(l.Instance))
	for _, n := range of.lives[of.from(l.Exited):] {
		if n != l && n.Again {
			return n
		}
	}
	return nil
}

// back is when a life's successor was ready, or a little after its end.
func (s *instanceScan) back(l *assay.Life) int64 {
	if n := s.after(l); n != nil && n.Ready != 0 {
		return n.Ready
	}
	return l.Exited + second
}

// lostNear counts the requests that failed in [from, to] at an instance, or were in flight then and failed, or, where requests do not tell who served them, at all.
func (s *instanceScan) lostNear(id string, from, to int64) int {
	n := s.failed[id].within(from, to)
	if id != "" {
		n += s.failed[""].within(from, to)
	}
	return n
}

// explained says what explains that an instance ended, or was started anew, at t; "" where nothing does.
func (s *instanceScan) explained(id string, t int64) string {
	near := func(of []reason, why func(*reason) string) string {
		i, _ := slices.BinarySearchFunc(of, t-explainWithin, func(r reason, t int64) int { return cmp.Compare(r.at, t) })
		for ; i < len(of) && of[i].at <= t+max(second, s.coarsest); i++ {
			if of[i].at <= t+max(second, of[i].resolution) {
				if w := why(&of[i]); w != "" {
					return w
				}
			}
		}
		return ""
	}
	own := s.owner(id)
	if w := near(s.decided, func(r *reason) string {
		mine, compared := r.concerns(own)
		switch {
		case !mine:
			return ""
		case len(s.makers) == 0: // nobody speaks of workloads
			return r.why
		}
		return r.why + ", " + compared
	}); w != "" {
		return w
	}
	if w := near(s.asked[id], func(r *reason) string { return r.why }); w != "" {
		return w
	}
	if gap, idle := s.idle.before(id, t); idle {
		return "it had been idle for " + length(gap)
	}
	return ""
}

// suspect is an instance that was started anew without anything having been seen of its life.
type suspect struct {
	id     string
	lo, hi int64 // it was well until lo, and began anew by hi
	end    int64 // it served again
	cause  string
	lost   int
	told   string
}

// episode makes the suspect's episode, planned where something explains it.
func (s *instanceScan) episode(p suspect) assay.Episode {
	e := assay.Episode{Instance: p.id, Cause: p.cause, BeginLo: p.lo, Begin: p.hi, End: p.hi, EndHi: max(p.hi, p.end), Confidence: assay.ConfidenceLow, Evidence: []string{p.told}}
	if p.lost > 0 {
		e.Confidence = assay.ConfidenceMedium
		e.Evidence = append(e.Evidence, fmt.Sprintf("%d requests were lost with it", p.lost))
	}
	if why := s.explained(p.id, p.hi); why != "" {
		e.Ledger, e.Confidence = assay.Planned, ""
		e.Evidence = append(e.Evidence, "explained: "+why)
		return e
	}
	e.Evidence = append(e.Evidence, "no scaling, rollout, recycling or idleness explains it")
	attribute(s.f, &e)
	return e
}

// told reports whether the lives of instances tell of a start or an end of the id in [from, to].
func (s *instanceScan) told(id string, from, to int64) bool {
	slot := ""
	if id != "" {
		slot = slotOf(id)
	}
	of := s.place(slot)
	for _, l := range of.lives[of.from(from-explainWithin):] {
		if firstOf(l) > to {
			break
		}
		if l.Ready != 0 && l.Ready >= from {
			return true
		}
	}
	i, _ := slices.BinarySearch(of.exits, from)
	return i < len(of.exits) && of.exits[i] <= to
}

// coldAfter says what a cold answer showed.
func coldAfter(gap int64) string {
	if gap <= 0 {
		return "an answer was cold while others were in flight at the same instance, which had been warm"
	}
	return "an answer was cold " + length(gap) + " after one that was warm"
}

// length is a length of time to three digits.
func length(ns int64) string {
	switch v := float64(ns); {
	case ns >= 1000*second:
		return time.Duration(ns).Round(time.Second).String()
	case ns >= second:
		return fmt.Sprintf("%.3g s", v/1e9)
	case ns >= second/1000:
		return fmt.Sprintf("%.3g ms", v/1e6)
	default:
		return fmt.Sprintf("%.3g µs", v/1e3)
	}
}
