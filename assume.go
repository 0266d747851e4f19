package assay

// An Assumption is how often a kind of failure strikes in operation, as a person says who knows the field: it weighs what was injected and is never taken from how often that was.
type Assumption struct {
	Fault string `json:"fault"`    // kind of fault that stands for it
	Every int64  `json:"every_ns"` // mean time from one to the next, of the whole service
}
