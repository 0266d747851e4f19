package facts

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// counted are the quantities whose counters are looked at: those of engines, that only a new process sets back.
var counted = []profile.Quantity{profile.Success, profile.TokensOut, profile.TokensIn, profile.E2E, profile.TTFT}

// gateways are the vocabularies of what stands in front of instances and is none.
var gateways = []string{"openfaas", "envoy", "nginx", "http"}

// resetPoints bounds how finely series are looked at.
const resetPoints = 5000

// learnResets finds where the series of an instance begin again: its counters fall, or its process has another start.
func (s *instanceScan) learnResets(ctx context.Context) error {
	f := s.f
	if f.Metrics == nil || f.End <= f.Begin {
		return nil
	}
	step := max(second, (f.End-f.Begin)/resetPoints)
	found := map[string][]suspect{}
	known := len(s.index) > 0
	take := func(series []assay.Series, gauge bool, every int64) {
		for i := range series {
			id := s.ownerOf(series[i].Labels, known, gauge)
			if id == "" || len(series[i].Times) == 0 {
				continue
			}
			if !known {
				s.seen(id, series[i].Times[0])
			}
			for _, p := range fallsOf(&series[i], gauge, f.Manifest.Epoch) {
				p.id = id
				if every > step {
					p.lo -= every - step // the look that is held at a step was made before
				}
				found[id] = append(found[id], p)
			}
		}
	}
	for _, kind := range profile.Kinds() {
		if slices.Contains(gateways, kind) {
			continue
		}
		p := profile.For(kind)
		for _, q := range counted {
			if spec, ok := p.Spec(q); ok && (spec.Type == profile.Counter || spec.Type == profile.Histogram) {
				series, every, err := lookedAt(ctx, f, p, q, step)
				if err != nil {
					return err
				}
				take(series, false, every)
			}
		}
	}
	// The gauge last: any process has one, and only those of engines are instances.
	series, every, err := lookedAt(ctx, f, profile.For("prometheus"), profile.ProcessStart, step)
	if err != nil {
		return err
	}
	take(series, true, every)
	for _, id := range sortedKeys(found) {
		ps := found[id]
		slices.SortFunc(ps, func(a, b suspect) int { return cmp.Compare(a.hi, b.hi) })
		n := len(s.resets)
		for _, p := range ps {
			if k := len(s.resets); k > n && p.lo <= s.resets[k-1].end+step { // the same restart, by another series
				last := &s.resets[k-1]
				last.lo, last.hi = max(last.lo, p.lo), min(last.hi, p.hi)
				continue
			}
			s.resets = append(s.resets, p)
		}
	}
	return nil
}

// seen notes that an instance of which nothing but its series tells was there at t.
func (s *instanceScan) seen(id string, t int64) {
	if of := s.index[id]; len(of) > 0 {
		l := &s.f.Lives[of[0]]
		l.Ready = min(l.Ready, t)
		return
	}
	s.index[id] = []int{len(s.f.Lives)}
	s.f.Lives = append(s.f.Lives, assay.Life{Instance: id, Ready: t, Ledger: assay.Natural})
}

// ownerOf returns the id of the instance that a series is of: one that is known, or, where no life of any instance was told, what the series of an engine calls it.
// Every process has a start, so that gauge is of an instance only where it names it.
func (s *instanceScan) ownerOf(labels []assay.Label, known, gauge bool) string {
	switch {
	case gauge:
		return named(labels, s.index)
	case known:
		return instanceOf(labels, s.index)
	}
	for _, name := range instanceLabels {
		for _, l := range labels {
			if l.Name == name && l.Value != "" {
				return l.Value
			}
		}
	}
	return ""
}

// fallsOf returns where a series falls, or, of the gauge of a process's start, changes for good.
func fallsOf(s *assay.Series, start bool, epoch int64) []suspect {
	var out []suspect
	was, at := math.NaN(), int64(0)
	known := map[float64]bool{}
	for i, t := range s.Times {
		v := float64(s.Values[i])
		if math.IsNaN(v) {
			continue
		}
		switch {
		case start && at != 0 && math.Abs(v-was) > 1 && !known[v]:
			p := suspect{lo: at, hi: t, end: t, cause: "restart", told: "its process has another start"}
			if began := int64(v*1e9) - epoch; began > at && began < t {
				p.hi = began
			}
			out = append(out, p)
		case !start && at != 0 && v < was:
			out = append(out, suspect{lo: at, hi: t, end: t, cause: "restart", told: "its counters began again"})
		}
		if start && len(known) < 64 {
			known[v] = true
		}
		was, at = v, t
		if len(out) >= mostIdle {
			break
		}
	}
	return out
}

// corroborate adds a reset of an instance's series to the episode that it belongs to, or makes one of it.
func (s *instanceScan) corroborate(out []assay.Episode, p suspect, emit func(assay.Episode)) {
	for i := range out {
		if e := &out[i]; e.Instance == p.id && e.BeginLo <= p.end+second && e.EndHi+explainWithin >= p.lo {
			if !slices.Contains(e.Evidence, p.told) && e.Ledger != assay.Injected {
				e.Evidence = append(e.Evidence, p.told)
			}
			return
		}
	}
	if s.told(p.id, p.lo, p.end) {
		return // a start or an end that was planned
	}
	p.lost = s.lostNear(p.id, p.lo, p.end)
	emit(s.episode(p))
}
