package assay

// A Suite is a standard sequence of faults as a plan asked for it. Results compare where name, version and size are the same.
type Suite struct {
	Name    string      `json:"name"`
	Version int         `json:"version"`
	Size    string      `json:"size"` // quick or full
	Steps   []SuiteStep `json:"steps"`
}

// A SuiteStep is one thing that a suite does to the target, with the load phases in which it does it.
type SuiteStep struct {
	Name       string   `json:"name"`
	Title      string   `json:"title"`
	Weight     float64  `json:"weight"` // in what is computed over all steps, relative to the others'
	Phases     []string `json:"phases,omitempty"`
	Unmeasured string   `json:"unmeasured,omitempty"` // why it was not done; empty if it was to be
}

// A SuiteResult is what a suite came to.
type SuiteResult struct {
	Name     string       `json:"name"`
	Version  int          `json:"version"`
	Size     string       `json:"size"`
	Measured Quantity     `json:"measured"` // share of the weights whose steps were measured
	Steps    []StepResult `json:"steps"`
}

// A StepResult is what one step of a suite came to: the worst of its faults, or Unmeasured or VoidFault, which never count as tolerated.
type StepResult struct {
	Name   string     `json:"name"`
	Title  string     `json:"title"`
	Weight float64    `json:"weight"`
	State  FaultState `json:"state"`
	Faults []string   `json:"faults,omitempty"` // ids
	Why    string     `json:"why,omitempty"`
}
