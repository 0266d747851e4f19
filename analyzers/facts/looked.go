package facts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// Looks at the service
//
// Where nobody asked and nothing counted, looks made all the time tell whether the service was up: our own probes of inference or readiness, or a prober's series. Two failed looks in a row
// begin an episode and two good ones end it, back-dated to the first of each. Between two looks more than three periods apart nothing is known. A failure lies open by
// a period at each end: the last good look before it and the first after it are its bounds. Looks at one instance are an instance's, and tell of the service nothing.

// InferenceProbe looks by asking for an inference, as a user does; all others see less.
const InferenceProbe = "the inference probe"

// proberKinds are the vocabularies of what looks at a service from outside.
var proberKinds = []string{"blackbox"}

// A look is what one probe saw.
type look struct {
	at     int64
	failed bool
}

// learnProbed returns what looks tell of the service in a run without requests and counters of them, nil where there were none, and the episodes that they show.
func learnProbed(ctx context.Context, f *assay.Facts) (*assay.Probed, []assay.Episode, error) {
	if f.Requests > 0 || f.Counted != nil && f.Counted.Of != "" || f.End <= f.Begin || len(f.Faults) > 0 {
		return nil, nil, nil
	}
	judged := func(of string, looks []look, period int64) (*assay.Probed, []assay.Episode, error) {
		p, episodes := judgeLooks(f, of, looks, period)
		return p, episodes, nil
	}
	if looks, period := ownLooks(f, "inference"); len(looks) > 0 {
		return judged(InferenceProbe, looks, period)
	}
	var unfit *assay.Probed
	for _, kind := range proberKinds {
		looks, period, why, err := seriesLooks(ctx, f, profile.For(kind))
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			unfit = &assay.Probed{Unfit: why}
		}
		if len(looks) > 0 {
			return judged(profile.For(kind).Title, looks, period)
		}
	}
	if looks, period := ownLooks(f, "readiness"); len(looks) > 0 {
		return judged("the readiness probe", looks, period)
	}
	return unfit, nil, nil
}

// mostLooks bounds the looks that are made again of what events say of them.
const mostLooks = 1_000_000

// ownLooks lays out the looks of a probe of ours, of which events tell the first, the last and each that saw something else than the one before.
func ownLooks(f *assay.Facts, probe string) (looks []look, period int64) {
	var last *assay.Event // the stretch that goes on
	until := func(t int64) {
		for at := last.Time + period; at < t-period/2; at += period {
			looks = append(looks, look{at, last.Attrs["ok"] != "true"})
		}
	}
	for i := range f.Events {
		e := &f.Events[i]
		if e.Kind != assay.EventInstanceProbe || e.Instance != "" || e.Attrs["probe"] != probe {
			continue
		}
		p, err := strconv.ParseInt(e.Attrs["period_ns"], 10, 64)
		if err != nil || p <= 0 {
			continue
		}
		period = min(max(p, (f.End-f.Begin)/mostLooks), f.End-f.Begin)
		failed := e.Attrs["ok"] != "true"
		before := e.Time - max(0, e.Resolution) // the look before this one
		switch {
		case last == nil:
		case e.Attrs["end"] == "true":
			until(e.Time)
		default:
			if until(before); before > last.Time+period/2 {
				looks = append(looks, look{before, last.Attrs["ok"] != "true"})
			}
		}
		if last = e; e.Attrs["end"] == "true" {
			last = nil
			continue
		}
		looks = append(looks, look{e.Time, failed})
	}
	if last != nil { // nothing told that it ended
		until(f.End)
	}
	return looks, period
}

// seriesLooks returns the looks that series of a prober hold, and how far apart they are. Several probers may look at one target; a look failed where it did for half of them.
// Of several targets nothing says which is the service: why says so then.
func seriesLooks(ctx context.Context, f *assay.Facts, p *profile.Profile) (looks []look, period int64, why string, err error) {
	if f.Metrics == nil {
		return nil, 0, "", nil
	}
	_, each, err := lookedAt(ctx, f, p, profile.ProbeSuccess, f.End-f.Begin)
	if err != nil || each == 0 {
		return nil, 0, "", err
	}
	// When the first looks were made, to a second.
	expr := p.Last(profile.ProbeSuccess, time.Second)
	first, err := f.Metrics.Range(ctx, expr, f.Begin, min(f.End, f.Begin+min(5*each, countedPoints*second)), second)
	if err != nil {
		return nil, 0, "", fmt.Errorf("read %s: %w", expr, err)
	}
	var made []int64
	for i := range first {
		made = append(made, first[i].Times...)
	}
	slices.Sort(made)
	made = slices.Compact(made)
	if len(made) == 0 {
		return nil, 0, "", nil
	}
	period = max(second, each)
	var gaps []int64
	for i, t := range made[1:] {
		gaps = append(gaps, t-made[i])
	}
	if len(gaps) > 0 {
		slices.Sort(gaps)
		period = gaps[len(gaps)/2]
	}
	// Steps end between looks, so that one that comes a little late still falls into its own.
	step := period * max(1, (f.End-f.Begin)/period/countedPoints)
	expr = p.Last(profile.ProbeSuccess, time.Duration(step))
	series, err := f.Metrics.Range(ctx, expr, made[0]+step/2, f.End+step, step)
	if err != nil {
		return nil, 0, "", fmt.Errorf("read %s: %w", expr, err)
	}
	targets, n, bad := map[string]bool{}, map[int64]int{}, map[int64]int{}
	for i := range series {
		s := &series[i]
		if labelOf(s.Labels, "pod") != "" {
			continue
		}
		targets[labelOf(s.Labels, "instance")] = true
		for j, t := range s.Times {
			if v := float64(s.Values[j]); !math.IsNaN(v) {
				n[t]++
				if v == 0 {
					bad[t]++
				}
			}
		}
	}
	if len(targets) > 1 {
		return nil, 0, fmt.Sprintf("%s looked at %d targets, and nothing tells which of them is the service: import the series of one", p.Title, len(targets)), nil
	}
	for t := range n {
		looks = append(looks, look{min(f.End, t-step/2), 2*bad[t] >= n[t]})
	}
	slices.SortFunc(looks, func(a, b look) int { return cmp.Compare(a.at, b.at) })
	return looks, step, "", nil
}

// probeRules say what an episode of looks is.
func probeRules(period int64) Rules {
	return Rules{Enter: 2, Ratio: 1, Least: 2, Window: math.MaxInt64, Leave: 2, Merge: max(second, 2*period), Silence: 3 * period}
}

// judgeLooks says for which time the service was looked at, and finds its episodes.
func judgeLooks(f *assay.Facts, of string, looks []look, period int64) (*assay.Probed, []assay.Episode) {
	rules := probeRules(period)
	out := &assay.Probed{Of: of, Period: period, Looks: len(looks)}
	for i, l := range looks {
		if l.failed {
			out.Failed++
		}
		end := min(f.End, l.at+period)
		if i+1 < len(looks) {
			if next := looks[i+1].at; next-l.at <= rules.Silence {
				end = next
			}
		}
		if n := len(out.Spans); n > 0 && out.Spans[n-1].End >= l.at {
			out.Spans[n-1].End = max(out.Spans[n-1].End, end)
		} else {
			out.Spans = append(out.Spans, assay.Interval{Begin: l.at, End: end})
		}
	}
	by := func(r Rules) []assay.Episode {
		r.Silence = rules.Silence
		d := NewDetector(r, nil)
		for _, l := range looks {
			d.take(verdict{l.at, l.failed})
		}
		return d.Finish(out.Spans[len(out.Spans)-1].End)
	}
	out.Few, out.Many = len(by(rules.Scaled(2))), len(by(rules.Scaled(0.5)))
	episodes := by(rules)
	for i := range episodes {
		e := &episodes[i]
		e.Cause = "failed probes"
		e.Evidence = []string{fmt.Sprintf("%d failed looks of %s, one each %s", e.Lost, of, time.Duration(period))}
		e.Lost = 0 // they are no requests of users
	}
	return out, episodes
}
