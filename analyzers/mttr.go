package analyzers

import (
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// Time to repair
//
// Repair times are taken to be lognormal. One that had not ended when it was last seen is censored: it is neither dropped nor taken to have ended then. Failures that come of themselves and
// faults stay apart, and so do users and capacity. A fault that nobody felt needed no repair of the users.

var repaired = []struct{ of, help string }{
	{"service", "a natural failure of the service"}, {"instance", "a natural failure of an instance"},
	{"user", "a fault that hurt users, until they were well again"}, {"capacity", "a fault that took instances, until they were back"},
}

func describeMTTR() (out []assay.Desc) {
	for _, r := range repaired {
		for _, s := range []string{"median", "mean", "p90"} {
			out = append(out, assay.Desc{Metric: "mttr/" + r.of + "/" + s, Unit: assay.Seconds, Better: "lower",
				Help: fmt.Sprintf("The %s time to repair after %s, of a lognormal distribution fitted with those that had not ended as censored.", s, r.help)})
		}
	}
	return out
}

// shortest stands for a repair that took no time that our clocks can tell.
const shortest = 1e-3 // s

// mostBeyond is how many times the longest repair seen an upper bound may be: one beyond says nothing that anybody could use.
const mostBeyond = 1000

// mttr returns the times to repair of a run with its faults.
func mttr(f *assay.Facts, xs []assay.FaultResult) (out []assay.Finding) {
	times, undated := map[string][]stat.Life{}, map[string]int{}
	add := func(of string, s float64, open bool) {
		times[of] = append(times[of], stat.Life{Time: math.Max(s, shortest), Censored: open})
	}
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Ledger == assay.Natural && (e.Subject == assay.Service || e.Subject == assay.InstanceOf) {
			if e.Undated {
				undated[string(e.Subject)]++
				continue
			}
			at := facts.Extent(e)
			add(string(e.Subject), seconds(at.End-at.Begin), e.RightCensored)
		}
	}
	for i := range xs {
		x := &xs[i]
		if x.Window.Simulated {
			continue
		}
		if x.State == assay.Recovered || x.State == assay.Unrecovered {
			add("user", most(&x.User), math.IsNaN(x.User.Value))
		}
		if x.Capacity.Known() {
			add("capacity", most(&x.Capacity), math.IsNaN(x.Capacity.Value))
		}
	}
	for _, r := range repaired {
		if len(times[r.of])+undated[r.of] > 0 {
			out = append(out, repairs(r.of, times[r.of], undated[r.of])...)
		}
	}
	return out
}

// repairs returns median, mean and 90th percentile of repair times, of which some more are not known since nothing tells when they began. Where they cannot be told it says so once, of the median.
func repairs(of string, times []stat.Life, undated int) []assay.Finding {
	ledger := assay.Natural
	if of == "user" || of == "capacity" {
		ledger = assay.Injected
	}
	r, err := stat.RepairOf(times, Confidence)
	done := r.N - r.Censored
	evidence := []string{fmt.Sprintf("%s, of which %d ended and %d had not when last seen", things(r.N, "repair"), done, r.Censored)}
	if undated > 0 {
		evidence = append(evidence, fmt.Sprintf("%s without an instant left out: nothing tells how long any took", things(undated, "failure")))
	}
	if err != nil {
		why := fmt.Sprintf("%s seen to end; want %d, not all of one length", things(done, "repair")+map[bool]string{true: " was", false: " were"}[done == 1], stat.LeastRepairs)
		return []assay.Finding{{Metric: "mttr/" + of + "/median", Ledger: ledger, Quantity: assay.NotEstimable(assay.Seconds, done, "repairs", why), Evidence: evidence}}
	}
	var out []assay.Finding
	longest := 0.0
	for _, t := range times {
		longest = math.Max(longest, t.Time)
	}
	for _, s := range []struct {
		name  string
		v     float64
		bound func(stat.Repair) stat.Interval
	}{
		{"median", r.Median, func(r stat.Repair) stat.Interval { return r.InMedian }},
		{"mean", r.Mean, func(r stat.Repair) stat.Interval { return r.InMean }},
		{"p90", r.P90, func(r stat.Repair) stat.Interval { return r.InP90 }},
	} {
		in := s.bound(r)
		f := assay.Finding{Metric: "mttr/" + of + "/" + s.name, Ledger: ledger, Evidence: evidence}
		f.Quantity = assay.Quantity{Value: s.v, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Seconds, N: done, Of: "repairs",
			Method: fmt.Sprintf("lognormal by maximum likelihood, %d of %d censored; t and chi-square", r.Censored, r.N), Basis: assay.Estimated}
		if math.IsInf(s.v, 1) || math.IsNaN(s.v) {
			f.Quantity = assay.NotEstimable(assay.Seconds, done, "repairs", "the few that ended say next to nothing of the rest")
		} else if !(in.Hi <= mostBeyond*longest) {
			why := fmt.Sprintf("%s that ended bound it by more than %d times the longest seen, %s", things(done, "repair"), mostBeyond, duration(longest))
			if n := r.Enough(s.bound, mostBeyond*longest, Confidence); n > 0 {
				why += fmt.Sprintf("; about %d as variable as these would do", max(n, done+1))
			}
			f.Quantity = assay.NotEstimable(assay.Seconds, done, "repairs", why)
		}
		out = append(out, f)
	}
	return out
}
