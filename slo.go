package assay

// An SLO is a promise to users over a window: the share of events that are good, and so a budget of those that may be bad.
type SLO struct {
	Name    string    `json:"name"`
	Service string    `json:"service,omitempty"`
	Target  float64   `json:"target"`    // share of good events, above 0 and below 1
	Window  int64     `json:"window_ns"` // over which the budget lasts
	Good    Indicator `json:"indicator"`
	From    string    `json:"from,omitempty"` // where it is written: objectives[1], slo.yaml:12

	Calendar bool              `json:"calendar,omitempty"` // the window begins with a day, month, quarter or year, and is not the last Window
	Labels   map[string]string `json:"labels,omitempty"`
	Alerts   []BurnAlert       `json:"alerts,omitempty"` // that are asked for beside the standard ones

	Method      Budgeting `json:"method,omitempty"`
	Slice       int64     `json:"slice_ns,omitempty"`     // length of a slice of time, where these are counted
	SliceTarget float64   `json:"slice_target,omitempty"` // share of good events from which on a slice is good

	Unmapped string `json:"unmapped,omitempty"` // why no run can judge it
}

// Budgeting is what a budget is counted in.
type Budgeting string

// The ways of counting a budget.
const (
	Occurrences     Budgeting = ""                 // events
	Timeslices      Budgeting = "timeslices"       // slices of time that were good
	RatioTimeslices Budgeting = "ratio_timeslices" // the mean of the shares of good events of all slices
)

// An Indicator says which events are good: by what the run's own requests saw, where Metric is set, or by PromQL.
type Indicator struct {
	Metric string  `json:"metric,omitempty"` // availability, ttft, e2e or tpot
	Max    int64   `json:"max_ns,omitempty"` // of a latency: a slower request is bad, as one that failed is
	Phase  string  `json:"phase,omitempty"`  // only requests of this phase
	Class  string  `json:"class,omitempty"`  // only requests of this class
	Engine string  `json:"engine,omitempty"` // what is asked: promql
	Good   string  `json:"good,omitempty"`   // PromQL of counts or rates of good events; RangeMark stands for the window
	Bad    string  `json:"bad,omitempty"`    // or of bad ones
	Total  string  `json:"total,omitempty"`  // and of all
	Raw    string  `json:"raw,omitempty"`    // or of the share itself
	Failed bool    `json:"failed,omitempty"` // Raw is the share of bad ones
	Query  string  `json:"query,omitempty"`  // or of a value that is good as long as Op Value holds
	Op     string  `json:"op,omitempty"`     // <, <=, > or >=
	Value  float64 `json:"value,omitempty"`
}

// RangeMark stands for the window in PromQL of an indicator.
const RangeMark = "{{.window}}"

// Own reports whether the indicator is about the run's own requests.
func (i *Indicator) Own() bool { return i.Metric != "" }

// A BurnAlert asks to be alerted when a budget burns Rate times faster than allowed over Over, for at least After.
type BurnAlert struct {
	Name     string  `json:"name"`
	Severity string  `json:"severity"`
	Rate     float64 `json:"rate"`
	Over     int64   `json:"over_ns"`
	After    int64   `json:"after_ns,omitempty"`
}

// Objective returns what the promise asks of a run.
func (s *SLO) Objective() Objective {
	target := s.Target
	return Objective{Metric: "slo/good", Labels: map[string]string{"slo": s.Name}, Min: &target, Unit: Ratio}
}

// An SLOResult is what a run did to the budget of one promise.
type SLOResult struct {
	SLO    SLO      `json:"slo"`
	Good   Quantity `json:"good"`             // share of good events, natural ledger
	Burn   Quantity `json:"burn"`             // over the run, all ledgers: 1 spends the budget in just its window
	Spent  Quantity `json:"spent"`            // share of the budget of the window that the run spent
	Worst  []Burn   `json:"worst,omitempty"`  // by standard window, shortest first
	Causes []Share  `json:"causes,omitempty"` // of what was spent: Seconds are of full outage, Ratio is of the window's budget; unexplained last
	Lasts  Quantity `json:"lasts"`            // how long a whole budget lasts if all goes on as it did by itself

	Doubts []string `json:"doubts,omitempty"`
}

// A Burn is the highest burn rate over one window that the run saw.
type Burn struct {
	Window int64    `json:"window_ns"`
	At     int64    `json:"at_ns"` // end of the stretch
	Rate   Quantity `json:"rate"`
}

// A Replay is what one alerting rule would have done while the run went on.
type Replay struct {
	Alert    string            `json:"alert"`
	Severity string            `json:"severity,omitempty"`
	SLO      string            `json:"slo,omitempty"` // whose rule it is; empty for a rule of a person's own
	Group    string            `json:"group"`
	Labels   map[string]string `json:"labels,omitempty"`
	File     string            `json:"file,omitempty"` // that it was read from; empty for one that follows from the run's SLOs
	On       string            `json:"on"`             // what it was evaluated on: recorded metrics, or series made of the run's requests
	Step     int64             `json:"step_ns"`        // from one evaluation to the next
	Longest  int64             `json:"longest_ns"`     // window that it looks back over
	Speed    float64           `json:"speed"`          // all its times are divided by this; 1: as they are written
	Fired    []Interval        `json:"fired"`          // Name is alert's labels where there are several; End is the run's end where it had not resolved
	Open     bool              `json:"open,omitempty"` // it had not resolved when the run ended
	Pending  []Interval        `json:"pending,omitempty"`
	Looks    []Detection       `json:"incidents"`
	False    int               `json:"false"`                    // times that it fired without an incident, and with no promise broken
	FalseAt  int64             `json:"first_false_ns,omitempty"` // the first of these
	Over     []Overspend       `json:"over_budget,omitempty"`

	Warnings []string `json:"warnings,omitempty"`
}

// An Overspend is a time that an alert fired without an incident and was right all the same: more of the events that were recorded in the window that it
// looks back over were bad than a promise allows.
type Overspend struct {
	At      int64    `json:"at_ns"`
	SLO     string   `json:"slo"`
	Window  int64    `json:"window_ns"` // that ends at At
	Bad     Quantity `json:"bad"`
	Allowed float64  `json:"allowed"`
}

// A Detection is what one rule made of one incident.
type Detection struct {
	Kind    string   `json:"kind"` // kind of the fault; natural or overload; slow: a stretch in which requests were bad by a promise on a latency
	Fault   string   `json:"fault,omitempty"`
	Begin   int64    `json:"begin_ns"`
	End     int64    `json:"end_ns"`
	Hurt    bool     `json:"hurt"` // users felt it: an alert is owed
	Delay   Quantity `json:"delay"`
	Resolve Quantity `json:"resolve"` // from the incident's end until the alert was gone
	Fires   int      `json:"fires"`   // how often it fired for this: more than once is flapping
}
