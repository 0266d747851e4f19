package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/traces"
	"github.com/assay-dev/assay/internal/plan"
)

// Sources that watch by reading a store back, with their proof.
var readBackKinds = []collectors.Kind{
	{Name: "tempo", Help: "Reads the traces of our own requests back from a Grafana Tempo after the load, and waits for those that are late.",
		Proven: collectors.Documents, By: "Tempo's documentation of its HTTP API"},
	{Name: "jaeger", Help: "Reads the traces of our own requests back from a Jaeger query service after the load, and waits for those that are late.",
		Proven: collectors.Documents, By: "Jaeger's documentation of its HTTP API; traces of uber-research/CRISP"},
}

// maxTraceIDs bounds the ids that are kept for reading back.
const maxTraceIDs = 1_000_000

// traceIDs are those of the requests that were answered.
type traceIDs struct {
	mu  sync.Mutex
	ids []assay.TraceID
}

// see keeps the id of a request's trace. Nothing is kept in nil.
func (t *traceIDs) see(r *assay.Request) {
	if t == nil || r.TraceID.IsZero() || r.Status == 0 && r.Outcome != assay.OK {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ids) < maxTraceIDs && (len(t.ids) == 0 || t.ids[len(t.ids)-1] != r.TraceID) {
		t.ids = append(t.ids, r.TraceID)
	}
}

// stores returns the stores that the plan reads back from, by the place of their settings.
func (s *session) stores() (list []*traces.ReadBack, at []string, err error) {
	add := func(place string, b *traces.ReadBack, token *plan.Auth) {
		if token != nil && err == nil {
			b.Token, err = readToken(place+".token", plan.Auth{Env: token.Env, File: s.plan.Path(token.File)})
		}
		list, at = append(list, b), append(at, place)
	}
	for i, t := range s.plan.Collect.Tempo {
		add(fmt.Sprintf("collect.tempo[%d]", i), &traces.ReadBack{Store: traces.Tempo, URL: t.URL, Tenant: t.Tenant, Query: t.Query, Wait: t.Wait.D()}, t.Token)
	}
	for i, j := range s.plan.Collect.Jaeger {
		add(fmt.Sprintf("collect.jaeger[%d]", i), &traces.ReadBack{Store: traces.Jaeger, URL: j.URL, Services: j.Services, Wait: j.Wait.D()}, j.Token)
	}
	return list, at, err
}

// readBackAhead refuses a run whose stores could not be asked later for want of a token, and has the ids of traces kept.
func (s *session) readBackAhead() error {
	list, _, err := s.stores()
	if len(list) > 0 {
		s.traceIDs = &traceIDs{}
	}
	return err
}

// readBack reads from the stores what they have of this run. A person in a hurry does not wait for what is late.
func (s *session) readBack() {
	list, at, err := s.stores()
	if err != nil {
		s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: err.Error()})
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	var hurrying sync.WaitGroup
	hurrying.Go(func() {
		select {
		case <-s.hurry:
			cancel()
		case <-done:
		}
	})
	var wg sync.WaitGroup
	for i, b := range list {
		b.RunID, b.Clock, b.Asked = s.manifest.ID, s.clock, s.traceIDs.ids
		b.From, b.To = s.clock.Epoch()+s.loadBegan, s.clock.Epoch()+s.loadEnded+int64(time.Second)
		fmt.Fprintf(s.io.err, "%s: reading traces back from %s, waiting at most %v for late ones\n", at[i], b.URL, b.Wait)
		wg.Go(func() {
			if err := b.Run(ctx, s.emitOf(ctx, b)); err != nil {
				s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("%s: %v", at[i], err)})
			}
		})
	}
	s.readLogsToTheEnd(ctx, &wg)
	s.readMetricsToTheEnd(ctx, &wg)
	wg.Wait()
	close(done)
	hurrying.Wait()
}

// examineReadBack asks each store of traces whether it answers, and says what would be empty.
func examineReadBack(ctx context.Context, p *patient) {
	list, at, err := p.stores()
	if err != nil {
		p.add(wrong, "", "%v", err)
		return
	}
	for i, b := range list {
		n, what := 0, ""
		err := soon(ctx, func(ctx context.Context) (err error) {
			n, what, err = b.Look(ctx)
			return err
		})
		switch {
		case err != nil:
			p.add(doubt, "without it the run goes on, without spans, cold states and attribution from there", "%s: %s: %v", at[i], b.URL, err)
		case n == 0:
			p.add(doubt, "see that the target exports its traces there; else the run has no spans, cold states and attribution from there", "%s: %s answers, and has no %s", at[i], b.URL, what)
		default:
			p.ok("%s: %s answers: %d %s", at[i], b.URL, n, what)
		}
	}
}
