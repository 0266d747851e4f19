package assay

// A SequentialTest lets an objective on how often the service fails be decided while the load goes on: Wald's test of the objective's bound against a worse value. The
// load ends when it is decided.
type SequentialTest struct {
	Against float64 `json:"against"` // the value that must not be taken for good, in the objective's unit
	Risk    float64 `json:"risk"`    // of rejecting what is as good as the bound, and of accepting what is as bad as Against; each
}

// A Soak is what became of the sequential test of a run, by all that was recorded of it.
type Soak struct {
	Metric   string  `json:"metric"`
	Good     float64 `json:"good_mtbf_s"`
	Bad      float64 `json:"bad_mtbf_s"`
	Risk     float64 `json:"risk"` // α, of rejecting the good MTBF, and β, of accepting the bad one
	Verdict  Verdict `json:"verdict"`
	After    float64 `json:"after_s"`  // up time in the natural ledger until it was decided, or all there was
	Failures int     `json:"failures"` // by then
	Said     string  `json:"said"`     // in words, for people
}
