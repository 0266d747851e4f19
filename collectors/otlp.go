package collectors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/flatten"
	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
)

// Off as an address means that OTLP does not listen there.
const Off = "off"

// OTLP is an intake for OpenTelemetry traces and metrics. It listens on loopback unless told
// otherwise, and then demands a token.
//
// Every span becomes a [assay.Span]. Attributes that hold prompts, answers or
// credentials are dropped at the door; old attribute names get their present name
// beside them (see package internal/profile); numbers become text. A span that
// cannot be true (no ids, an end before its start, a time days away) is rejected with its reason
// counted, and the sender is told how many. When the run pushes back before a request's first span was taken, the
// sender is asked to try again; when it does so later, the rest of the request is counted as rejected, since a repeat
// would record the first part twice.
//
// Points of metrics become samples under the names that Prometheus would give them (see package internal/flatten).
//
// Logs sent to it are answered as a partial success that says they
// are not recorded, so that an exporter configured for all three signals does not fail or retry.
type OTLP struct {
	HTTP      string        `yaml:"http"` // host:port, "off", or empty for a free port on 127.0.0.1
	GRPC      string        `yaml:"grpc"` // the same
	Token     string        `yaml:"-"`    // demanded as "authorization: Bearer …"; required off loopback
	MaxBody   int           `yaml:"max_body"`
	MaxAttrs  int           `yaml:"max_attributes"` // of one span
	MaxValue  int           `yaml:"max_value"`      // bytes of one attribute's text
	MaxOffset time.Duration `yaml:"max_offset"`     // how far from now a span's times may lie
	Grace     time.Duration `yaml:"grace"`          // how long late batches are taken after ctx is done
	Clock     Clock         `yaml:"-"`

	LateWait time.Duration   `yaml:"late_wait"` // how much longer at most, where most spans come that late; 0: no longer
	Hurry    <-chan struct{} `yaml:"-"`         // closed when nothing is to be waited for any more; nil: never

	httpLis, grpcLis net.Listener
	gate             gate
	work             chan struct{} // bounds requests whose bodies are in memory
	patience         time.Duration // for one of them; otlpPatience where it is 0
	emit             func(assay.Record) error
	flat             flatten.OTLP
	late             lateness

	mu       sync.Mutex
	counts   Counts
	rejected map[string]int64 // by reason
}

// Counts is what an intake has done so far.
type Counts struct {
	Requests   int64 // that were decoded
	Bad        int64 // that were refused: malformed, too large, unauthorized, or beyond what assay can stand
	Spans      int64 // emitted
	Samples    int64 // emitted
	PushedBack int64 // requests answered "try again" because the run could not take them
	Private    int64 // attributes dropped because they hold content or credentials
	Clipped    int64 // attributes shortened or left out because of a bound
	Ignored    int64 // log records answered as not recorded
	Rejected   map[string]int64
}

// Defaults of the settings of OTLP.
const (
	otlpMaxBody   = 16 << 20
	otlpMaxAttrs  = 128
	otlpMaxValue  = 4096
	otlpMaxOffset = 24 * time.Hour
	otlpGrace     = time.Second
	otlpAtOnce    = 8                // requests read and decoded at once
	otlpPatience  = 3 * time.Second  // for a slot, less than what exporters wait for an answer
	otlpReading   = 30 * time.Second // of one request
	intakeConns   = 512              // connections at once; others wait until one ends
)

var _ assay.Source = (*OTLP)(nil)

// Listen binds the addresses, so that they are known before Run. Run calls it if nobody has.
func (o *OTLP) Listen() error {
	if o.httpLis != nil || o.grpcLis != nil {
		return nil
	}
	if o.HTTP == Off && o.GRPC == Off {
		return errors.New("otlp: both http and grpc are off: nothing to listen on")
	}
	for _, l := range []struct {
		name, addr string
		lis        *net.Listener
	}{{"http", o.HTTP, &o.httpLis}, {"grpc", o.GRPC, &o.grpcLis}} {
		if l.addr == Off {
			continue
		}
		addr := cmp.Or(l.addr, "127.0.0.1:0")
		if !loopback(addr) && o.Token == "" {
			o.Close()
			return fmt.Errorf("otlp: %s: %q can be reached from other machines, so it needs a token; or use 127.0.0.1", l.name, addr)
		}
		lis, err := net.Listen("tcp", addr)
		if err != nil {
			o.Close()
			return fmt.Errorf("otlp: listen for %s on %s: %w", l.name, addr, err)
		}
		*l.lis = lis
	}
	return nil
}

// Close releases the addresses. It is needed only when Run is never called.
func (o *OTLP) Close() {
	for _, l := range []*net.Listener{&o.httpLis, &o.grpcLis} {
		if *l != nil {
			(*l).Close()
			*l = nil
		}
	}
}

// HTTPAddr returns host:port of the HTTP intake, "" if there is none.
func (o *OTLP) HTTPAddr() string { return addrOf(o.httpLis) }

// GRPCAddr returns host:port of the gRPC intake, "" if there is none.
func (o *OTLP) GRPCAddr() string { return addrOf(o.grpcLis) }

func addrOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// Counts returns what the intake has done so far.
func (o *OTLP) Counts() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.counts
	c.Rejected = maps.Clone(o.rejected)
	return c
}

// Run serves until ctx is done and a short grace for late batches has passed.
func (o *OTLP) Run(ctx context.Context, emit func(assay.Record) error) error {
	if err := o.Listen(); err != nil {
		return err
	}
	o.emit = emit
	o.work = make(chan struct{}, otlpAtOnce)
	o.gate.open()

	hs := &http.Server{
		Handler:           o.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       otlpReading,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	gs := o.grpcServer()
	errs := make(chan error, 2)
	var wg sync.WaitGroup
	serve := func(what string, l net.Listener, f func(net.Listener) error) {
		if l == nil {
			return
		}
		wg.Go(func() {
			if err := f(netutil.LimitListener(l, intakeConns)); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
				errs <- fmt.Errorf("otlp: serve %s on %s: %w", what, l.Addr(), err)
			}
		})
	}
	serve("http", o.httpLis, hs.Serve)
	serve("grpc", o.grpcLis, gs.Serve)

	var err error
	var ended time.Time
	select {
	case <-ctx.Done():
		ended = time.Now()
		err = o.linger(errs) // exporters flush when their process ends, and batch before
	case err = <-errs:
		ended = time.Now()
	}
	stop(ctx, hs, gs)
	wg.Wait()
	o.gate.shut() // no emit after Run has returned
	o.tellLate(time.Since(ended))
	for _, w := range o.warnings() {
		emit(w)
	}
	return err
}

// stop ends both servers: open requests get a second, then their connections are cut.
func stop(ctx context.Context, hs *http.Server, gs *grpc.Server) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if hs.Shutdown(ctx) != nil {
			hs.Close()
		}
	})
	wg.Go(func() {
		defer context.AfterFunc(ctx, gs.Stop)()
		gs.GracefulStop()
	})
	wg.Wait()
}

// warnings says what was not recorded, one event a reason.
func (o *OTLP) warnings() []*assay.Event {
	c := o.Counts()
	var out []*assay.Event
	add := func(n int64, reason, text string) {
		if n > 0 {
			count := strconv.FormatInt(n, 10)
			out = append(out, warning(o.Clock, "otlp", count+" "+text, "reason", reason, "count", count))
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(c.Rejected)) {
		text := "spans were not recorded: " + reason
		if strings.HasPrefix(reason, "points") {
			text = reason + " were not recorded"
		}
		add(c.Rejected[reason], reason, text)
	}
	if left := o.flat.Exemplars.Left(); left != "" {
		out = append(out, warning(o.Clock, "otlp", left))
	}
	add(c.Bad, "bad request", "export requests were refused: malformed, too large or unauthorized")
	return out
}

func (o *OTLP) count(f func(*Counts)) {
	o.mu.Lock()
	f(&o.counts)
	o.mu.Unlock()
}

// A gate lets work in while it is open, and shut waits for the work inside. The zero gate is shut.
type gate struct {
	mu   sync.Mutex
	wg   sync.WaitGroup
	pass bool
}

func (g *gate) open() {
	g.mu.Lock()
	g.pass = true
	g.mu.Unlock()
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pass {
		g.wg.Add(1)
	}
	return g.pass
}

func (g *gate) leave() { g.wg.Done() }

func (g *gate) shut() {
	g.mu.Lock()
	g.pass = false
	g.mu.Unlock()
	g.wg.Wait()
}
