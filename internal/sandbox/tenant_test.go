package sandbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// A crowd is a tenant's clients, each of which asks again as soon as it has been served.
type crowd struct {
	tenant  string
	clients int
	hold    time.Duration // mean time for which a request holds its slot
}

// saturate runs crowds against a pool of one instance with so many slots and returns the slot time of each tenant.
func saturate(t *testing.T, cfg Config, crowds []crowd, d time.Duration, check func(p *pool, got string)) map[string]time.Duration {
	t.Helper()
	p := newPool(cfg, time.Hour, func() {})
	b := &backend{id: "w-1"}
	p.add(b)
	p.admit(b, func(time.Time, bool) {})
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var mu sync.Mutex
	used := map[string]time.Duration{}
	var wg sync.WaitGroup
	for i, c := range crowds {
		for j := range c.clients {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), uint64(j)))
				for {
					tk, err := p.acquire(ctx, c.tenant, time.Hour)
					if err != nil {
						return
					}
					if check != nil {
						check(p, c.tenant)
					}
					begin := time.Now()
					time.Sleep(time.Duration(float64(c.hold) * (0.5 + rng.Float64())))
					mu.Lock()
					used[c.tenant] += time.Since(begin)
					mu.Unlock()
					p.release(tk)
				}
			})
		}
	}
	wg.Wait()
	return used
}

// Under saturation each tenant gets its share of the slots, whatever the number of its clients and the length of its requests.
func TestSharesOfSlots(t *testing.T) {
	for _, scheduling := range []string{"", RoundRobin, QueueLength} {
		synctest.Test(t, func(t *testing.T) {
			cfg := Config{ConcurrencyLimit: 4, QueueLimit: 1000, Scheduling: scheduling, Tenants: []Tenant{{Name: "a", Share: 1}, {Name: "b", Share: 2}, {Name: "c", Share: 5}}}
			const d = 2000 * time.Second
			used := saturate(t, cfg, []crowd{{"a", 40, 300 * time.Millisecond}, {"b", 10, 20 * time.Millisecond}, {"c", 20, 100 * time.Millisecond}}, d, nil)
			total := (used["a"] + used["b"] + used["c"]).Seconds()
			if busy := total / (4 * d.Seconds()); busy < 0.99 {
				t.Errorf("%s: the slots were used for %.1f %% of the time", scheduling, 100*busy)
			}
			for name, want := range map[string]float64{"a": 1. / 8, "b": 2. / 8, "c": 5. / 8} {
				if got := used[name].Seconds() / total; math.Abs(got-want) > 0.02*want {
					t.Errorf("%s: tenant %s got %.4f of the slots, want %.4f within 2 %%", scheduling, name, got, want)
				} else {
					t.Logf("%s: tenant %s got %.4f, share %.4f", scheduling, name, got, want)
				}
			}
		})
	}
}

// A tenant that was away is not owed what it left unused, and what a tenant leaves unused goes to the others.
func TestIdleTenantSavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{ConcurrencyLimit: 1, QueueLimit: 100, Tenants: []Tenant{{Name: "a"}, {Name: "b"}}}
		p := newPool(cfg, time.Hour, func() {})
		b := &backend{id: "w-1"}
		p.add(b)
		p.admit(b, func(time.Time, bool) {})
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		ask := func(tenant string) {
			wg.Go(func() {
				tk, err := p.acquire(t.Context(), tenant, time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, tenant)
				mu.Unlock()
				time.Sleep(time.Second)
				p.release(tk)
			})
			synctest.Wait()
		}
		for range 20 { // a alone for 20 s
			ask("a")
		}
		time.Sleep(20500 * time.Millisecond)
		wg.Wait()
		order = nil
		for range 6 {
			ask("a")
		}
		for range 6 {
			ask("b")
		}
		wg.Wait()
		if got := strings.Join(order, ""); strings.Contains(got, "bbb") || strings.Count(got[:8], "b") > 5 || strings.Count(got[:8], "b") < 3 {
			t.Errorf("got the order %s: they should take turns", got)
		}
	})
}

// No request is served while one of a higher priority waits.
func TestPriorityIsNeverInverted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{ConcurrencyLimit: 3, QueueLimit: 1000, Scheduling: Priority,
			Tenants: []Tenant{{Name: "low", Priority: -1}, {Name: "high", Priority: 7}, {Name: "high2", Priority: 7, Share: 3}}}
		grants := 0
		check := func(p *pool, got string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			grants++
			for name, tn := range p.tenants {
				if tn.waiting.Len() > 0 && tn.priority > p.tenant(got).priority {
					// Those who began to wait after the grant do not count; in a bubble none can have.
					if first := tn.waiting.Front().Value.(*waiter); first.since.Before(time.Now()) {
						t.Errorf("%s was served while %s waited", got, name)
					}
				}
			}
		}
		used := saturate(t, cfg, []crowd{{"low", 5, 100 * time.Millisecond}, {"default", 1, 80 * time.Millisecond}, {"high", 2, 50 * time.Millisecond}}, 60*time.Second, check)
		// A slot is not taken from a request that has it, so even the first in line waits for one to end; what they leave is for the others.
		if busy := used["low"] + used["default"] + used["high"]; grants < 1000 || busy < 178*time.Second || used["high"]/2 < 3*used["low"]/5 {
			t.Errorf("%d grants, slot time %v, of 3m0s", grants, used)
		}
		// Of equal priority, the share decides.
		used = saturate(t, cfg, []crowd{{"low", 5, 100 * time.Millisecond}, {"high", 9, 50 * time.Millisecond}, {"high2", 9, 50 * time.Millisecond}}, 60*time.Second, check)
		if ratio := used["high2"].Seconds() / used["high"].Seconds(); math.Abs(ratio-3) > 0.1 || used["low"] > time.Second {
			t.Errorf("slot time %v, want 3 to 1 and next to nothing for low", used)
		}
	})
}

func TestRoundRobinIsExact(t *testing.T) {
	p := newPool(Config{Scheduling: RoundRobin, ConcurrencyLimit: 3, QueueLimit: 10}, time.Minute, func() {})
	list := []*backend{{id: "a"}, {id: "b"}, {id: "c"}}
	for _, b := range list {
		p.add(b)
		p.admit(b, func(time.Time, bool) {})
	}
	var got strings.Builder
	take := func() ticket {
		tk, err := p.acquire(t.Context(), "", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString(tk.b.id)
		return tk
	}
	var held []ticket
	for i := range 9 { // each in turn, whatever is in flight
		if tk := take(); i%3 == 0 && i < 6 {
			held = append(held, tk)
		} else if i%3 != 0 {
			p.release(tk)
		}
	}
	got.WriteByte(' ')
	for range 4 { // a is full
		p.release(take())
	}
	got.WriteByte(' ')
	p.release(held[0])
	for range 6 {
		p.release(take())
	}
	if want := "abcabcabc bcbc abcabc"; got.String() != want {
		t.Errorf("got %s, want %s", got.String(), want)
	}
}

func TestQueueLengthFollowsTheReports(t *testing.T) {
	p := newPool(Config{Scheduling: QueueLength, QueueLimit: 10}, time.Minute, func() {})
	a, b := &backend{id: "a"}, &backend{id: "b"}
	for _, x := range []*backend{a, b} {
		p.add(x)
		p.admit(x, func(time.Time, bool) {})
	}
	p.report(a, 3)
	var got strings.Builder
	take := func(n int) {
		for range n {
			tk, err := p.acquire(t.Context(), "", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(tk.b.id)
		}
	}
	take(5) // three go to b before it looks as long as a; then the one with fewer in flight
	p.report(b, 9)
	p.report(a, 0)
	got.WriteByte(' ')
	take(3)
	if want := "bbbab aaa"; got.String() != want {
		t.Errorf("got %s, want %s", got.String(), want)
	}
}

func TestTenantsAtTheGateway(t *testing.T) {
	f := newFront(t, func(c *Config) {
		c.QueueLimit = 2
		c.Tenants = []Tenant{{Name: "gold", Share: 3}, {Name: "free", QueueLimit: 1}}
	})
	send := func(tenant string) chan reply {
		c := make(chan reply, 1)
		go func() {
			req, _ := http.NewRequest(http.MethodPost, f.url+"/v1/completions", strings.NewReader("{}"))
			if tenant != "" {
				req.Header.Set(TenantHeader, tenant)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				c <- reply{err: err}
				return
			}
			defer res.Body.Close()
			var b [500]byte
			n, _ := res.Body.Read(b[:])
			c <- reply{status: res.StatusCode, body: string(b[:n])}
		}()
		return c
	}
	var answers []chan reply
	for i, tenant := range []string{"free", "gold", "gold", "", "stranger"} { // the last two are one tenant
		answers = append(answers, send(tenant))
		f.queued(i + 1)
	}
	for tenant, limit := range map[string]int{"free": 1, "gold": 2, "": 2} {
		name := tenant
		if name == "" {
			name = DefaultTenant
		}
		if r := <-send(tenant); r.status != 429 || !strings.Contains(r.body, fmt.Sprintf("%d requests of tenant %s wait already", limit, name)) {
			t.Errorf("%s: got %+v, want that its own queue is full", name, r)
		}
	}
	f.ready(f.instance("w-1", echo("one")))
	for _, a := range answers {
		if r := <-a; r.status != 200 {
			t.Errorf("got %+v", r)
		}
	}
	tenants := map[string]int{}
	for _, r := range f.truth(8) {
		tenants[r.Tenant+" "+r.Outcome]++
	}
	if want := map[string]int{"free ok": 1, "free queue_full": 1, "gold ok": 2, "gold queue_full": 1, "default ok": 2, "default queue_full": 1}; fmt.Sprint(tenants) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", tenants, want)
	}
	for _, s := range f.spans.Ended() {
		has := slices.ContainsFunc(s.Attributes(), func(a attribute.KeyValue) bool { return a.Key == "sandbox.tenant" && a.Value.AsString() != "" })
		if want := s.Name() != "upstream"; has != want {
			t.Errorf("span %s: sandbox.tenant is there: %v", s.Name(), has)
		}
	}
}

func TestWaitersOfATenantGiveUpCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(Config{QueueLimit: 5, Tenants: []Tenant{{Name: "a"}}}, time.Minute, func() {})
		if _, err := p.acquire(t.Context(), "a", time.Second); !errors.Is(err, errQueueWait) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := p.acquire(ctx, "a", time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if p.waiting != 0 || p.tenant("a").waiting.Len() != 0 || p.load.n != 0 {
			t.Errorf("%d wait, %d of a, load %d", p.waiting, p.tenant("a").waiting.Len(), p.load.n)
		}
	})
}

func TestValidateTenants(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`kind: "audio" is no kind of model; write llm or vision`:                                      func(c *Config) { c.Kind = "audio" },
		`scheduling: "random" is not one of ["least_loaded" "round_robin" "priority" "queue_length"]`: func(c *Config) { c.Scheduling = "random" },
		`scheduling: "priority" has no effect without tenants; list them with their priorities`:       func(c *Config) { c.Scheduling = Priority },
		`tenants[0].name: is empty; write the value of the header X-Tenant`:                           func(c *Config) { c.Tenants = []Tenant{{}} },
		`tenants[1].name: "a" is there twice`:                                                         func(c *Config) { c.Tenants = []Tenant{{Name: "a"}, {Name: "a"}} },
		`tenants[0].name: "a b" must be at most 64 printable ASCII characters without spaces`:         func(c *Config) { c.Tenants = []Tenant{{Name: "a b"}} },
		`tenants[0].share: -1 is out of range; must be 0.001 to 1e+06, or 0 for 1`:                    func(c *Config) { c.Tenants = []Tenant{{Name: "a", Share: -1}} },
		`tenants[0].share: NaN is out of range; must be 0.001 to 1e+06, or 0 for 1`:                   func(c *Config) { c.Tenants = []Tenant{{Name: "a", Share: math.NaN()}} },
		`tenants[0].queue_limit: -1 is too small; must be at least 0`:                                 func(c *Config) { c.Tenants = []Tenant{{Name: "a", QueueLimit: -1}} },
		`worker: model "huge" is not one of ["nano" "tiny" "small" "base"]`:                           func(c *Config) { c.Kind, c.Model = KindVision, "huge" },
		`worker: batch_window_ns is 3600000000000: must be -4611686018427387904 to 60000000000`:       func(c *Config) { c.Kind, c.BatchWindow = KindVision, time.Hour },
	} {
		cfg := Defaults()
		change(&cfg)
		if err := cfg.Validate(); err == nil || !slices.Contains(strings.Split(err.Error(), "\n"), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
	for _, s := range Schedulings() {
		cfg := Defaults()
		cfg.Kind, cfg.Scheduling, cfg.Tenants = KindVision, s, []Tenant{{Name: "a", Share: 0.5, Priority: 3}, {Name: DefaultTenant}}
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}
