package analyzers

import (
	"cmp"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// slow is the kind of an incident that is a stretch of requests which a promise on a latency counts as bad: it has what makes it a failure of the service, by the
// same rules, but for its requests having been served.
const slow = "slow"

// A slowWatch finds the stretches in which requests were bad by one promise on a latency.
type slowWatch struct {
	slo      string
	good     assay.Indicator
	detector *facts.Detector
}

func newSlowWatches(f *assay.Facts, slos []assay.SLO) (out []slowWatch) {
	for i := range slos {
		if s := &slos[i]; s.Good.Own() && s.Good.Metric != "availability" {
			out = append(out, slowWatch{s.Name, s.Good, facts.NewDetector(facts.RulesOf(f.Manifest, f.Phases), f.Faults)})
		}
	}
	return out
}

func (w *slowWatch) add(r *assay.Request) {
	counts, good := goodFor(&w.good, r)
	if !counts {
		return
	}
	judged := assay.Request{Due: r.Due, End: r.End, Outcome: assay.OK}
	if !good {
		judged.Outcome = assay.ServerError
	}
	w.detector.Add(&judged)
}

// slowIncidents returns the stretches of each promise that did not begin within another incident: those that did are of it.
func slowIncidents(f *assay.Facts, watches []slowWatch, known []incident) map[string][]incident {
	out := map[string][]incident{}
	for i := range watches {
		w := &watches[i]
		for _, e := range w.detector.Finish(f.End) {
			if !slices.ContainsFunc(known, func(in incident) bool { return in.begin <= e.Begin && e.Begin <= in.end }) {
				out[w.slo] = append(out[w.slo], incident{kind: slow, begin: e.Begin, end: max(e.Begin, e.End, e.EndHi), hurt: true})
			}
		}
	}
	return out
}

// incidentsFor returns those that a rule is held against, in order of begin: what happened to all, and the slow stretches of its promise. What made no request fail is no business of
// a promise on availability. A person's own rule does not say what it is about: it may fire in a slow stretch of any promise, but owes no alert there.
func (p *replayPass) incidentsFor(x *assay.Replay) []incident {
	out := slices.Clone(p.incidents)
	for i := range p.slos {
		s := &p.slos[i]
		switch x.SLO {
		case "":
			for _, in := range p.slow[s.Name] {
				in.hurt = false
				out = append(out, in)
			}
		case s.Name:
			out = append(out, p.slow[s.Name]...)
			for j := range out {
				out[j].hurt = out[j].hurt && (out[j].lost || s.Good.Metric != "availability")
			}
		}
	}
	slices.SortStableFunc(out, func(a, b incident) int { return cmp.Compare(a.begin, b.begin) })
	return out
}
