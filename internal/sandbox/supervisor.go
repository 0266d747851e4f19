package sandbox

import (
	"context"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// Why an instance is started.
const (
	startInitial  = "initial"
	startFromZero = "scale_from_zero"
	startOut      = "scale_out"
	startReplace  = "replace"
)

// Why an instance ended.
const (
	exitScaleIn  = "scale_in"
	exitShutdown = "shutdown"
	exitForced   = "forced_cold" // the owner asked for a cold deployment
	exitCrash    = "crash"       // nobody asked for it, or the platform gave it up
)

// Who ended an instance that the platform gave up, in the attribute by of its exit.
const (
	byLiveness = "liveness"
	byStart    = "start_timeout"
)

// Crash-loop back-off: the first restart is at once, each further one waits twice as long, until an
// instance has stayed in routing for steadyAfter.
const (
	backOffFirst = 250 * time.Millisecond
	backOffMost  = 10 * time.Second
	steadyAfter  = 5 * time.Second
)

// A supervisor keeps as many instances as are wanted.
type supervisor struct {
	cfg    Config
	exe    string
	pool   *pool
	events *eventLog
	tracer trace.Tracer
	spawn  *spawner
	holdup *holdup
	stderr io.Writer    // of workers, without a log directory
	store  worker.Store // that workers ask for their weights

	kick chan struct{} // something changed: count again
	wg   sync.WaitGroup

	mu        sync.Mutex
	instances []*instance // all that have not exited, oldest first
	links     map[string]*instance
	next      int // number of the next instance
	want      int
	reason    string // why instances are added
	forced    bool   // the next start from zero is owed to the owner's wish for a cold deployment
	owed      int    // instances that ended unasked and are to be replaced
	crashes   int    // in a row
	notBefore time.Time
	stopping  bool
}

func newSupervisor(cfg Config, exe string, p *pool, events *eventLog, tracer trace.Tracer, stderr io.Writer) *supervisor {
	return &supervisor{cfg: cfg, exe: exe, pool: p, events: events, tracer: tracer, stderr: stderr,
		spawn: newSpawner(cfg.Nice), holdup: newHoldup(), kick: make(chan struct{}, 1), links: map[string]*instance{}, next: 1}
}

// scale sets how many instances are wanted, and why more are started if that means more.
func (s *supervisor) scale(want int, reason string) {
	s.mu.Lock()
	s.want, s.reason = want, reason
	if reason != startFromZero {
		s.forced = reason == exitForced
	}
	s.mu.Unlock()
	s.poke()
}

// wanted returns how many instances are wanted.
func (s *supervisor) wanted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want
}

func (s *supervisor) poke() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// run reconciles until ctx is done.
func (s *supervisor) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		case <-timer.C:
		}
		if again := s.reconcile(); again > 0 {
			timer.Reset(again)
		}
	}
}

// reconcile starts or drains instances until as many are there as are wanted. It returns after
// how long to come back when back-off keeps it from starting some.
func (s *supervisor) reconcile() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return 0
	}
	type seat struct {
		in       *instance
		state    State
		inFlight int
		age      int
	}
	var seats []seat
	for i, in := range s.instances {
		if state, n := s.pool.state(in.backend); state != Draining && state != Exited {
			seats = append(seats, seat{in, state, n, i})
		}
	}
	missing := s.want - len(seats)
	if missing <= 0 {
		s.owed = 0
	}
	for ; missing > 0; missing-- {
		if wait := time.Until(s.notBefore); wait > 0 {
			return wait
		}
		reason := s.reason
		if s.owed > 0 {
			reason = startReplace
			s.owed--
		}
		s.start(reason)
	}
	if missing < 0 {
		// Those not in routing go first, then the least loaded, then the youngest.
		slices.SortFunc(seats, func(a, b seat) int {
			if a, b := a.state == Ready, b.state == Ready; a != b {
				if b {
					return -1
				}
				return 1
			}
			if a.inFlight != b.inFlight {
				return a.inFlight - b.inFlight
			}
			return b.age - a.age
		})
		why := exitScaleIn
		if s.reason == exitForced {
			why = exitForced
		}
		for _, v := range seats[:-missing] {
			s.drain(v.in, why)
		}
	}
	return 0
}

// start makes the next instance. The caller holds mu.
func (s *supervisor) start(reason string) {
	in := newInstance("w-"+strconv.Itoa(s.next), reason)
	s.next++
	s.instances = append(s.instances, in)
	s.links[in.id] = in
	s.pool.add(in.backend)
	attrs := []string{"reason", reason}
	if s.forced && reason == startFromZero {
		attrs = append(attrs, "forced", "true")
	}
	s.events.instance(in.created, assay.EventInstanceCreated, in.id, "", attrs...)
	s.wg.Go(func() { s.live(in) })
}

// drain takes an instance out of routing and stops it once nothing is in flight on it.
func (s *supervisor) drain(in *instance, reason string) {
	if !s.pool.move(in.backend, Draining, func(at time.Time, _ State) {
		s.events.instance(at, assay.EventInstanceDraining, in.id, "", "reason", reason)
	}) {
		return
	}
	idle := s.pool.drained(in.backend)
	s.wg.Go(func() {
		limit := time.NewTimer(s.cfg.DrainTimeout)
		defer limit.Stop()
		select {
		case <-idle:
		case <-limit.C:
		case <-in.hurry:
		case <-in.done:
			return
		}
		in.end(reason, "", false)
		limit.Reset(s.cfg.StopTimeout)
		select {
		case <-limit.C:
			in.end(reason, "", true)
		case <-in.done:
		}
	})
}

// gone takes note of an instance whose process has ended.
func (s *supervisor) gone(in *instance, unasked bool) {
	s.mu.Lock()
	s.instances = slices.DeleteFunc(s.instances, func(o *instance) bool { return o == in })
	if unasked {
		s.owed++
		if !in.born.IsZero() && time.Since(in.born) >= steadyAfter {
			s.crashes = 0
		}
		s.crashes++
		if s.crashes > 1 {
			s.notBefore = time.Now().Add(min(backOffFirst<<min(s.crashes-2, 10), backOffMost))
		}
	}
	s.mu.Unlock()
	s.poke()
}

// shutdown drains all instances and waits until their processes have ended; when ctx is done it waits no longer
// for requests in flight.
func (s *supervisor) shutdown(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	all := slices.Clone(s.instances)
	s.mu.Unlock()
	for _, in := range all {
		s.drain(in, exitShutdown)
	}
	stop := context.AfterFunc(ctx, func() {
		for _, in := range all {
			in.hurryUp()
		}
	})
	s.wg.Wait()
	stop()
	s.spawn.close()
}

// kill ends all processes at once and waits for nothing.
func (s *supervisor) kill() {
	s.mu.Lock()
	s.stopping = true
	all := slices.Clone(s.instances)
	s.mu.Unlock()
	for _, in := range all {
		in.end(exitShutdown, "", true)
	}
}

// list returns the instances that have not exited.
func (s *supervisor) list() []*instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.instances)
}

// find returns the instance with the id, exited or not, or nil.
func (s *supervisor) find(id string) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[id]
}
