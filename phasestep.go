package assay

// A PhaseStep is a place in a steady phase from which on a figure has another level: a step, where a drift is a slope. It is looked for over blocks of equal length, so that when it was is
// known to a block.
type PhaseStep struct {
	Of     string            `json:"of"` // e2e, ttft/p95, error_ratio, throughput, memory: the metric is change/ with it
	Phase  string            `json:"phase,omitempty"`
	Labels map[string]string `json:"labels,omitempty"` // of memory: those of the series
	At     int64             `json:"at_ns"`            // begin of the first block of the new level
	Block  int               `json:"block"`            // its number, from 1
	Blocks int               `json:"blocks"`           // in the phase
	Before Quantity          `json:"before"`
	After  Quantity          `json:"after"`
	Size   Quantity          `json:"size"`             // After less Before: of latencies, throughput as a share of Before
	P      float64           `json:"p"`                // that noise makes a step as large at any place of any series that was looked at
	Beside string            `json:"beside,omitempty"` // what changed there too
}
