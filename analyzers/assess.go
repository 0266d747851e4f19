package analyzers

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Options change what Assess does. The zero value is right for a report.
type Options struct {
	Kinds      []Kind            // nil: all
	Objectives []assay.Objective // nil: those of the run's manifest
	SLOs       []assay.SLO       // beside those of the run's manifest
	Replay     *Replay           // how rules are replayed, and which; nil: those of the run's SLOs
}

// Assess computes the report of a run.
func Assess(ctx context.Context, src facts.Source, opts Options) (*assay.Report, error) {
	objectives := opts.Objectives
	if objectives == nil {
		objectives = src.Manifest().Objectives
	}
	for _, o := range objectives {
		if err := Check(o); err != nil {
			return nil, fmt.Errorf("judge objective: %w", err)
		}
	}
	kinds := opts.Kinds
	if kinds == nil {
		kinds = Kinds()
	}
	stored := src
	if opts.Objectives != nil || len(opts.SLOs) > 0 {
		src = asked{src, objectives, opts.SLOs}
	}
	f, res, err := facts.ComputeResolved(ctx, src)
	if err != nil {
		return nil, err
	}
	if d, ok := stored.(interface{ Repeated() int64 }); ok {
		f.Repeated = d.Repeated()
	}
	passes := make([]assay.Pass, len(kinds))
	var traced []assay.TracePass
	for i, k := range kinds {
		a := k.New()
		if _, is := a.(Replay); is && opts.Replay != nil {
			a = *opts.Replay
		}
		passes[i] = a.Begin(f)
		if t, ok := passes[i].(assay.TracePass); ok {
			traced = append(traced, t)
		}
	}
	err = src.Requests(ctx, func(block []assay.Request) error {
		for i := range block {
			res.Resolve(&block[i])
		}
		each(passes, len(block), func(p assay.Pass) { p.Requests(block) })
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	if len(traced) > 0 {
		err = src.Traces(ctx, func(block []assay.Trace) error {
			for i := range block {
				if r := block[i].Request; r != nil {
					res.Resolve(r)
				}
			}
			each(traced, len(block), func(p assay.TracePass) { p.Traces(block) })
			return ctx.Err()
		})
		if err != nil {
			return nil, fmt.Errorf("read traces: %w", err)
		}
	}
	m := f.Manifest
	r := &assay.Report{
		Schema: assay.Schema, Name: m.Name, Target: m.Target.Name, Simulated: m.Target.Simulated, Seed: m.Seed,
		Schedule: m.Schedule, PlanHash: m.PlanHash, Attempt: m.Attempt, Epoch: m.Epoch, Begin: f.Begin, End: f.End,
		Objectives: []assay.Judgement{}, Findings: []assay.Finding{}, Exposure: []assay.Exposure{}, Trust: assay.Trust{Valid: true},
	}
	for i, p := range passes {
		if err := p.Finish(r); err != nil {
			return nil, fmt.Errorf("analyze %s: %w", kinds[i].Name, err)
		}
	}
	unasked(f, r)
	unstopped(f, r)
	untimed(f, r)
	withhold(r)
	for i := range objectives {
		r.Objectives = append(r.Objectives, judge(r, &objectives[i]))
	}
	verdicts(f, r)
	explain(r)
	decide(f, r)
	return r, nil
}

// asked is a source with other objectives: facts and analyzers take from the manifest what is slow and which quantiles are wanted.
type asked struct {
	facts.Source
	objectives []assay.Objective
	slos       []assay.SLO
}

func (a asked) Manifest() *assay.Manifest {
	m := *a.Source.Manifest()
	m.Objectives = a.objectives
	m.SLOs = append(slices.Clone(m.SLOs), a.slos...)
	return &m
}

// small is a block that is not worth the hand-over to other goroutines.
const small = 256

// each calls do for every pass, several at once where the block is worth it, and returns when all are done.
func each[P any](passes []P, block int, do func(P)) {
	workers := min(runtime.GOMAXPROCS(0), len(passes))
	if workers < 2 || block < small {
		for _, p := range passes {
			do(p)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(passes)); i = next.Add(1) - 1 {
				do(passes[i])
			}
		})
	}
	wg.Wait()
}
