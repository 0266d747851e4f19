package promrules

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// DefaultInterval is how often rules are evaluated whose group does not say it.
const DefaultInterval = 15 * time.Second

// MaxEvaluations bounds how often each group of a replay is evaluated.
const MaxEvaluations = 20_000

// A Replay is rules at work on what was recorded.
type Replay struct {
	Groups     []rulefmt.RuleGroup
	Begin, End int64             // ms of Unix time, first and last evaluation
	Every      time.Duration     // of groups without an interval; 0: DefaultInterval
	LookBack   time.Duration     // for how long a sample stands for its series; 0: 5 m, as Prometheus has it
	Recorded   storage.Queryable // nil: none
	Made       *Memory           // series made of requests; recordings are added to it

	// Known returns what gives the value of a recording at an instant, and whether it has one there, as the engine would with a vector of one sample without labels.
	// The engine is asked where Known is nil, or returns nil.
	Known func(rule *rulefmt.Rule) func(ms int64) (v float64, ok bool)

	// Weight returns by what the engine's values of a recording are multiplied at an instant. They stay as they are where Weight is nil, or returns nil.
	Weight func(rule *rulefmt.Rule) func(ms int64) float64
}

// An Alert is what one alerting rule did.
type Alert struct {
	Group  string
	Rule   rulefmt.Rule
	Every  time.Duration
	Reach  time.Duration // how far it looks back, through what it is made of
	States []State       // in order of begin
	Absent []string      // series that it asks for and that were nowhere
	Err    string        // of its first evaluation that failed
	Failed int           // evaluations that failed
}

// A State is a stretch in which an alert with one set of labels was pending or fired: from one evaluation until the one at which it was no longer so.
type State struct {
	Labels     labels.Labels
	Firing     bool
	Begin, End int64 // ms
	Open       bool  // it was still so at the last evaluation, which End is
}

// Run evaluates the rules and returns what each alerting rule did, in their order.
func (r *Replay) Run(ctx context.Context) ([]Alert, error) {
	lookBack := r.LookBack
	if lookBack == 0 {
		lookBack = 5 * time.Minute
	}
	if r.Made == nil {
		r.Made = NewMemory()
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 50_000_000, Timeout: time.Minute, LookbackDelta: lookBack, EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Second.Milliseconds() }})
	defer engine.Close()
	groups, err := r.groups(engine)
	if err != nil {
		return nil, err
	}
	for {
		var next *group
		for _, g := range groups {
			if g.next <= r.End && (next == nil || g.next < next.next) {
				next = g
			}
		}
		if next == nil {
			break
		}
		if err := next.evaluate(ctx, r, next.next); err != nil {
			return nil, err
		}
		next.next += next.every.Milliseconds()
	}
	var out []Alert
	for _, g := range groups {
		for _, a := range g.alerts {
			if a != nil {
				out = append(out, a.finish(r.End))
			}
		}
	}
	return out, r.missing(ctx, out)
}

// A group is one group of rules at work.
type group struct {
	rulefmt.RuleGroup
	engine *promql.Engine
	every  time.Duration
	next   int64
	alerts []*alert                   // of each rule; nil for a recording
	seen   []map[uint64]labels.Labels // series that each recording had at the last evaluation
	known  []func(ms int64) (float64, bool)
	weight []func(ms int64) float64
}

func (r *Replay) groups(engine *promql.Engine) ([]*group, error) {
	every := r.Every
	if every == 0 {
		every = DefaultInterval
	}
	var out []*group
	recorded, _, err := reaches(r.Groups)
	if err != nil {
		return nil, err
	}
	for _, g := range r.Groups {
		w := &group{RuleGroup: g, engine: engine, every: time.Duration(g.Interval), next: r.Begin, alerts: make([]*alert, len(g.Rules)), seen: make([]map[uint64]labels.Labels, len(g.Rules))}
		if w.every == 0 {
			w.every = every
		}
		if n := (r.End - r.Begin) / max(1, w.every.Milliseconds()); n > MaxEvaluations {
			return nil, fmt.Errorf("group %s: %d evaluations every %v are too many; at most %d", g.Name, n, w.every, MaxEvaluations)
		}
		for i, x := range g.Rules {
			tree, err := promqlParse(x)
			if err != nil {
				return nil, err
			}
			w.known, w.weight = append(w.known, nil), append(w.weight, nil)
			if x.Record != "" && r.Known != nil {
				w.known[i] = r.Known(&g.Rules[i])
			}
			if x.Record != "" && r.Weight != nil {
				w.weight[i] = r.Weight(&g.Rules[i])
			}
			if x.Alert != "" {
				w.alerts[i] = &alert{Alert: Alert{Group: g.Name, Rule: x, Every: w.every, Reach: reach(tree, recorded)}, active: map[uint64]*active{}}
			}
		}
		out = append(out, w)
	}
	return out, nil
}

func promqlParse(x rulefmt.Rule) (parser.Expr, error) {
	tree, err := promqlParser.ParseExpr(x.Expr)
	if err != nil {
		return nil, fmt.Errorf("rule %s%s: %w", x.Record, x.Alert, err)
	}
	return tree, nil
}

// Querier implements storage.Queryable over what was recorded and what was made.
func (r *Replay) Querier(mint, maxt int64) (storage.Querier, error) {
	made, err := r.Made.Querier(mint, maxt)
	if err != nil || r.Recorded == nil {
		return made, err
	}
	recorded, err := r.Recorded.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	return storage.NewMergeQuerier([]storage.Querier{recorded, made}, nil, storage.ChainedSeriesMerge), nil
}

// ask evaluates an expression at an instant.
func (g *group) ask(ctx context.Context, r *Replay, expr string, ms int64) (promql.Vector, error) {
	q, err := g.engine.NewInstantQuery(ctx, r, nil, expr, time.UnixMilli(ms))
	if err != nil {
		return nil, err
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, res.Err
	}
	switch v := res.Value.(type) {
	case promql.Vector:
		return slices.Clone(v), nil
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, nil
	}
	return nil, fmt.Errorf("gives %s; want a vector or a scalar", res.Value.Type())
}

// evaluate runs the rules of the group at ms, one after another.
func (g *group) evaluate(ctx context.Context, r *Replay, ms int64) error {
	for i, x := range g.Rules {
		if known := g.known[i]; known != nil {
			var vector promql.Vector
			if v, ok := known(ms); ok {
				vector = promql.Vector{{T: ms, F: v}}
			}
			g.record(r.Made, i, x, vector, ms)
			continue
		}
		vector, err := g.ask(ctx, r, x.Expr, ms)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if a := g.alerts[i]; a != nil {
			if err == nil {
				err = a.step(g.Labels, vector, ms)
			}
			if err != nil {
				if a.Failed++; a.Err == "" {
					a.Err = err.Error()
				}
			}
			continue
		}
		if err != nil {
			var storageErr promql.ErrStorage
			if errors.As(err, &storageErr) {
				return fmt.Errorf("evaluate %s: %w", x.Record, err)
			}
			continue // as Prometheus does: the recording has no value
		}
		if weight := g.weight[i]; weight != nil {
			for j := range vector {
				vector[j].F *= weight(ms)
			}
		}
		g.record(r.Made, i, x, vector, ms)
	}
	return nil
}

// record adds what a recording gave, and marks what it no longer gives as stale.
func (g *group) record(m *Memory, i int, x rulefmt.Rule, vector promql.Vector, ms int64) {
	now := map[uint64]labels.Labels{}
	for _, s := range vector {
		b := labels.NewBuilder(s.Metric)
		b.Set(labels.MetricName, x.Record)
		for _, k := range slices.Sorted(maps.Keys(g.Labels)) {
			b.Set(k, g.Labels[k])
		}
		for k, v := range x.Labels {
			b.Set(k, v)
		}
		l := b.Labels()
		now[l.Hash()] = l
		m.Add(l, ms, s.F)
	}
	for h, l := range g.seen[i] {
		if _, ok := now[h]; !ok {
			m.Add(l, ms, stale)
		}
	}
	g.seen[i] = now
}

// missing finds the series that alerts ask for and that were nowhere.
func (r *Replay) missing(ctx context.Context, alerts []Alert) error {
	q, err := r.Querier(r.Begin-time.Duration(1<<62).Milliseconds()/4, r.End)
	if err != nil {
		return err
	}
	defer q.Close()
	made := map[string][]rulefmt.Rule{}
	for _, g := range r.Groups {
		for _, x := range g.Rules {
			made[x.Record] = append(made[x.Record], x)
		}
	}
	for i := range alerts {
		seen := map[string]bool{}
		var visit func(expr string) error
		visit = func(expr string) error {
			tree, err := promqlParser.ParseExpr(expr)
			if err != nil {
				return err
			}
			var inner error
			parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
				x, ok := n.(*parser.VectorSelector)
				if !ok || seen[x.String()] || inner != nil {
					return nil
				}
				seen[x.String()] = true
				if from := made[x.Name]; x.Name != "" && len(from) > 0 {
					for _, f := range from {
						inner = errors.Join(inner, visit(f.Expr))
					}
					return nil
				}
				set := q.Select(ctx, false, nil, x.LabelMatchers...)
				if !set.Next() && set.Err() == nil {
					bare := *x
					bare.OriginalOffset, bare.Offset, bare.Timestamp = 0, 0, nil
					alerts[i].Absent = append(alerts[i].Absent, bare.String())
				}
				return nil
			})
			return inner
		}
		if err := visit(alerts[i].Rule.Expr); err != nil {
			return err
		}
		slices.Sort(alerts[i].Absent)
		alerts[i].Absent = slices.Compact(alerts[i].Absent)
	}
	return nil
}
