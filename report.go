package assay

// Schema names the version of result.json.
const Schema = "assay/result/v1"

// A Finding is one conclusion.
type Finding struct {
	Metric   string            `json:"metric"`           // path
	Labels   map[string]string `json:"labels,omitempty"` // selectors: phase, fault, cold, by
	Ledger   Ledger            `json:"ledger,omitempty"`
	Quantity Quantity          `json:"quantity"`
	Evidence []string          `json:"evidence,omitempty"` // what it rests on
	Warnings []string          `json:"warnings,omitempty"` // the doubts
}

// An Objective is what the plan asks of one metric. Min and Max are in the metric's base unit; nil where there is none.
type Objective struct {
	Metric string            `json:"metric"`
	Labels map[string]string `json:"labels,omitempty"`
	Min    *float64          `json:"min,omitempty"`
	Max    *float64          `json:"max,omitempty"`
	Unit   Unit              `json:"unit,omitempty"`
	Test   *SequentialTest   `json:"test,omitempty"` // decides it while the load goes on
}

// A Judgement is one objective with what was found.
type Judgement struct {
	Objective Objective `json:"objective"`
	Title     string    `json:"title"` // as people say it: "TTFT p95, warm"
	Quantity  Quantity  `json:"quantity"`
	Verdict   Verdict   `json:"verdict"`
	Why       string    `json:"why,omitempty"`    // why it is not a pass
	Enough    string    `json:"enough,omitempty"` // what data would decide it
}

// Decision is the answer of the whole run.
type Decision string

// The decisions.
const (
	Go             Decision = "GO"
	NoGo           Decision = "NO-GO"
	Undecided      Decision = "INCONCLUSIVE"
	InvalidRun     Decision = "INVALID"
	Aborted        Decision = "ABORTED"
	Interrupted    Decision = "INTERRUPTED"
	FaultMayRemain Decision = "FAULT MAY REMAIN"
	Failed         Decision = "FAILED" // internal error: the report is incomplete
)

// Exit statuses of run, assess and compare.
const (
	ExitGo             = 0
	ExitError          = 1
	ExitUsage          = 2
	ExitPreflight      = 3
	ExitNoGo           = 10
	ExitInconclusive   = 11
	ExitInvalid        = 12
	ExitAborted        = 13
	ExitFaultMayRemain = 14
	ExitInterrupted    = 130
)

// A Report is all findings of a run, ready to be shown. It is a pure function of the
// run directory: no clock, path or version of the tool is in it.
type Report struct {
	Schema    string   `json:"schema"`
	Name      string   `json:"name"`
	Target    string   `json:"target"`              // as the plan names it, without credentials
	Simulated []string `json:"simulated,omitempty"` // what of it is simulated, in words
	Seed      uint64   `json:"seed"`
	Schedule  string   `json:"schedule,omitempty"` // hash of the send schedule
	PlanHash  string   `json:"plan_hash,omitempty"`
	Attempt   int      `json:"attempt,omitempty"`       // n-th run of this plan on this release
	Epoch     int64    `json:"epoch_unix_ns,omitempty"` // wall clock at run time 0, as the run recorded it
	Begin     int64    `json:"begin_ns"`
	End       int64    `json:"end_ns"`
	Untimed   bool     `json:"untimed,omitempty"` // Begin and End are made up, since the source tells no time of some requests

	Decision   Decision    `json:"decision"`
	Exit       int         `json:"exit"`
	Why        string      `json:"why"`            // one sentence
	Next       string      `json:"next,omitempty"` // what to do now
	Objectives []Judgement `json:"objectives"`
	Findings   []Finding   `json:"findings"`

	Phases      []Phase       `json:"phases,omitempty"`
	Segments    []Segment     `json:"segments,omitempty"`
	Episodes    []Episode     `json:"episodes,omitempty"`
	Repairs     []Repair      `json:"repairs,omitempty"` // of the natural failures of the service, in order; at most 1000
	Judged      int           `json:"judged,omitempty"`  // requests that availability counts, of the natural ledger
	Lost        []int         `json:"lost,omitempty"`    // requests that each run of natural failures took, as availability counts them, in order; absent where there are more than 1000
	Faults      []FaultResult `json:"faults,omitempty"`
	SLOs        []SLOResult   `json:"slos,omitempty"`
	Replays     []Replay      `json:"replays,omitempty"`
	Suite       *SuiteResult  `json:"suite,omitempty"`
	Soak        *Soak         `json:"soak,omitempty"` // nil unless the load was to end when its test was decided
	Notes       []Note        `json:"notes,omitempty"`
	Hypotheses  []Hypothesis  `json:"hypotheses,omitempty"`
	Lives       []Life        `json:"instances,omitempty"`
	Starts      []Start       `json:"starts,omitempty"`
	Exposure    []Exposure    `json:"exposure,omitzero"`     // nil only in a result of an older version
	Attribution []Share       `json:"attribution,omitempty"` // ranked; Unexplained last
	Stages      []Interval    `json:"-"`
	Limit       *Limit        `json:"limit,omitempty"`
	Scaling     []ScaleStep   `json:"scaling,omitempty"`
	Slowest     []Slow        `json:"slowest,omitempty"` // at most 10 of the slowest requests
	Errors      []ErrorRow    `json:"errors,omitempty"`  // by ledger and outcome
	Trust       Trust         `json:"trust"`
	Series      []Series      `json:"series,omitempty"`
	Changes     []PhaseStep   `json:"changes,omitempty"` // of level within steady phases, by what changed and in order
	Warnings    []string      `json:"warnings,omitempty"`
}

// State of a fault experiment.
type FaultState string

// The states. Unmeasured and void never count as tolerated.
const (
	Tolerated   FaultState = "tolerated"   // no objective of the users was breached
	Recovered   FaultState = "recovered"   // users were hurt and are well again
	Unrecovered FaultState = "unrecovered" // users were hurt and the run ended first
	Unmeasured  FaultState = "unmeasured"  // the victim carried too little traffic to be felt
	VoidFault   FaultState = "void"        // the fault was not in effect
)

// FaultVerdict is the answer of one fault's experiment.
type FaultVerdict string

// The verdicts of a fault. A fault passes when it was in effect, could be felt and could be judged, and nothing that was asked around it failed.
const (
	FaultPass       FaultVerdict = "pass"
	FaultFail       FaultVerdict = "fail"       // users did not recover, its revert is not verified, or what the plan asks around it failed
	FaultVoid       FaultVerdict = "void"       // it was not in effect
	FaultUnmeasured FaultVerdict = "unmeasured" // its victim carried too little, or nothing could be judged
	FaultSimulated  FaultVerdict = "simulated"  // nothing was hurt, so that there is nothing to pass
)

// A FaultResult is what one injected fault did. Detect, Isolate and Restore sum to User for every fault, and the parts of Life to its Total.
type FaultResult struct {
	Window   FaultWindow    `json:"window"`
	State    FaultState     `json:"state"`
	Verdict  FaultVerdict   `json:"verdict"`
	Why      string         `json:"why,omitempty"`      // why it is no pass
	Advice   string         `json:"advice,omitempty"`   // what may help, as far as the evidence goes; no finding
	Detect   Quantity       `json:"detect"`             // from applied to the platform's first reaction
	Isolate  Quantity       `json:"isolate"`            // from there until the victim gets no more traffic
	Restore  Quantity       `json:"restore"`            // from there until users are well again
	User     Quantity       `json:"user"`               // from applied to user recovery
	Capacity Quantity       `json:"capacity"`           // from applied to as many ready instances as before
	Returned int            `json:"returned,omitempty"` // times that the victim came back into routing while the fault was in force
	Life     FaultLife      `json:"life"`
	Assumed  bool           `json:"assumed,omitempty"` // that it was felt at all is assumed: nothing tells which requests its victim served
	Lost     int            `json:"lost"`              // failed requests
	Slow     int            `json:"slow"`              // served, but slower than a latency objective
	Touched  int            `json:"touched"`           // requests due inside window and washout
	Outcomes map[string]int `json:"lost_by"`           // outcomes of the lost
	Streams  map[string]int `json:"streams"`           // outcomes of cut or stalled answers
	Degraded Quantity       `json:"degraded"`          // seconds of full service that users lost: the shortfall of good service, over window and washout
	Radius   BlastRadius    `json:"blast_radius"`      // how much of what users asked, and how many of them, it hurt
	Carried  float64        `json:"carried,omitempty"` // requests its victim carried while it could be felt, as far as known; of a fault that hurt nobody
	Revert   string         `json:"revert"`            // verified, self, not verified

	Score  Quantity    `json:"score"`  // 0 to 1
	Weight float64     `json:"weight"` // of it in the run's score
	Parts  []ScorePart `json:"score_parts,omitempty"`

	Enough float64 `json:"enough_in_flight,omitempty"` // requests in flight at once that would have let it be felt; 0 where more traffic is not what it lacked

	Affected []Affected `json:"affected,omitempty"` // lost and slow requests, in order of due; at most 1000, and fewer where there are many faults
	Warnings []string   `json:"warnings,omitempty"`
}

// A BlastRadius is how far a fault reached inside its window and washout.
type BlastRadius struct {
	Requests Quantity `json:"requests"`  // share that was lost or slow of those in flight
	Users    Quantity `json:"users"`     // share of users with such a request; where no request tells its user a class stands for one
	UserTime Quantity `json:"user_time"` // for how long users were down, all together
}

// A FaultLife is how long each stage of a fault took. Its known parts sum to Total.
type FaultLife struct {
	Inject Quantity `json:"inject"` // from armed to applied
	Effect Quantity `json:"effect"` // from applied until its effect was measured
	Hold   Quantity `json:"hold"`   // from there until the undo was done
	Verify Quantity `json:"verify"` // from there until the undo was verified
	Total  Quantity `json:"total"`  // from armed until the undo was verified
}

// A ScorePart is one part of a fault's score.
type ScorePart struct {
	Name     string   `json:"name"` // availability, recovery, streams, unmeasured
	Weight   float64  `json:"weight"`
	Quantity Quantity `json:"quantity"` // 0 to 1
}

// An Affected is one request that a fault cost, to be joined with records by request and attempt and with spans by trace.
type Affected struct {
	Request uint64  `json:"request"`
	Attempt int32   `json:"attempt,omitempty"`
	TraceID string  `json:"trace_id,omitempty"`
	SpanID  string  `json:"span_id,omitempty"` // the client's own span: parent of the target's first
	Due     int64   `json:"due_ns"`
	Outcome Outcome `json:"outcome"`
	Slow    bool    `json:"slow,omitempty"` // served, but slower than a latency objective
}

// A Hypothesis is what was seen of one part of the steady state around one fault: true, false or unknown, "" where it was not looked at. Of
// several looks the last one counts before and after the fault, and the worst one during it.
type Hypothesis struct {
	Name   string `json:"name"`
	Fault  string `json:"fault,omitempty"` // id; "" for a look that belongs to no fault
	Before Look   `json:"before"`
	During Look   `json:"during"`
	After  Look   `json:"after"`
}

// A Look is one look at a hypothesis.
type Look struct {
	OK    string `json:"ok"`
	Value string `json:"value,omitempty"`
	Text  string `json:"text,omitempty"`
	At    int64  `json:"at_ns,omitempty"`
}

// A Start is one start of an instance, seen as a cold start. Phases are intervals that may
// overlap; Shares are their part of the critical path and sum, with the unattributed remainder, to the time from Begin to End.
type Start struct {
	Instance     string     `json:"instance"`
	Ledger       Ledger     `json:"ledger"`
	Forced       bool       `json:"forced,omitempty"`
	Reason       string     `json:"reason,omitempty"`
	Begin        int64      `json:"begin_ns"` // trigger, or creation where none is known
	Total        Quantity   `json:"total"`    // from Begin to ready
	Phases       []Interval `json:"phases"`
	Shares       []Share    `json:"shares"`
	Unattributed float64    `json:"unattributed_s"`
	Held         int        `json:"held"`

	End        int64    `json:"end_ns"`                  // first token of a request that waited, or ready where none did
	FirstToken Quantity `json:"first_token"`             // from Begin to the first token of a request that waited
	Resolution int64    `json:"resolution_ns,omitempty"` // coarsest clock of it all
	Doubts     []string `json:"doubts,omitempty"`        // where its sources contradict each other, or what none of them tells
}

// A Note is what a person said while the run went on: of a step, or by the way.
type Note struct {
	At    int64  `json:"at_ns"`
	Fault string `json:"fault,omitempty"` // id of the fault that was asked for or in force
	Text  string `json:"text"`
}

// A Share is a named part of a whole.
type Share struct {
	Name     string   `json:"name"`
	Seconds  float64  `json:"seconds"`
	Ratio    Quantity `json:"ratio"`
	Evidence []string `json:"evidence,omitempty"`
}

// A Limit is the highest load that still held, as far as the run showed, and what bounds it.
type Limit struct {
	Rate   Quantity `json:"rate"`   // requests per second
	Cause  string   `json:"cause"`  // class of the first-ranked cause at the limit
	Detail string   `json:"detail"` // for example "decode"
	Broke  string   `json:"broke"`  // what stopped holding beyond it

	Doubts []string `json:"doubts,omitempty"` // about the rate: what the search had no time or no requests for
	Path   []string `json:"path,omitempty"`   // what each step of the searches showed
}

// A ScaleStep is one change of the number of instances in answer to load. Lags are in order: Decide, Provision and Serve sum to Total.
type ScaleStep struct {
	At        int64    `json:"at_ns"` // load changed
	From      int      `json:"from"`
	To        int      `json:"to"`
	Decide    Quantity `json:"decide"`    // from the load's change to the decision
	Provision Quantity `json:"provision"` // from the decision to ready
	Serve     Quantity `json:"serve"`     // from ready to the first answer
	Total     Quantity `json:"total"`
}

// A Slow is one slow request with where its time went.
type Slow struct {
	Request uint64  `json:"request"`
	TraceID string  `json:"trace_id,omitempty"`
	Due     int64   `json:"due_ns"`
	E2E     float64 `json:"e2e_s"`
	TTFT    float64 `json:"ttft_s"`
	Outcome Outcome `json:"outcome"`
	Missed  string  `json:"missed,omitempty"` // latency objective whose goal a served request was slower than: e2e/p95 class chat
	Cold    Cold    `json:"cold"`
	Fault   string  `json:"fault,omitempty"`
	Shares  []Share `json:"shares,omitempty"`
}

// An ErrorRow counts requests of one ledger by outcome.
type ErrorRow struct {
	Ledger  Ledger  `json:"ledger"`
	Outcome Outcome `json:"outcome"`
	Count   int     `json:"count"`
	Example string  `json:"example,omitempty"`

	// How many answers told how long to wait (Retry-After), and the least and most that they told, in seconds.
	Retry    int     `json:"retry_after,omitempty"`
	RetryMin float64 `json:"retry_after_min_s,omitempty"`
	RetryMax float64 `json:"retry_after_max_s,omitempty"`
}

// Trust says whether the run could measure what it claims.
type Trust struct {
	Valid    bool       `json:"valid"`
	Problems []string   `json:"problems,omitempty"` // each makes the run invalid
	Rules    []string   `json:"rules,omitempty"`    // names of the rules that the problems broke, in their order
	Doubts   []string   `json:"doubts,omitempty"`   // threats to validity that do not
	Rows     []TrustRow `json:"rows"`
	Clocks   []Clock    `json:"clocks,omitempty"`   // coarsest source of each family of findings
	Machine  string     `json:"machine,omitempty"`  // what the machine of the load can send, as it was calibrated
	Lateness []Bin      `json:"lateness,omitempty"` // of the sends, from due to the first write
}

// A Clock is the coarsest source that a family of findings rests on.
type Clock struct {
	Family     string `json:"family"` // metrics whose names begin so
	Source     string `json:"source"`
	Resolution int64  `json:"resolution_ns"`
	Error      int64  `json:"error_ns,omitempty"` // of its clock against ours, where it stamps by its own and that is known
}

// A Bin counts values above the end of the bin before it, up to its own.
type Bin struct {
	To float64 `json:"to_s"` // seconds
	N  int     `json:"n"`
}

// A TrustRow is one check of the measurement itself.
type TrustRow struct {
	Name     string   `json:"name"`
	Quantity Quantity `json:"quantity"`
	Limit    string   `json:"limit,omitempty"`
	OK       bool     `json:"ok"`
}

// A Series is a bounded plot: at most 1000 points. Lo and Hi, if not nil, are a band of the same length.
type Series struct {
	Name   string  `json:"name"`
	Labels []Label `json:"labels,omitempty"`
	Unit   Unit    `json:"unit"`
	Times  []int64 `json:"times_ns"`
	Values []Num   `json:"values"`
	Lo     []Num   `json:"lo,omitempty"`
	Hi     []Num   `json:"hi,omitempty"`
	Kind   string  `json:"kind,omitempty"` // line, step, scatter, ecdf
}

// Find returns the finding with the metric whose labels are exactly the given pairs of name and value, or nil.
func (r *Report) Find(metric string, pairs ...string) *Finding {
next:
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Metric != metric || len(f.Labels) != len(pairs)/2 {
			continue
		}
		for j := 0; j+1 < len(pairs); j += 2 {
			if f.Labels[pairs[j]] != pairs[j+1] {
				continue next
			}
		}
		return f
	}
	return nil
}
