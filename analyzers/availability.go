package analyzers

import (
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// Availability reports the share of requests and of time that was good in the natural ledger. Failures with fewer than
// clusterGap successes between them are one failure that took several requests. Canaries count like other requests; what was served between
// the first and the last wrong answer of an episode that the canary found judges nothing.
type Availability struct{}

const clusterGap = 5 // as many good ones in a row end an episode

// Describe returns the metrics.
func (Availability) Describe() []assay.Desc {
	return append(append(describeProbes(), describeUsers()...), []assay.Desc{
		{Metric: "availability/natural", Unit: assay.Ratio, Better: "higher", Help: "Share of requests (by=request, the default) of time (by=time) or of users' time (by=user) that was good in the natural ledger; the interval counts failures by the episode. Where no request tells its user a class of requests stands for one."},
		{Metric: "availability/nines", Unit: assay.Count, Better: "higher", Help: "Availability in the natural ledger as its number of nines, with bounds: by=request, time or user."},
		{Metric: "availability/windowed", Unit: assay.Ratio, Better: "higher", Help: "Least share of users' time that was up in any window of a length (label window) of this run: tells one long outage from as much in small pieces."},
		{Metric: "requests/counted", Unit: assay.Count, Help: "Requests that counters tell of as served or failed, in a run that holds no requests: availability, error_ratio and mtbf/service are then from these counters."},
		{Metric: "probes/looks", Unit: assay.Count, Help: "Looks at the service that were made all the time, in a run that holds no requests and no counters of them: episodes of the service, mtbf/service and availability by time are then from these looks."},
		{Metric: "error_ratio", Unit: assay.Ratio, Better: "lower", Help: errorHelp},
	}...)
}

// Begin starts a pass.
func (Availability) Begin(f *assay.Facts) assay.Pass {
	p := &availabilityPass{f: f, watch: watchOf(f),
		all: tally{clusters: stat.Clusters{Gap: clusterGap}}, phases: map[string]*tally{}, wrong: wrongTimesOf(f), users: uptime{f: f}}
	if c := f.Counted; isCounted(f) {
		p.all.clusters = stat.Clusters{Gap: clusterGap, N: c.Clusters, Good: c.Good, Bad: c.Bad, Longest: c.Longest}
	}
	return p
}

type tally struct {
	clusters stat.Clusters
	silent   int // judged nothing: throttled, unfinished
	users    int // their own client errors, of requests that others made
	doubted  int // served while the canary's answers were wrong
	errors   notServed
}

type availabilityPass struct {
	f      *assay.Facts
	watch  facts.Watch
	all    tally
	phases map[string]*tally
	wrong  wrongTimes
	users  uptime
}

func (p *availabilityPass) Requests(block []assay.Request) {
	for i := range block {
		r := &block[i]
		p.watch.Add(r)
		if l, _ := facts.LedgerOf(p.f, r); l != assay.Natural {
			continue
		}
		p.users.add(r)
		t := p.phases[r.Phase]
		if t == nil {
			t = &tally{}
			p.phases[r.Phase] = t
		}
		for _, t := range []*tally{&p.all, t} {
			m := p.f.Manifest
			switch {
			case !r.Canary && r.Outcome == assay.OK && p.wrong.at(r.Due):
				t.doubted++
				continue
			case m.Judged(r.Outcome):
				t.clusters.Add(m.Failed(r.Outcome))
			case r.Outcome == assay.ClientError:
				t.users++
			case r.Outcome != assay.RefusedByCap && r.Outcome != assay.Credential:
				t.silent++
			}
			t.errors.add(r)
		}
	}
}

func (p *availabilityPass) Finish(r *assay.Report) error {
	byRequest := p.byRequest()
	r.Lost, r.Judged = p.all.clusters.Sizes(), p.all.clusters.Good+p.all.clusters.Bad
	byTime := p.byTime()
	if n := p.all.silent; n > 0 {
		byRequest.Warnings = append(byRequest.Warnings, fmt.Sprintf("%d requests were throttled or unfinished and judge nothing", n))
	}
	if n := p.all.users; n > 0 {
		byRequest.Warnings = append(byRequest.Warnings, fmt.Sprintf("%d requests were answered with a 4xx and judge nothing: others made them, and they may be wrong by themselves; error_ratio counts them", n))
	}
	if n := p.all.doubted; n > 0 {
		byRequest.Warnings = append(byRequest.Warnings, fmt.Sprintf("%d requests were served while the canary's answers were wrong, and judge nothing: their content was not looked into", n))
	}
	if isCounted(p.f) {
		byRequest.Evidence = append(byRequest.Evidence, countedBy(p.f))
		byTime.Evidence = append(byTime.Evidence, countedBy(p.f))
		r.Findings = append(r.Findings, assay.Finding{Metric: "requests/counted", Ledger: assay.Natural, Evidence: []string{countedBy(p.f)},
			Quantity: counted(float64(p.f.Counted.Good+p.f.Counted.Bad), assay.Count, 1, "run", "growth of counters")})
	}
	if isProbed(p.f) {
		byTime.Evidence = append(byTime.Evidence, probedBy(p.f))
		r.Findings = append(r.Findings, assay.Finding{Metric: "probes/looks", Ledger: assay.Natural, Evidence: []string{probedBy(p.f)},
			Quantity: counted(float64(p.f.Probed.Looks), assay.Count, 1, "run", "looks at the service that were made all the time")})
	}
	if !byRequest.Quantity.Known() {
		if w := worstRecovery(r); w > 0 {
			if up := p.watch.In(p.f, assay.Natural); up > 0 {
				in := stat.UnavailabilityBound(seconds(up), w, Confidence)
				byTime.Evidence = append(byTime.Evidence, fmt.Sprintf("if a failure lasted %s on average, as the slowest recovery from a fault did, availability would be at least %.3g %% (95 %%)", duration(w), 100*(1-in.Hi)))
			}
		}
	}
	r.Findings = append(r.Findings, byRequest)
	labelled := byRequest
	labelled.Labels = map[string]string{"by": "request"}
	byTime.Labels = map[string]string{"by": "time"}
	r.Findings = append(r.Findings, labelled, byTime)
	byUser := p.users.findings()
	r.Findings = append(r.Findings, byUser...)
	r.Findings = append(r.Findings, p.users.hurt()...)
	for _, a := range []*assay.Finding{&labelled, &byTime, &byUser[0]} {
		if a.Quantity.Known() {
			r.Findings = append(r.Findings, nines(a))
		}
	}
	for _, k := range probeKinds {
		r.Findings = append(r.Findings, availabilityOfProbe(p.f, k.metric, k.probe, k.plan))
	}
	serving := byTime
	serving.Metric, serving.Labels = "availability/serving", nil
	if isProbed(p.f) && p.f.Probed.Of != facts.InferenceProbe {
		serving = assay.Finding{Metric: serving.Metric, Ledger: assay.Natural, Quantity: assay.NotMeasured(assay.Ratio, noRequests+"; looks tell whether it answered, not whether it served")}
	}
	r.Findings = append(r.Findings, serving)

	r.Findings = append(r.Findings, p.errors(&p.all, nil))
	for _, name := range keys(p.phases) {
		if p.f.PhaseOf(name) != nil {
			r.Findings = append(r.Findings, p.errors(p.phases[name], map[string]string{"phase": name}))
		}
	}
	return nil
}

const because = "no natural failure was seen, and so nothing bounds how long one would last"

func (p *availabilityPass) byRequest() assay.Finding {
	c := &p.all.clusters
	f := assay.Finding{Metric: "availability/natural", Ledger: assay.Natural}
	n := c.Good + c.Bad
	switch {
	case n == 0:
		f.Quantity = assay.NotMeasured(assay.Ratio, "no request of the natural ledger was judged")
	case c.N == 0:
		f.Quantity = assay.NotEstimable(assay.Ratio, n, "requests", because)
		f.Evidence = []string{fmt.Sprintf("%d of %d requests were served", c.Good, n)}
	default:
		in := stat.Unavailability(float64(c.Good), float64(c.Bad), c.N, c.Sigma(), Confidence)
		f.Quantity = assay.Quantity{Value: float64(c.Good) / float64(n), Lo: 1 - in.Hi, Hi: 1 - in.Lo, Confidence: Confidence, Unit: assay.Ratio, N: c.N, Of: "failures",
			Method: "good of judged requests; interval: rate of failures × requests lost to one", Basis: assay.Estimated}
		f.Evidence = []string{fmt.Sprintf("%d of %d requests were served; %d failures took %d, the largest %d", c.Good, n, c.N, c.Bad, c.Longest)}
	}
	return f
}

func (p *availabilityPass) byTime() assay.Finding {
	f := assay.Finding{Metric: "availability/natural", Ledger: assay.Natural}
	var lengths stat.Lengths
	k := 0
	for i := range p.f.Episodes {
		if e := &p.f.Episodes[i]; e.Subject == assay.Service && e.Ledger == assay.Natural {
			at := facts.Extent(e)
			lengths.Add(seconds(facts.Within(p.f, assay.Natural, at.Begin, at.End)))
			k++
			if e.RightCensored {
				f.Warnings = append(f.Warnings, "one failure had not ended when it was last seen: its length is a lower bound")
			}
		}
	}
	states := p.watch.States(p.f, assay.Natural)
	up, down := states.Good, states.Bad
	known := up + down
	switch {
	case known <= 0:
		f.Quantity = assay.NotMeasured(assay.Ratio, "no request of the natural ledger was judged")
	case k == 0:
		f.Quantity = assay.NotEstimable(assay.Ratio, 0, "failures", because)
		f.Evidence = []string{fmt.Sprintf("up in all of %.0f s", seconds(up))}
	default:
		in := stat.Unavailability(seconds(up), seconds(down), k, lengths.Sigma(), Confidence)
		f.Quantity = assay.Quantity{Value: float64(up) / float64(known), Lo: 1 - in.Hi, Hi: 1 - in.Lo, Confidence: Confidence, Unit: assay.Ratio, N: k, Of: "failures",
			Method: "up of known time; interval: rate of failures × mean length", Basis: assay.Estimated}
		f.Evidence = []string{fmt.Sprintf("down for %.3g s of %.0f s", seconds(down), seconds(known))}
	}
	return f
}

// worstRecovery returns the longest user recovery from a fault of this run, in seconds; 0 if there is none.
func worstRecovery(r *assay.Report) float64 {
	var worst float64
	for i := range r.Faults {
		if r.Faults[i].State == assay.Recovered {
			worst = max(worst, r.Faults[i].User.Value)
		}
	}
	return worst
}
