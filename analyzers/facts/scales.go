package facts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// Scaling as series tell it
//
// Where no event tells what an autoscaler decided, its own series do, once a scrape: how many pods it wants of each revision, and how many are ready. Each change of what is wanted
// is a decision since the look before. Ready pods that become fewer than are wanted, without fewer being wanted, are instances that were lost: no name tells which.

// scalers are the vocabularies that tell how many instances are wanted. Their labels service and revision name what makes them.
var scalers = []string{"knative", "kubernetes"}

// A fleet is what series tell of the pods of one version of a workload.
type fleet struct {
	workload, version string
	wanted, ready     []assay.Num // by look; NaN: not seen
}

func (x *fleet) name() string {
	if x.version == "" {
		return x.workload
	}
	if x.workload == "" {
		return x.version + "/" + x.version
	}
	return x.workload + "/" + x.version
}

// learnScales adds what series tell of scaling to the events, where those tell of none, and returns what was seen of each workload at the looks; knative alone tells when pods were lost.
func learnScales(ctx context.Context, f *assay.Facts) (fleets []*fleet, times []int64, every int64, err error) {
	if f.Metrics == nil || f.End <= f.Begin || slices.ContainsFunc(f.Events, func(e assay.Event) bool { return e.Kind == assay.EventScale }) {
		return nil, nil, 0, nil
	}
	step := max(second, (f.End-f.Begin)/resetPoints)
	for _, kind := range scalers {
		p := profile.For(kind)
		by := map[string]*fleet{}
		seen := map[int64]bool{}
		var series [2][]assay.Series
		for k, q := range []profile.Quantity{profile.Desired, profile.Ready} {
			var gap int64
			if series[k], gap, err = lookedAt(ctx, f, p, q, step); err != nil {
				return nil, nil, 0, err
			}
			every = max(every, gap, step)
			for i := range series[k] {
				for _, t := range series[k][i].Times {
					seen[t] = true
				}
			}
		}
		if len(series[0]) == 0 {
			continue
		}
		for t := range seen {
			times = append(times, t)
		}
		slices.Sort(times)
		for k := range series {
			for i := range series[k] {
				s := &series[k][i]
				x := &fleet{workload: labelOf(s.Labels, p.Label("service")...), version: labelOf(s.Labels, p.Label("revision")...)}
				if x.workload+x.version == "" || len(by) >= mostIdle {
					continue
				}
				if by[x.name()] == nil {
					x.wanted, x.ready = nothing(len(times)), nothing(len(times))
					by[x.name()] = x
				}
				x = by[x.name()]
				to := [][]assay.Num{x.wanted, x.ready}[k]
				for j, t := range s.Times {
					at, _ := slices.BinarySearch(times, t)
					if v := s.Values[j]; !(float64(to[at]) >= float64(v)) { // of two generations of names the larger
						to[at] = v
					}
				}
			}
		}
		for _, name := range sortedKeys(by) {
			fleets = append(fleets, by[name])
		}
		decide(f, fleets, times, every, p.Title)
		if kind != "knative" { // a rolling update of a deployment takes pods away without wanting fewer
			fleets = nil
		}
		return fleets, times, every, nil
	}
	return nil, nil, 0, nil
}

func nothing(n int) []assay.Num {
	out := make([]assay.Num, n)
	for i := range out {
		out[i] = assay.Num(math.NaN())
	}
	return out
}

// decide adds an event for each change of what is wanted of a workload, the first as of the beginning. One whose series ended wants none.
func decide(f *assay.Facts, fleets []*fleet, times []int64, every int64, by string) {
	wanted, ready := map[string]int{}, map[string]int{}
	last := map[string]int{} // look
	var events []assay.Event
	for i, t := range times {
		for _, x := range fleets {
			name := x.name()
			if v := float64(x.ready[i]); v >= 0 && v < 1e6 {
				ready[name] = int(v)
			}
		}
		for _, x := range fleets {
			name := x.name()
			v, known := wanted[name]
			n := v
			switch w := float64(x.wanted[i]); {
			case w >= 0 && w < 1e6:
				n, last[name] = int(w), i
			case !known || t-times[last[name]] <= 2*max(every, held):
				continue
			default:
				n, ready[name] = 0, 0
			}
			if known && n == v {
				continue
			}
			wanted[name] = n
			at := t
			if !known && i == 0 {
				at = f.Begin
			}
			events = append(events, assay.Event{Time: at, Resolution: every, Kind: assay.EventScale, Source: by, Attrs: map[string]string{
				"desired": strconv.Itoa(sumOf(wanted)), "ready": strconv.Itoa(sumOf(ready)), "workload": name, "workload_desired": strconv.Itoa(n)}})
			if len(events) >= mostIdle {
				break
			}
		}
	}
	f.Events = append(f.Events, events...)
	slices.SortStableFunc(f.Events, func(a, b assay.Event) int { return cmp.Compare(a.Time, b.Time) })
}

func sumOf(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// lostPods returns the failures of instances that nothing names: pods that were ready and are fewer than are wanted, though no fewer are. It also tells how many were in routing, and
// whether any was.
func lostPods(f *assay.Facts, fleets []*fleet, times []int64, every int64) (out []assay.Episode) {
	signal := assay.Signal{Probe: "readiness", By: "the autoscaler's count of ready pods", Resolution: every}
	for _, x := range fleets {
		var open []int // of out
		slots := []int{}
		was, at := 0, int64(-1) // ready at the look before
		wantedWas := 0
		name := cmp.Or(x.version, x.workload)
		for i, t := range times {
			v, w := float64(x.ready[i]), float64(x.wanted[i])
			if !(v >= 0 && v < 10_000) {
				continue
			}
			ready, wanted := int(v), wantedWas
			if w >= 0 && w < 1e6 {
				wanted = int(w)
			}
			if at >= 0 && t-at > 2*max(every, held)+every { // nobody looked
				slots, was, open = nil, 0, nil
			}
			for len(slots) > ready {
				f.Fleet[slots[len(slots)-1]].End = t
				slots = slots[:len(slots)-1]
			}
			for _, s := range slots {
				f.Fleet[s].End = t
			}
			for len(slots) < ready && len(f.Fleet) < mostIdle {
				slots = append(slots, len(f.Fleet))
				f.Fleet = append(f.Fleet, assay.Interval{Name: name, Begin: t, End: t, Resolution: every})
			}
			for n := ready; n < min(was, wanted, wantedWas) && len(out) < mostIdle; n++ {
				open = append(open, len(out))
				out = append(out, assay.Episode{Subject: assay.InstanceOf, Instance: name, Cause: "not ready", BeginLo: min(at, t-every), Begin: t, End: t, EndHi: t, RightCensored: true, Confidence: assay.ConfidenceLow,
					Evidence: []string{fmt.Sprintf("the ready pods of %s fell from %d to %d while %d were wanted", name, was, ready, wanted)}})
			}
			for len(open) > 0 && ready+len(open) > wanted { // as many are back, or fewer are wanted
				e := &out[open[0]]
				e.EndHi, e.RightCensored = t, false
				open = open[1:]
			}
			for _, k := range open {
				out[k].End, out[k].EndHi = t, t
			}
			was, at, wantedWas = ready, t, wanted
		}
	}
	for i := range f.Fleet {
		signal.Up = append(signal.Up, f.Fleet[i])
	}
	for i := range out {
		e := &out[i]
		attribute(f, e)
		signal.Down = append(signal.Down, assay.Interval{Name: e.Instance, Begin: e.Begin, End: e.EndHi})
	}
	if len(signal.Up) > 0 {
		f.Signals = append(f.Signals, signal)
	}
	return out
}
