package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/live"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/promapi"
)

// How often and how patiently the users' own metrics are asked.
const (
	lookPeriod = 2 * time.Second
	lookLimit  = 5 * time.Second // for one answer
	lookNoData = 30 * time.Second
)

// A lookout is a guard on the users' own metrics: an expression that is asked again and again.
type lookout struct {
	text     string // the expression
	from     string // the server
	client   *promapi.Client
	max, min float64 // ±Inf for a side without a limit
	over     time.Duration
	noData   time.Duration
	clock    *clock.Clock

	mu    sync.Mutex
	seen  int64   // when the last number came, or watching began
	since int64   // when the first of the numbers beyond the limit was asked for; 0 while they are within
	last  int64   // when the last of them was
	value float64 // the last number
	err   error   // of the last look; nil when it gave a number
}

// guardsOf returns the guards of a plan on our own requests, and how long there may be none; 0 for the default.
func guardsOf(p *plan.Plan) (own []live.Guard, noData time.Duration) {
	for _, g := range p.Guards {
		if g.PromQL != "" {
			continue
		}
		if d := g.NoData.D(); d > 0 && (noData == 0 || d < noData) {
			noData = d
		}
		if b := g.Burn; b != nil {
			own = append(own, live.Guard{Metric: live.BurnRate, Objective: b.Objective.Number, Max: b.Rate, Min: math.Inf(-1), Over: b.Over.D(), Short: b.Short.D()})
			continue
		}
		own = append(own, live.Guard{Metric: g.Metric, Over: g.Over.D(), Max: g.Max.Number, Min: math.Inf(-1)})
	}
	return own, noData
}

// prometheus returns the client of a server that the plan names. path is where the plan names its token.
func (s *session) prometheus(url, path string, token *plan.Auth) (*promapi.Client, error) {
	c := &promapi.Client{URL: url, RunID: s.manifest.ID}
	if token == nil {
		return c, nil
	}
	src, err := tokenSource(path, plan.Auth{Env: token.Env, File: s.plan.Path(token.File)})
	if err != nil || src == nil {
		return c, err
	}
	c.Token = func(ctx context.Context) (string, error) { // read each time, since it may have been renewed
		v, err := src.Fetch(ctx)
		return v.Token, err
	}
	return c, nil
}

// lookAhead makes the guards on the users' own metrics and asks each once: a run does not begin while one of them says that an incident is on,
// or cannot say that none is.
func (s *session) lookAhead(ctx context.Context) error {
	for i, g := range s.plan.Guards {
		if g.PromQL == "" {
			continue
		}
		l := &lookout{text: g.PromQL, from: g.Prometheus, max: math.Inf(1), min: math.Inf(-1), over: g.Over.D(), noData: lookNoData, clock: s.clock}
		if g.NoData != 0 {
			l.noData = g.NoData.D()
		}
		if g.Max != nil {
			l.max = g.Max.Number
		}
		if g.Min != nil {
			l.min = g.Min.Number
		}
		var err error
		if l.client, err = s.prometheus(g.Prometheus, fmt.Sprintf("guards[%d].token", i), g.Token); err != nil {
			return err
		}
		l.look(ctx)
		switch {
		case errors.Is(l.err, promapi.ErrNoData):
			return fmt.Errorf("guard %s has no data, so nobody would see an incident: %w; where no series means that all is well, say so: (%s) or vector(0)", l.text, l.err, l.text)
		case l.err != nil:
			return fmt.Errorf("guard %s cannot be asked: %w; the run would go on unseen", l.text, l.err)
		case l.since != 0:
			return fmt.Errorf("an incident is on: %s; the run is refused until that is over", l.said())
		}
		s.lookouts = append(s.lookouts, l)
	}
	return nil
}

// Run asks until ctx is done.
func (l *lookout) Run(ctx context.Context) {
	l.mu.Lock()
	l.seen = l.clock.Now()
	l.mu.Unlock()
	tick := time.NewTicker(lookPeriod)
	defer tick.Stop()
	for {
		l.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look asks once.
func (l *lookout) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	asked := l.clock.Now()
	got, err := l.client.Value(ctx, l.text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err = err; err != nil {
		return
	}
	l.seen, l.value = asked, got.Value
	switch beyond := got.Value > l.max || got.Value < l.min; {
	case !beyond:
		l.since = 0
	case l.since == 0:
		l.since = max(1, asked)
		fallthrough
	default:
		l.last = asked
	}
}

// said is what the last number says of the limit.
func (l *lookout) said() string {
	side, limit := "above its max", l.max
	if l.value < l.min {
		side, limit = "below its min", l.min
	}
	text := fmt.Sprintf("%s is %.4g, %s %.4g", l.text, l.value, side, limit)
	if l.over > 0 {
		text += fmt.Sprintf(" for %v", l.over)
	}
	return text
}

// breach returns the breach of the guard, if it is one.
func (l *lookout) breach(now int64) (live.Breach, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := live.Breach{Guard: live.Guard{Metric: l.text}, Value: l.value}
	if l.since != 0 && l.last-l.since >= int64(l.over) {
		b.Since, b.Text = l.since, l.said()
		return b, true
	}
	if quiet := time.Duration(now - l.seen); quiet >= l.noData {
		why := "no answer yet"
		if l.err != nil {
			why = l.err.Error()
		}
		b.Value, b.Since = math.NaN(), l.seen
		b.Text = fmt.Sprintf("no data: %s gave no number for %v: %s", l.text, quiet.Round(time.Second), why)
		return b, true
	}
	return b, false
}

// crossed returns a guard that does not hold now, as why the run ends; nil if all hold.
func (s *session) crossed(now int64) *ending {
	end := func(b live.Breach, unsure time.Duration) *ending {
		e := &assay.Event{Time: now, Kind: assay.EventGuardBreach, Source: "guard", Text: b.Text, Attrs: map[string]string{
			"guard": b.Guard.Metric, "value": strconv.FormatFloat(b.Value, 'g', 6, 64), "since_ns": strconv.FormatInt(b.Since, 10)}}
		if unsure > 0 {
			e.Attrs["since_resolution_ns"] = strconv.FormatInt(int64(unsure), 10)
		}
		return &ending{status: assay.EndAborted, reason: "guard: " + b.Text, breach: e}
	}
	if s.guards != nil {
		if breaches := s.guards.Evaluate(now); len(breaches) > 0 {
			return end(breaches[0], 0)
		}
	}
	for _, l := range s.lookouts {
		if b, ok := l.breach(now); ok {
			return end(b, lookPeriod)
		}
	}
	return nil
}
