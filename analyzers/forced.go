package analyzers

import (
	"fmt"
	"math"
	"slices"

	"github.com/assay-dev/assay"
)

// forcedLabel selects what was forced.
var forcedLabel = map[string]string{"forced": "true"}

// forcedStarts gathers the requests that forced cold starts, each as its user saw it.
type forcedStarts struct {
	waits              []float64 // of those that were served, seconds; unknown cold states are taken at the plan's word
	warm, unknown, bad int
	bads               map[string]int // outcomes of those that were not served
}

func (f *forcedStarts) add(r *assay.Request) {
	switch {
	case r == nil: // followed by another attempt
	case r.Outcome == assay.Unfinished, r.Outcome == assay.RefusedByCap:
	case r.Outcome != assay.OK:
		f.bad++
		if f.bads == nil {
			f.bads = map[string]int{}
		}
		f.bads[r.Outcome.String()]++
	case r.Cold == assay.ColdNo:
		f.warm++
	default:
		if r.Cold == assay.ColdUnknown {
			f.unknown++
		}
		end := r.FirstToken
		if end == 0 {
			end = r.End
		}
		f.waits = append(f.waits, seconds(end-r.Due))
	}
}

func (f *forcedStarts) report(add func(string, map[string]string, assay.Quantity, ...string)) {
	n := len(f.waits) + f.bad
	if n+f.warm == 0 {
		return // the plan forces none
	}
	evidence := []string{fmt.Sprintf("%d were served, %d were not", len(f.waits), f.bad)}
	if f.warm > 0 {
		evidence = append(evidence, fmt.Sprintf("%d found a warm instance and are void", f.warm))
	}
	if f.unknown > 0 {
		evidence = append(evidence, fmt.Sprintf("nothing but the plan says of %d that they were cold", f.unknown))
	}
	for _, o := range keys(f.bads) {
		evidence = append(evidence, fmt.Sprintf("%d ended as %s", f.bads[o], o))
	}
	add("cold/forced", forcedLabel, exactly(float64(n), assay.Count, n, "forced starts", "cold starts that were forced, void ones left out"), evidence...)
	if n == 0 {
		return
	}
	add("cold/failed", forcedLabel, exactly(float64(f.bad)/float64(n), assay.Ratio, n, "forced starts", "not served over forced"))
	if len(f.waits) == 0 {
		for _, m := range []string{"cold/wait/p50", "cold/wait/p90", "cold/wait/p95", "cold/wait/worst"} {
			add(m, forcedLabel, assay.NotMeasured(assay.Seconds, "no forced cold start was served"))
		}
		return
	}
	// A start that was never served is no quick one: its user waits without end.
	all := f.waits
	for range f.bad {
		all = append(all, math.Inf(1))
	}
	slices.Sort(all)
	add("cold/wait/p50", forcedLabel, f.quantile(all, 0.5))
	add("cold/wait/p90", forcedLabel, f.quantile(all, 0.9))
	add("cold/wait/p95", forcedLabel, f.quantile(all, 0.95))
	worst := all[len(f.waits)-1]
	q := exactly(worst, assay.Seconds, n, "forced starts", "longest wait seen")
	if f.bad > 0 {
		q.Value, q.Hi = math.NaN(), math.Inf(1)
		q.Method = fmt.Sprintf("at least the longest wait seen: %d were not served", f.bad)
	}
	add("cold/wait/worst", forcedLabel, q)
}

// quantile is that of the sorted waits of all forced starts, of which those that were not served are infinite.
func (f *forcedStarts) quantile(all []float64, p float64) assay.Quantity {
	q := middle(all, p)
	if f.bad == 0 || !q.Known() {
		return q
	}
	q.Method += fmt.Sprintf("; %d that were not served wait without end", f.bad)
	if math.IsInf(q.Lo, 1) {
		return assay.NotEstimable(assay.Seconds, len(all), q.Of, fmt.Sprintf("%d of %d were not served", f.bad, len(all)))
	}
	// Between a finite wait and an infinite one the quantile is infinite; on a finite one it is that.
	at := p * float64(len(all)-1)
	if below := int(at); at == float64(below) {
		q.Value = all[below]
	}
	if math.IsInf(q.Value, 1) {
		q.Value = math.NaN()
	}
	return q
}
