package analyzers

import (
	"fmt"
	"strconv"

	"github.com/assay-dev/assay"
)

// Abort reports, of a run that a guard ended, how long the target was beyond the guard's limit: until that was noticed, and until the last
// fault was seen to be away.
type Abort struct{}

// Describe returns the metrics.
func (Abort) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "abort/detect", Unit: assay.Seconds, Better: "lower", Help: "From the first value beyond a guard's limit until the guard ended the run."},
		{Metric: "abort/revert", Unit: assay.Seconds, Better: "lower", Help: "From there until the last fault that was in force was verified to be away."},
		{Metric: "abort/total", Unit: assay.Seconds, Better: "lower", Help: "From the first value beyond a guard's limit until the last fault that was in force was verified to be away."},
	}
}

// Begin starts a pass that needs no requests.
func (Abort) Begin(f *assay.Facts) assay.Pass { return abortPass{f} }

type abortPass struct{ f *assay.Facts }

func (abortPass) Requests([]assay.Request) {}

func (p abortPass) Finish(r *assay.Report) error {
	e := breach(p.f)
	if e == nil {
		return nil
	}
	const of = "breaches"
	since, res := e.Time, p.f.Manifest.Resolution
	if n, err := strconv.ParseInt(e.Attrs["since_ns"], 10, 64); err == nil && n <= since {
		since = n
	}
	unsure := res // how much earlier the limit may have been crossed
	if n, err := strconv.ParseInt(e.Attrs["since_resolution_ns"], 10, 64); err == nil {
		unsure = max(unsure, n)
	}
	detect := stretch(e.Time-since, max(0, e.Time-since-res), e.Time-since+unsure, 1, of, "one reading of the guard to the other")
	revert, total := assay.Quantity{}, assay.Quantity{}
	last, n, why := away(p.f, e.Time)
	if why != "" {
		revert, total = assay.NotMeasured(assay.Seconds, why), assay.NotMeasured(assay.Seconds, why)
	} else {
		const how = "to the last fault's verified undo"
		revert = stretch(last-e.Time, max(0, last-e.Time-res), last-e.Time+res, n, "faults", how)
		total = stretch(last-since, max(0, last-since-res), last-since+unsure, n, "faults", how)
	}
	guard := []string{"guard " + e.Attrs["guard"] + ": " + e.Text}
	r.Findings = append(r.Findings, assay.Finding{Metric: "abort/detect", Quantity: detect, Evidence: guard},
		assay.Finding{Metric: "abort/revert", Quantity: revert, Evidence: guard}, assay.Finding{Metric: "abort/total", Quantity: total, Evidence: guard})
	return nil
}

// breach returns the event of the guard that ended the run; nil for none.
func breach(f *assay.Facts) *assay.Event {
	for i := range f.Events {
		if f.Events[i].Kind == assay.EventGuardBreach {
			return &f.Events[i]
		}
	}
	return nil
}

// away returns when the last of the faults that were in force at t was verified to be away, and how many they were, or why that is not known.
func away(f *assay.Facts, t int64) (last int64, n int, why string) {
	for i := range f.Faults {
		w := &f.Faults[i]
		switch {
		case w.Remains != "":
			return 0, 0, fmt.Sprintf("%s of %s may remain", w.Kind, w.Target)
		case w.Applied == 0 || w.Clear != 0 && w.Clear < t:
			continue
		}
		n++
		last = max(last, w.Clear)
	}
	if n == 0 {
		return 0, 0, "no fault was in force"
	}
	return last, n, ""
}

// abortTold says, for the sentence on why the run ended, how long the breach lasted; "" where no guard told.
func abortTold(r *assay.Report) string {
	detect, revert, total := r.Find("abort/detect"), r.Find("abort/revert"), r.Find("abort/total")
	switch {
	case detect == nil:
		return ""
	case !total.Quantity.Known():
		return fmt.Sprintf(", noticed %s after it began; no fault was in force", duration(detect.Quantity.Value))
	}
	return fmt.Sprintf(", noticed %s after it began; all faults are reverted, verified %s after that: %s from breach to full revert",
		duration(detect.Quantity.Value), duration(revert.Quantity.Value), duration(total.Quantity.Value))
}
