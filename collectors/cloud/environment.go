package cloud

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// slack is how long after an init an invocation may start that waited for it. One that starts later found an environment that was made ahead.
const slack = int64(1e9)

// maxOpen bounds the invocations that wait for their REPORT in a log whose environments cannot be told apart.
const maxOpen = 10_000

// An invocation is one that has started, while its end is not known.
type invocation struct {
	id         string
	at         int64 // of START; 0: not told
	last       int64 // of what was told of it last
	resolution int64
	lines      int64
	errorType  string
	exit       string
	timeout    bool
	status     string
	duration   int64 // as the runtime took; -1: not told
	first      int64
	trace      assay.TraceID
	rapid      bool
	answered   bool
	suppressed bool // the platform says that the init was done again within it
}

// An environment is one of a function's: it serves one invocation at a time. Where a log does not say which lines are of which
// environment (name is ""), the ids of invocations tell them apart, and nothing is told of lives.
type environment struct {
	log  *functionLog
	name string

	how      string
	from     int64 // of the init that is under way or was done last
	initTook int64 // as the platform measured it apart; -1: not
	begun    bool  // this life's creation was told
	ready    bool
	waited   bool   // some invocation was given the init
	broken   string // why the runtime is gone; "": it is not
	fresh    bool   // this life follows one that broke

	open   []*invocation
	done   *assay.Request // the last one, while lines that speak of it may follow
	doneID string
	size   int64 // bytes of memory
	used   int64
}

// take goes on by one happening.
func (e *environment) take(h *happening) error {
	if e.done != nil && h.id == e.doneID && (h.what == timedOut || h.what == processExit) { // some runtimes write it after the REPORT
		return e.late(h)
	}
	if h.what != traceLine {
		if err := e.flush(); err != nil {
			return err
		}
	}
	switch h.what {
	case initStart, restoreStart:
		return e.begin(h)
	case initDone:
		return e.initialised(h, "init")
	case restoreDone:
		return e.initialised(h, "restore")
	case invokeStart:
		return e.start(h)
	case invokeReport:
		return e.report(h)
	case webDone:
		return e.web(h)
	case spinDown:
		e.log.keep(h)
		return e.exit(h.at, h.resolution, "scale_in", "spun down by the platform")
	case traceLine:
		e.log.keep(h)
		if e.done != nil {
			e.done.TraceID = h.trace
		}
		return nil
	case dropped:
		e.log.keep(h)
		e.log.tally.Note("the platform dropped log lines %d times: invocations may be missing", 1)
		return nil
	}
	return e.during(h)
}

// during takes what is told in the course of an invocation.
func (e *environment) during(h *happening) error {
	v := e.find(h.id)
	if v == nil {
		e.log.keep(h)
		if h.what == processExit {
			return e.exit(h.at, h.resolution, "crash", h.status)
		}
		if h.what == reset && strings.HasPrefix(h.status, "sandbox") {
			return e.exit(h.at, h.resolution, "shutdown", "")
		}
		return nil
	}
	v.lines++
	v.last = max(v.last, h.at)
	switch h.what {
	case invokeDone:
		v.answered, v.status, v.duration, v.first = true, h.status, h.duration, h.first
		v.errorType = cmp.Or(v.errorType, h.errorType)
	case fault:
		v.errorType = cmp.Or(v.errorType, h.errorType)
	case timedOut:
		v.timeout = true
		if v.at == 0 && h.at != 0 && h.duration >= 0 {
			v.at = h.at - h.duration
		}
	case processExit:
		v.exit = cmp.Or(h.status, "runtime exited")
	case reset:
		switch {
		case h.status == "timeout":
			v.timeout = true
		case strings.HasPrefix(h.status, "sandbox") && v.answered:
			v.lines--
			e.log.keep(h)
			return e.exit(h.at, h.resolution, "shutdown", "")
		case v.exit == "" && !v.answered:
			v.exit = "reset by the platform"
		}
	}
	return nil
}

// late takes how an invocation failed from a line after its REPORT.
func (e *environment) late(h *happening) error {
	e.log.keep(h)
	v := &invocation{timeout: h.what == timedOut, duration: -1, at: e.done.End, last: h.at, resolution: h.resolution}
	if h.what == processExit {
		v.exit = cmp.Or(h.status, "runtime exited")
	}
	was := e.done.Outcome
	e.done.Outcome, e.done.Error = v.judge(h, false), v.why()
	if was.Failed() { // its end was told
		return nil
	}
	return e.afterwards(v, nil, e.done.Outcome)
}

// find returns the invocation that a line speaks of: by its id, or the one that runs.
func (e *environment) find(id string) *invocation {
	for _, v := range e.open {
		if v.id == id && id != "" {
			return v
		}
	}
	if n := len(e.open); n > 0 && (id == "" || e.name != "") {
		return e.open[n-1]
	}
	return nil
}

// start takes an invocation's beginning. In an environment that is known, it ends the one before: no REPORT came.
func (e *environment) start(h *happening) error {
	if n := len(e.open); n > 0 && e.name != "" && e.open[n-1].lines == 1 && e.open[n-1].rapid != h.rapid { // the emulator's two streams in one file: it said so on both
		v := e.open[n-1]
		if h.rapid {
			v.id = h.id
		}
		v.at, v.last, v.resolution, v.lines, v.rapid = max(v.at, h.at), max(v.last, h.at), max(v.resolution, h.resolution), 2, true
		return nil
	}
	if e.name != "" {
		if err := e.abandon(false); err != nil {
			return err
		}
	} else if len(e.open) >= maxOpen {
		return fmt.Errorf("%s: more than %d invocations without their REPORT: want a log that names its streams", e.log.path, maxOpen)
	}
	e.open = append(e.open, &invocation{id: h.id, at: h.at, last: h.at, resolution: h.resolution, lines: 1, duration: -1, first: -1, trace: h.trace, rapid: h.rapid})
	return nil
}

// abandon ends the invocations that are open without their REPORT: they failed, or the log ends.
func (e *environment) abandon(atEnd bool) error {
	open := e.open
	e.open = nil
	for i, v := range open {
		if err := e.close(v, nil, atEnd && i == len(open)-1); err != nil {
			return err
		}
	}
	return nil
}

// report takes the platform's account of an invocation. Where its START had another id, as the emulator's has, the one that started last is
// meant and those before it have failed.
func (e *environment) report(h *happening) error {
	for i, v := range e.open {
		if v.id == h.id {
			e.open = append(e.open[:i], e.open[i+1:]...)
			return e.close(v, h, false)
		}
	}
	if n := len(e.open); n > 0 {
		v := e.open[n-1]
		e.open = e.open[:n-1]
		if err := e.abandon(false); err != nil {
			return err
		}
		e.log.tally.Note("%d invocations have another id on START than on REPORT, as the runtime interface emulator writes it: they were joined by their order", 1)
		return e.close(v, h, false)
	}
	return e.close(&invocation{id: h.id, duration: -1, first: -1, resolution: h.resolution}, h, false)
}

// web takes one request of a web function. Many run at once in one environment, and a start is the environment's, not a request's.
func (e *environment) web(h *happening) error {
	if h.at == 0 || h.duration < 0 {
		e.log.reject("a request without a time or a duration", 1)
		return nil
	}
	e.log.keep(h)
	r := &assay.Request{Due: h.at - h.duration, End: h.at, Instance: e.name, TraceID: h.trace, Status: h.code, NoSchedule: true}
	switch {
	case h.code != 0:
		r.Outcome = assay.OutcomeOf(int(h.code), false)
	default:
		r.Outcome = outcomeOf(h.status)
	}
	r.Error = h.errorType
	if e.ready && e.from != 0 {
		if r.Cold = assay.ColdNo; r.Due < e.from+max(e.initTook, 0) {
			r.Cold = assay.ColdYes
		}
	}
	return e.log.request(r)
}

// outcomeOf reads the platform's word for how an invocation ended.
func outcomeOf(status string) assay.Outcome {
	switch status {
	case "success":
		return assay.OK
	case "timeout":
		return assay.Timeout
	case "error", "failure":
		return assay.ServerError
	}
	return assay.OutcomeUnknown
}
