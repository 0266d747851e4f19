package analyzers

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// Limit reports the highest load that held its objective, as the searches of the run found it, and the class of
// cause that dominates at the limit. The interval is the last rate that held and the first that did not: it
// speaks of this run, and the steps are short, so a limit that shows only after minutes is not seen.
type Limit struct{}

var _ assay.Analyzer = Limit{}

// Describe lists limit/rate.
func (Limit) Describe() []assay.Desc {
	return []assay.Desc{{Metric: "limit/rate", Unit: assay.PerSecond, Better: "higher", Help: "highest rate of requests at which a search's objective still held"}}
}

type limitPass struct{ f *assay.Facts }

// Begin keeps the facts.
func (Limit) Begin(f *assay.Facts) assay.Pass { return limitPass{f} }

// Requests does nothing: the generator decided each step as it ran.
func (limitPass) Requests([]assay.Request) {}

// Finish reads what the search concluded. It runs after Attribution, whose shares of the search name the cause.
func (l limitPass) Finish(r *assay.Report) error {
	var held, broke float64
	why, search, steps := "", "", 0
	for _, e := range l.f.Events {
		if e.Kind != assay.EventAnnotation || e.Attrs["search"] == "" {
			continue
		}
		search, why = e.Attrs["search"], e.Attrs["metric"]
		held, broke = rateAttr(e, "held", 0), rateAttr(e, "broke", math.Inf(1))
	}
	for _, p := range l.f.Phases {
		if p.Of == search && search != "" {
			steps++
		}
	}
	const of = "steps of the search"
	q := assay.NotMeasured(assay.PerSecond, "the plan has no search")
	switch {
	case steps == 0:
	case held == 0 && math.IsInf(broke, 1):
		q = assay.NotMeasured(assay.PerSecond, "no step of the search had enough requests to be judged")
	case held == 0:
		q = assay.Quantity{Value: math.NaN(), Lo: 0, Hi: broke, Confidence: 1, Unit: assay.PerSecond, N: steps, Of: of, Method: "no step held; the limit lies below the lowest rate tried", Basis: assay.Measured}
	case math.IsInf(broke, 1):
		q = assay.Quantity{Value: math.NaN(), Lo: held, Hi: math.Inf(1), Confidence: 1, Unit: assay.PerSecond, N: steps, Of: of, Method: "every step held; the limit lies above the highest rate tried", Basis: assay.Measured}
	default:
		lo, hi := min(held, broke), max(held, broke)
		q = assay.Quantity{Value: math.Sqrt(lo * hi), Lo: lo, Hi: hi, Confidence: 1, Unit: assay.PerSecond, N: steps, Of: of,
			Method: "geometric middle between the highest rate that held and the lowest that did not", Basis: assay.Measured}
	}
	finding := assay.Finding{Metric: "limit/rate", Ledger: assay.Overload, Quantity: q}
	if q.Known() {
		finding.Warnings = []string{"steps last seconds: a limit that shows only after minutes is not seen"}
		if held > broke {
			finding.Warnings = append(finding.Warnings, "a higher rate held after a lower one did not: the limit is noisy")
		}
		limit := &assay.Limit{Rate: q, Broke: why}
		limit.Cause, limit.Detail = cause(r, search)
		if why != "" {
			finding.Evidence = append(finding.Evidence, "beyond it: "+why)
		}
		if limit.Cause != "" {
			finding.Evidence = append(finding.Evidence, fmt.Sprintf("first-ranked cause during the search: %s %s", limit.Cause, limit.Detail))
		}
		r.Limit = limit
	}
	r.Findings = append(r.Findings, finding)
	return nil
}

// rateAttr reads a rate from an event's attributes.
func rateAttr(e assay.Event, key string, missing float64) float64 {
	v, err := strconv.ParseFloat(e.Attrs[key], 64)
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
