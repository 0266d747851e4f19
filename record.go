package assay

import (
	"encoding/hex"
	"fmt"
)

// A Record is one observation: a *[Request], *[Span], *[Sample], *[Scrape] or *[Event].
// The set is sealed. A record passed to an emit function is borrowed: it and the
// slices it holds belong to the emitter again once emit returns.
type Record interface{ record() }

func (*Request) record() {}
func (*Span) record()    {}
func (*Sample) record()  {}
func (*Scrape) record()  {}
func (*Event) record()   {}

// TraceID is a W3C trace id; all zero means none.
type TraceID [16]byte

// SpanID is a W3C span id; all zero means none.
type SpanID [8]byte

// IsZero reports whether the id is absent.
func (t TraceID) IsZero() bool { return t == TraceID{} }

// String returns the id as lower-case hex.
func (t TraceID) String() string { return hex.EncodeToString(t[:]) }

// IsZero reports whether the id is absent.
func (s SpanID) IsZero() bool { return s == SpanID{} }

// String returns the id as lower-case hex.
func (s SpanID) String() string { return hex.EncodeToString(s[:]) }

// Outcome says how a request ended, as its client saw it.
type Outcome uint8

// The outcomes. Their text forms are what files and reports show. The taxonomy keeps
// apart what a reader of an availability figure would want apart: a target that
// sheds load, one that is still loading, one that broke, and our own refusals.
const (
	OutcomeUnknown Outcome = iota // not recorded, or an import that does not say
	OK                            // complete and well formed
	Throttled                     // 429: the target shed the request on purpose
	Loading                       // 503 that says the model is not loaded yet
	Unavailable                   // 503 or 502/504 from the platform
	ServerError                   // any other 5xx
	ClientError                   // any other 4xx: a route, a revision or a model that is gone, or a request that the plan got wrong
	Timeout                       // our deadline passed before the answer was complete
	Refused                       // connection refused
	Reset                         // connection reset before the first byte of the answer
	CutFIN                        // stream ended early with an orderly close
	CutRST                        // stream ended early with a reset
	CutStall                      // stream stopped before our deadline and never went on
	BadPayload                    // complete but not what the protocol promises
	WrongContent                  // well formed but failed a content check
	Unresolved                    // name or TLS failure: no connection was made
	RefusedByCap                  // refused by our own in-flight cap, or for want of ports and files of our own: never sent
	Unfinished                    // the run ended first
	Credential                    // our own credential was refused or expired
	outcomes
)

var outcomeNames = [outcomes]string{"unknown", "ok", "throttled", "loading", "unavailable", "server_error", "client_error",
	"timeout", "refused", "reset", "cut_fin", "cut_rst", "cut_stall", "bad_payload", "wrong_content", "unresolved", "refused_by_cap",
	"unfinished", "credential"}

// String returns the outcome's name.
func (o Outcome) String() string { return enumName(outcomeNames[:], o) }

// MarshalText returns the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText sets o from its name.
func (o *Outcome) UnmarshalText(b []byte) error { return parseEnum(outcomeNames[:], b, o, "outcome") }

// Failed reports whether the outcome speaks against the target: something was asked
// of it and not delivered. A client error does too: who plans the requests sends none that are wrong, so that a 4xx says that what they ask for is gone,
// or that the plan is wrong, and neither may pass; of users' own requests, which a run may hold that others recorded, see [Manifest.Failed]. Throttling, our own cap and
// credentials, and requests still open when the run ended do not.
func (o Outcome) Failed() bool {
	switch o {
	case Loading, Unavailable, ServerError, ClientError, Timeout, Refused, Reset, CutFIN, CutRST, CutStall, BadPayload, WrongContent, Unresolved:
		return true
	}
	return false
}

// Bad reports whether a request that was sent was not served, whatever the reason: it failed, or the target turned it away. This is what error_ratio counts
// wherever it stands: in findings and objectives, in guards and looks at a steady state, in a search and in k6, and so do promises to users and their rules.
func (o Outcome) Bad() bool { return o.Failed() || o == Throttled }

// Counts reports whether error_ratio counts a request of the outcome at all. What was not sent, because of a cap of our own, what the end of the run cut short
// and what our own credential was refused say nothing; the last makes a run invalid.
func (o Outcome) Counts() bool { return o == OK || o.Bad() }

// Judged reports whether the outcome says anything about the target's availability: it was
// either served or failed.
func (o Outcome) Judged() bool { return o == OK || o.Failed() }

// Cut reports whether the answer's stream began and was cut off.
func (o Outcome) Cut() bool { return o == CutFIN || o == CutRST || o == CutStall }

// OutcomeOf returns the outcome of an answer with an HTTP status; loading tells that a 503 says the model is not loaded yet. A
// redirect is a client error: whoever planned the request named the wrong URL.
func OutcomeOf(status int, loading bool) Outcome {
	switch {
	case status >= 200 && status < 300:
		return OK
	case status == 429:
		return Throttled
	case status == 503 && loading:
		return Loading
	case status == 502 || status == 503 || status == 504:
		return Unavailable
	case status >= 500:
		return ServerError
	case status == 401 || status == 403 || status == 407:
		return Credential
	}
	return ClientError
}

// Cold says whether a request had to wait for an instance to start. The
// absence of a mark is never read as warm.
type Cold uint8

// The cold states.
const (
	ColdUnknown Cold = iota // nothing tells
	ColdYes                 // waited for an instance that was not ready when it arrived
	ColdNo                  // an instance was ready
)

var coldNames = []string{"unknown", "cold", "warm"}

// String returns unknown, cold or warm.
func (c Cold) String() string { return enumName(coldNames, c) }

// MarshalText returns the state's name.
func (c Cold) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText sets c from its name.
func (c *Cold) UnmarshalText(b []byte) error { return parseEnum(coldNames, b, c, "cold state") }

// ClassCanary is the class of the requests whose answers are known: a fixed prompt that rides along, so that a target that answers
// quickly with garbage is found out. They count for availability and for nothing that is measured of the load.
const ClassCanary = "canary"

// A Request is one attempt at one inference, as its client saw it. Latency counts from
// Due, so that a stalled generator cannot hide a stalled server. It
// never holds prompts, answers or credentials.
type Request struct {
	ID       uint64  // number of the request in the run's schedule, from 1; attempts share it
	Attempt  int32   // 0 for the first try
	Phase    string  // name of the load phase that planned it
	Class    string  // tenant, priority or workload class; may be empty
	User     string  // pseudonym of the user or session that it belongs to, see [Pseudonym]; may be empty
	Outcome  Outcome // how it ended
	Status   int32   // HTTP or gRPC status; 0 when none was received
	Cold     Cold    // as the client was told; analysis joins better sources
	Instance string  // instance that served it, if known
	TraceID  TraceID // trace the request asked for; zero for none
	SpanID   SpanID  // the client's own span, parent of the target's first
	Error    string  // short cause of a failure, without addresses' secrets; may be empty

	Due        int64 // ns: planned instant of the send
	Sent       int64 // ns: just before the first write to the socket; 0 if never sent
	FirstByte  int64 // ns: first byte of the answer
	FirstToken int64 // ns: first chunk that bore content
	End        int64 // ns: last byte, or the instant the failure was known

	// Arrivals holds the instant, in ns, of each content-bearing chunk of a
	// streamed answer, in order; Arrivals[0] == FirstToken. Counts, if not nil, holds the tokens of each.
	Arrivals []int64
	Counts   []int32

	TokensIn    int32 // prompt tokens; the target's usage when it tells, else as planned
	TokensOut   int32 // answer tokens; usage when it tells, else counted chunks
	TokensAsked int32 // answer tokens asked for
	BytesOut    int64 // body bytes sent
	BytesIn     int64 // body bytes received
	RetryAfter  int64 // ns: what the target asked us to wait; 0 if it did not

	NoSchedule bool // Due is the instant a slot was free (closed loop, k6, most imports)
	Forced     bool // its cold start was forced by the plan
	Canary     bool // a content or recovery probe of ours, not part of the load
}

// Kind of span, as in OpenTelemetry.
type SpanKind uint8

// The span kinds.
const (
	SpanUnspecified SpanKind = iota
	SpanInternal
	SpanServer
	SpanClient
	SpanProducer
	SpanConsumer
)

var spanKindNames = []string{"unspecified", "internal", "server", "client", "producer", "consumer"}

// String returns the kind's name.
func (k SpanKind) String() string { return enumName(spanKindNames, k) }

// A Span is one timed operation of the target, or of the client.
type Span struct {
	TraceID  TraceID
	SpanID   SpanID
	Parent   SpanID
	Name     string
	Service  string // service.name of the resource
	Instance string // service.instance.id or faas.instance of the resource or span; may be empty
	Kind     SpanKind
	Start    int64 // ns
	End      int64 // ns
	Failed   bool  // status code is error
	Attrs    []Attr
}

// Attr returns the value of the named attribute, and whether it is there.
func (s *Span) Attr(key string) (string, bool) {
	for i := range s.Attrs {
		if s.Attrs[i].Key == key {
			return s.Attrs[i].Value, true
		}
	}
	return "", false
}

// Attr is a key and its value; numbers and booleans in their shortest decimal text.
type Attr struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Label is one name and value of a series.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Sample is one value of one series. Labels are sorted by name and do not include __name__.
type Sample struct {
	Name   string
	Labels []Label
	Time   int64 // ns
	Value  float64
}

// A Scrape is what one look at one target gave: many samples of one instant. A
// failed scrape has no samples and says why in Error.
type Scrape struct {
	Target  string // as a person would name it
	Time    int64  // ns: when it was asked for
	Took    int64  // ns
	Error   string
	Gone    bool // the target is no longer known: its series end here, which is no failure
	Samples []Sample
}

// An Event is something that happened once: to an instance, a fault, the load, the run.
type Event struct {
	Time       int64             `json:"time_ns"`
	Resolution int64             `json:"resolution_ns,omitempty"` // the instant lies in [Time-Resolution, Time]
	Kind       string            `json:"kind"`                    // one of the Event constants, or a source's own
	Source     string            `json:"source,omitempty"`        // who saw it
	Phase      string            `json:"phase,omitempty"`
	Instance   string            `json:"instance,omitempty"`
	Fault      string            `json:"fault,omitempty"` // id of the fault within the run
	Text       string            `json:"text,omitempty"`
	Attrs      map[string]string `json:"attrs,omitempty"`
}

// Kinds of events. Life-cycle events of one instance carry its id in Instance.
const (
	EventPhaseBegin = "phase.begin" // Phase; attrs role, rate, planned
	EventPhaseEnd   = "phase.end"   // Phase
	EventLoadEnd    = "load.end"    // no further request will be sent

	// A fault's life. FaultArmed carries the undo as data in attr "undo" and is on disk before FaultApplied.
	EventFaultArmed     = "fault.armed"     // attrs kind, target, undo
	EventFaultApplied   = "fault.applied"   // in force from here, as far as the injector knows
	EventFaultVerified  = "fault.verified"  // its effect was measured; attr effect
	EventFaultVoid      = "fault.void"      // it was not in effect, or could not be applied; Text says why
	EventFaultReverted  = "fault.reverted"  // the undo was done
	EventFaultClear     = "fault.clear"     // the undo was verified
	EventFaultRemaining = "fault.remaining" // the undo could not be verified; Text says what may remain

	EventInstanceCreated   = "instance.created"   // the platform decided to start it; attrs reason, workload, revision, node
	EventInstanceStarted   = "instance.started"   // its process runs; attrs workload, revision, node
	EventInstancePhase     = "instance.phase"     // one phase of its start ended; attrs phase, start_ns, end_ns
	EventInstanceReady     = "instance.ready"     // readiness probe passed for the first time, or again; in routing from here; attr inferred: that it was is known, and not since when
	EventInstanceUnready   = "instance.unready"   // readiness was lost; Text says why
	EventInstanceEjected   = "instance.ejected"   // taken out of routing because it failed
	EventInstanceDraining  = "instance.draining"  // told to finish and stop; attr reason
	EventInstanceExited    = "instance.exited"    // its process ended; attrs reason (scale_in, crash, ...), code, signal
	EventInstanceRestarted = "instance.restarted" // its process ended and was started anew, each time somewhere in [Time-Resolution, Time]; attrs count, open (true: nothing tells after which instant)
	EventInstanceProbe     = "instance.probe"     // outcome of a probe changed; attrs ok, probe (liveness, readiness, startup, inference), result; looks that are made all the time tell period_ns, looks and at last end

	// What a drill makes of itself. Each hypothesis is looked at before, during and after the faults.
	EventHypothesis  = "hypothesis"   // attrs stage (before, during, after), name, ok (true, false, unknown), value; Text says what was seen
	EventGuardBreach = "guard.breach" // a guard was crossed and everything is reverted from here; attrs guard, value

	// What is no fault and must be taken back all the same, as a silence must. UndoArmed is on disk before it is done.
	EventUndoArmed = "undo.armed" // attrs kind, target, undo
	EventUndoClear = "undo.clear" // the undo was verified

	EventAlert = "alert" // an alert that a drill is meant to raise; attrs alert, state (watched, firing, quiet), gap_ns; Text says what was seen

	EventGPUXID     = "gpu.xid"     // the driver told of an error of a GPU; attrs xid, pci or uuid, host, pid, process, mig, cause, action, class, severity, after, simulated
	EventGPUWatched = "gpu.watched" // a log or a driver was watched for such errors; attrs start_ns, end_ns, cards; without the first two its log holds errors alone and does not say from when to when

	EventExemplar = "metric.exemplar" // a metric names a trace as an example; attrs series, trace, value

	EventReadBack = "trace.readback" // traces of our requests were read from a store; attrs requests, asked, came, late, unsettled, last_ns, waited_ns, unasked

	EventTraceIntake = "trace.intake" // spans were taken as they came; attrs spans, p50_ns, p95_ns, max_ns (arrival minus end), ahead (spans that ended after they came), ahead_ns (the most), waited_ns (after the load)

	EventScale      = "scale"        // the autoscaler changed what it wants; attrs desired, ready, stable, panic, reason; of several workloads also workload, and workload_desired of it alone
	EventRollout    = "rollout"      // a new version of what makes the instances began; attrs workload, revision
	EventNode       = "node.state"   // a machine under the instances changed; attrs node, state (ready, unready, pressure, tainted, ...); Text says why
	EventModel      = "model.state"  // what the platform says of the model changed; attrs model, state, target, transition, copies, failed_copies, failure, code
	EventDecided    = "soak.decided" // the test of a soak was decided and its phase ends; attrs decision (accepted, rejected), up_ns, failures
	EventBlock      = "race.block"   // one stretch of load of a comparison of two targets in turns; attrs pair, length_ns
	EventAnnotation = "annotation"   // a person or a program had something to say
	EventWarning    = "run.warning"  // about the run itself: something was not recorded or not reachable
	EventStop       = "run.stop"     // the run was asked to stop; attr reason
)

type enum interface{ ~uint8 }

func enumName[T enum](names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("invalid(%d)", v)
}

func parseEnum[T enum](names []string, b []byte, v *T, what string) error {
	for i, n := range names {
		if n == string(b) {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("%s %q is not one of %q", what, b, names)
}
