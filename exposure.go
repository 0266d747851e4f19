package assay

// A Stretch is a piece of time, [Begin, End) in ns.
type Stretch struct {
	Begin int64 `json:"begin_ns"`
	End   int64 `json:"end_ns"`
}

// An Exposure is the natural time in which one unit was watched and worked: what its natural failures stand against. It is in the report so
// that runs can be added up without their records.
type Exposure struct {
	Subject Subject   `json:"subject"`
	Unit    string    `json:"unit,omitempty"` // the instance; "" for the service, and for all GPUs together
	Time    int64     `json:"time_ns"`        // of several GPUs: summed over them
	In      []Stretch `json:"in"`             // where it lies: in order, disjoint, at most 1000, the smallest gaps closed where there were more
}
