package live

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// A Fault is an injected fault that is not over yet.
type Fault struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	Target string `json:"target,omitempty"`
	State  string `json:"state"` // injected or recovering
	Since  int64  `json:"since_ns"`
}

// The states of a fault that is not over. A fault whose undo could not be verified stays injected: it may still be active. One that was reverted is
// recovering until that is verified and its users are well again: until eight requests that were due after it ended well in a row, or, where nobody asks,
// until half a minute has passed or the load has ended. The report says when that was, by the analyzers' rule.
const (
	FaultInjected   = "injected"
	FaultRecovering = "recovering"
)

// The states of an instance.
const (
	starting = "starting"
	ready    = "ready"
	unready  = "unready"
	ejected  = "ejected"
	draining = "draining"
)

const (
	maxNotes     = 256  // events kept for those who print them
	maxInstances = 4096 // tracked at once
	maxSources   = 1000 // scrape targets counted one by one
)

// A fleet is what events and scrapes tell about the run, its faults and its instances. The window's lock guards it.
type fleet struct {
	current   *running // the load phase, nil between phases
	ended     bool     // no request will be sent any more
	roles     map[string]string
	instances map[string]string // state by id
	starts    map[string]int64  // by reason
	desired   int               // -1: nothing told
	faults    map[string]*Fault
	known     map[string]Fault // every fault of the run, for /metrics
	back      map[string]*comeback
	scrapes   map[string]int64 // errors by target
	warnings  int64
	notes     []assay.Event
	noted     uint64 // number of the next note
	goals     map[goal]float64
}

type running struct {
	name, role string
	rate       float64
	begin      int64
}

func (f *fleet) init() {
	f.roles = make(map[string]string)
	f.instances = make(map[string]string)
	f.starts = make(map[string]int64)
	f.faults = make(map[string]*Fault)
	f.known = make(map[string]Fault)
	f.back = make(map[string]*comeback)
	f.scrapes = make(map[string]int64)
	f.desired = -1
}

// notable are the events that people want to read while they wait.
var notable = map[string]bool{
	assay.EventPhaseBegin: true, assay.EventLoadEnd: true, assay.EventStop: true, assay.EventWarning: true, assay.EventAnnotation: true, assay.EventGuardBreach: true, assay.EventDecided: true,
	assay.EventFaultApplied: true, assay.EventFaultVoid: true, assay.EventFaultReverted: true, assay.EventFaultClear: true, assay.EventFaultRemaining: true,
	assay.EventInstanceReady: true, assay.EventInstanceUnready: true, assay.EventInstanceEjected: true, assay.EventInstanceExited: true,
}

func (w *Window) event(e *assay.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Kind {
	case assay.EventPhaseBegin:
		rate, _ := strconv.ParseFloat(e.Attrs["rate"], 64)
		w.current = &running{e.Phase, e.Attrs["role"], rate, e.Time}
		w.roles[e.Phase] = e.Attrs["role"]
		w.phase(e.Phase)
	case assay.EventPhaseEnd:
		if w.current != nil && w.current.name == e.Phase {
			w.current = nil
		}
	case assay.EventLoadEnd:
		w.ended = true
		w.expire(math.MaxInt64)
	case assay.EventWarning:
		w.warnings++
	case assay.EventScale:
		if n, err := strconv.Atoi(e.Attrs["desired"]); err == nil {
			w.desired = n
		}
	default:
		switch {
		case strings.HasPrefix(e.Kind, "fault."):
			w.fault(e)
		case strings.HasPrefix(e.Kind, "instance."):
			w.instance(e)
		}
	}
	if notable[e.Kind] || looksWrong(e) {
		c := *e
		c.Attrs = maps.Clone(e.Attrs)
		if len(w.notes) == maxNotes {
			w.notes = slices.Delete(w.notes, 0, 1)
		}
		w.notes = append(w.notes, c)
		w.noted++
	}
}

// looksWrong reports whether the event is a look at a hypothesis that people want to read: all but one that saw it hold during a fault.
func looksWrong(e *assay.Event) bool {
	return e.Kind == assay.EventHypothesis && (e.Attrs["stage"] != "during" || e.Attrs["ok"] == "false")
}

func (f *fleet) fault(e *assay.Event) {
	now := f.faults[e.Fault]
	if now == nil {
		now = &Fault{ID: e.Fault, Target: e.Instance}
		if was, ok := f.known[e.Fault]; ok {
			*now = was
		}
	}
	if k := e.Attrs["kind"]; k != "" {
		now.Kind = k
	}
	if t := e.Attrs["target"]; t != "" {
		now.Target = t
	}
	f.faults[e.Fault] = now
	switch e.Kind {
	case assay.EventFaultApplied, assay.EventFaultRemaining:
		now.State, now.Since = FaultInjected, e.Time
	case assay.EventFaultReverted:
		now.State, now.Since = FaultRecovering, e.Time
		f.back[e.Fault] = &comeback{since: e.Time, void: f.back[e.Fault] != nil}
	case assay.EventFaultClear:
		if b := f.back[e.Fault]; b != nil && !b.void && !f.ended && b.well < wellRun {
			b.clear = true
			break
		}
		f.over(e.Fault)
		return
	case assay.EventFaultVoid:
		f.over(e.Fault)
		f.back[e.Fault] = &comeback{void: true}
		return
	}
	f.known[e.Fault] = *now
}

func (f *fleet) instance(e *assay.Event) {
	if e.Instance == "" {
		return
	}
	state := ""
	switch e.Kind {
	case assay.EventInstanceCreated:
		f.starts[e.Attrs["reason"]]++
		state = starting
	case assay.EventInstanceStarted:
		state = starting
		if f.instances[e.Instance] == ready {
			return // told late
		}
	case assay.EventInstanceReady:
		state = ready
	case assay.EventInstanceUnready:
		state = unready
	case assay.EventInstanceEjected:
		state = ejected
	case assay.EventInstanceDraining:
		state = draining
	case assay.EventInstanceExited:
		delete(f.instances, e.Instance)
		return
	default:
		return
	}
	if _, known := f.instances[e.Instance]; known || len(f.instances) < maxInstances {
		f.instances[e.Instance] = state
	}
}

func (w *Window) scrape(s *assay.Scrape) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, known := w.scrapes[s.Target]
	target := s.Target
	if !known && len(w.scrapes) >= maxSources {
		target = "other"
		n = w.scrapes[target]
	}
	if s.Error != "" {
		n++
	} else if known {
		return
	}
	w.scrapes[strings.Clone(target)] = n
}

// Notes returns the notable events from number since on, and the number of the next one. Events that
// were not asked for in time are lost.
func (w *Window) Notes(since uint64) (events []assay.Event, next uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := w.noted - uint64(len(w.notes))
	if skip := max(since, first) - first; skip < uint64(len(w.notes)) {
		events = slices.Clone(w.notes[skip:])
	}
	return events, w.noted
}
