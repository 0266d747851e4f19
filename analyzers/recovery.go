package analyzers

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// Recovery reports what each injected fault did to users and capacity, and how the platform met it.
//
// Detection, isolation and restoration are cut at user recovery, so that they sum to it: what the platform did for users that were
// already well again took no time from them. A fault that the platform did not react to spends all its time in detection. A victim that the platform takes
// back while the fault is in force was not isolated: isolation ends when it is out of routing for good.
type Recovery struct{}

const recoveryHelp = "From the fault in force to "

// Describe returns the metrics.
func (Recovery) Describe() []assay.Desc {
	d := func(name, help string) assay.Desc {
		return assay.Desc{Metric: "recovery/" + name, Unit: assay.Seconds, Better: "lower", Help: help}
	}
	return slices.Concat(describeMTTR(), describeCoverage(), []assay.Desc{
		d("user", recoveryHelp+"the first of eight requests in a row, by due, of which none failed or was slow; the worst fault counts."),
		d("capacity", recoveryHelp+"as many instances in routing as before, or as are still wanted; the worst fault counts."),
		d("detect", recoveryHelp+"the platform's first reaction; the worst fault counts."),
		d("isolate", "From the platform's first reaction until the victim is out of routing; the worst fault counts."),
		d("restore", "From the victim out of routing until users are well again; the worst fault counts."),
		d("verify", "From the undo of the fault until its revert was verified; the worst fault counts."),
		{Metric: "degraded", Unit: assay.Seconds, Better: "lower", Help: "Degraded area: seconds of full service that users lost, as the shortfall of good requests over window and washout against the ten seconds before the fault; the worst fault counts."},
		{Metric: "recovery/rate", Unit: assay.Ratio, Better: "higher", Help: "Share of the faults that could be felt from which users recovered or which they never felt; Clopper-Pearson interval."},
		{Metric: "fault_tolerance", Unit: assay.Ratio, Better: "higher", Help: "Share of the faults that could be felt which hurt no user; Clopper-Pearson interval."},
		{Metric: "availability/during/<kind>", Unit: assay.Ratio, Better: "higher", Help: "Share of requests served inside the windows and washouts of the faults of one kind, in this run; label by=fault: the mean over such faults as they may come, whatever its distribution (Anderson's interval)."},
		{Metric: "blast/requests", Unit: assay.Ratio, Better: "lower", Help: "Share of the requests in a fault's window and washout that were lost or slow; the worst fault counts."},
		{Metric: "blast/users", Unit: assay.Ratio, Better: "lower", Help: "Share of the users in a fault's window and washout with a request that was lost or slow; where no request tells its user a class stands for one; the worst fault counts."},
		{Metric: "blast/user_time", Unit: assay.Seconds, Better: "lower", Help: "For how long users were down by a fault, all together: each from a lost request until their next; the worst fault counts."},
	})
}

// Begin starts a pass.
func (Recovery) Begin(f *assay.Facts) assay.Pass {
	return &recoveryPass{f: f, trails: facts.NewTrails(f)}
}

type recoveryPass struct {
	f       *assay.Facts
	trails  *facts.Trails
	served  map[string][3]int    // by kind: well, judged, silent
	counted map[string]int64     // by kind: until when
	each    map[string][]float64 // by kind: share of judged requests that each served
}

func (p *recoveryPass) Requests(block []assay.Request) {
	for i := range block {
		p.trails.Add(&block[i])
	}
}

func (p *recoveryPass) Finish(r *assay.Report) error {
	p.served, p.counted, p.each = map[string][3]int{}, map[string]int64{}, map[string][]float64{}
	for i := range p.f.Faults {
		r.Faults = append(r.Faults, p.result(i))
	}
	r.Findings = append(r.Findings, mttr(p.f, r.Faults)...)
	if len(r.Faults) == 0 {
		return nil
	}
	var kinds []string
	for i := range r.Faults {
		kinds = append(kinds, r.Faults[i].Window.Kind)
	}
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	for _, part := range []struct {
		name string
		of   func(*assay.FaultResult) *assay.Quantity
	}{
		{"user", func(x *assay.FaultResult) *assay.Quantity { return &x.User }},
		{"capacity", func(x *assay.FaultResult) *assay.Quantity { return &x.Capacity }},
		{"detect", func(x *assay.FaultResult) *assay.Quantity { return &x.Detect }},
		{"isolate", func(x *assay.FaultResult) *assay.Quantity { return &x.Isolate }},
		{"restore", func(x *assay.FaultResult) *assay.Quantity { return &x.Restore }},
		{"verify", func(x *assay.FaultResult) *assay.Quantity { return &x.Life.Verify }},
		{"degraded", func(x *assay.FaultResult) *assay.Quantity { return &x.Degraded }},
		{"blast/requests", func(x *assay.FaultResult) *assay.Quantity { return &x.Radius.Requests }},
		{"blast/users", func(x *assay.FaultResult) *assay.Quantity { return &x.Radius.Users }},
		{"blast/user_time", func(x *assay.FaultResult) *assay.Quantity { return &x.Radius.UserTime }},
	} {
		for _, kind := range append([]string{""}, kinds...) {
			f := worstOf(r.Faults, kind, part.of)
			f.Metric = "recovery/" + part.name
			if part.name == "degraded" || strings.HasPrefix(part.name, "blast/") {
				f.Metric = part.name
			}
			r.Findings = append(r.Findings, f)
		}
	}
	for _, kind := range append([]string{""}, kinds...) {
		r.Findings = append(r.Findings, shares(r.Faults, kind)...)
	}
	r.Findings = append(r.Findings, coverage(p.f, r.Faults)...)
	r.Findings = append(r.Findings, projection(p.f, r.Faults)...)
	for _, kind := range kinds {
		s := p.served[kind]
		f := assay.Finding{Metric: "availability/during/" + kind, Ledger: assay.Injected}
		if s[1] == 0 {
			f.Quantity = assay.NotMeasured(assay.Ratio, "no request was judged inside the windows of "+kind)
		} else {
			all := float64(s[1] + s[2])
			f.Quantity = measured(float64(s[0])/float64(s[1]), float64(s[0])/all, float64(s[0]+s[2])/all, assay.Ratio, s[1], "requests",
				"served of judged requests in window and washout; the interval counts those not judged as lost, then as served")
		}
		r.Findings = append(r.Findings, f, meanDuring(kind, p.each[kind]))
	}
	return nil
}

// meanDuring is the availability during a fault of a kind as such faults may come: each is one observation, for what it does to its requests it does to them together.
func meanDuring(kind string, each []float64) assay.Finding {
	f := assay.Finding{Metric: "availability/during/" + kind, Labels: map[string]string{"by": "fault"}, Ledger: assay.Injected}
	if len(each) < 2 {
		f.Quantity = assay.NotEstimable(assay.Ratio, len(each), "faults", fmt.Sprintf("%s judged requests: each fault is one observation, want 2 at least", things(len(each), "fault")))
		return f
	}
	mean, in := stat.MeanOfShares(each, Confidence)
	f.Quantity = assay.Quantity{Value: mean, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Ratio, N: len(each), Of: "faults", Method: "mean over faults; Anderson's interval, of any distribution", Basis: assay.Estimated}
	return f
}

// result says what fault i did.
func (p *recoveryPass) result(i int) assay.FaultResult {
	f := p.f
	w := &f.Faults[i]
	u := p.trails.Users(f, i)
	x := assay.FaultResult{Window: *w, State: u.State, Life: life(w), Assumed: u.Assumed, Lost: u.Lost, Slow: u.Slow, Touched: u.Touched, Outcomes: u.Outcomes, Streams: u.Streams,
		Revert: revert(w), Affected: u.Affected, Warnings: u.Warnings}
	if u.State == assay.VoidFault {
		because := "the fault was not in effect"
		if w.Void != "" {
			because += ": " + w.Void
		}
		q := assay.NotMeasured(assay.Seconds, because)
		x.Detect, x.Isolate, x.Restore, x.User, x.Capacity, x.Degraded = q, q, q, q, q, q
		no := assay.NotMeasured(assay.Ratio, because)
		x.Radius = assay.BlastRadius{Requests: no, Users: no, UserTime: q}
		return x
	}
	if w.Applied >= p.counted[w.Kind] { // faults of one kind that are felt together are counted once
		s := p.served[w.Kind]
		p.served[w.Kind] = [3]int{s[0] + u.Well, s[1] + u.Touched, s[2] + u.Silent}
		p.counted[w.Kind] = u.End
		if u.Touched > 0 && !w.Simulated {
			p.each[w.Kind] = append(p.each[w.Kind], float64(u.Well)/float64(u.Touched))
		}
	}
	x.Capacity = p.capacity(w)
	x.Degraded = degraded(w, &u)
	x.Radius, x.Carried = radius(&u), u.Carried
	x.Parts = scoreParts(w, &u, p.trails.Streamed)
	if u.State == assay.Unmeasured {
		q := assay.NotMeasured(assay.Seconds, unfelt(w, &u))
		x.Detect, x.Isolate, x.Restore, x.User, x.Degraded = q, q, q, q, q
		if u.Thin {
			x.Enough = facts.Felt
			if !w.Hurts("") {
				x.Enough *= float64(max(1, w.Healthy))
			}
		}
		return x
	}
	p.stages(&x, w, &u)
	return x
}

// unfelt says why a fault that hurt nobody shows nothing.
func unfelt(w *assay.FaultWindow, u *facts.Users) string {
	switch {
	case u.Thin:
		return fmt.Sprintf("the victim carried too little traffic to be felt: about %.1f requests", u.Carried)
	case w.Cut == "":
		return "nobody was hurt and its effect was not put to the test: " + w.Effect
	}
	by, why := "", ": "+w.Cut
	if w.Cut == "the load ended" {
		by, why = " by the end of the load", ""
	}
	return fmt.Sprintf("nobody was hurt and it was cut short%s after %s of %s%s", by, duration(seconds(w.Reverted-w.Applied)), duration(seconds(w.For)), why)
}

func revert(w *assay.FaultWindow) string {
	switch {
	case w.Remains != "":
		return "not verified: " + w.Remains
	case w.Clear != 0:
		return "verified"
	case w.Reverted != 0:
		return "not verified"
	}
	return "self"
}

const userMethod = "from the fault in force to the first of a sustained run of well requests, by due; interval: last hurt to first well"

// stages fills the user recovery and its three parts, in whole nanoseconds, so that they sum to it.
func (p *recoveryPass) stages(x *assay.FaultResult, w *assay.FaultWindow, u *facts.Users) {
	one := func(v, lo, hi int64, method string) assay.Quantity {
		return stretch(v, max(0, min(v, lo)), max(v, hi), 1, "fault", method)
	}
	ended := u.Recovered
	open := u.State == assay.Unrecovered
	if open {
		ended = max(u.Until, w.Applied)
	}
	detect, isolate, back, res := p.reaction(w, ended)
	if x.Returned = back; back > 0 && u.State != assay.Tolerated {
		x.Warnings = append(x.Warnings, fmt.Sprintf("the victim came back into routing %s while the fault was in force", times(back)))
	}
	if open {
		x.User = atLeast(ended-w.Applied, 1, "fault", userMethod)
	} else {
		x.User = one(ended-w.Applied, u.LastHurt-w.Applied, ended-w.Applied, userMethod)
		if u.State == assay.Tolerated {
			x.User = one(0, 0, 0, "no user was hurt")
		}
	}
	if len(p.f.Lives) == 0 {
		q := assay.NotMeasured(assay.Seconds, "nothing told how the platform reacted")
		x.Detect, x.Isolate, x.Restore = q, q, q
		return
	}
	const detectMethod, isolateMethod, restoreMethod = "from the fault in force to the platform's first reaction", "from there until the victim was out of routing", "from there until users were well again"
	switch {
	case detect == 0 || detect > ended:
		if u.State != assay.Tolerated {
			x.Warnings = append(x.Warnings, "the platform had not reacted by the time users were well again")
		}
		detect, isolate = ended, ended
	case isolate == 0 || isolate > ended:
		if u.State != assay.Tolerated {
			x.Warnings = append(x.Warnings, "the victim was still in routing when users were well again")
		}
		isolate = ended
	}
	d, s, rest := detect-w.Applied, isolate-detect, ended-isolate
	gap := int64(0)
	if !open && u.State == assay.Recovered {
		gap = u.Recovered - max(u.LastHurt, w.Applied)
	}
	part := func(v, below, above int64, method string) assay.Quantity {
		if v == 0 && u.State == assay.Tolerated {
			return one(0, 0, 0, method)
		}
		return one(v, v-below, v+above, method)
	}
	// An instant seen by a probe lies up to one period earlier; user recovery lies up to one gap of requests earlier.
	x.Detect = part(d, res, 0, detectMethod)
	x.Isolate = part(s, res, res, isolateMethod)
	if open {
		// What had not ended when the run did is a lower bound, in the part that it had reached.
		switch {
		case rest > 0:
			x.Restore = atLeast(rest, 1, "fault", restoreMethod)
		case s > 0:
			x.Isolate, x.Restore = atLeast(s, 1, "fault", isolateMethod), atLeast(0, 1, "fault", restoreMethod)
		default:
			x.Detect, x.Isolate, x.Restore = atLeast(d, 1, "fault", detectMethod), atLeast(0, 1, "fault", isolateMethod), atLeast(0, 1, "fault", restoreMethod)
		}
		return
	}
	x.Restore = part(rest, gap+res, res, restoreMethod)
}

func (p *recoveryPass) capacity(w *assay.FaultWindow) assay.Quantity {
	const method = "from the fault in force to as many instances in routing as before, or as were still wanted"
	if len(p.f.Lives) == 0 {
		return assay.NotMeasured(assay.Seconds, "nothing told of the life of instances")
	}
	at, res, found, dropped := facts.Capacity(p.f, w)
	v := at - w.Applied
	switch {
	case !dropped:
		return assay.NotMeasured(assay.Seconds, "the fault took no instance out of routing")
	case !found:
		return atLeast(v, 1, "fault", method)
	}
	return stretch(v, max(0, v-res), v, 1, "fault", method)
}

// worstOf returns the finding for the fault with the longest part of one kind, or of all.
func worstOf(xs []assay.FaultResult, kind string, of func(*assay.FaultResult) *assay.Quantity) assay.Finding {
	f := assay.Finding{Ledger: assay.Injected}
	if kind != "" {
		f.Labels = map[string]string{"fault": kind}
	}
	n, skipped := 0, 0
	var why string
	unit := assay.Seconds
	var worst *assay.Quantity
	for i := range xs {
		x := &xs[i]
		if kind != "" && x.Window.Kind != kind {
			continue
		}
		q := of(x)
		if !q.Known() {
			skipped++
			why, unit = q.Reason, q.Unit
			continue
		}
		n++
		if worst == nil || math.IsInf(q.Hi, 1) && !math.IsInf(worst.Hi, 1) || math.IsInf(q.Hi, 1) == math.IsInf(worst.Hi, 1) && most(q) > most(worst) {
			worst = q
			f.Evidence = []string{fmt.Sprintf("%s of %s, %s", x.Window.Kind, x.Window.Target, x.State)}
		}
	}
	if worst == nil {
		f.Quantity = assay.NotMeasured(unit, "")
		f.Quantity.Reason = why
		return f
	}
	f.Quantity = *worst
	f.Quantity.N, f.Quantity.Of = n, "faults"
	if n == 1 {
		f.Quantity.Of = "fault"
	} else {
		f.Quantity.Method += fmt.Sprintf("; the worst of %d faults", n)
	}
	if skipped > 0 {
		f.Warnings = []string{fmt.Sprintf("%d faults are left out: %s", skipped, why)}
	}
	return f
}

func most(q *assay.Quantity) float64 {
	if math.IsNaN(q.Value) {
		return q.Lo
	}
	return q.Value
}

// shares returns the recovery rate and fault tolerance of one kind, or of all.
func shares(xs []assay.FaultResult, kind string) []assay.Finding {
	var labels map[string]string
	if kind != "" {
		labels = map[string]string{"fault": kind}
	}
	n, recovered, tolerated, out := 0, 0, 0, 0
	for i := range xs {
		if kind != "" && xs[i].Window.Kind != kind {
			continue
		}
		switch state := xs[i].State; {
		case xs[i].Window.Simulated:
			out++
		case state == assay.Tolerated:
			n, recovered, tolerated = n+1, recovered+1, tolerated+1
		case state == assay.Recovered:
			n, recovered = n+1, recovered+1
		case state == assay.Unrecovered:
			n++
		default:
			out++
		}
	}
	q := func(x int) assay.Quantity {
		if n == 0 {
			return assay.NotEstimable(assay.Ratio, 0, "faults", "no fault was in effect and could be felt")
		}
		in := stat.ClopperPearson(x, n, Confidence)
		return assay.Quantity{Value: float64(x) / float64(n), Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Ratio, N: n, Of: "faults",
			Method: "Clopper-Pearson", Basis: assay.Estimated}
	}
	var warnings []string
	if out > 0 {
		warnings = []string{fmt.Sprintf("%d faults that were void, unmeasured or simulated are not counted", out)}
	}
	var felt []string
	if s := power(xs, kind); s != "" {
		felt = []string{s}
	}
	return []assay.Finding{
		{Metric: "recovery/rate", Labels: labels, Ledger: assay.Injected, Quantity: q(recovered), Warnings: warnings},
		{Metric: "fault_tolerance", Labels: labels, Ledger: assay.Injected, Quantity: q(tolerated), Evidence: felt, Warnings: warnings},
	}
}
