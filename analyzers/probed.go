package analyzers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// Three availabilities
//
// Liveness, readiness and service are three signals: a server may be alive and not ready, and answer all the same. Each has its own looks, and so an
// availability of its own: of the natural time that was looked at, the share for which the last look was good. That of the service is by what real inferences say, requests and
// canaries. Of what was not good it is told how: refused, not ready, shed or failed.

// probeKinds are the probes by the metric that they feed.
var probeKinds = []struct{ metric, probe, plan string }{{"availability/live", "liveness", "live"}, {"availability/ready", "readiness", "ready"}}

func describeProbes() []assay.Desc {
	return []assay.Desc{
		{Metric: "availability/live", Unit: assay.Ratio, Better: "higher", Help: "Share of the natural time for which the liveness probe was good; interval: rate of failures × mean length."},
		{Metric: "availability/ready", Unit: assay.Ratio, Better: "higher", Help: "Share of the natural time for which the readiness probe was good; interval as for liveness."},
		{Metric: "availability/serving", Unit: assay.Ratio, Better: "higher", Help: "Share of the natural time for which real inferences, requests and canaries, say that it served; the same as availability/natural by time."},
	}
}

// A probed stretch is the time for which a look spoke.
type probedStretch struct {
	begin, end int64
	result     string
}

// probed is what the looks of one probe showed.
type probed struct {
	stretches []probedStretch
	period    int64
	looks     int
	by        string // what told in place of looks
}

// probesOf follows the looks of one probe. Only those that tell their period are known to be made all the time: a platform that tells of failed probes alone
// does not say when they were good again.
//
// What is seen after the load ended does not count: the target may be taken down then.
func probesOf(f *assay.Facts, probe string) *probed {
	p := &probed{}
	until := f.End
	for i := range f.Events {
		if e := &f.Events[i]; e.Kind == assay.EventLoadEnd {
			until = min(until, e.Time)
		}
	}
	for i := range f.Events {
		e := &f.Events[i]
		if e.Time > until && len(p.stretches) > 0 {
			break
		}
		if e.Kind != assay.EventInstanceProbe || e.Attrs["probe"] != probe || e.Attrs["period_ns"] == "" {
			continue
		}
		p.period, _ = strconv.ParseInt(e.Attrs["period_ns"], 10, 64)
		p.looks, _ = strconv.Atoi(e.Attrs["looks"])
		if n := len(p.stretches); n > 0 && p.stretches[n-1].end == 0 {
			p.stretches[n-1].end = max(p.stretches[n-1].begin, e.Time-e.Resolution/2) // somewhere between this look and the one before
		}
		if e.Attrs["end"] != "true" {
			p.stretches = append(p.stretches, probedStretch{begin: e.Time - e.Resolution/2, result: e.Attrs["result"]})
		}
	}
	if n := len(p.stretches); n > 0 && p.stretches[n-1].end == 0 {
		p.stretches[n-1].end = max(p.stretches[n-1].begin, until)
	}
	return p
}

// absent reports whether all looks that reached the target saw that it has no such endpoint.
func (p *probed) absent() bool {
	seen := false
	for _, s := range p.stretches {
		switch s.result {
		case "no_endpoint":
			seen = true
		case "refused": // it did not listen yet
		default:
			return false
		}
	}
	return seen
}

// availabilityOfProbe is the share of the natural time for which a probe was good.
func availabilityOfProbe(f *assay.Facts, metric, probe, setting string) assay.Finding {
	p := probesOf(f, probe)
	out := assay.Finding{Metric: metric, Ledger: assay.Natural}
	if len(p.stretches) == 0 {
		if told := signalOf(f, probe); told != nil {
			p = told
		}
	}
	if len(p.stretches) == 0 {
		for i := range f.Signals {
			if s := &f.Signals[i]; s.Probe == probe && s.Why != "" {
				out.Quantity = assay.NotMeasured(assay.Ratio, s.Why)
				return out
			}
		}
		out.Quantity = assay.NotMeasured(assay.Ratio, fmt.Sprintf("nothing looked at it all the time: collect.probes.%s does, and so do a cluster's pods and kube-state-metrics", setting))
		return out
	}
	var up, down int64
	bad := map[string]int64{}
	failures, open := 0, false
	var lengths stat.Lengths
	var lasted int64 // of the failure that is open
	closed := func() {
		if open {
			lengths.Add(seconds(lasted))
		}
		open, lasted = false, 0
	}
	for _, s := range p.stretches {
		t := facts.Within(f, assay.Natural, s.begin, s.end)
		if s.result == "ok" {
			up += t
			closed()
			continue
		}
		if t == 0 {
			continue
		}
		down += t
		bad[s.result] += t
		if !open {
			failures++
		}
		open = true
		lasted += t
	}
	closed()
	how := fmt.Sprintf("%d looks, one each %s", p.looks, duration(seconds(p.period)))
	if p.by != "" {
		how = p.by + ", known to " + duration(seconds(p.period))
	}
	out.Evidence = append(out.Evidence, fmt.Sprintf("%s; %.3g s of natural time", how, seconds(up+down)))
	var kinds []string
	for _, k := range keys(bad) {
		kinds = append(kinds, fmt.Sprintf("%s %s", strings.ReplaceAll(k, "_", " "), duration(seconds(bad[k]))))
	}
	if kinds != nil {
		slices.Sort(kinds)
		out.Evidence = append(out.Evidence, strings.Join(kinds, ", "))
	}
	switch {
	case p.absent():
		out.Quantity = assay.NotMeasured(assay.Ratio, fmt.Sprintf("no such endpoint: status 404 to each look of collect.probes.%s", setting))
	case up+down <= 0:
		out.Quantity = assay.NotMeasured(assay.Ratio, "no look fell into natural time")
	case failures == 0 && p.by != "" && failedLooks(f, probe) > 0: // a container that runs may be far from well
		out.Quantity = assay.NotMeasured(assay.Ratio, fmt.Sprintf("%s failed as the platform tells, and not for how long", things(failedLooks(f, probe), "look")))
	case failures == 0:
		out.Quantity = assay.NotEstimable(assay.Ratio, 0, "failures", fmt.Sprintf("it was good in all of %s, and so nothing bounds how long a failure would last", duration(seconds(up))))
	default:
		in := stat.Unavailability(seconds(up), seconds(down), failures, lengths.Sigma(), Confidence)
		out.Quantity = assay.Quantity{Value: float64(up) / float64(up+down), Lo: 1 - in.Hi, Hi: 1 - in.Lo, Confidence: Confidence, Unit: assay.Ratio, N: failures, Of: "failures",
			Method: fmt.Sprintf("good of looked-at time, known to a period of %s; interval: rate of failures × mean length", duration(seconds(p.period))), Basis: assay.Estimated}
	}
	return out
}
