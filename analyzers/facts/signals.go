package facts

import (
	"cmp"
	"math"
	"slices"

	"github.com/assay-dev/assay"
)

// What a platform tells of liveness and readiness
//
// A cluster tells when each pod's condition Ready changed and when its container ran, to a second; kube-state-metrics shows both once a scrape. An instance that starts is not
// down, and neither is one that was told to go: nobody counts on it.

// fromCluster is the source of what a cluster's objects tell.
const fromCluster = "kubernetes"

// clusterSignals returns what the conditions of pods tell of readiness, and the states of their containers of liveness.
func clusterSignals(f *assay.Facts, episodes []assay.Episode) []assay.Signal {
	told := map[string]bool{} // kinds of events, and instances, of which the cluster told
	for i := range f.Events {
		if e := &f.Events[i]; e.Source == fromCluster && (e.Kind == assay.EventInstanceReady || e.Kind == assay.EventInstanceStarted) {
			told[e.Kind+" "+e.Instance] = true
		}
	}
	ready := assay.Signal{Probe: "readiness", By: "the pods' conditions", Resolution: second}
	alive := assay.Signal{Probe: "liveness", By: "the states of the pods' containers", Resolution: second}
	began := map[string][]int64{} // starts of each instance
	for i := range f.Lives {
		l := &f.Lives[i]
		out := f.End
		for _, t := range []int64{l.Draining, l.Exited} {
			if t != 0 {
				out = min(out, t)
			}
		}
		if told[assay.EventInstanceStarted+" "+l.Instance] && l.Started != 0 {
			began[l.Instance] = append(began[l.Instance], l.Started)
			alive.Up = append(alive.Up, assay.Interval{Name: l.Instance, Begin: l.Started, End: max(l.Started, out)})
		}
		if !told[assay.EventInstanceReady+" "+l.Instance] || l.Ready == 0 {
			continue
		}
		at := l.Ready
		for _, u := range l.Unready {
			ready.Up = append(ready.Up, assay.Interval{Name: l.Instance, Begin: at, End: min(u.Begin, out)})
			if at = u.End; at == 0 {
				at = out
			}
		}
		ready.Up = append(ready.Up, assay.Interval{Name: l.Instance, Begin: at, End: max(at, out)})
	}
	for i := range episodes {
		e := &episodes[i]
		if e.Ledger == assay.Planned || e.EndHi <= e.Begin {
			continue
		}
		if told[assay.EventInstanceReady+" "+e.Instance] {
			ready.Down = append(ready.Down, assay.Interval{Name: e.Instance, Begin: e.Begin, End: e.EndHi})
		}
	}
	for i := range f.Lives {
		l := &f.Lives[i]
		starts := began[l.Instance]
		if len(starts) == 0 || l.Exited == 0 || l.Ledger == assay.Planned || planned(l.Exit) || l.Draining != 0 && l.Draining <= l.Exited {
			continue
		}
		end := f.End
		for _, t := range starts {
			if t >= l.Exited {
				end = min(end, t)
			}
		}
		alive.Down = append(alive.Down, assay.Interval{Name: l.Instance, Begin: l.Exited, End: max(l.Exited, end)})
	}
	return slices.DeleteFunc([]assay.Signal{ready, alive}, func(s assay.Signal) bool { return len(s.Up) == 0 })
}

// readySignal adds what a series of a pod's readiness shows. A look stands until the next. One that is not ready when its series ends was taken away.
func readySignal(to *assay.Signal, p *podSeries, end int64) {
	to.Resolution = max(to.Resolution, p.every)
	var last *assay.Interval
	up := false
	for i, t := range p.Times {
		v := float64(p.Values[i])
		if math.IsNaN(v) {
			continue
		}
		if last != nil {
			if t > last.End+2*max(p.every, held) { // nobody looked
				last.End += p.every
				last = nil
			} else {
				last.End = t
			}
		}
		switch {
		case v == 1 && (last == nil || !up):
			to.Up = append(to.Up, assay.Interval{Name: p.pod, Begin: t, End: t})
			last, up = &to.Up[len(to.Up)-1], true
		case v == 0 && last != nil && up:
			to.Down = append(to.Down, assay.Interval{Name: p.pod, Begin: t, End: t})
			last, up = &to.Down[len(to.Down)-1], false
		}
	}
	if last != nil && !up && last.End+explainWithin+p.every < end {
		to.Down = to.Down[:len(to.Down)-1]
	}
}

// liveSignal is what the counted restarts of containers tell, where it is also told when each ended and when it was started again.
func liveSignal(restarts, ends, starts []podSeries, epoch int64) assay.Signal {
	out := assay.Signal{Probe: "liveness", By: "the containers' last ends and starts, by kube-state-metrics", Resolution: second}
	stamp := func(of []podSeries, g *growth) int64 {
		for i := range of {
			if x := &of[i]; x.name == g.name && x.container == g.container {
				if v, ok := x.at(g.hi, g.hi+max(2*(g.hi-g.lo), second)); ok {
					return int64(v*1e9) - epoch
				}
			}
		}
		return 0
	}
	grown := grown(restarts)
	for i := range grown {
		ended, started := stamp(ends, &grown[i]), stamp(starts, &grown[i])
		if ended == 0 || started < ended {
			return assay.Signal{Probe: out.Probe, Why: "restarts of containers were counted and nothing tells for how long one was down: want kube_pod_container_status_last_terminated_timestamp and kube_pod_container_state_started beside them"}
		}
		if i == 0 || grown[i-1].pod != grown[i].pod || grown[i-1].hi != grown[i].hi { // of several between two looks the last alone tells
			out.Down = append(out.Down, assay.Interval{Name: grown[i].pod, Begin: ended, End: started})
		}
	}
	for i := range restarts {
		p := &restarts[i]
		if len(p.Times) == 0 {
			continue
		}
		at := p.Times[0]
		for _, d := range out.Down {
			if d.Name == p.pod && d.Begin >= at {
				out.Up = append(out.Up, assay.Interval{Name: p.pod, Begin: at, End: d.Begin})
				at = d.End
			}
		}
		out.Up = append(out.Up, assay.Interval{Name: p.pod, Begin: at, End: max(at, p.Times[len(p.Times)-1])})
	}
	slices.SortFunc(out.Down, func(a, b assay.Interval) int { return cmp.Compare(a.Begin, b.Begin) })
	return out
}
