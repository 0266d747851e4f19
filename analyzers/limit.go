package analyzers

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// Limit reports the highest load that held its objective, as the searches of the run found it, and the class of
// cause that dominates at the limit. The interval is the highest rate that held and the lowest that did not: rates between them were
// not tried, or lay too close to the limit to be called. The steps are short, so a limit that shows only after minutes is not seen.
type Limit struct{}

var _ assay.Analyzer = Limit{}

// Describe lists limit/rate.
func (Limit) Describe() []assay.Desc {
	return []assay.Desc{{Metric: "limit/rate", Unit: assay.PerSecond, Better: "higher", Help: "highest rate of requests at which a search's objective still held; of the last search, or with phase of one"}}
}

type limitPass struct{ f *assay.Facts }

// Begin keeps the facts.
func (Limit) Begin(f *assay.Facts) assay.Pass { return limitPass{f} }

// Requests does nothing: the generator decided each step as it ran.
func (limitPass) Requests([]assay.Request) {}

// Finish reads what the searches concluded, each by its phase, and the last one besides as that of the run. It runs after Attribution, whose shares
// of the search name the cause.
func (l limitPass) Finish(r *assay.Report) error {
	last := assay.Finding{Metric: "limit/rate", Ledger: assay.Overload, Quantity: assay.NotMeasured(assay.PerSecond, "the plan has no search")}
	for _, e := range l.f.Events {
		if search := e.Attrs["search"]; e.Kind == assay.EventAnnotation && search != "" {
			last, r.Limit = l.search(r, search, e.Attrs)
			one := last
			one.Labels = map[string]string{"phase": search}
			r.Findings = append(r.Findings, one)
		}
	}
	r.Findings = append(r.Findings, last)
	return nil
}

// search tells what one search concluded; the limit is nil if it is not known.
func (l limitPass) search(r *assay.Report, search string, said map[string]string) (assay.Finding, *assay.Limit) {
	held, broke, why := rateAttr(said, "held", 0), rateAttr(said, "broke", math.Inf(1)), said["metric"]
	steps := 0
	for _, p := range l.f.Phases {
		if p.Of == search {
			steps++
		}
	}
	const of = "steps of the search"
	how := "; a rate is judged by the value of its step"
	basis, confidence := assay.Measured, 1.0 // of a careful search, which judges by what it saw
	if c := rateAttr(said, "confidence", 0); c > 0 {
		basis, confidence = assay.Estimated, c
		how = fmt.Sprintf("; a rate holds when the %g %% interval of the share that missed lies below what is allowed, by steps of %s; what cuts a step short counts misses as independent, so it reads low where they cluster", 100*confidence, said["steps"])
	}
	q := assay.NotMeasured(assay.PerSecond, "no step of the search had enough requests to be judged")
	late := ""
	if at := said["late"]; at != "" {
		late = "our own sends were late at " + strings.ReplaceAll(at, " ", "/s and ") + "/s: what the target does there is not known"
		q.Reason += "; " + late
	}
	known := func(v, lo, hi float64, method string) {
		q = assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: confidence, Unit: assay.PerSecond, N: steps, Of: of, Method: method, Basis: basis}
	}
	switch {
	case steps == 0, held == 0 && math.IsInf(broke, 1):
	case held == 0:
		known(math.NaN(), 0, broke, "no rate held; the limit lies below the lowest that broke")
	case math.IsInf(broke, 1):
		known(math.NaN(), held, broke, "the limit lies above the highest rate that held"+how)
	default:
		lo, hi := min(held, broke), max(held, broke)
		known(math.Sqrt(lo*hi), lo, hi, "geometric middle between the highest rate that held and the lowest that did not"+how)
	}
	finding := assay.Finding{Metric: "limit/rate", Ledger: assay.Overload, Quantity: q}
	var limit *assay.Limit
	if q.Known() {
		limit = &assay.Limit{Rate: q, Broke: why, Path: l.f.Manifest.End.Steps}
		if said["unconfirmed"] != "" {
			limit.Doubts = append(limit.Doubts, "no time for the longer steps that confirm it: it holds one step below the highest rate that passed")
		}
		if open := said["undecided"]; open != "" {
			limit.Doubts = append(limit.Doubts, strings.ReplaceAll(open, " ", "/s and ")+"/s too close to call with so few requests")
		}
		if late != "" {
			limit.Doubts = append(limit.Doubts, late)
		}
		if ended := said["ended"]; ended != "" {
			limit.Doubts = append(limit.Doubts, "it ended because "+ended)
		}
		if held > broke {
			limit.Doubts = append(limit.Doubts, "noisy: a higher rate held after a lower one did not")
		}
		finding.Warnings = append([]string{"steps last seconds: a limit that shows only after minutes is not seen"}, limit.Doubts...)
		limit.Cause, limit.Detail = cause(r, search)
		if why != "" {
			finding.Evidence = append(finding.Evidence, "beyond it: "+why)
		}
		if limit.Cause != "" {
			finding.Evidence = append(finding.Evidence, fmt.Sprintf("first-ranked cause during the search: %s %s", limit.Cause, limit.Detail))
		}
	}
	return finding, limit
}

// rateAttr reads a number from an event's attributes.
func rateAttr(attrs map[string]string, key string, missing float64) float64 {
	v, err := strconv.ParseFloat(attrs[key], 64)
	if err != nil {
		return missing
	}
	return v
}

// cause returns the class with the largest share of the time of the search's requests, and for compute the stage that takes more.
func cause(r *assay.Report, search string) (class, detail string) {
	best := 0.0
	for _, n := range classNames[:classUnexplained] {
		if f := r.Find("bottleneck/"+n, "phase", search); f != nil && f.Quantity.Known() && f.Quantity.Value > best {
			best, class = f.Quantity.Value, n
		}
	}
	if class == classNames[classCompute] {
		prefill, decode := r.Find("bottleneck/compute/prefill", "phase", search), r.Find("bottleneck/compute/decode", "phase", search)
		if detail = partNames[partPrefill]; prefill == nil || decode != nil && decode.Quantity.Value >= prefill.Quantity.Value {
			detail = partNames[partDecode]
		}
	}
	return strings.ReplaceAll(class, "_", " "), detail
}
