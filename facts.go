package assay

import "context"

// Ledger names the account that a stretch of time, an episode or a request belongs to. The four are never summed.
type Ledger string

// The ledgers.
const (
	Natural  Ledger = "natural"  // what the service does of itself: MTBF, failure rate, natural availability
	Injected Ledger = "injected" // inside a fault's window and washout
	Overload Ledger = "overload" // load beyond the limit on purpose
	Planned  Ledger = "planned"  // rollouts, scale-in, recycling, drains
)

// Role says what a load phase is for.
type Role string

// The roles. Only steady phases feed the natural ledger's latency objectives; warm-up is recorded and shown but not judged.
const (
	RoleWarmup Role = "warmup"
	RoleSteady Role = "steady"
	RoleStress Role = "stress" // overload on purpose: feeds the overload ledger
	RoleIdle   Role = "idle"   // no load on purpose
	RoleCold   Role = "cold"   // cold starts forced on purpose, one at a time: feeds the cold findings alone
)

// A Phase is one stretch of the load plan as it ran.
type Phase struct {
	Name  string  `json:"name"`
	Role  Role    `json:"role"`
	Begin int64   `json:"begin_ns"`
	End   int64   `json:"end_ns"`
	Rate  float64 `json:"rate_per_s"`     // planned mean rate; 0 where there is none
	Step  int     `json:"step,omitempty"` // number of the step within a search, from 1
	Of    string  `json:"of,omitempty"`   // name of the search the step belongs to

	Tightest float64 `json:"tightest_s,omitempty"` // tightest latency limit of the search the step belongs to; 0 if it has none

	Varies bool `json:"varies,omitempty"` // the rate is the mean of one that a trace tells

	Planned int `json:"planned,omitempty"` // requests that were planned; 0 where that was decided as it went
}

// A Level is a stretch in which requests were due at a constant rate, as far as they show; it ends with the next.
type Level struct {
	Begin  int64   `json:"begin_ns"`
	Lo, Hi int64   // between which it began, at 95 %
	Rate   float64 `json:"rate_per_s"`
	N      int     `json:"n"` // requests
}

// A FaultWindow is the life of one injected fault.
type FaultWindow struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`    // kill, hang, delay, cut, …
	Target   string `json:"target"`  // the instance hurt, or what else
	Healthy  int    `json:"healthy"` // instances ready when it was applied, the victim included
	Armed    int64  `json:"armed_ns"`
	Applied  int64  `json:"applied_ns"`        // 0: never applied
	Verified int64  `json:"verified_ns"`       // 0: effect never measured
	Reverted int64  `json:"reverted_ns"`       // 0: not reverted
	Clear    int64  `json:"clear_ns"`          // 0: revert never verified
	Void     string `json:"void,omitempty"`    // why the fault was not in effect
	Washout  int64  `json:"washout_ns"`        // end of the washout after it
	Effect   string `json:"effect,omitempty"`  // the effect that was measured
	Remains  string `json:"remains,omitempty"` // what may remain

	Basis EffectBasis `json:"basis,omitempty"` // what the effect is known by; empty where none was seen

	For int64  `json:"for_ns,omitempty"` // how long it was to hold; 0: it has no length of its own, or none was told
	Cut string `json:"cut,omitempty"`    // why it was over before its time; empty if it was not

	Simulated bool `json:"simulated,omitempty"` // nothing was hurt: it only looked so to those who watch
}

// EffectBasis says what the effect of a fault is known by.
type EffectBasis string

// What an effect may be known by. The effect of an untested fault may not exist: where nobody felt it, it shows nothing.
const (
	EffectMeasured EffectBasis = "measured" // we saw it ourselves
	EffectTold     EffectBasis = "told"     // a controller said so
	EffectUntested EffectBasis = "untested" // what it would forbid or refuse was not tried by anybody
)

// What a fault may hurt in place of one instance: all that stands on a machine, all that passes between the load and a target of
// which nothing is known, or the target as a whole.
const (
	WholeMachine = "machine"
	WholeWire    = "wire"
	WholeTarget  = "target" // the deployment as a whole: its configuration, its quota, all its instances
)

// Hurts reports whether what the instance carries is carried by what the fault hurts.
func (w *FaultWindow) Hurts(instance string) bool {
	return w.Target == WholeMachine || w.Target == WholeWire || w.Target == WholeTarget || instance != "" && instance == w.Target
}

// A Segment is a stretch of the watched time that belongs to one ledger. The segments of a run are in order, do not overlap and cover it.
type Segment struct {
	Ledger Ledger `json:"ledger"`
	Fault  string `json:"fault,omitempty"` // id, in the injected ledger
	Begin  int64  `json:"begin_ns"`
	End    int64  `json:"end_ns"`
}

// Subject is what an episode happened to.
type Subject string

// The subjects.
const (
	Service    Subject = "service"
	InstanceOf Subject = "instance"
	GPU        Subject = "gpu"
)

// An Episode is one stretch of failure: the unit of counting. Its ends are intervals,
// since they are known no better than the traffic or the probe that showed them.
type Episode struct {
	Subject       Subject `json:"subject"`
	Ledger        Ledger  `json:"ledger"`
	Instance      string  `json:"instance,omitempty"`
	Fault         string  `json:"fault,omitempty"`
	Cause         string  `json:"cause,omitempty"` // crash, hang, oom, network, wrong_content, …: as far as the evidence goes
	BeginLo       int64   `json:"begin_lo_ns"`     // last instant known good
	Begin         int64   `json:"begin_ns"`        // first instant known bad
	End           int64   `json:"end_ns"`          // last instant known bad
	EndHi         int64   `json:"end_hi_ns"`       // first instant known good again
	LeftCensored  bool    `json:"left_censored,omitempty"`
	RightCensored bool    `json:"right_censored,omitempty"`
	Undated       bool    `json:"undated,omitempty"` // nothing tells when between BeginLo and Begin it began, so neither how long it took
	Lost          int     `json:"lost"`              // failed requests in it

	Confidence Confidence `json:"confidence,omitempty"` // that it was a failure at all; empty where that is not in doubt
	Evidence   []string   `json:"evidence,omitempty"`   // what says that it happened, where nothing said so plainly
	Hit        []string   `json:"hit,omitempty"`        // of a GPU's: instances that were on it, as far as is told
	Class      string     `json:"class,omitempty"`      // of a GPU's: how far it reached (app, platform, link, gpu, node)
	CountedBy  string     `json:"counted_by,omitempty"` // one of FailureCauses: what a natural failure of the service or of an instance counts by
}

// FailureCauses are the causes that rates of natural failures are told by, as the label cause: an error of a GPU by how far it reached, or what ended or stopped the instance.
var FailureCauses = []string{"xid_app", "xid_platform", "xid_link", "xid_gpu", "xid_node", "oom", "crash", "hang", "network", "platform", "server_error", "content", "unknown"}

// UnexplainedRestart is the cause of an episode of an instance that ended by itself in order and was started anew, which nothing explains and nobody lost a request with: no failure by itself, and so none of the
// natural ledger.
const UnexplainedRestart = "unexplained restart"

// Confidence says how sure it is that an episode was a failure of the instance.
type Confidence string

// The confidences.
const (
	ConfidenceHigh   Confidence = "high"   // an unclean exit was seen
	ConfidenceMedium Confidence = "medium" // it was started anew and requests were lost
	ConfidenceLow    Confidence = "low"    // it was started anew and nothing explains why
)

// A Life is the life of one instance, from the events, spans and metrics that speak of it. Absent instants are 0. An instance whose process is
// started anew under the same id has a life for each process.
type Life struct {
	Instance string     `json:"instance"`
	Workload string     `json:"workload,omitempty"` // what it is of: a deployment, a service
	Revision string     `json:"revision,omitempty"` // which version of that
	Node     string     `json:"node,omitempty"`     // the machine that it runs on
	Reason   string     `json:"reason,omitempty"`   // why it was created: scale_from_zero, scale_out, replace, …
	Forced   bool       `json:"forced,omitempty"`
	Trigger  int64      `json:"trigger_ns"` // arrival of the first request that had to wait for it, if one did
	Created  int64      `json:"created_ns"`
	Started  int64      `json:"started_ns"`
	Ready    int64      `json:"ready_ns"`            // first time in routing
	First    int64      `json:"first_token_ns"`      // first token it gave to anyone
	Worked   int64      `json:"worked_ns,omitempty"` // first good answer it gave; only where nothing told when it was ready
	Draining int64      `json:"draining_ns"`
	Exited   int64      `json:"exited_ns"`
	Exit     string     `json:"exit,omitempty"` // reason of the exit
	Code     string     `json:"code,omitempty"` // its status, where told
	Signal   string     `json:"signal,omitempty"`
	Again    bool       `json:"again,omitempty"`         // its id had a life before
	Coarse   int64      `json:"resolution_ns,omitempty"` // coarsest clock of Created, Started and Ready
	Vague    bool       `json:"vague,omitempty"`         // that it was ready is known, and not since when: no start to measure
	Ledger   Ledger     `json:"ledger"`                  // of its exit, or natural
	Phases   []Interval `json:"phases,omitempty"`
	Unready  []Interval `json:"unready,omitempty"` // stretches out of routing between Ready and Exited; Name says why
	Served   int        `json:"served"`
	Held     int        `json:"held"` // requests that paid for its start: that waited for it, or were cold before it gave a warm answer
}

// An Interval is a named stretch of time with the resolution of the clock or poll that saw it.
type Interval struct {
	Name       string `json:"name"`
	Begin      int64  `json:"begin_ns"`
	End        int64  `json:"end_ns"`
	Resolution int64  `json:"resolution_ns,omitempty"`
	Source     string `json:"source,omitempty"` // who saw it, where told
}

// A Trace is one request, without its Arrivals and Counts, with the spans that its target emitted for it.
type Trace struct {
	Request *Request // nil: no request asked for it
	Spans   []Span
}

// Metrics answers PromQL over the run's samples.
type Metrics interface {
	// Range evaluates expr at each step in [begin, end] (ns) and returns at most one series per label set.
	Range(ctx context.Context, expr string, begin, end, step int64) ([]Series, error)
}

// Facts are what all analyzers share, computed once: the run's windows, ledgers, episodes and instances.
// Slices are in order of time. Analyzers must not change them.
type Facts struct {
	Manifest *Manifest
	Begin    int64 // first instant watched: load or probe began
	End      int64 // last instant watched
	Phases   []Phase
	Levels   []Level // of the load, by its requests; only where phases do not tell
	Faults   []FaultWindow
	Segments []Segment
	Episodes []Episode // of the service, of instances and of GPUs
	Lives    []Life
	Inits    []Life     // starts that only spans of requests tell of, and not of which instance: they are not among Lives
	Outside  []Episode  // failures of instances before or after the watch, which no exposure stands against: they are in no count
	Unsure   []Interval // stretches in which the instance Name ended and was started anew, and nobody knows when: whether it was in routing is not known either
	Undated  int        // restarts of instances that are in no count, since nothing tells between which instants they were
	Events   []Event
	Metrics  Metrics          // nil when the run has none
	Requests int              // in the run
	Spans    int              // in the run; 0 when there are none
	Retried  map[uint64]Chain // requests that were sent again, by id; nil where the plan repeats none
	Traced   int              // requests that have at least one span of the target
	Fleet    []Interval       // in routing of instances that nothing names, one for each at a time; Name is what they are of. Only where nothing tells of lives
	Signals  []Signal         // what the platform told of instances besides the looks that are made all the time
	Counted  *Counted         // what counters tell of requests where the run holds none; nil where nothing counted them
	Probed   *Probed          // what looks tell of the service where the run holds no requests and no counters of them; nil where nothing looked
	Repeated int64            // spans that came more than once, of which one was taken
}

// A Signal is what a platform told of whether instances were alive, or ready. What is neither in Up nor in Down is not known, or nobody wanted an instance then.
type Signal struct {
	Probe      string     // liveness, readiness
	By         string     // what told
	Resolution int64      // ns: how well instants are known
	Up, Down   []Interval // of instances, Name; in no order
	Why        string     // why it tells nothing after all; else empty
}

// Counted is what counters tell of requests: how many were served and how many failed between two looks.
type Counted struct {
	Of       string     // name of the counters; empty where they cannot be used
	Step     int64      // ns between two looks, which is as well as any instant is known
	Good     int        // served
	Bad      int        // failed
	Aside    int        // throttled, which is neither; told by AWS Lambda only
	Clusters int        // stretches of steps with failures
	Longest  int        // failures in the largest of them
	Spans    []Interval // for which they tell, in order
	Unfit    []string   // counters that were seen and do not tell served from failed, where Of is empty
}

// Probed is what looks at the service, made all the time, tell of it.
type Probed struct {
	Of        string     // what looked; empty where the looks cannot be used
	Period    int64      // ns between two looks
	Looks     int        // made
	Failed    int        // of them
	Few, Many int        // episodes by rules doubled and halved
	Spans     []Interval // for which they tell, in order
	Unfit     string     // why looks that were made tell nothing of the service, where Of is empty
}

// A Chain is a request that was sent more than once, seen as one: its user waited from the first due on, for the last attempt.
type Chain struct {
	Due  int64 // of the first attempt
	Last int32 // number of the last attempt
}

// At returns the ledger and fault of instant t.
func (f *Facts) At(t int64) (Ledger, string) {
	lo, hi := 0, len(f.Segments)
	for lo < hi {
		if m := (lo + hi) / 2; f.Segments[m].End <= t {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(f.Segments) && f.Segments[lo].Begin <= t {
		return f.Segments[lo].Ledger, f.Segments[lo].Fault
	}
	return Natural, ""
}

// PhaseOf returns the phase named name, or nil.
func (f *Facts) PhaseOf(name string) *Phase {
	for i := range f.Phases {
		if f.Phases[i].Name == name {
			return &f.Phases[i]
		}
	}
	return nil
}

// Desc describes one metric that an analyzer can report.
type Desc struct {
	Metric string // path, for example ttft/p95
	Unit   Unit
	Better string // "lower", "higher" or ""
	Help   string // one sentence: what it is, how it is computed
}

// An Analyzer computes findings from a run. It holds settings only: Begin may be called for many runs at once.
type Analyzer interface {
	Describe() []Desc
	Begin(f *Facts) Pass
}

// A Pass is one analyzer at work on one run. One scan of the run feeds all
// passes: Requests is called with consecutive blocks in order of Due, from one
// goroutine at a time; blocks are borrowed. Requests carry the resolved cold state and instance. Finish is called once, in the
// order of the table of kinds, and adds findings and sections to r. Too little data is a
// warning or a reason on a finding, not an error.
type Pass interface {
	Requests(block []Request)
	Finish(r *Report) error
}

// A TracePass is a Pass that also wants each traced request with its spans. Blocks come in
// no particular order, before Finish, from one goroutine at a time, and are borrowed.
type TracePass interface {
	Pass
	Traces(block []Trace)
}
