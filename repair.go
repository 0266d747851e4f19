package assay

// A Repair is how one natural failure of the service was met. Down and Verify sum to Total, and where the platform was seen to react Detect, Isolate and Restore to Down, in whole
// nanoseconds, where the failure was seen to end. When it began is known to lie between the last good and the first bad request: that is in the upper bounds of Detect, Down and Total.
type Repair struct {
	Begin   int64    `json:"begin_ns"`
	Cause   string   `json:"cause,omitempty"`
	Down    Quantity `json:"down"`    // for which users were not served: from the first lost request to the first good one of those that end it
	Detect  Quantity `json:"detect"`  // from the first lost request to the platform's first reaction
	Isolate Quantity `json:"isolate"` // from there until an instance was out of routing
	Restore Quantity `json:"restore"` // from there to the first good request of those that end it
	Verify  Quantity `json:"verify"`  // from there until so many were good in a row that it is over
	Total   Quantity `json:"total"`   // until it was sure that it was over
}
