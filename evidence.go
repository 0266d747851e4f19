package assay

// EvidenceSchema names the version of what `assay evidence` writes as JSON.
const EvidenceSchema = "assay/evidence/v1"

// Evidence is what many runs together show, service by service. It is not about one release: what changed between runs shows in the trend.
type Evidence struct {
	Schema   string            `json:"schema"`
	At       int64             `json:"at_unix_ns"`         // the instant that ages are counted to
	Decision Decision          `json:"decision,omitempty"` // of all objectives; "" where none was asked
	Exit     int               `json:"exit"`
	Services []ServiceEvidence `json:"services"`
	LeftOut  []RunEvidence     `json:"left_out,omitempty"` // runs that add nothing, with the reason
}

// ServiceEvidence is what the runs of one model at one target show. A simulated target is never added to a real one.
type ServiceEvidence struct {
	Target       string             `json:"target"`
	Model        string             `json:"model,omitempty"`
	Simulated    []string           `json:"simulated,omitempty"` // what of it is simulated, in words
	Runs         []RunEvidence      `json:"runs"`                // in order of time
	Releases     []string           `json:"releases,omitempty"`  // that are added up here, in order of their first run; "" for one without a name
	Objectives   []Judgement        `json:"objectives,omitempty"`
	Units        []UnitEvidence     `json:"units"`             // of the natural ledger
	Availability []Finding          `json:"availability"`      // of the natural ledger, by time and by request
	Recovery     []RecoveryEvidence `json:"recovery"`          // of the injected ledger, by fault
	Weights      map[string]float64 `json:"weights,omitempty"` // share of each fault in operation, as it was told
	Coverage     Quantity           `json:"coverage"`          // share of faults recovered from, weighted so
	Modes        []ModeEvidence     `json:"modes"`             // failure modes, drilled or not
	Attempts     []AttemptEvidence  `json:"attempts,omitempty"`
	Warnings     []string           `json:"warnings,omitempty"`
}

// RunEvidence is one run as the ledger names it.
type RunEvidence struct {
	Dir      string   `json:"dir"`
	ID       string   `json:"id,omitempty"`
	Name     string   `json:"name,omitempty"`
	Release  string   `json:"release,omitempty"`
	Plan     string   `json:"plan_hash,omitempty"`
	Imported bool     `json:"imported,omitempty"`
	Begin    int64    `json:"begin_unix_ns,omitempty"`
	End      int64    `json:"end_unix_ns,omitempty"`
	Decision Decision `json:"decision,omitempty"`
	Why      string   `json:"why,omitempty"` // why it adds nothing
}

// UnitEvidence is how often one kind of unit fails of itself, over all runs. Exposure is a union: what two runs watched at once counts once.
type UnitEvidence struct {
	Subject  Subject         `json:"subject"`
	Exposure float64         `json:"exposure_s"` // summed over the units
	Units    int             `json:"units"`      // that were told apart
	Failures int             `json:"failures"`
	Trend    *TrendEvidence  `json:"trend,omitempty"` // nil with fewer than 4 failures
	MTBF     Quantity        `json:"mtbf"`            // mean over the watch, as is the rate
	Rate     Quantity        `json:"failure_rate"`
	AtEnd    *RateEvidence   `json:"at_end,omitempty"`   // of the watch, by a power law; nil with fewer than 5 failures
	Causes   []CauseEvidence `json:"causes,omitempty"`   // the most frequent first
	Releases []ReleaseRate   `json:"releases,omitempty"` // where there are several
	Doubts   []string        `json:"doubts,omitempty"`
}

// RateEvidence is an MTBF with its failure rate.
type RateEvidence struct {
	MTBF Quantity `json:"mtbf"`
	Rate Quantity `json:"failure_rate"`
}

// TrendEvidence says whether a rate of failures is constant. The failures lie on the clock of the exposure, in the order of the calendar.
type TrendEvidence struct {
	Constant bool    `json:"constant"` // MIL-HDBK-189, which decides, does not say otherwise at 5 %
	Way      string  `json:"way"`      // improving or worsening
	MilHdbkP float64 `json:"mil_hdbk_p"`
	LaplaceP float64 `json:"laplace_p"`
	N        int     `json:"n"`
}

// ReleaseRate is how often units of one release failed.
type ReleaseRate struct {
	Release  string  `json:"release"`
	Exposure float64 `json:"exposure_s"`
	Failures int     `json:"failures"`
}

// CauseEvidence is how often units fail by one cause. Its rate is an average over the watch.
type CauseEvidence struct {
	Cause    string   `json:"cause"`
	Failures int      `json:"failures"`
	MTBF     Quantity `json:"mtbf"`
	Rate     Quantity `json:"failure_rate"`
}

// RecoveryEvidence is how users recovered from all faults of one kind.
type RecoveryEvidence struct {
	Fault     string   `json:"fault"` // "" for all
	Drills    int      `json:"drills"`
	Felt      int      `json:"felt"`      // that were in effect and could be felt
	Recovered int      `json:"recovered"` // of these, or never hurt
	Tolerated int      `json:"tolerated"` // of these, those that hurt no user
	Rate      Quantity `json:"rate"`
	Median    Quantity `json:"median"` // of the time in which users that were hurt recovered
	Mean      Quantity `json:"mean"`   // MTTR
	Censored  int      `json:"censored"`
}

// ModeEvidence is what is known of one failure mode of the catalogue of faults.
type ModeEvidence struct {
	Mode  string     `json:"mode"`
	Shown int        `json:"shown"` // drills that could show something
	Last  *DrillSeen `json:"last,omitempty"`
	Empty *DrillSeen `json:"last_empty,omitempty"` // a later drill, or the only one, that showed nothing: void or unmeasured
	Stale bool       `json:"stale,omitempty"`      // the last that showed something is too old
}

// DrillSeen is one drill of a failure mode.
type DrillSeen struct {
	At      int64      `json:"at_unix_ns"`
	Age     float64    `json:"age_s"`
	State   FaultState `json:"state"`
	User    Quantity   `json:"user"`
	Dir     string     `json:"dir"`
	Release string     `json:"release,omitempty"`
	Why     string     `json:"why,omitempty"`
}

// AttemptEvidence are all runs of one plan on one release, in order: a pass that took several shows.
type AttemptEvidence struct {
	Plan    string        `json:"plan_hash"`
	Name    string        `json:"name"`
	Release string        `json:"release,omitempty"`
	Runs    []RunEvidence `json:"runs"`
}
