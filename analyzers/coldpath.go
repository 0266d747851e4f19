package analyzers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// The critical path of a start
//
// The phases of a start may overlap, and several sources tell of them. At each instant, of the phases that cover it, the one that ended last held up
// the rest, and is charged. What surrounds others is not what they wait for: where a phase that is known to hold others (enclosing) covers an instant together
// with one that is not, the inner one is charged. A phase that outlasts the start held nothing up, and is charged only where it is alone. What no
// phase covers is unattributed.

// enclosing are the phases that a platform sees from outside, as one, while the engine goes through others inside it.
var enclosing = []string{"init", "runtime_start", "server_start", "kv_allocation", "readiness"}

// chargePhases lays the phases over [begin, end]. It returns the seconds of each phase on the critical path in order of its first instant, and the remainder.
func chargePhases(phases []assay.Interval, begin, end int64) ([]assay.Share, float64) {
	edges := []int64{begin, end}
	for _, p := range phases {
		edges = append(edges, min(max(p.Begin, begin), end), min(max(p.End, begin), end))
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	var shares []assay.Share
	charge := func(name string, s float64) {
		for i := range shares {
			if shares[i].Name == name {
				shares[i].Seconds += s
				return
			}
		}
		shares = append(shares, assay.Share{Name: name, Seconds: s})
	}
	rest := 0.0
	for i := 1; i < len(edges); i++ {
		from, to := edges[i-1], edges[i]
		var best *assay.Interval
		for j := range phases {
			if p := &phases[j]; p.Begin <= from && to <= p.End && (best == nil || holdsUp(p, best, end)) {
				best = p
			}
		}
		if s := seconds(to - from); best == nil {
			rest += s
		} else {
			charge(best.Name, s)
		}
	}
	return shares, rest
}

// holdsUp reports whether p rather than q is charged for an instant that both cover.
func holdsUp(p, q *assay.Interval, end int64) bool {
	class := func(x *assay.Interval) int {
		switch {
		case x.End > end+x.Resolution:
			return 2
		case slices.Contains(enclosing, x.Name):
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(class(p), class(q)), cmp.Compare(q.End, p.End), cmp.Compare(q.Begin, p.Begin)) < 0
}

// contradictions says where two sources tell different lengths of one phase, beyond what their clocks allow.
func contradictions(phases []assay.Interval) []string {
	type told struct {
		source     string
		length     int64
		resolution int64
	}
	by := map[string][]told{} // by phase
	var order []string
	for _, p := range phases {
		if by[p.Name] == nil {
			order = append(order, p.Name)
		}
		i := slices.IndexFunc(by[p.Name], func(t told) bool { return t.source == p.Source })
		if i < 0 {
			by[p.Name] = append(by[p.Name], told{p.Source, p.End - p.Begin, p.Resolution})
			continue
		}
		t := &by[p.Name][i] // several workers, or several parts
		t.length, t.resolution = max(t.length, p.End-p.Begin), max(t.resolution, p.Resolution)
	}
	var out []string
	for _, name := range order {
		ts := by[name]
		slices.SortStableFunc(ts, func(a, b told) int { return cmp.Compare(a.length, b.length) })
		a, b := ts[0], ts[len(ts)-1]
		if off := b.length - a.length; len(ts) > 1 && off > a.resolution+b.resolution+clockSlack && off > b.length/10 {
			out = append(out, fmt.Sprintf("%s took %s as %s tells and %s as %s tells: more than their clocks allow (±%s and ±%s)", strings.ReplaceAll(name, "_", " "),
				duration(seconds(a.length)), orElse(a.source, "one source"), duration(seconds(b.length)), orElse(b.source, "another"), duration(seconds(a.resolution)), duration(seconds(b.resolution))))
		}
	}
	return out
}

// clockSlack is what two clocks of one machine may differ by.
const clockSlack = int64(2e6)
