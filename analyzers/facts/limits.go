package facts

import (
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// holdsEach is the lowest quantile whose objective is held against single requests. One on the median or on the mean lets half of
// them, or any of them, be slower.
const holdsEach = 0.9

// A Limit is a latency beyond which a single answer is slow for its user: the goal of one latency objective.
type Limit struct {
	Metric string // of the objective: e2e/p95
	Phase  string // whose requests it holds; all if empty
	Class  string // so too
	Max    int64  // ns

	family string
	at     float64 // quantile; 1 for max
}

// Name says which objective a limit is.
func (l *Limit) Name() string {
	name := l.Metric
	if l.Class != "" {
		name += " class " + l.Class
	}
	if l.Phase != "" {
		name += " phase " + l.Phase
	}
	return name
}

// Limits are the latencies that the plan's objectives allow a single answer, by family.
type Limits []Limit

var limited = []string{"ttft", "e2e", "tpot"}

// LimitsOf returns the latency limits that the plan's objectives set. Of the objectives of one family on the same phase and class only that on the highest
// quantile counts: those on lower ones say how the rest must be spread.
func LimitsOf(m *assay.Manifest) Limits {
	var out Limits
	for _, o := range m.Objectives {
		family, stat, _ := strings.Cut(o.Metric, "/")
		at, ok := quantileAt(stat)
		if o.Max == nil || o.Labels["cold"] == "cold" || !ok || at < holdsEach || !slices.Contains(limited, family) {
			continue
		}
		l := Limit{Metric: o.Metric, Phase: o.Labels["phase"], Class: o.Labels["class"], Max: int64(*o.Max * 1e9), family: family, at: at}
		i := slices.IndexFunc(out, func(x Limit) bool { return x.family == family && x.Phase == l.Phase && x.Class == l.Class })
		switch {
		case i < 0:
			out = append(out, l)
		case at > out[i].at || at == out[i].at && l.Max < out[i].Max:
			out[i] = l
		}
	}
	slices.SortStableFunc(out, func(a, b Limit) int { return slices.Index(limited, a.family) - slices.Index(limited, b.family) })
	return out
}

func quantileAt(stat string) (float64, bool) {
	if stat == "max" {
		return 1, true
	}
	digits, ok := strings.CutPrefix(stat, "p")
	v, err := strconv.ParseFloat(digits, 64)
	return v / 100, ok && err == nil
}

// Missed returns the first limit that a served request was slower than, of those that hold its phase and class; nil if it kept them all.
func (l Limits) Missed(r *assay.Request) *Limit {
	for i := range l {
		x := &l[i]
		if x.Phase != "" && x.Phase != r.Phase || x.Class != "" && x.Class != r.Class {
			continue
		}
		switch x.family {
		case "ttft":
			if r.FirstToken != 0 && r.FirstToken-r.Due > x.Max {
				return x
			}
		case "e2e":
			if r.End-r.Due > x.Max {
				return x
			}
		case "tpot":
			if t, ok := TPOT(r); ok && t > float64(x.Max) {
				return x
			}
		}
	}
	return nil
}
