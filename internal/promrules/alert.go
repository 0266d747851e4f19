package promrules

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

// An alert is an alerting rule at work. Its states are those of Prometheus: a set of labels is pending from when the expression first gives it, fires once that has
// held for the rule's for, and stays firing after the expression no longer gives it for keep_firing_for.
type alert struct {
	Alert
	active map[uint64]*active
}

// active is one set of labels that is pending or firing.
type active struct {
	labels labels.Labels
	since  int64 // ms: it has been pending
	fired  int64 // ms; 0: not yet
	gone   int64 // ms: the expression stopped to give it; 0: it does
}

var errSameLabels = errors.New("vector contains metrics with the same labelset after applying alert labels")

// step takes what the expression gave at ms.
func (a *alert) step(more map[string]string, vector promql.Vector, ms int64) error {
	now := map[uint64]labels.Labels{}
	for _, s := range vector {
		b := labels.NewBuilder(s.Metric)
		b.Del(labels.MetricName)
		for k, v := range more {
			b.Set(k, v)
		}
		for k, v := range a.Rule.Labels {
			b.Set(k, v) // templates stay as they are written: they tell nothing of when it fires
		}
		b.Set(labels.AlertName, a.Rule.Alert)
		l := b.Labels()
		if _, ok := now[l.Hash()]; ok {
			return errSameLabels
		}
		now[l.Hash()] = l
	}
	for h, l := range now {
		if x := a.active[h]; x != nil {
			x.gone = 0
		} else {
			a.active[h] = &active{labels: l, since: ms}
		}
	}
	hold, keep := time.Duration(a.Rule.For).Milliseconds(), time.Duration(a.Rule.KeepFiringFor).Milliseconds()
	for h, x := range a.active {
		if _, ok := now[h]; !ok {
			if x.fired != 0 && keep > 0 {
				if x.gone == 0 {
					x.gone = ms
				}
				if ms-x.gone < keep {
					continue
				}
			}
			a.end(x, ms, false)
			delete(a.active, h)
			continue
		}
		if x.fired == 0 && ms-x.since >= hold {
			x.fired = ms
		}
	}
	return nil
}

// end writes down what x was until ms.
func (a *alert) end(x *active, ms int64, open bool) {
	switch {
	case x.fired == 0:
		a.States = append(a.States, State{x.labels, false, x.since, ms, open})
		return
	case x.fired > x.since:
		a.States = append(a.States, State{x.labels, false, x.since, x.fired, false})
	}
	a.States = append(a.States, State{x.labels, true, x.fired, ms, open})
}

func (a *alert) finish(end int64) Alert {
	for _, x := range a.active {
		a.end(x, end, true)
	}
	slices.SortFunc(a.States, func(x, y State) int {
		return cmp.Or(cmp.Compare(x.Begin, y.Begin), labels.Compare(x.Labels, y.Labels), cmp.Compare(x.End, y.End))
	})
	return a.Alert
}
