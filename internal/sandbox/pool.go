package sandbox

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay/internal/faultproxy"
)

// State is where an instance stands in its life.
type State string

// The states, in the order in which a good life passes them. Only a ready instance is in routing.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Ejected  State = "ejected" // has been ready, failed, and is out of routing until probes pass
	Draining State = "draining"
	Exited   State = "exited"
)

// Why a request waits at the gateway.
const (
	waitNoInstance = "no_ready_instance"
	waitAtCapacity = "at_capacity"
)

var (
	errQueueFull = errors.New("queue full")
	errQueueWait = errors.New("no instance took the request in time")
	errStopping  = errors.New("platform is shutting down")
)

// A backend is an instance as the gateway sees it.
type backend struct {
	id     string
	url    string // set before it is admitted
	client *http.Transport
	detour atomic.Pointer[faultproxy.Proxy] // between the gateway and url, while a fault lies on the requests

	// Guarded by pool.mu.
	state    State
	inFlight int
	used     uint64        // when it was last chosen, in choices
	reported int64         // requests waiting in it, as it said last
	sent     int64         // requests granted to it since then
	born     time.Time     // when it came into routing for the first time
	idle     chan struct{} // made when it drains, closed when nothing is in flight
}

// route returns where the gateway sends requests now.
func (b *backend) route() string {
	if p := b.detour.Load(); p != nil {
		return p.URL()
	}
	return b.url
}

// A pool is the one table of instances and of the requests that wait for them. Waiting
// requests of one tenant are served in the order in which they came; whose turn it is among tenants is next's to say.
type pool struct {
	limit      int // requests one instance gets at once; 0 is no limit
	scheduling string
	wake       func() // called when a request begins to wait and no instance is ready; must not block

	mu       sync.Mutex
	stopping bool
	backends []*backend
	tenants  map[string]*tenant
	waiting  int     // requests of all tenants
	virtual  float64 // virtual time of the tenant that was last granted a slot, before it paid
	choices  uint64
	load     *meter // requests between arrival at the activator and their end
}

// A waiter is one waiting request. Exactly one of grant and leave ends its wait.
type waiter struct {
	granted chan struct{}
	b       *backend // set before granted is closed; nil when the platform stops
	at      time.Time
	born    time.Time
	price   float64
	since   time.Time // when it began to wait
}

// A ticket is the right to send one request to one instance.
type ticket struct {
	b       *backend
	arrived time.Time
	granted time.Time
	born    time.Time // when the instance first came into routing
	reason  string    // why it waited; empty if it did not
	tenant  *tenant
	price   float64 // what its tenant was charged for the slot
}

// cold applies the rule of the package comment to a request whose first ticket is t and
// that was served under got.
func (t ticket) cold(got ticket) bool { return t.reason != "" && got.born.After(t.arrived) }

func newPool(cfg Config, keep time.Duration, wake func()) *pool {
	return &pool{limit: cfg.ConcurrencyLimit, scheduling: cfg.Scheduling, tenants: newTenants(cfg), wake: wake, load: newMeter(time.Now(), keep)}
}

// acquire returns a ticket for an instance with room, waiting in the line of the tenant if there is
// none. The request counts as load until release, or until acquire returns an error: errQueueFull at
// once, errQueueWait after the timeout, errStopping, or the context's.
func (p *pool) acquire(ctx context.Context, tenant string, timeout time.Duration) (ticket, error) {
	p.mu.Lock()
	now := time.Now()
	own := p.tenant(tenant)
	t := ticket{arrived: now, granted: now, tenant: own}
	if p.stopping {
		p.mu.Unlock()
		return t, errStopping
	}
	if ctx.Err() != nil { // the client has left: its place is for others
		p.mu.Unlock()
		return t, context.Cause(ctx)
	}
	if own.waiting.Len() == 0 {
		own.virtual = max(own.virtual, p.virtual)
	}
	if p.waiting == 0 {
		if b := p.pick(); b != nil {
			p.load.add(now, 1)
			t.price = p.grant(b, own)
			t.b, t.born = b, b.born
			p.mu.Unlock()
			return t, nil
		}
	}
	t.reason = waitAtCapacity
	alone := !slices.ContainsFunc(p.backends, func(b *backend) bool { return b.state == Ready })
	if alone {
		t.reason = waitNoInstance
	}
	if own.waiting.Len() >= own.limit {
		p.mu.Unlock()
		return t, errQueueFull
	}
	p.load.add(now, 1)
	w := &waiter{granted: make(chan struct{}), since: now}
	place := own.waiting.PushBack(w)
	p.waiting++
	p.mu.Unlock()
	if alone {
		p.wake()
	}

	timer := time.NewTimer(timeout)
	defer timer.Stop()
	var err error
	select {
	case <-w.granted:
	case <-timer.C:
		err = errQueueWait
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.granted: // perhaps in the same instant in which the wait ended
		if w.b == nil {
			p.load.add(time.Now(), -1)
			return t, errStopping
		}
		if ctx.Err() != nil {
			t.granted, t.price = w.at, w.price
			p.free(w.b, t)
			return t, context.Cause(ctx)
		}
		t.b, t.granted, t.born, t.price = w.b, w.at, w.born, w.price
		return t, nil
	default:
		own.waiting.Remove(place)
		p.waiting--
		p.load.add(time.Now(), -1)
		return t, err
	}
}

// release gives a ticket back.
func (p *pool) release(t ticket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free(t.b, t)
}

func (p *pool) free(b *backend, t ticket) {
	now := time.Now()
	p.load.add(now, -1)
	t.tenant.settle(t.price, now.Sub(t.granted))
	b.inFlight--
	if b.inFlight == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
	p.serve()
}

// pick returns the ready instance with room that the scheduling prefers, of several the one not chosen for longest. In turn,
// that is all there is to it.
func (p *pool) pick() *backend {
	var best *backend
	for _, b := range p.backends {
		if b.state != Ready || p.limit > 0 && b.inFlight >= p.limit {
			continue
		}
		if best == nil || p.before(b, best) {
			best = b
		}
	}
	return best
}

// before reports whether a is to be chosen rather than b.
func (p *pool) before(a, b *backend) bool {
	switch p.scheduling {
	case RoundRobin:
	case QueueLength:
		// What was sent since the report may wait there too; a report that does not come makes an instance look longer and longer.
		if x, y := a.reported+a.sent, b.reported+b.sent; x != y {
			return x < y
		}
		fallthrough
	default:
		if a.inFlight != b.inFlight {
			return a.inFlight < b.inFlight
		}
	}
	return a.used < b.used
}

// report takes note of how many requests wait in an instance.
func (p *pool) report(b *backend, waiting int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.reported, b.sent = waiting, 0
}

// grant gives a slot of an instance to a tenant and returns its price.
func (p *pool) grant(b *backend, t *tenant) float64 {
	p.choices++
	b.used = p.choices
	b.inFlight++
	b.sent++
	p.virtual = max(p.virtual, t.virtual)
	return t.charge()
}

// serve hands room to those who wait, one tenant after another as their shares say, and first come first served within one.
func (p *pool) serve() {
	for t := p.next(); t != nil; t = p.next() {
		b := p.pick()
		if b == nil {
			return
		}
		w := t.waiting.Remove(t.waiting.Front()).(*waiter)
		p.waiting--
		w.price = p.grant(b, t)
		w.b, w.at, w.born = b, time.Now(), b.born
		close(w.granted)
	}
}

// add registers an instance that starts.
func (p *pool) add(b *backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.state = Starting
	p.backends = append(p.backends, b)
}

// admit takes an instance into routing and reports whether that was a change. note is called
// under the lock with the instant from which requests go there, before any does; it must not block.
func (p *pool) admit(b *backend, note func(at time.Time, first bool)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.state != Starting && b.state != Ejected {
		return false
	}
	now := time.Now()
	first := b.born.IsZero()
	if first {
		b.born = now
	}
	b.state = Ready
	note(now, first)
	p.serve()
	return true
}

// move changes the state of an instance out of routing and reports whether that was a change.
// An exited instance stays exited and a draining one is not ejected. note is as in admit.
func (p *pool) move(b *backend, to State, note func(at time.Time, from State)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := b.state
	switch {
	case from == to, from == Exited, to == Ejected && from != Ready:
		return false
	}
	b.state = to
	if to == Exited {
		p.backends = slices.DeleteFunc(p.backends, func(o *backend) bool { return o == b })
	}
	note(time.Now(), from)
	return true
}

// drained returns a channel that is closed once nothing is in flight on b, which must be out of routing.
func (p *pool) drained(b *backend) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.idle != nil {
		return b.idle
	}
	idle := make(chan struct{})
	if b.inFlight == 0 {
		close(idle)
		return idle
	}
	b.idle = idle
	return idle
}

// stop turns away those who wait and all who come.
func (p *pool) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
	for t := p.next(); t != nil; t = p.next() {
		close(t.waiting.Remove(t.waiting.Front()).(*waiter).granted)
		p.waiting--
	}
}

// A look is what the pool holds at one instant.
type look struct {
	starting, ready, ejected, draining int
	inFlight, queued                   int
	stable, panic                      float64 // mean load over the two windows
}

func (p *pool) look(now time.Time, stable, panicked time.Duration) look {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := look{queued: p.waiting, stable: p.load.mean(now, stable), panic: p.load.mean(now, panicked)}
	for _, b := range p.backends {
		l.inFlight += b.inFlight
		switch b.state {
		case Starting:
			l.starting++
		case Ready:
			l.ready++
		case Ejected:
			l.ejected++
		case Draining:
			l.draining++
		}
	}
	return l
}

// forget drops the history of the load; what is in flight or waits counts from now on.
func (p *pool) forget(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.load.n
	p.load = newMeter(now, time.Duration(p.load.keep))
	p.load.add(now, n)
}

// state returns the state of b and its requests in flight.
func (p *pool) state(b *backend) (State, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return b.state, b.inFlight
}
