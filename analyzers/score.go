package analyzers

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Score says in one number, from 0 to 1, how well the users came through the faults.
//
// A fault's score is the weighted sum of three parts, each from 0 to 1:
//
//	availability  ½    requests served of those judged in window and washout
//	recovery      3/10 1 − user recovery / (2 × target), at least 0: all at once is 1, just within the target is ½, never is 0
//	streams       2/10 streamed answers that were not broken, of those that began in window and washout
//
// The target is the plan's own objective on recovery/user, of that kind of fault or of all; 30 s where it has none. A run that streams
// nothing has no third part, and the others weigh 5/8 and 3/8.
//
// The interval is the error of measurement: requests that were not judged count as lost, then as served; user recovery lies between last hurt and
// first well. Recovery that was not seen when the load ended counts as never in value and lower bound, and as at that moment in the upper. A steady
// state that did not hold after the fault is no recovery.
//
// The score of the run is the weighted mean over faults. Each kind of fault weighs the same and shares its weight among its faults, so that
// striking often with what is well survived raises nothing. In a standard suite its steps have weights of their own, also those that this run could not do.
//
// A simulated fault hurts nothing, so that coming through it shows nothing: it has no score and no weight.
//
// What is void or unmeasured keeps its weight and never helps: it counts as 0 in value and lower bound, and in the upper bound no better than what was
// measured on the mean. Where nobody was hurt and nothing tells which requests the victim served, the lower bound is 0 too: it may have served none. So no
// score rises when a measurement is left out, and none passes an objective for it.
//
// Example. A kill served 95 of 100 requests, users were well after 6 s of 15 s allowed, and 1 of 40 streams was cut:
// ½ × 0.95 + 3/10 × (1 − 6/30) + 2/10 × 0.975 = 0.91. A hang was void. The run's score is ½ × 0.91 + ½ × 0 = 0.455, in [0.455, 0.91], 1 of 2 measured.
type Score struct{}

// Weights of the parts, and the target of recovery where the plan has none.
const (
	weighAvailability = 0.5
	weighRecovery     = 0.3
	weighStreams      = 0.2
	defaultTarget     = 30.0 // seconds
)

// Describe returns the metric.
func (Score) Describe() []assay.Desc {
	return []assay.Desc{{Metric: "score", Unit: assay.Ratio, Better: "higher", Help: "How well users came through the faults, 0 to 1: availability, recovery time against its target and unbroken streams, weighted; each kind of fault weighs the same, and what was not measured counts as 0."}}
}

// Begin starts a pass.
func (Score) Begin(f *assay.Facts) assay.Pass { return &scorePass{f} }

type scorePass struct{ f *assay.Facts }

func (*scorePass) Requests([]assay.Request) {}

func (p *scorePass) Finish(r *assay.Report) error {
	for i := range r.Faults {
		x := &r.Faults[i]
		scoreOf(x, target(p.f.Manifest.Objectives, x.Window.Kind), r.Hypotheses)
	}
	if !slices.ContainsFunc(r.Faults, func(x assay.FaultResult) bool { return !x.Window.Simulated }) {
		return nil
	}
	kinds, how := weigh(r.Faults, r.Suite)
	for _, kind := range append([]string{""}, kinds...) {
		f := assay.Finding{Metric: "score", Ledger: assay.Injected}
		if kind != "" {
			f.Labels = map[string]string{"fault": kind}
		}
		f.Quantity, f.Warnings = total(r.Faults, kind)
		if kind == "" {
			f.Evidence = []string{how}
		}
		for i := range r.Faults {
			if x := &r.Faults[i]; kind == x.Window.Kind {
				f.Evidence = append(f.Evidence, fmt.Sprintf("%s: %s", x.Window.ID, sumOf(x)))
			}
		}
		r.Findings = append(r.Findings, f)
	}
	return nil
}

// target returns the longest user recovery, in seconds, that the plan allows after a fault of a kind.
func target(objectives []assay.Objective, kind string) float64 {
	all := 0.0
	for _, o := range objectives {
		if o.Metric != "recovery/user" || o.Max == nil || *o.Max <= 0 {
			continue
		}
		switch o.Labels["fault"] {
		case kind:
			return *o.Max
		case "":
			all = *o.Max
		}
	}
	if all > 0 {
		return all
	}
	return defaultTarget
}

// scoreParts returns the parts of a fault's score that its requests tell; that of recovery is added by scoreOf.
func scoreParts(w *assay.FaultWindow, u *facts.Users, streamed bool) []assay.ScorePart {
	if u.Touched == 0 {
		return nil
	}
	all := float64(u.Touched + u.Silent)
	out := []assay.ScorePart{{Name: "availability", Weight: weighAvailability, Quantity: measured(float64(u.Well)/float64(u.Touched), float64(u.Well)/all,
		float64(u.Well+u.Silent)/all, assay.Ratio, u.Touched, "requests", "served of judged; those not judged count as lost, then as served")}}
	switch {
	case u.Begun > 0:
		out = append(out, assay.ScorePart{Name: "streams", Weight: weighStreams,
			Quantity: counted(1-float64(u.Broken)/float64(u.Begun), assay.Ratio, u.Begun, "streams", "not broken of those that began")})
	case streamed:
		out = append(out, assay.ScorePart{Name: "streams", Weight: weighStreams, Quantity: measured(0, 0, 1, assay.Ratio, 0, "streams", "none began: counts as 0, and at best as 1")})
	}
	return out
}

// scoreOf fills in the score of one fault.
func scoreOf(x *assay.FaultResult, target float64, hs []assay.Hypothesis) {
	why := unmeasured(x, hs)
	if x.Window.Simulated {
		why = "it was simulated: nothing was hurt"
	}
	if why != "" {
		x.Score, x.Parts = assay.NotMeasured(assay.Ratio, why), nil
		return
	}
	by := func(user float64) float64 { return math.Max(0, 1-user/(2*target)) }
	rec := assay.ScorePart{Name: "recovery", Weight: weighRecovery}
	method := fmt.Sprintf("1 − user recovery / (2 × target of %g s)", target)
	switch q := x.User; {
	case brokenAfter(x, hs) != "":
		rec.Quantity = measured(0, 0, 0, assay.Ratio, 1, "fault", "the steady state did not hold after the fault")
	case math.IsNaN(q.Value):
		rec.Quantity = measured(0, 0, by(q.Lo), assay.Ratio, 1, "fault", method+"; not seen: counts as never, and at best as when the watch ended")
	default:
		rec.Quantity = measured(by(q.Value), by(q.Hi), by(q.Lo), assay.Ratio, 1, "fault", method)
	}
	x.Parts = slices.Insert(x.Parts, 1, rec)
	sum, weights := assay.Quantity{}, 0.0
	for _, part := range x.Parts {
		weights += part.Weight
	}
	for i := range x.Parts {
		part := &x.Parts[i]
		part.Weight /= weights
		sum.Value += part.Weight * part.Quantity.Value
		sum.Lo += part.Weight * part.Quantity.Lo
		sum.Hi += part.Weight * part.Quantity.Hi
	}
	x.Score = measured(sum.Value, min(sum.Lo, sum.Value), max(sum.Hi, sum.Value), assay.Ratio, x.Touched, "requests", "weighted sum of its parts")
	if x.Assumed {
		x.Score.Lo, x.Score.Method = 0, x.Score.Method+"; that its victim carried traffic is assumed, so that the lower bound is 0"
	}
}

// weigh gives each fault its weight, and returns the kinds of fault and how they were weighed. Weights of a suite sum to less than 1 where some of its
// steps have no fault in this run.
func weigh(xs []assay.FaultResult, suite *assay.SuiteResult) (kinds []string, how string) {
	n := map[string]int{}
	for i := range xs {
		if !xs[i].Window.Simulated {
			n[xs[i].Window.Kind]++
		}
	}
	if suite != nil {
		return keys(n), weighSuite(xs, suite)
	}
	for i := range xs {
		if xs[i].Weight = 0; !xs[i].Window.Simulated {
			xs[i].Weight = 1 / float64(len(n)) / float64(n[xs[i].Window.Kind])
		}
	}
	return keys(n), fmt.Sprintf("each of %d kinds of fault weighs 1/%d", len(n), len(n))
}

// weighSuite shares the weight of each step among its faults; a fault of no step weighs nothing.
func weighSuite(xs []assay.FaultResult, suite *assay.SuiteResult) string {
	all := 0.0
	hurts := func(id string) bool {
		return slices.ContainsFunc(xs, func(x assay.FaultResult) bool { return x.Window.ID == id && !x.Window.Simulated })
	}
	for _, st := range suite.Steps {
		if len(st.Faults) == 0 || slices.ContainsFunc(st.Faults, hurts) {
			all += st.Weight
		}
	}
	for i := range xs {
		xs[i].Weight = 0
		for _, st := range suite.Steps {
			if !xs[i].Window.Simulated && slices.Contains(st.Faults, xs[i].Window.ID) && all > 0 {
				xs[i].Weight += st.Weight / all / float64(len(st.Faults))
			}
		}
	}
	return fmt.Sprintf("weights of the steps of suite %s, version %d", suite.Name, suite.Version)
}

// total returns the score of the faults of one kind, or of all.
func total(xs []assay.FaultResult, kind string) (q assay.Quantity, warnings []string) {
	n, m := 0, 0
	var weights, known, value, lo, hi, everything float64
	var why []string
	for i := range xs {
		x := &xs[i]
		everything += x.Weight
		if x.Window.Simulated || kind != "" && x.Window.Kind != kind {
			continue
		}
		m++
		weights += x.Weight
		if !x.Score.Known() {
			why = append(why, x.Window.ID)
			continue
		}
		n++
		known += x.Weight
		value, lo, hi = value+x.Weight*x.Score.Value, lo+x.Weight*x.Score.Lo, hi+x.Weight*x.Score.Hi
	}
	if n == 0 || known == 0 {
		return assay.NotEstimable(assay.Ratio, 0, "faults", fmt.Sprintf("none of %d faults was in effect, could be felt and could be judged", m)), nil
	}
	if missing := 1 - everything; kind == "" && missing > 1e-9 {
		weights = 1
		warnings = append(warnings, fmt.Sprintf("steps of the suite that weigh %.3g %% of it had no fault in this run: they count as 0", missing*100))
	}
	q = measured(value/weights, lo/weights, hi/known, assay.Ratio, n, fmt.Sprintf("of %d faults", m),
		"weighted mean over faults; what was not measured counts as 0, and at best as the measured mean")
	q.Lo, q.Hi = min(q.Lo, q.Value), min(1, max(q.Hi, q.Value))
	if n < m {
		warnings = append(warnings, fmt.Sprintf("%d of %d faults measured: %s count as 0 in the value and the lower bound", n, m, strings.Join(why, ", ")))
	}
	return q, warnings
}

// sumOf writes the parts of a fault's score: 0.5 × 0.95 availability + 0.3 × …
func sumOf(x *assay.FaultResult) string {
	if !x.Score.Known() {
		return x.Score.Reason
	}
	var terms []string
	for _, part := range x.Parts {
		terms = append(terms, fmt.Sprintf("%.3g × %.3g %s", part.Weight, part.Quantity.Value, part.Name))
	}
	return fmt.Sprintf("%.3g = %s", x.Score.Value, strings.Join(terms, " + "))
}
