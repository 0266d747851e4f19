package sandbox

import (
	"container/list"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// TenantHeader is the request header that names the tenant a request belongs to.
const TenantHeader = "X-Tenant"

// DefaultTenant is the tenant of requests that name none, or one that is not configured. It may be configured itself.
const DefaultTenant = "default"

// A Tenant is one of those who share a deployment.
type Tenant struct {
	Name       string  `json:"name"`
	Priority   int     `json:"priority,omitempty"`    // higher is served first, with the scheduling "priority" only
	Share      float64 `json:"share,omitempty"`       // its part of the slots while several wait, relative to the others'; 0: 1
	QueueLimit int     `json:"queue_limit,omitempty"` // its requests that may wait; 0: that of the deployment
}

// How the gateway chooses, in Config.Scheduling.
const (
	LeastLoaded = "least_loaded" // the instance with the fewest requests in flight; tenants by share
	RoundRobin  = "round_robin"  // the instances in turn; tenants by share
	Priority    = "priority"     // tenants by priority, by share within one; the least loaded instance
	QueueLength = "queue_length" // the instance with the shortest queue by its own report; tenants by share
)

// Schedulings returns what Config.Scheduling may be.
func Schedulings() []string { return []string{LeastLoaded, RoundRobin, Priority, QueueLength} }

// guessedHold is how long a request of a tenant is taken to hold its slot before any has ended.
const guessedHold = time.Second

// A tenant is the waiting line of one tenant and its account of slots.
//
// Slots are shared by weighted fair queueing over the time for which they are held: each tenant has a virtual time, which is
// the slot time it has had, over its share, and the waiting tenant that is furthest behind is served next. A slot is
// charged when it is granted, with the mean of the tenant's earlier ones, and put right when it is given back, so that long requests
// do not get a tenant more than its share. A tenant that had nothing to wait for begins with the present virtual
// time: what it left unused is not owed to it.
type tenant struct {
	name     string
	priority int
	share    float64
	limit    int       // waiting requests
	waiting  list.List // of *waiter
	virtual  float64   // seconds of slot time over share
	hold     float64   // mean seconds for which a slot was held, the newest counting most; 0 before any
	granted  int64     // slots
}

func newTenants(cfg Config) map[string]*tenant {
	m := map[string]*tenant{DefaultTenant: {name: DefaultTenant, share: 1, limit: cfg.QueueLimit}}
	for _, t := range cfg.Tenants {
		x := &tenant{name: t.Name, priority: t.Priority, share: t.Share, limit: t.QueueLimit}
		if x.share == 0 {
			x.share = 1
		}
		if x.limit == 0 {
			x.limit = cfg.QueueLimit
		}
		m[t.Name] = x
	}
	return m
}

// charge takes the expected price of a slot and returns it, in seconds.
func (t *tenant) charge() float64 {
	price := t.hold
	if price == 0 {
		price = guessedHold.Seconds()
	}
	t.virtual += price / t.share
	t.granted++
	return price
}

// settle puts a charge right once the slot is given back.
func (t *tenant) settle(price float64, held time.Duration) {
	s := held.Seconds()
	t.virtual += (s - price) / t.share
	if t.hold == 0 {
		t.hold = s
	} else {
		t.hold += (s - t.hold) / 8
	}
}

// next returns the tenant whose turn it is, or nil when nobody waits. Ties go to the first name.
func (p *pool) next() *tenant {
	var best *tenant
	for _, t := range p.tenants {
		if t.waiting.Len() == 0 {
			continue
		}
		switch {
		case best == nil:
			best = t
		case p.scheduling == Priority && t.priority != best.priority:
			if t.priority > best.priority {
				best = t
			}
		case t.virtual != best.virtual:
			if t.virtual < best.virtual {
				best = t
			}
		case t.name < best.name:
			best = t
		}
	}
	return best
}

// tenant returns the tenant with the name, or the default one.
func (p *pool) tenant(name string) *tenant {
	if t := p.tenants[name]; t != nil {
		return t
	}
	return p.tenants[DefaultTenant]
}

// tenantQueued returns how many requests of a tenant wait.
func (p *pool) tenantQueued(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tenant(name).waiting.Len()
}

// checkTenants returns what is wrong with the tenants and the scheduling, each with its path.
func (c Config) checkTenants() []error {
	var errs []error
	bad := func(path, format string, args ...any) { errs = append(errs, fmt.Errorf(path+": "+format, args...)) }
	if c.Scheduling != "" && !slices.Contains(Schedulings(), c.Scheduling) {
		bad("scheduling", "%q is not one of %q", c.Scheduling, Schedulings())
	}
	if c.Scheduling == Priority && len(c.Tenants) == 0 {
		bad("scheduling", "%q has no effect without tenants; list them with their priorities", c.Scheduling)
	}
	if len(c.Tenants) > 64 {
		bad("tenants", "%d are too many; at most 64", len(c.Tenants))
	}
	seen := map[string]bool{}
	for i, t := range c.Tenants {
		path := func(field string) string { return fmt.Sprintf("tenants[%d].%s", i, field) }
		switch {
		case t.Name == "":
			bad(path("name"), "is empty; write the value of the header %s", TenantHeader)
		case len(t.Name) > 64 || strings.ContainsFunc(t.Name, func(r rune) bool { return r <= ' ' || r > '~' }):
			bad(path("name"), "%q must be at most 64 printable ASCII characters without spaces", t.Name)
		case seen[t.Name]:
			bad(path("name"), "%q is there twice", t.Name)
		}
		seen[t.Name] = true
		if !(t.Share >= 0) || math.IsInf(t.Share, 0) || t.Share > 0 && t.Share < 1e-3 || t.Share > 1e6 {
			bad(path("share"), "%g is out of range; must be 0.001 to 1e+06, or 0 for 1", t.Share)
		}
		if t.QueueLimit < 0 {
			bad(path("queue_limit"), "%d is too small; must be at least 0", t.QueueLimit)
		}
	}
	return errs
}
