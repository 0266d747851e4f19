package evidence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// drillsOf gathers the faults of sound runs in order of time, each once: a merged run and its parts tell of the same. What was only simulated
// is no drill.
func drillsOf(runs []*Run) []drill {
	var out []drill
	for _, x := range runs {
		for _, d := range x.drills {
			twin := func(o drill) bool {
				return o.kind == d.kind && o.target == d.target && max(o.at-d.at, d.at-o.at) < 1e9 && o.seen.Dir != d.seen.Dir
			}
			if !d.simulated && !slices.ContainsFunc(out, twin) {
				out = append(out, d)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b drill) int { return cmp.Compare(a.at, b.at) })
	return out
}

// of returns the drills of one kind; of all where kind is "".
func of(drills []drill, kind string) (out []drill) {
	for _, d := range drills {
		if kind == "" || d.kind == kind {
			out = append(out, d)
		}
	}
	return out
}

// kindsOf returns the kinds of fault that were drilled, in order.
func kindsOf(drills []drill) []string {
	kinds := map[string]bool{}
	for _, d := range drills {
		kinds[d.kind] = true
	}
	return sorted(kinds)
}

// Drilled returns the kinds of fault that runs injected, in order.
func Drilled(runs []*Run) []string {
	kinds := map[string]bool{}
	for _, x := range runs {
		for _, d := range x.drills {
			kinds[d.kind] = true
		}
	}
	return sorted(kinds)
}

// shows reports whether a drill shows something: it was in effect and could be felt.
func (d *drill) shows() bool {
	return d.seen.State == assay.Tolerated || d.seen.State == assay.Recovered || d.seen.State == assay.Unrecovered
}

// recovered is how users recovered from drills, at a confidence.
func recovered(drills []drill, kind string, c float64) assay.RecoveryEvidence {
	r := assay.RecoveryEvidence{Fault: kind}
	var lives []stat.Life
	for _, d := range of(drills, kind) {
		r.Drills++
		if !d.shows() {
			continue
		}
		r.Felt++
		q := d.seen.User
		switch d.seen.State {
		case assay.Tolerated:
			r.Tolerated++
			r.Recovered++
		case assay.Recovered:
			r.Recovered++
			if q.Known() && q.Value > 0 {
				lives = append(lives, stat.Life{Time: q.Value})
			}
		case assay.Unrecovered:
			if q.Known() && q.Lo > 0 {
				r.Censored++
				lives = append(lives, stat.Life{Time: q.Lo, Censored: true})
			}
		}
	}
	r.Rate = share(r.Recovered, r.Felt, c)
	r.Median, r.Mean = times(lives, c)
	if several := shown(drills); kind == "" && len(several) > 1 {
		q := assay.NotEstimable(assay.Seconds, r.Median.N, "recoveries", fmt.Sprintf("recoveries from %s are no one distribution: name one fault", strings.Join(several, ", ")))
		r.Median, r.Mean = q, q
	}
	return r
}

// several reports whether an objective that names no kind of fault is about several.
func (o *Options) several(drills []drill, kind string) bool {
	return kind == "" && len(shown(drills)) > 1
}

// share is the share of faults of one kind that count counts. Those of several kinds are added up as they strike in operation, and not as often as somebody drilled them.
func (o *Options) share(drills []drill, kind string, c float64, count func(*assay.RecoveryEvidence) int) assay.Quantity {
	switch {
	case !o.several(drills, kind):
		r := recovered(drills, kind, c)
		return share(count(&r), r.Felt, c)
	case len(o.Weights) == 0:
		return assay.NotEstimable(assay.Ratio, 0, "faults", fmt.Sprintf("%s strike in operation more or less often than they were drilled: name one with {fault=%[2]s}, or tell how often with --weight %[2]s=0.7 and so on",
			strings.Join(shown(drills), ", "), shown(drills)[0]))
	}
	return o.weighted(drills, c, count)
}

// shown returns the kinds of fault of which a drill shows something, in order.
func shown(drills []drill) []string {
	return kindsOf(slices.DeleteFunc(slices.Clone(drills), func(d drill) bool { return !d.shows() }))
}

// share is an exact interval of a share of faults.
func share(x, n int, c float64) assay.Quantity {
	if n == 0 {
		return assay.NotEstimable(assay.Ratio, 0, "faults", "no fault was in effect and could be felt")
	}
	in := stat.ClopperPearson(x, n, c)
	return assay.Quantity{Value: float64(x) / float64(n), Lo: in.Lo, Hi: in.Hi, Confidence: c, Unit: assay.Ratio, N: n, Of: "faults", Method: "Clopper-Pearson", Basis: assay.Estimated}
}

// times returns median and mean of the times to recover, some of which may be censored, by a lognormal distribution.
func times(lives []stat.Life, c float64) (median, mean assay.Quantity) {
	done := 0
	for _, l := range lives {
		if !l.Censored {
			done++
		}
	}
	r, err := stat.RepairOf(lives, c)
	if err != nil {
		because := err.Error()
		if done < stat.LeastRepairs {
			because = fmt.Sprintf("a distribution needs %d recoveries of hurt users at least, and there are %d", stat.LeastRepairs, done)
		}
		q := assay.NotEstimable(assay.Seconds, done, "recoveries", because)
		return q, q
	}
	quantity := func(v float64, in stat.Interval) assay.Quantity {
		return assay.Quantity{Value: v, Lo: in.Lo, Hi: in.Hi, Confidence: c, Unit: assay.Seconds, N: done, Of: "recoveries", Method: "lognormal, maximum likelihood with right censoring; small-sample interval", Basis: assay.Estimated}
	}
	return quantity(r.Median, r.InMedian), quantity(r.Mean, r.InMean)
}

// recovery is how users recovered, by kind of fault, and the coverage.
func (o *Options) recovery(drills []drill) ([]assay.RecoveryEvidence, assay.Quantity) {
	out := []assay.RecoveryEvidence{}
	for _, k := range kindsOf(drills) {
		out = append(out, recovered(drills, k, confidence))
	}
	return out, o.coverage(drills, confidence)
}

// coverage weights what was drilled as it strikes in operation.
func (o *Options) coverage(drills []drill, c float64) assay.Quantity {
	if len(o.Weights) == 0 {
		return assay.NotEstimable(assay.Ratio, 0, "faults", "nothing tells how often each fault strikes in operation: --weight kill=0.7 --weight hang=0.3")
	}
	return o.weighted(drills, c, func(r *assay.RecoveryEvidence) int { return r.Recovered })
}

// weighted is the share of faults that count counts, each kind weighted as it strikes in operation.
func (o *Options) weighted(drills []drill, c float64, count func(*assay.RecoveryEvidence) int) assay.Quantity {
	var strata []stat.Stratum
	n := 0
	for _, kind := range sorted(o.Weights) {
		r := recovered(drills, kind, c)
		if r.Felt == 0 {
			return assay.NotEstimable(assay.Ratio, 0, "faults", fmt.Sprintf("no drill of %s shows anything, and it has a weight of %g", kind, o.Weights[kind]))
		}
		n += r.Felt
		strata = append(strata, stat.Stratum{Weight: o.Weights[kind], N: r.Felt, Recovered: count(&r)})
	}
	v, err := stat.CoverageOf(strata, c)
	if err != nil {
		return assay.NotEstimable(assay.Ratio, n, "faults", err.Error())
	}
	return assay.Quantity{Value: v.Value, Lo: v.In.Lo, Hi: v.In.Hi, Confidence: c, Unit: assay.Ratio, N: n, Of: "faults", Method: "weighted sum of classes; Jeffreys posteriors", Basis: assay.Estimated}
}

// sorted returns the keys of a map in order.
func sorted[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// modes says what is known of each failure mode: those of the catalogue first, in its order, then what else was injected.
func (o *Options) modes(drills []drill) []assay.ModeEvidence {
	out := []assay.ModeEvidence{}
	names := slices.Clone(o.Modes)
	for _, d := range drills {
		if !slices.Contains(names, d.kind) {
			names = append(names, d.kind)
		}
	}
	for _, name := range names {
		m := assay.ModeEvidence{Mode: name}
		for _, d := range of(drills, name) {
			seen := d.seen
			seen.Age = seconds(o.Now - d.at)
			if d.shows() {
				m.Shown++
				m.Last, m.Empty = &seen, nil
			} else {
				m.Empty = &seen
			}
		}
		m.Stale = m.Last != nil && o.Stale > 0 && o.Now-m.Last.At > o.Stale
		out = append(out, m)
	}
	return out
}

// attempts are the runs of one plan on one release, where there are several.
func attempts(runs []*Run) []assay.AttemptEvidence {
	var out []assay.AttemptEvidence
	for _, x := range runs {
		if x.Plan == "" || x.Imported {
			continue
		}
		i := slices.IndexFunc(out, func(a assay.AttemptEvidence) bool { return a.Plan == x.Plan && a.Release == x.Release })
		if i < 0 {
			out = append(out, assay.AttemptEvidence{Plan: x.Plan, Name: x.Name, Release: x.Release})
			i = len(out) - 1
		}
		out[i].Runs = append(out[i].Runs, x.RunEvidence)
	}
	return slices.DeleteFunc(out, func(a assay.AttemptEvidence) bool { return len(a.Runs) < 2 })
}
