package assay

// ComparisonSchema names the version of a comparison's JSON form.
const ComparisonSchema = "assay/comparison/v1"

// A Comparison is what became of asking whether candidates are worse than a base. Its unit is the run, or, in a race, the pair of
// blocks: never the request.
type Comparison struct {
	Schema     string   `json:"schema"`
	Kind       string   `json:"kind"` // runs or race
	Verdict    Verdict  `json:"verdict"`
	Exit       int      `json:"exit"`
	Why        string   `json:"why"` // one sentence
	Next       string   `json:"next,omitempty"`
	Confidence float64  `json:"confidence"` // of the intervals, before several metrics are allowed for
	Base       Side     `json:"base"`
	Candidates []Side   `json:"candidates"`
	Changes    []Change `json:"changes"`
	Problems   []string `json:"problems,omitempty"` // each makes the comparison invalid
	Doubts     []string `json:"doubts,omitempty"`   // threats to validity that do not
	Race       *Race    `json:"race,omitempty"`     // nil unless both sides were loaded in turns
}

// A Side is the runs of one release, or of whatever else is compared.
type Side struct {
	Name  string        `json:"name"`
	Runs  []ComparedRun `json:"runs"`            // in order of time, those left out too
	Order string        `json:"order,omitempty"` // of a candidate: A for each run of the base and B for each of its own, in order of time
	Turns Turns         `json:"turns,omitempty"` // of a candidate: what that order is
}

// Used returns how many runs of the side count.
func (s *Side) Used() int {
	n := 0
	for i := range s.Runs {
		if s.Runs[i].LeftOut == "" {
			n++
		}
	}
	return n
}

// A ComparedRun is one run of a side.
type ComparedRun struct {
	Dir     string `json:"dir"`
	ID      string `json:"id"`
	Name    string `json:"name"`
	Release string `json:"release,omitempty"`
	Version string `json:"version,omitempty"` // of the tool that recorded it
	Begin   int64  `json:"begin_unix_ns"`     // 0 where nothing tells
	End     int64  `json:"end_unix_ns"`
	LeftOut string `json:"left_out,omitempty"` // why it does not count; empty if it does
}

// Turns says in which order the runs of two sides were made.
type Turns string

// The orders. What changes with time looks like a change of release unless the runs took turns.
const (
	TurnsTaken   Turns = "interleaved" // each run of one side has one of the other beside it: ABAB, ABBA
	TurnsPartly  Turns = "partly interleaved"
	TurnsNone    Turns = "one after the other" // AABB
	TurnsAtOnce  Turns = "at the same time"    // they shared what they ran on
	TurnsUnknown Turns = "not known"           // the runs do not tell when they were made
)

// ChangeRole says what a metric may decide.
type ChangeRole string

// The roles. A comparison passes when every gated metric passes, no watched one fails and none of those holds it up.
const (
	ChangeGate  ChangeRole = "gate"  // must pass
	ChangeWatch ChangeRole = "watch" // may fail the comparison, and holds up a pass only where its Change says so
	ChangeShow  ChangeRole = "show"  // is shown and decides nothing
)

// Scale says how a change is told.
type Scale string

// The scales of a change.
const (
	ScaleRatio      Scale = "ratio"      // candidate/base - 1
	ScaleDifference Scale = "difference" // candidate - base, in the metric's unit
	ScaleRate       Scale = "rate"       // ratio of two rates of events, less one
)

// A Change is one metric on both sides.
type Change struct {
	Candidate string            `json:"candidate"` // name of the side that is compared with the base
	Metric    string            `json:"metric"`
	Labels    map[string]string `json:"labels,omitempty"`
	Title     string            `json:"title"` // as people say it
	Better    string            `json:"better,omitempty"`
	Role      ChangeRole        `json:"role"`
	Holds     bool              `json:"holds,omitempty"` // it is watched, and while it is inconclusive there is no pass: losses, failures or recoveries that are not shown to be within the margin
	Base      Quantity          `json:"base"`            // over the runs of the base
	Other     Quantity          `json:"other"`           // over those of the candidate
	Scale     Scale             `json:"scale"`
	Change    Quantity          `json:"change"` // on the scale
	Margin    float64           `json:"margin"` // largest change for the worse that passes, on the scale, above 0
	P         Num               `json:"p"`      // one-sided, of the change being within the margin; null where there is none
	Adjusted  Num               `json:"p_adjusted"`
	Verdict   Verdict           `json:"verdict"`
	Why       string            `json:"why,omitempty"`
	Enough    string            `json:"enough,omitempty"` // what would decide it
	More      int               `json:"more,omitempty"`   // further runs a side, or pairs, that would decide it if the change stays; 0 where none are needed or none would do
	Smallest  Quantity          `json:"smallest"`         // change for the worse that as many runs find with a chance of 80 %
	Self      Quantity          `json:"self"`             // change between the runs of the base, split by turns: what nothing causes

	Doubts []string `json:"doubts,omitempty"` // about this metric alone

	BaseValues  []float64 `json:"base_values,omitempty"` // one for each run, in order of time
	OtherValues []float64 `json:"other_values,omitempty"`
}

// A Race is how two targets were loaded in turns.
type Race struct {
	Seed     uint64   `json:"seed"`
	Pairs    int      `json:"pairs"` // that count
	Most     int      `json:"most"`  // that the budget allows
	Block    float64  `json:"block_s"`
	Rate     float64  `json:"rate_per_s"` // within a block
	Requests int      `json:"requests"`   // of both sides, the warm-up apart
	Took     float64  `json:"took_s"`
	Stopped  string   `json:"stopped"` // why it ended
	Gates    []string `json:"gates"`
}

// A History is runs of one plan in order of time, with where their level changed.
type History struct {
	Schema string        `json:"schema"`
	Plan   string        `json:"plan_hash"`
	Name   string        `json:"name"`
	Runs   []ComparedRun `json:"runs"`
	Window int           `json:"window"`
	MaxP   float64       `json:"max_p"`
	Least  float64       `json:"least_change"` // relative, unless a metric has its own
	Sure   float64       `json:"confidence"`   // of the intervals of levels
	Points []LevelChange `json:"points"`
	Looked []string      `json:"looked"` // metrics that were looked at

	LeastOf []float64 `json:"least_changes"` // of each of those: relative, of shares a difference
	Shares  []bool    `json:"shares"`        // which of those are shares
	Short   []string  `json:"short,omitempty"`
	Doubts  []string  `json:"doubts,omitempty"`
}

// HistorySchema names the version of a history's JSON form.
const HistorySchema = "assay/history/v1"

// A LevelChange is one metric whose level changed between two runs.
type LevelChange struct {
	Metric string            `json:"metric"`
	Labels map[string]string `json:"labels,omitempty"`
	Title  string            `json:"title"`
	Better string            `json:"better,omitempty"`
	Index  int               `json:"index"` // of the first run of the new level, among the runs that count, from 0
	Run    ComparedRun       `json:"run"`
	From   string            `json:"from_release,omitempty"` // of the run before
	To     string            `json:"to_release,omitempty"`
	Before Quantity          `json:"before"`
	After  Quantity          `json:"after"`
	Scale  Scale             `json:"scale"`
	Change Num               `json:"change"` // on the scale: after/before - 1, of shares after - before
	P      float64           `json:"p"`
	Worse  bool              `json:"worse"`
}
