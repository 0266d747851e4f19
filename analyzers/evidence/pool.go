package evidence

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/timeset"
)

// Options are what is asked of the evidence.
type Options struct {
	Now        int64              // Unix ns: ages are counted to it
	Stale      int64              // ns after which a drill is too old; 0: never
	Modes      []string           // failure modes that could be drilled, in the order people should read them
	Weights    map[string]float64 // share of each fault in operation; they add up to 1
	Objectives []Objective
}

// confidence is that of every interval of the ledger; objectives name their own.
const confidence = 0.95

// manyLooks says what looking again and again does to the bound of a set time: of 28 looks at an MTBF that is just the goal, at 95 %, one of six services passes at some.
const manyLooks = "objectives hold their confidence at one look: decided by whichever of many looks passes first, 95 % is none (28 looks pass one in six services whose MTBF is just the goal); say beforehand when to look, or test an MTBF by --sequential, which may be looked at whenever"

// Pool adds up runs, service by service.
func Pool(runs []*Run, o Options) *assay.Evidence {
	e := &assay.Evidence{Schema: assay.EvidenceSchema, At: o.Now, Services: []assay.ServiceEvidence{}}
	runs = slices.Clone(runs)
	slices.SortStableFunc(runs, func(a, b *Run) int { return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.Dir, b.Dir)) })
	type name struct { // a merged run has the id of its first part, and another length
		id         string
		begin, end int64
	}
	first := map[name]*Run{}
	groups := map[string][]*Run{}
	var keys []string
	for _, x := range runs {
		n := name{x.ID, x.Begin, x.End}
		if twin := first[n]; x.ID != "" && twin != nil {
			left := x.RunEvidence
			left.Why = "the same run as " + twin.Dir
			e.LeftOut = append(e.LeftOut, left)
			continue
		}
		first[n] = x
		if x.Why != "" {
			e.LeftOut = append(e.LeftOut, x.RunEvidence)
			if x.target == "" {
				continue // nothing tells what it was of
			}
		}
		k := x.service()
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], x)
	}
	slices.Sort(keys)
	for _, k := range keys {
		e.Services = append(e.Services, o.service(groups[k]))
	}
	decide(e, len(o.Objectives))
	return e
}

// service adds up the runs of one service, in order of time.
func (o *Options) service(runs []*Run) assay.ServiceEvidence {
	s := assay.ServiceEvidence{Target: runs[0].target, Model: runs[0].model, Simulated: runs[0].simulated,
		Units: []assay.UnitEvidence{}, Availability: []assay.Finding{}, Recovery: []assay.RecoveryEvidence{}, Modes: []assay.ModeEvidence{}}
	var sound []*Run
	for _, x := range runs {
		s.Runs = append(s.Runs, x.RunEvidence)
		if x.Why == "" {
			sound = append(sound, x)
		}
	}
	for _, x := range sound {
		if !slices.Contains(s.Releases, x.Release) {
			s.Releases = append(s.Releases, x.Release)
		}
	}
	l := ledgerOf(sound)
	for _, subject := range []assay.Subject{assay.Service, assay.InstanceOf, assay.GPU} {
		if u, ok := l.unit(subject); ok {
			s.Units = append(s.Units, u)
		}
	}
	s.Availability = l.availability(confidence)
	if l.disowned > 0 {
		s.Warnings = append(s.Warnings, things(l.disowned, "failure")+" that one run took for natural came in the faults, overload or planned work of another: not counted")
	}
	if l.twice > 0 {
		s.Warnings = append(s.Warnings, things(l.twice, "failure")+" seen by two runs at once: counted once")
	}
	if l.overlap > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("runs overlap for %s, which counts once; of requests, only those of the first of such runs count", span(seconds(l.overlap))))
	}
	drills := drillsOf(sound)
	s.Recovery, s.Coverage = o.recovery(drills)
	s.Modes = o.modes(drills)
	s.Attempts = attempts(runs)
	s.Weights = o.Weights
	if slices.ContainsFunc(o.Objectives, func(a Objective) bool { return a.Bad == 0 }) {
		s.Warnings = append(s.Warnings, manyLooks)
	}
	for _, ask := range o.Objectives {
		s.Objectives = append(s.Objectives, ask.judge(l, drills, o))
	}
	return s
}

// A ledger is what the runs of one service add up to.
type ledger struct {
	runs     []*Run
	exposure map[assay.Subject][]piece
	failures map[assay.Subject][]failure // in order of time
	units    map[assay.Subject]map[string]bool
	apart    []assay.Stretch
	asked    requests
	overlap  int64 // ns
	disowned int   // failures
	twice    int
}

// A piece is exposure of one unit: Time may differ from its length where its outline is coarse, or where it is of several units.
type piece struct {
	in      assay.Stretch
	each    float64 // seconds of exposure for each second
	release string
}

// ledgerOf adds up sound runs.
func ledgerOf(runs []*Run) *ledger {
	l := &ledger{runs: runs, exposure: map[assay.Subject][]piece{}, failures: map[assay.Subject][]failure{}, units: map[assay.Subject]map[string]bool{}}
	var apart []assay.Stretch
	for _, x := range runs {
		apart = append(apart, x.apart...)
	}
	apart = timeset.Union(apart)
	l.apart = apart
	type unit struct {
		subject assay.Subject
		id      string
	}
	down := map[unit][]assay.Stretch{} // what one run saw fail did not work for another
	for _, x := range runs {
		for _, f := range x.failures {
			u := unit{f.subject, f.unit}
			down[u] = append(down[u], assay.Stretch{Begin: f.begin, End: f.hi})
		}
	}
	for u := range down {
		down[u] = timeset.Union(down[u])
	}
	covered := map[unit][]assay.Stretch{}
	before := map[unit][]int{}  // failures of earlier runs, as indexes; those of one run are told apart already
	var watched []assay.Stretch // by the service
	for _, x := range runs {
		lone := true
		fresh := map[unit][]assay.Stretch{}
		for _, e := range x.exposure {
			u := unit{e.Subject, e.Unit}
			own := float64(timeset.Length(e.In))
			if own <= 0 {
				continue
			}
			left := timeset.Minus(timeset.Minus(timeset.Minus(e.In, apart), covered[u]), down[u])
			for _, s := range left {
				l.exposure[e.Subject] = append(l.exposure[e.Subject], piece{s, float64(e.Time) / own, x.Release})
			}
			fresh[u] = append(fresh[u], e.In...)
			if l.units[e.Subject] == nil {
				l.units[e.Subject] = map[string]bool{}
			}
			l.units[e.Subject][e.Unit] = true
			if e.Subject == assay.Service {
				if n := timeset.Length(timeset.Both(e.In, watched)); n > 0 {
					l.overlap += n
					lone = false
				}
				watched = timeset.Union(append(watched, e.In...))
			}
		}
		for u, in := range fresh {
			covered[u] = timeset.Union(append(covered[u], in...))
		}
		if lone {
			l.asked.judged += x.asked.judged
			l.asked.bad += x.asked.bad
			l.asked.clusters += x.asked.clusters
			l.asked.unsized += x.asked.unsized
			l.asked.sizes.Join(&x.asked.sizes)
		}
		fails := map[unit][]int{}
		for _, f := range x.failures {
			if timeset.Holds(apart, f.begin) {
				l.disowned++
				continue
			}
			u := unit{f.subject, f.unit}
			all := l.failures[f.subject]
			i := slices.IndexFunc(before[u], func(i int) bool { return f.lo < all[i].hi && all[i].lo < f.hi })
			if i < 0 {
				fails[u] = append(fails[u], len(all))
				l.failures[f.subject] = append(all, f)
				continue
			}
			l.twice++
			g := &all[before[u][i]]
			g.begin, g.lo, g.end, g.hi, g.open = min(f.begin, g.begin), min(f.lo, g.lo), max(f.end, g.end), max(f.hi, g.hi), f.open && g.open
			g.cause = cmp.Or(g.cause, f.cause)
		}
		for u, list := range fails {
			before[u] = append(before[u], list...)
		}
	}
	for s := range l.failures {
		slices.SortStableFunc(l.failures[s], func(a, b failure) int { return cmp.Compare(a.begin, b.begin) })
	}
	return l
}

// seconds converts a stretch of nanoseconds.
func seconds(ns int64) float64 { return float64(ns) / 1e9 }
