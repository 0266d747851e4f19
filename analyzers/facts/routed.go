package facts

import (
	"slices"

	"github.com/assay-dev/assay"
)

// What a platform and an engine tell of one start
//
// A platform sees the container's start and, at the end, that its probe is passed; what lies between is for the engine's log to tell. So where both speak, the time from the
// container's start to the log's first line is the start of the runtime, readiness begins where the log's last phase ends, and what neither tells of is nobody's.

// engineLog is the source of what an engine's own log tells.
const engineLog = "log"

// routedWithin is how long after its engine a platform may find an instance ready that did not go out of routing in between: a probe's delay and a few of its periods.
const routedWithin = 60 * second

// lookedEach is the period of a readiness probe where nothing tells it: the default of Kubernetes.
const lookedEach = 10 * second

// firstLine adds, where a platform told that a process was started, the start of its runtime up to the first line of its engine's log.
func firstLine(l *assay.Life, e *assay.Event, by string) {
	if e.Source != engineLog || by == engineLog || l.Started == 0 || e.Time <= l.Started+l.Coarse || e.Time > l.Started+3600*second || l.Ready != 0 && l.Ready < e.Time {
		return
	}
	p := assay.Interval{Name: "runtime_start", Begin: l.Started, End: e.Time, Resolution: max(l.Coarse, e.Resolution), Source: by + ", " + engineLog}
	if i := slices.IndexFunc(l.Phases, func(q assay.Interval) bool {
		return q.Name == p.Name && q.End <= e.Time && near(q.End, p.Begin, p.Resolution)
	}); i >= 0 {
		p.Begin = l.Phases[i].Begin
		l.Phases = slices.Delete(l.Phases, i, i+1)
	}
	l.Phases = append(l.Phases, p)
}

// routed takes the platform's word for when an instance that its engine called ready was in routing. Where that is inferred, it was no sooner than the engine says and, since the
// platform looks every so often, hardly later than a period after.
func (g *register) routed(l *assay.Life, e *assay.Event) {
	if e.Attrs["inferred"] != "true" {
		l.Ready, l.Coarse, g.ready[e.Instance] = e.Time, max(l.Coarse, e.Resolution), e.Source
		return
	}
	period := g.m.Probe
	if period <= 0 {
		period = lookedEach
	}
	l.Coarse = max(l.Coarse, min(e.Resolution, e.Time-l.Ready+period))
}

// upFrom has readiness begin where the last phase ends that another source tells of within it.
func upFrom(phases []assay.Interval) []assay.Interval {
	out := phases[:0:0]
	for _, p := range phases {
		if p.Name == "readiness" {
			for _, q := range phases {
				if q.Name != p.Name && q.Source != p.Source && q.Begin+p.Resolution >= p.Begin && q.End <= p.End+p.Resolution {
					p.Begin, p.Resolution = max(p.Begin, min(q.End, p.End)), max(p.Resolution, q.Resolution)
				}
			}
			if p.Begin == p.End {
				continue
			}
		}
		out = append(out, p)
	}
	return out
}
