package cloud

import (
	"cmp"
	"strings"

	"github.com/assay-dev/assay"
)

const hidden = "%d invocations re-started a runtime that had died, without an Init Duration of their own: hidden cold starts, which count as cold"

// close ends an invocation with its REPORT, or without one (rep is nil). cut says that the log ends in the midst of it.
func (e *environment) close(v *invocation, rep *happening, cut bool) error {
	init, restore := int64(-1), int64(-1)
	if rep != nil {
		v.lines++
		v.last = max(v.last, rep.at)
		v.resolution = max(v.resolution, rep.resolution)
		v.errorType = cmp.Or(v.errorType, rep.errorType)
		init, restore = rep.init, rep.restore
		if v.status == "" || outcomeOf(rep.status) != assay.OutcomeUnknown {
			v.status = cmp.Or(rep.status, v.status)
		}
		if v.duration < 0 {
			v.duration = rep.duration
		}
		if !rep.trace.IsZero() {
			v.trace = rep.trace
		}
		if v.at == 0 && rep.at != 0 && v.duration >= 0 {
			v.at = rep.at - v.duration
			e.log.tally.Note("%d invocations are known by their REPORT alone: they began their duration before it was written", 1)
		}
	}
	if v.at == 0 {
		e.log.timeless = true
		e.log.reject("of an invocation without a time: the log has no time stamps", v.lines)
		return e.afterwards(v, rep, v.judge(rep, cut))
	}
	e.log.tally.Keep(v.lines)
	r := &assay.Request{Due: v.at, TraceID: v.trace, NoSchedule: true, Outcome: v.judge(rep, cut)}
	switch {
	case v.duration >= 0:
		r.End = v.at + v.duration
	case v.last > v.at:
		r.End = v.last
	case !cut:
		r.End = v.at
	}
	if v.first >= 0 && v.at+v.first <= r.End {
		r.FirstByte = v.at + v.first
	}
	if r.Outcome.Failed() {
		r.Error = v.why()
	}
	if err := e.coldness(v, r, init, restore); err != nil {
		return err
	}
	r.Instance = e.name
	e.log.resolution(v.resolution)
	if rep != nil {
		e.size, e.used = rep.memory, rep.used
	}
	e.done, e.doneID = r, v.id
	if rep != nil {
		e.doneID = rep.id
	}
	return e.afterwards(v, rep, r.Outcome)
}

// judge says how the invocation ended.
func (v *invocation) judge(rep *happening, cut bool) assay.Outcome {
	switch {
	case v.timeout || v.status == "timeout":
		return assay.Timeout
	case v.errorType != "" || v.exit != "":
		return assay.ServerError
	case rep == nil && v.answered && v.rapid && v.status == "success":
		return assay.OutcomeUnknown // the emulator says success of a handler's error too
	case rep == nil && v.answered:
		return outcomeOf(v.status)
	case rep == nil && cut:
		return assay.Unfinished
	case rep == nil:
		return assay.ServerError
	case v.status != "":
		return outcomeOf(v.status)
	}
	return assay.OK
}

// why is the cause of a failure in a few words of the platform's.
func (v *invocation) why() string {
	switch {
	case v.timeout || v.status == "timeout":
		return "timed out by the platform"
	case v.exit != "":
		return strings.TrimSpace("the runtime died " + v.exit)
	case v.errorType != "":
		return "the function raised " + v.errorType
	}
	return "no REPORT"
}

// coldness says whether the invocation waited for an init, and moves its due to where that began.
func (e *environment) coldness(v *invocation, r *assay.Request, init, restore int64) error {
	phase, took := "init", init
	if restore >= 0 {
		phase, took = "restore", restore
	}
	known := e.from != 0 && !e.waited // the init of this life was told apart, and nobody was given it yet
	e.waited = true
	switch {
	case known:
		end := e.from + max(e.initTook, 0)
		if e.initTook < 0 {
			end = e.from + max(took, 0)
		}
		if e.initTook >= 0 && init >= 0 && init < e.initTook/2 && e.initTook-init > 5e7 {
			e.log.tally.Note("the Init Duration on REPORT was less than half of what the init itself took, %d times: what it took counts", 1)
		}
		if e.how == "provisioned-concurrency" || v.at-end > slack {
			r.Cold = assay.ColdNo // it was made ahead
			e.log.tally.Note("%d environments were initialised before anybody asked: their first invocations count as warm", 1)
		} else {
			r.Cold, r.Due = assay.ColdYes, min(e.from, v.at)
		}
		if e.fresh && took < 0 {
			e.log.tally.Note(hidden, 1)
		}
		if e.initTook < 0 && took >= 0 {
			return e.started(phase, e.from, e.from+took, v.resolution)
		}
		return nil
	case v.suppressed:
		r.Cold = assay.ColdYes
		return nil
	case took >= 0:
		r.Cold, r.Due = assay.ColdYes, v.at-took
		return e.started(phase, r.Due, v.at, v.resolution)
	case e.broken != "":
		r.Cold = assay.ColdYes
		e.log.tally.Note(hidden, 1)
		err := e.create(v.at, v.resolution)
		e.broken = ""
		return err
	}
	r.Cold = assay.ColdNo
	return nil
}

// afterwards ends the life where the invocation took its runtime with it.
func (e *environment) afterwards(v *invocation, rep *happening, o assay.Outcome) error {
	at := max(v.last, v.at)
	if v.duration >= 0 && v.at != 0 {
		at = v.at + v.duration
	}
	switch {
	case o == assay.Timeout:
		return e.exit(at, v.resolution, "timeout", "thrown away with an invocation that timed out")
	case strings.Contains(v.errorType, "OutOfMemory"), strings.Contains(v.exit, "signal: killed") && rep != nil && rep.used > 0 && rep.used >= rep.memory:
		return e.exit(at, v.resolution, "oom", v.exit)
	case v.exit != "", strings.HasPrefix(v.errorType, "Runtime.Exit"), rep == nil && o == assay.ServerError && !v.answered:
		return e.exit(at, v.resolution, "crash", cmp.Or(v.exit, "no REPORT"))
	}
	return nil
}

// flush emits the request that was held for lines that speak of it.
func (e *environment) flush() error {
	if e.done == nil {
		return nil
	}
	r := e.done
	e.done = nil
	if err := e.log.request(r); err != nil {
		return err
	}
	if r.End == 0 || e.used < 0 || e.size <= 0 {
		return nil
	}
	return e.log.memory(e.name, r.End, e.size, e.used)
}
