package analyzers

import (
	"fmt"
	"math"
	"strings"

	"github.com/assay-dev/assay"
)

// A rule of advice looks at a failed fault and names a setting of the serving that may help, with the evidence; "" where the evidence is not there.
// Advice is no finding: nothing shows that the setting would have helped.
type rule func(e *evidence) string

// rules are tried in this order, the most telling first; the first that applies gives the advice.
var rules = []rule{unreverted, unseenHang, drained, flapping, alone, unretried, throttled, waited, slowToSee, spare, backlog, broken}

type evidence struct {
	f *assay.Facts
	x *assay.FaultResult
}

// advise returns one sentence for a failed fault, or "".
func advise(f *assay.Facts, x *assay.FaultResult) string {
	e := &evidence{f, x}
	for _, r := range rules {
		if s := r(e); s != "" {
			return s
		}
	}
	return ""
}

// lost counts the requests lost in one of the ways, and reports whether they are at least half of all lost.
func (e *evidence) lost(ways ...assay.Outcome) (n int, most bool) {
	for _, w := range ways {
		n += e.x.Outcomes[w.String()]
	}
	return n, n > 0 && 2*n >= e.x.Lost
}

// of returns the value of a stretch of time, or its lower bound.
func (e *evidence) of(q assay.Quantity) (seconds float64, ok bool) {
	switch {
	case !q.Known():
		return 0, false
	case math.IsNaN(q.Value):
		return q.Lo, true
	}
	return q.Value, true
}

// noticed reports whether the platform reacted before users were well; told is false where nothing tells of the platform.
func (e *evidence) noticed() (noticed, told bool) {
	detect, ok := e.of(e.x.Detect)
	user, known := e.of(e.x.User)
	return detect < user-1e-9, ok && known
}

// whole reports whether the fault lay on no single instance, so that none was left that it spared.
func (e *evidence) whole() bool { return e.x.Window.Hurts("") }

func unreverted(e *evidence) string {
	if !strings.HasPrefix(e.x.Revert, "not verified") {
		return ""
	}
	return "run assay heal and see that nothing is left before the next experiment"
}

func unseenHang(e *evidence) string {
	n, most := e.lost(assay.Timeout, assay.CutStall)
	noticed, told := e.noticed()
	if !most || noticed || !told {
		return ""
	}
	return fmt.Sprintf("%d requests waited in vain while the platform saw nothing wrong: make the liveness probe a real inference with a deadline, not a connect or a status", n)
}

func drained(e *evidence) string {
	if e.x.Window.Kind != "terminate" || e.x.Lost == 0 {
		return ""
	}
	return fmt.Sprintf("the instance was asked to end and %d requests were lost with it: take it out of routing first, and let its termination grace be longer than the longest answer", e.x.Lost)
}

func flapping(e *evidence) string {
	if e.x.Returned == 0 {
		return ""
	}
	return fmt.Sprintf("the victim was taken back into routing %s while it still failed: ask for several good probes in a row before it is readmitted", times(e.x.Returned))
}

func alone(e *evidence) string {
	switch e.x.Window.Kind {
	case "kill", "terminate", "crashloop", "hang":
	default:
		if e.whole() {
			return "" // more instances would have been hurt with it
		}
	}
	if e.x.Window.Healthy != 1 || e.x.Lost+e.x.Slow == 0 || !e.x.Capacity.Known() {
		return ""
	}
	return "the victim was the only instance ready: keep at least two (min replicas)"
}

func unretried(e *evidence) string {
	n, most := e.lost(assay.Refused, assay.Reset, assay.Unavailable, assay.ServerError)
	if !most || e.x.Window.Healthy < 2 || e.whole() {
		return ""
	}
	s := fmt.Sprintf("%d requests failed before their answer began while another instance was ready: let the gateway send such requests again, to another instance", n)
	if e.f.Manifest.Attempts > 1 {
		s += fmt.Sprintf("; the client's own %d attempts did not save them", e.f.Manifest.Attempts)
	}
	return s
}

func throttled(e *evidence) string {
	n, most := e.lost(assay.Throttled)
	if !most || e.f.Manifest.Attempts > 1 {
		return ""
	}
	return fmt.Sprintf("%d requests were answered 429 and not sent again: retry after the time that the answer names", n)
}

func waited(e *evidence) string {
	n, most := e.lost(assay.Timeout, assay.CutStall)
	if !most || e.x.Window.Healthy < 2 || e.whole() || e.f.Manifest.MaxWait == 0 {
		return ""
	}
	return fmt.Sprintf("%d requests waited for their whole deadline of %s: a shorter deadline to the first token, and another instance after it", n, duration(seconds(e.f.Manifest.MaxWait)))
}

func slowToSee(e *evidence) string {
	detect, ok := e.of(e.x.Detect)
	user, known := e.of(e.x.User)
	noticed, told := e.noticed()
	if !ok || !known || !told || !noticed || detect < 1 || 2*detect < user {
		return ""
	}
	return fmt.Sprintf("detection took %s of the %s: probe more often, or give up after fewer failures", duration(detect), duration(user))
}

func spare(e *evidence) string {
	capacity, ok := e.of(e.x.Capacity)
	user, known := e.of(e.x.User)
	if !ok || !known || user == 0 || capacity < 0.8*user || capacity > 1.25*user {
		return ""
	}
	return fmt.Sprintf("users were well when capacity was back, after %s: keep a spare instance, or make its start shorter", duration(capacity))
}

func backlog(e *evidence) string {
	capacity, ok := e.of(e.x.Capacity)
	user, known := e.of(e.x.User)
	if !ok || !known || user < 2*capacity || user-capacity < 1 || e.x.Slow == 0 {
		return ""
	}
	return fmt.Sprintf("capacity was back after %s and users were well only after %s: let the queue be shorter and shed what would wait longer than it is worth", duration(capacity), duration(user))
}

func broken(e *evidence) string {
	n, most := e.lost(assay.CutFIN, assay.CutRST, assay.CutStall, assay.BadPayload)
	if !most {
		return ""
	}
	return fmt.Sprintf("%d answers were cut after they had begun, which no gateway can retry: let clients resume or ask again", n)
}
