package cloud

import (
	"strconv"

	"github.com/assay-dev/assay"
)

// event emits one event of the life that goes on; nothing where the environment or the instant is not known.
func (e *environment) event(kind string, at, resolution int64, text string, attrs map[string]string) error {
	if e.name == "" || at == 0 {
		return nil
	}
	return e.log.event(&assay.Event{Time: at, Resolution: resolution, Kind: kind, Source: "lambda", Instance: e.name, Text: text, Attrs: attrs})
}

// begin takes the beginning of an init or a restore, which begins a life.
func (e *environment) begin(h *happening) error {
	e.log.keep(h)
	if e.begun && e.ready { // the runtime was thrown away and nobody said so
		if err := e.abandon(false); err != nil {
			return err
		}
		if e.begun {
			if err := e.exit(h.at, h.resolution, "unknown", "its environment was made anew"); err != nil {
				return err
			}
		}
	} else if e.begun { // the init failed and is done again
		if err := e.exit(h.at, h.resolution, "crash", "its init was done again"); err != nil {
			return err
		}
	}
	e.from, e.initTook, e.how, e.waited = h.at, -1, h.how, false
	return e.create(h.at, h.resolution)
}

// create tells that a life begins, once.
func (e *environment) create(at, resolution int64) error {
	if e.begun || at == 0 {
		return nil
	}
	e.begun, e.ready, e.fresh = true, false, e.broken != ""
	var attrs map[string]string
	switch {
	case e.broken != "":
		attrs = map[string]string{"reason": "replace"}
	case e.how == "provisioned-concurrency":
		attrs = map[string]string{"reason": "provisioned"}
	}
	return e.event(assay.EventInstanceCreated, at, resolution, "", attrs)
}

// initialised takes the end of an init or a restore that the platform told apart.
func (e *environment) initialised(h *happening, phase string) error {
	e.log.keep(h)
	if h.how != "" {
		e.how = h.how
	}
	e.initTook = h.duration
	from, to := e.from, h.at
	switch {
	case from != 0 && h.duration >= 0:
		to = from + h.duration
	case from == 0 && h.duration >= 0 && h.at != 0:
		from = h.at - h.duration
	}
	e.from = from
	if v := e.find(""); v != nil && h.phase == "invoke" {
		v.suppressed = true
	}
	if failed := outcomeOf(h.status); failed == assay.ServerError || failed == assay.Timeout {
		if err := e.create(from, h.resolution); err != nil {
			return err
		}
		reason := "crash"
		if failed == assay.Timeout {
			reason = "timeout"
		}
		return e.exit(to, h.resolution, reason, "its init failed: "+h.errorType)
	}
	return e.started(phase, from, to, h.resolution)
}

// started tells the start of a life, once.
func (e *environment) started(phase string, from, to, resolution int64) error {
	if e.ready || from == 0 {
		return nil
	}
	if err := e.create(from, resolution); err != nil {
		return err
	}
	e.ready = true
	e.broken = ""
	if err := e.event(assay.EventInstancePhase, to, resolution, "", map[string]string{"phase": phase, "start_ns": strconv.FormatInt(from, 10), "end_ns": strconv.FormatInt(to, 10)}); err != nil {
		return err
	}
	return e.event(assay.EventInstanceReady, to, resolution, "", nil)
}

// exit ends a life. The next invocation finds no runtime, unless the platform says otherwise before.
func (e *environment) exit(at, resolution int64, reason, text string) error {
	if e.broken != "" && !e.begun {
		return nil
	}
	attrs := map[string]string{"reason": reason}
	if len(text) > 12 && text[:12] == "exit status " {
		attrs["code"] = text[12:]
	} else if len(text) > 8 && text[:8] == "signal: " {
		attrs["signal"] = text[8:]
	}
	err := e.event(assay.EventInstanceExited, at, resolution, text, attrs)
	e.begun, e.ready, e.from, e.initTook, e.how = false, false, 0, -1, ""
	if e.broken = reason; reason == "scale_in" || reason == "shutdown" {
		e.broken = ""
	}
	return err
}
