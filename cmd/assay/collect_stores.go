package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/logs"
	"github.com/assay-dev/assay/internal/plan"
)

// A logStore is a store of logs that is followed, with the place of its settings.
type logStore struct {
	at string
	q  *logs.Query
}

// logStores returns the stores of logs that the plan names.
func (s *session) logStores() (list []logStore, err error) {
	add := func(at string, q *logs.Query, token *plan.Auth, interval, wait plan.Duration) {
		if token != nil && err == nil {
			q.Token, err = readToken(at+".token", plan.Auth{Env: token.Env, File: s.plan.Path(token.File)})
		}
		q.Interval, q.Wait, q.Clock = interval.D(), wait.D(), s.clock
		list = append(list, logStore{at, q})
	}
	for i, l := range s.plan.Collect.Loki {
		add(fmt.Sprintf("collect.loki[%d]", i), &logs.Query{Store: logs.Loki, URL: l.URL, Query: l.Query, Tenant: l.Tenant, Instance: l.Instance}, l.Token, l.Interval, l.Wait)
	}
	for i, e := range s.plan.Collect.Elasticsearch {
		add(fmt.Sprintf("collect.elasticsearch[%d]", i), &logs.Query{Store: logs.Elasticsearch, URL: e.URL, Index: e.Index, Query: e.Query, Instance: e.Instance}, e.Token, e.Interval, e.Wait)
	}
	return list, err
}

// logStoresAhead refuses a run that lacks the token of a store.
func (s *session) logStoresAhead() (err error) {
	s.logs, err = s.logStores()
	return err
}

// followLogStores adds what follows the stores of logs.
func (s *session) followLogStores(out map[string]assay.Source) {
	for _, l := range s.logs {
		l.q.RunID = s.manifest.ID
		out[l.at] = l.q
	}
}

// readLogsToTheEnd reads from each store, after the run, what comes late.
func (s *session) readLogsToTheEnd(ctx context.Context, wg *sync.WaitGroup) {
	for _, l := range s.logs {
		fmt.Fprintf(s.io.err, "%s: reading the last lines from %s in %v, when late ones have come\n", l.at, l.q.URL, l.q.Wait)
		wg.Go(func() {
			if err := l.q.Last(ctx, s.emitOf(ctx, l.q)); err != nil {
				s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Text: fmt.Sprintf("%s: %v", l.at, err)})
			}
		})
	}
}

// examineLogStores asks each store of logs what it has of the last hour.
func examineLogStores(ctx context.Context, p *patient) {
	list, err := p.logStores()
	if err != nil {
		p.add(wrong, "", "%v", err)
		return
	}
	for _, l := range list {
		var lines, known int64
		began := time.Now()
		err := soon(ctx, func(ctx context.Context) (err error) {
			lines, known, err = l.q.Look(ctx)
			return err
		})
		switch {
		case err != nil:
			p.add(doubt, "without it the run goes on and knows less of how instances start and end", "%s: %s: %v", l.at, l.q.URL, err)
		case lines == 0:
			p.add(doubt, "see that the query chooses the engines' lines and that they are shipped there", "%s: %s answers in %v, and has no line of the last hour that the query chooses", l.at, l.q.URL, time.Since(began).Round(time.Millisecond))
		case known == 0:
			p.add(doubt, "until an engine that is known starts, there are no phases of starts", "%s: %s answers; of the first %d lines of the last hour none is one that is recorded", l.at, l.q.URL, lines)
		default:
			p.ok("%s: %s answers; of the first %d lines of the last hour %d are recorded", l.at, l.q.URL, lines, known)
		}
	}
}
