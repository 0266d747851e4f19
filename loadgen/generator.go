package loadgen

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// Defaults of a [Config].
const (
	DefaultCap      = 512
	DefaultDeadline = 30 * time.Second
	DefaultGrace    = 500 * time.Millisecond
)

// RunHeader names the header that carries the run's id.
const RunHeader = "X-Assay-Run"

// A Wait returns at the instant until, in run time, or soon after stop is closed.
type Wait func(stop <-chan struct{}, until int64)

// Config is what a Generator needs to know. Clock, Client and Phases are required.
type Config struct {
	Clock    *clock.Clock
	Client   assay.Client
	Phases   []Phase
	Seed     uint64
	Start    int64         // run time at which the first phase begins; 0: as soon as Run is called
	Cap      int           // most requests in flight; 0: DefaultCap
	Deadline time.Duration // of a request, from the moment it is taken up; 0: DefaultDeadline
	Drain    time.Duration // how long to wait for the requests in flight at the end; 0: Deadline
	Grace    time.Duration // the same when ctx is cancelled; 0: DefaultGrace
	RunID    string        // sent with each request
	Model    string
	Stream   bool

	Retry  *Retry  // repeats requests that failed; nil: none is
	Canary *Canary // rides along all phases; nil: none

	// Chill makes the deployment cold and returns once it was seen to be: no instance is ready. It returns soon after its context is done. Cold
	// phases need it.
	Chill func(ctx context.Context) error

	MaxRequests int // hard stop after so many were sent; 0: none

	Purse Purse // pays for requests; nil: they cost nothing

	// Gate is asked before each send; an error stops the load for that reason. It must not block, and closed loops and
	// sessions ask from many goroutines at once. May be nil.
	Gate func() error

	// Observe sees each request before it is emitted, from many goroutines at once. The request is borrowed. May be nil.
	Observe func(*assay.Request)

	Wait Wait // for tests; nil: a precise wait on a locked thread
}

// A Generator plays a schedule: see the package comment. Use [New].
type Generator struct {
	cfg   Config
	sched *Schedule
	emit  func(assay.Record) error

	jobs    chan job // unbuffered: a parked worker takes the job, or a new one is started
	events  chan *assay.Event
	workers sync.WaitGroup
	poll    *poller         // nil: there is none
	able    atomic.Bool     // the client can launch requests
	spare   sync.Pool       // of *worker, for those
	flight  context.Context // of the requests in flight

	halted chan struct{} // closed when nothing more is to be sent
	halt   sync.Once
	ran    atomic.Bool
	reason atomic.Pointer[string]
	said   atomic.Pointer[string] // by ourselves, why

	nextID   atomic.Uint64 // last id given to a request that the schedule does not hold
	behind   pace
	held     map[string]float64 // highest rate that held, by search
	mu       sync.Mutex
	path     []string
	phase    atomic.Pointer[Active]
	on       atomic.Pointer[stretch] // entered last
	sent     atomic.Int64
	done     atomic.Int64
	refused  atomic.Int64
	lost     atomic.Int64
	inFlight atomic.Int64
	emitting atomic.Int64
	lateness spread
}

var _ assay.Source = (*Generator)(nil)

// New checks the configuration and draws the schedule; it sends nothing.
func New(cfg Config) (*Generator, error) {
	switch {
	case cfg.Clock == nil:
		return nil, errors.New("load: no clock")
	case cfg.Client == nil:
		return nil, errors.New("load: no client")
	case cfg.Cap < 0 || cfg.Deadline < 0 || cfg.Drain < 0 || cfg.Grace < 0 || cfg.MaxRequests < 0:
		return nil, errors.New("load: a limit below zero")
	}
	sched, err := NewSchedule(cfg.Phases, cfg.Seed)
	if err != nil {
		return nil, err
	}
	if cfg.Cap == 0 {
		cfg.Cap = DefaultCap
	}
	if cfg.Deadline == 0 {
		cfg.Deadline = DefaultDeadline
	}
	if cfg.Drain == 0 {
		cfg.Drain = cfg.Deadline
	}
	if cfg.Grace == 0 {
		cfg.Grace = DefaultGrace
	}
	for _, p := range sched.phases {
		if p.Cold != nil && cfg.Chill == nil {
			return nil, fmt.Errorf("load phase %q forces cold starts, and nothing makes the target cold", p.Name)
		}
		if p.Closed != nil && p.Closed.N > cfg.Cap {
			return nil, fmt.Errorf("load phase %q: %d slots are more than the cap on requests in flight, %d", p.Name, p.Closed.N, cfg.Cap)
		}
	}
	if cfg.Retry, err = cfg.Retry.filled(); err != nil {
		return nil, err
	}
	if cfg.Canary, err = cfg.Canary.filled(); err != nil {
		return nil, err
	}
	g := &Generator{cfg: cfg, sched: sched, held: map[string]float64{},
		halted: make(chan struct{}), jobs: make(chan job), events: make(chan *assay.Event, 1024)}
	g.nextID.Store(uint64(sched.fixed))
	return g, nil
}

// Schedule returns what will be sent.
func (g *Generator) Schedule() *Schedule { return g.sched }

// Stop ends the sending at once; requests in flight are waited for. It may be called at any time and more than once; the first reason counts.
func (g *Generator) Stop(reason string) {
	g.halt.Do(func() {
		g.reason.Store(&reason)
		close(g.halted)
	})
}

// Stopped returns why the load ended early, or "".
func (g *Generator) Stopped() string {
	if r := g.reason.Load(); r != nil {
		return *r
	}
	return ""
}

// Said returns what the generator itself has to say about why it stopped the load, or "".
func (g *Generator) Said() string {
	if s := g.said.Load(); s != nil {
		return *s
	}
	return ""
}

// Run plays the schedule and returns when the last request has ended. When ctx is done it sends nothing more, waits
// Grace for what is in flight and records the rest as unfinished.
func (g *Generator) Run(ctx context.Context, emit func(assay.Record) error) error {
	if !g.ran.CompareAndSwap(false, true) {
		return errors.New("load: Run called twice")
	}
	g.emit = emit
	flight, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(nil)
	g.flight = flight

	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		for e := range g.events {
			if emit(e) != nil {
				g.lost.Add(1)
			}
		}
	}()
	unhook := context.AfterFunc(ctx, func() { g.Stop("interrupted") })

	if g.cfg.Wait == nil {
		g.poll = newPoller(g.cfg.Clock.Now)
	}
	end := g.play()
	g.event(&assay.Event{Time: end, Kind: assay.EventLoadEnd})
	close(g.jobs)
	g.drain(ctx, abandon)
	g.poll.close()
	unhook()
	g.phase.Store(nil)
	close(g.events)
	<-recorded
	return nil
}

// play runs the phases on this goroutine and returns when sending ended.
func (g *Generator) play() int64 {
	wait, release := g.cfg.Wait, func() {}
	if wait == nil {
		wait, release = precise(g.cfg.Clock.Now, g.poll)
	}
	defer release()
	ahead := g.feed(0) // drawn while the phase before is sent
	begin := max(g.cfg.Start, ahead.ready(g.cfg.Clock.Now))
	id := uint64(0)
	defer func() { // of a phase that was not reached
		if ahead != nil {
			_ = ahead.close()
		}
	}()
	if g.cfg.Canary != nil {
		over := make(chan struct{})
		defer close(over)
		g.on.Store(&stretch{phase: &g.sched.phases[0], name: g.sched.phases[0].Name})
		first := begin + int64(g.sched.phases[0].After)
		g.workers.Go(func() { g.ride(first, over) })
	}
	for i := range g.sched.phases {
		p := &g.sched.phases[i]
		begin += int64(p.After)
		if p.After > 0 || i == 0 {
			wait(g.halted, begin)
		}
		if p.Settle || p.Cold != nil || p.External != nil { // these hold up this goroutine, which reads the answers of the phase before
			begin = max(begin, g.settle(wait))
		}
		if g.stopping() {
			return min(begin, g.cfg.Clock.Now())
		}
		switch {
		case p.Search != nil:
			begin = g.search(p, begin, wait)
		case p.Hold != nil:
			begin = g.hold(p, begin, wait)
		case p.Closed != nil:
			begin = g.closed(p, begin, wait)
		case p.Cold != nil:
			begin = g.cold(p, begin, wait)
		case p.External != nil:
			begin = g.external(p, begin)
		default:
			s := &stretch{phase: p, name: p.Name, begin: begin, length: int64(p.For), deadline: g.cfg.Deadline, id: id, feed: ahead, planned: g.sched.drawn[i].n}
			if p.Until != nil {
				s.planned = 0 // that is decided as it goes
			}
			s.rate, s.peak = g.sched.rate(i)
			id += uint64(g.sched.drawn[i].ids)
			ahead = g.feed(i + 1)
			begin = g.send(s, wait)
			g.finished(s)
			continue
		}
		ahead = g.feed(i + 1)
	}
	return begin
}

// feed begins to draw the requests of phase i, if it has any.
func (g *Generator) feed(i int) *feed {
	if i >= len(g.sched.phases) || g.sched.phases[i].Arrivals == nil {
		return nil
	}
	return g.sched.feed(i)
}

// finished ends the drawing of a stretch and records what went wrong with it.
func (g *Generator) finished(s *stretch) {
	if s.feed == nil {
		return
	}
	if err := s.feed.close(); err != nil {
		g.event(&assay.Event{Time: g.cfg.Clock.Now(), Kind: assay.EventWarning, Phase: s.name, Text: fmt.Sprintf("load phase %s: %v", s.name, err)})
	}
}

// settle waits until nothing is in flight and returns when that was.
func (g *Generator) settle(wait Wait) int64 {
	for g.inFlight.Load() > 0 && !g.stopping() {
		wait(g.halted, g.cfg.Clock.Now()+int64(5*time.Millisecond))
	}
	return g.cfg.Clock.Now()
}

// hold sends at a share of what a search found.
func (g *Generator) hold(p *Phase, begin int64, wait Wait) int64 {
	rate := g.held[p.Hold.Of] * p.Hold.Share
	if rate <= 0 {
		g.note(begin, p.Name, fmt.Sprintf("%s: skipped, since no rate of search %s held", p.Name, p.Hold.Of), nil)
		return begin
	}
	a := Poisson{Profile{Rate: rate}}
	length := int64(p.For)
	plan := p.draw(p.Name, a, p.For, g.sched.seed, p.Max)
	if p.Max > 0 && len(plan) == p.Max {
		length = min(length, plan[p.Max-1].due+int64(time.Second/2)) // nothing more comes
	}
	return g.send(&stretch{phase: p, name: p.Name, begin: begin, length: length, rate: rate, deadline: g.cfg.Deadline, id: g.take(len(plan)), plan: plan}, wait)
}

// take reserves n request ids after those of the fixed phases and returns the one before the first.
func (g *Generator) take(n int) uint64 {
	return g.nextID.Add(uint64(n)) - uint64(n)
}

func (g *Generator) stopping() bool {
	select {
	case <-g.halted:
		return true
	default:
		return false
	}
}

// drain waits for the workers: Drain long, or Grace once ctx is done; then the requests that are left are abandoned.
func (g *Generator) drain(ctx context.Context, abandon context.CancelCauseFunc) {
	idle := make(chan struct{})
	go func() {
		g.poll.finish()
		g.workers.Wait()
		close(idle)
	}()
	limit := time.NewTimer(g.cfg.Drain)
	defer limit.Stop()
	select {
	case <-idle:
		return
	case <-limit.C:
	case <-ctx.Done():
		grace := time.NewTimer(g.cfg.Grace)
		defer grace.Stop()
		select {
		case <-idle:
			return
		case <-grace.C:
		}
	}
	g.halt.Do(func() { close(g.halted) }) // nobody waits for another attempt; there is no reason to tell
	abandon(errAbandoned)
	<-idle
}

// errAbandoned ends the requests that are still open when the run ends.
var errAbandoned = errors.New("the run ended first")

// event hands e to the goroutine that emits events; it never waits.
func (g *Generator) event(e *assay.Event) {
	e.Source = "loadgen"
	select {
	case g.events <- e:
	default:
		g.lost.Add(1)
	}
}

func (g *Generator) note(at int64, phase, text string, attrs map[string]string) {
	g.event(&assay.Event{Time: at, Kind: assay.EventAnnotation, Phase: phase, Text: text, Attrs: attrs})
}

// stop is Stop for a reason that the generator found itself: it also goes on record.
func (g *Generator) stop(reason, text string) {
	if !g.stopping() {
		g.event(&assay.Event{Time: g.cfg.Clock.Now(), Kind: assay.EventStop, Text: text, Attrs: map[string]string{"reason": reason}})
		g.said.CompareAndSwap(nil, &text)
		g.Stop(reason)
	}
}

// number formats a rate for events and people.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
