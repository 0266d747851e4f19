package assay

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Num is a float64 whose JSON form is null where JSON has no number for it.
type Num float64

// MarshalJSON writes NaN and infinities as null.
func (n Num) MarshalJSON() ([]byte, error) {
	if f := float64(n); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
	}
	return []byte("null"), nil
}

// UnmarshalJSON reads null as NaN.
func (n *Num) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Num(math.NaN())
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("number %q: %w", b, err)
	}
	*n = Num(f)
	return nil
}

// A Manifest is run.json: everything about a run that is not a record. It is all
// that `assay assess` needs besides the records.
type Manifest struct {
	Schema     string          `json:"schema"` // "assay/run/v1"
	ID         string          `json:"id"`     // random, hex; sent with each request as the run-id header
	Name       string          `json:"name"`
	Plan       json.RawMessage `json:"plan,omitempty"` // the whole plan, defaults filled in, secrets as references
	PlanHash   string          `json:"plan_hash,omitempty"`
	Seed       uint64          `json:"seed"`
	Schedule   string          `json:"schedule,omitempty"` // hash of the send schedule
	Target     Target          `json:"target"`
	Objectives []Objective     `json:"objectives,omitempty"`
	Assume     []Assumption    `json:"assume,omitempty"`
	SLOs       []SLO           `json:"slos,omitempty"`
	Suite      *Suite          `json:"suite,omitempty"`
	Epoch      int64           `json:"epoch_unix_ns"` // wall clock at run time 0
	Version    string          `json:"version"`       // of the tool that recorded it
	Host       Host            `json:"host"`
	Offsets    []Offset        `json:"offsets,omitempty"`          // clocks of the sources against ours
	Probe      int64           `json:"probe_period_ns"`            // of the platform's readiness probe, where known
	Resolution int64           `json:"resolution_ns"`              // of our own stamps
	MaxWait    int64           `json:"max_wait_ns"`                // deadline of a request
	Attempts   int             `json:"attempts,omitempty"`         // of a request at most; 0 where none is repeated
	Canary     int64           `json:"canary_period_ns,omitempty"` // from one canary to the next; 0 without
	Attempt    int             `json:"attempt,omitempty"`
	Imported   bool            `json:"imported,omitempty"`
	Untimed    bool            `json:"untimed,omitempty"`     // its source tells no time of some requests: they were laid end to end, and no rate or exposure can be known
	Machine    *Calibration    `json:"calibration,omitempty"` // nil: this machine was not calibrated
	XIDs       []XIDRow        `json:"xid_rows,omitempty"`    // rows of the table of GPU errors that stand in place of ours
	End        Ending          `json:"end"`
}

// Failed reports whether an outcome speaks against the availability of the target of this run. Requests that others made and recorded may be wrong by
// themselves: their client errors are their users', and judge nothing. See [Outcome.Failed].
func (m *Manifest) Failed(o Outcome) bool {
	return o.Failed() && !(o == ClientError && m != nil && m.Imported)
}

// Judged reports whether an outcome says anything about the availability of the target of this run: it was either served or failed.
func (m *Manifest) Judged(o Outcome) bool { return o == OK || m.Failed(o) }

// An XIDRow is what a person says of one error of GPUs, in place of our table.
type XIDRow struct {
	Code    int    `json:"code"`
	Meaning string `json:"meaning,omitempty"`
	Action  string `json:"action,omitempty"`
	Cause   string `json:"cause,omitempty"`
	Class   string `json:"class"`
}

// Calibration is what this machine can send, as `assay calibrate` found before the run.
type Calibration struct {
	Date       string  `json:"date"`              // day of the calibration, YYYY-MM-DD in UTC
	PerRequest int64   `json:"per_request_ns"`    // CPU time of the client for one request
	PerEvent   int64   `json:"per_event_ns"`      // and for one event of a streamed answer
	SafeRate   float64 `json:"safe_rate_per_s"`   // highest rate at which sends were on time
	Late       int64   `json:"lateness_p99_ns"`   // at that rate
	Beyond     string  `json:"beyond,omitempty"`  // what broke above it
	Version    string  `json:"version,omitempty"` // of the tool that calibrated
}

// Usage is what the process that made the load took of its machine while it did.
type Usage struct {
	CPU  int64   `json:"cpu_ns"`
	Wall int64   `json:"wall_ns"`
	Peak float64 `json:"peak_cores"` // in the busiest second
	CPUs int     `json:"cpus"`       // cores that it may use
}

// Target says what was assessed.
type Target struct {
	Kind      string   `json:"kind"` // sandbox, openai, http, …
	Name      string   `json:"name"` // as reports show it; no credentials
	Model     string   `json:"model,omitempty"`
	Release   string   `json:"release,omitempty"`
	Simulated []string `json:"simulated,omitempty"` // what of it is simulated, in words
}

// Host is the machine that ran the load.
type Host struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	CPUs   int    `json:"cpus"`
	Kernel string `json:"kernel,omitempty"`
	Go     string `json:"go"`
}

// Offset is the clock of one source against the run's: source time = run time + Offset ± Error.
type Offset struct {
	Source string `json:"source"`
	Offset int64  `json:"offset_ns"`
	Error  int64  `json:"error_ns"`
}

// How a run ended.
const (
	EndRunning     = "running" // it was killed: nothing wrote the end
	EndComplete    = "complete"
	EndInterrupted = "interrupted" // by a person
	EndAborted     = "aborted"     // by a guard
	EndBudget      = "budget"      // the budget was spent
	EndDiskFull    = "disk_full"
	EndFailed      = "failed" // internal error
)

// A Spend is what was used of one part of the budget.
type Spend struct {
	What   string  `json:"what"` // requests, time, tokens, instances, accelerator, money
	Unit   Unit    `json:"unit"` // of money: its currency
	Limit  float64 `json:"limit"`
	Used   float64 `json:"used"`             // instances: the most at once
	Untold string  `json:"untold,omitempty"` // why it was not measured, in part or at all
}

// Ending is how a run ended and what it could not record.
type Ending struct {
	Status     string           `json:"status"` // one of the End constants
	Reason     string           `json:"reason,omitempty"`
	At         int64            `json:"at_ns"`
	ClockDrift int64            `json:"clock_drift_ns"`       // wall minus monotonic since the epoch: a stepped clock shows here
	Unrecorded map[string]int64 `json:"unrecorded,omitempty"` // records lost, by cause
	Remaining  []string         `json:"remaining,omitempty"`  // faults that may still be active
	Steps      []string         `json:"steps,omitempty"`      // path of each search
	Usage      *Usage           `json:"usage,omitempty"`      // of the load's process; nil where it was not measured
	Spent      []Spend          `json:"spent,omitempty"`      // of the budget, at the end
}
