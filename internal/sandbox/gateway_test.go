package sandbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/assay-dev/assay/internal/pacetest"
)

// A front is a gateway whose instances are handlers of the test.
type front struct {
	t     *testing.T
	g     *gateway
	url   string
	dir   string
	woken chan struct{}
	spans *tracetest.SpanRecorder

	mu     sync.Mutex
	failed []string
}

func newFront(t *testing.T, change func(*Config)) *front {
	cfg := Defaults()
	cfg.ConcurrencyLimit, cfg.QueueLimit, cfg.QueueTimeout = 1, 4, 10*time.Second
	if change != nil {
		change(&cfg)
	}
	f := &front{t: t, dir: t.TempDir(), woken: make(chan struct{}, 100), spans: tracetest.NewSpanRecorder()}
	truth, err := openTruth(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(cfg, time.Minute, func() { f.woken <- struct{}{} })
	f.g = &gateway{cfg: cfg, pool: p, tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(f.spans)).Tracer("test"), truth: truth,
		failed: func(b *backend, cause string) {
			f.mu.Lock()
			f.failed = append(f.failed, b.id+" "+cause)
			f.mu.Unlock()
			p.move(b, Ejected, func(time.Time, State) {})
		}, served: func(string, int, time.Duration) {}}
	s := httptest.NewServer(f.g.handler())
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

// instance adds an instance that is not ready yet.
func (f *front) instance(id string, h http.HandlerFunc) *backend {
	s := httptest.NewServer(h)
	b := &backend{id: id, url: s.URL, client: newTransport()}
	f.t.Cleanup(func() { b.client.CloseIdleConnections(); s.Close() })
	f.g.pool.add(b)
	return b
}

func (f *front) ready(b *backend) { f.g.pool.admit(b, func(time.Time, bool) {}) }

// truth returns the truth of all requests once there are n.
func (f *front) truth(n int) []TruthRequest {
	f.t.Helper()
	for deadline := time.Now().Add(pacetest.Patience); ; time.Sleep(time.Millisecond) {
		tr, err := ReadTruth(f.dir)
		if err != nil {
			f.t.Fatal(err)
		}
		if len(tr.Requests) >= n {
			return tr.Requests
		}
		if time.Now().After(deadline) {
			f.t.Fatalf("got %d requests in the truth log, want %d", len(tr.Requests), n)
		}
	}
}

// queued waits until n requests wait.
func (f *front) queued(n int) {
	f.t.Helper()
	for deadline := time.Now().Add(pacetest.Patience); f.g.pool.look(time.Now(), time.Second, time.Second).queued != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("%d requests do not come to wait", n)
		}
	}
}

type reply struct {
	status int
	body   string
	header http.Header
	err    error
}

func (f *front) post(ctx context.Context, body string) reply {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/v1/completions", strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, string(b), res.Header, err}
}

func (f *front) later(body string) chan reply {
	c := make(chan reply, 1)
	go func() { c <- f.post(context.Background(), body) }()
	return c
}

func echo(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", name, r.URL.Path, b)
	}
}

func TestGatewayHoldsRequestsUntilAnInstanceIsReady(t *testing.T) {
	f := newFront(t, nil)
	b := f.instance("w-1", echo("one"))
	var answers []chan reply
	for i := range 3 {
		answers = append(answers, f.later(fmt.Sprint(i)))
		f.queued(i + 1)
		<-f.woken // each request that finds nothing ready asks for a decision
	}
	f.ready(b)
	for i, a := range answers {
		if r := <-a; r.err != nil || r.status != 200 || r.body != fmt.Sprintf("one /v1/completions %d", i) {
			t.Errorf("request %d: got %+v", i, r)
		}
	}
	if r := f.post(t.Context(), "warm"); r.status != 200 {
		t.Errorf("got %+v", r)
	}
	reqs := f.truth(4)
	for i, r := range reqs[:3] {
		if !*r.Cold || r.Reason != waitNoInstance || r.Wait <= 0 || r.Born <= r.Queued {
			t.Errorf("request %d: got %+v, want cold", i, r)
		}
		if i > 0 && r.Granted < reqs[i-1].Granted {
			t.Errorf("request %d was served before the one that came earlier", i)
		}
	}
	if r := reqs[3]; *r.Cold || r.Wait != 0 {
		t.Errorf("got %+v, want warm without a wait", r)
	}
}

func TestGatewayWaitsAtCapacity(t *testing.T) {
	f := newFront(t, nil)
	hold := make(chan struct{})
	began := make(chan struct{}, 2)
	slow := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		began <- struct{}{}
		<-hold
	}
	one := f.instance("w-1", slow)
	f.ready(one)
	first := f.later("a")
	<-began
	second := f.later("b")
	f.queued(1)
	// A new instance takes the one that waits: it is cold, since nothing ready had room when it came.
	two := f.instance("w-2", echo("two"))
	f.ready(two)
	if r := <-second; r.status != 200 || !strings.HasPrefix(r.body, "two") {
		t.Errorf("got %+v, want the answer of w-2", r)
	}
	// With both busy, one waits for the room of an old instance: it is warm.
	f.g.pool.move(two, Ejected, func(time.Time, State) {})
	third := f.later("c")
	f.queued(1)
	close(hold)
	for _, c := range []chan reply{first, third} {
		if r := <-c; r.status != 200 {
			t.Errorf("got %+v", r)
		}
	}
	reqs := f.truth(3)
	for i, want := range []struct {
		cold     bool
		reason   string
		instance string
	}{{false, "", "w-1"}, {true, waitAtCapacity, "w-2"}, {false, waitAtCapacity, "w-1"}} {
		if r := reqs[i]; *r.Cold != want.cold || r.Reason != want.reason || r.Instance != want.instance {
			t.Errorf("request %d: got cold %v, reason %q, instance %s, want %+v", i, *r.Cold, r.Reason, r.Instance, want)
		}
	}
	select {
	case <-f.woken:
		t.Error("waiting at capacity asked for a decision; the next tick is soon enough")
	default:
	}
}

func TestGatewayReadmissionIsNoColdStart(t *testing.T) {
	f := newFront(t, nil)
	b := f.instance("w-1", echo("one"))
	f.ready(b)
	f.g.pool.move(b, Ejected, func(time.Time, State) {})
	answer := f.later("x")
	f.queued(1)
	f.ready(b)
	if r := <-answer; r.status != 200 {
		t.Fatalf("got %+v", r)
	}
	if r := f.truth(1)[0]; *r.Cold || r.Reason != waitNoInstance {
		t.Errorf("got cold %v, reason %q, want warm, %s", *r.Cold, r.Reason, waitNoInstance)
	}
}

// Each chunk of an answer arrives before the next one is made.
func TestGatewayDoesNotBuffer(t *testing.T) {
	f := newFront(t, nil)
	next := make(chan struct{})
	f.ready(f.instance("w-1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			http.NewResponseController(w).Flush()
			<-next
		}
	}))
	res, err := http.Post(f.url+"/v1/chat/completions", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for i := range 3 {
		if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) {
			t.Fatalf("got %q, %v", lines.Text(), lines.Err())
		}
		next <- struct{}{}
	}
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("got %q, %v after the end", lines.Text(), lines.Err())
	}
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("got content type %q", got)
	}
}

func TestGatewayRoutesToTheLeastLoaded(t *testing.T) {
	f := newFront(t, func(c *Config) { c.ConcurrencyLimit = 0 })
	p := f.g.pool
	a, b := &backend{id: "a"}, &backend{id: "b"}
	for _, x := range []*backend{a, b} {
		p.add(x)
		f.ready(x)
	}
	var got []string
	var tickets []ticket
	take := func() {
		tk, err := p.acquire(t.Context(), "", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got, tickets = append(got, tk.b.id), append(tickets, tk)
	}
	for range 4 {
		take()
	}
	p.release(tickets[1]) // of b
	take()
	take() // two on each: the one not chosen for longest
	p.move(a, Draining, func(time.Time, State) {})
	take()
	if s := strings.Join(got, ""); s != "ababbab" {
		t.Errorf("got the order %s, want ababbab", s)
	}
	idle := p.drained(a)
	for _, tk := range tickets {
		select {
		case <-idle:
			if n := a.inFlight; n != 0 {
				t.Fatalf("drained with %d in flight", n)
			}
		default:
		}
		if tk.b == a {
			p.release(tk)
		}
	}
	<-idle
}

func TestGatewaySpans(t *testing.T) {
	f := newFront(t, func(c *Config) { c.Retrieval = 20 * time.Millisecond })
	store, err := newVectorStore(20*time.Millisecond, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer store.close()
	f.g.store = store
	upstream := make(chan string, 1)
	b := f.instance("w-1", func(w http.ResponseWriter, r *http.Request) { upstream <- r.Header.Get("Traceparent") })
	req, _ := http.NewRequest(http.MethodPost, f.url+"/v1/completions", strings.NewReader("{}"))
	req.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	done := make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		done <- err
	}()
	f.queued(1)
	f.ready(b)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	f.truth(1)
	var got []string
	byName := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range f.spans.Ended() {
		byName[s.Name()] = s
	}
	root := byName["POST /v1/completions"]
	for _, name := range []string{"retrieval.fetch", "activator.wait", "upstream", "POST /v1/completions"} {
		s := byName[name]
		if s == nil {
			t.Fatalf("no span %s", name)
		}
		if id := s.SpanContext().TraceID().String(); id != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("%s is of trace %s", name, id)
		}
		want := root.SpanContext().SpanID().String()
		if s == root {
			want = "00f067aa0ba902b7"
		}
		if p := s.Parent().SpanID().String(); p != want {
			t.Errorf("%s has parent %s, want %s", name, p, want)
		}
		line := name + " " + s.SpanKind().String()
		for _, a := range s.Attributes() {
			if a.Key != "server.address" {
				line += fmt.Sprintf(" %s=%s", a.Key, a.Value.Emit())
			}
		}
		got = append(got, line)
		if s.Status().Code == codes.Error {
			t.Errorf("%s is marked as failed", name)
		}
	}
	want := []string{
		"retrieval.fetch client db.system.name=sandbox-vector db.operation.name=search db.response.size=65536",
		"activator.wait internal wait.reason=no_ready_instance faas.instance=w-1",
		"upstream client faas.instance=w-1 http.response.status_code=200",
		"POST /v1/completions server http.request.method=POST http.route=/v1/completions faas.name=sandbox-tiny faas.coldstart=true faas.instance=w-1 http.response.status_code=200",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got spans\n%s\nwant\n%s", g, w)
	}
	if tp := <-upstream; tp != "00-4bf92f3577b34da6a3ce929d0e0e4736-"+byName["upstream"].SpanContext().SpanID().String()+"-01" {
		t.Errorf("the worker got traceparent %s", tp)
	}
	if s := byName["retrieval.fetch"]; s.EndTime().Sub(s.StartTime()) < 20*time.Millisecond {
		t.Errorf("the retrieval took %s, want at least the dial's 20ms", s.EndTime().Sub(s.StartTime()))
	}
}

func TestModels(t *testing.T) {
	f := newFront(t, nil)
	var v struct {
		Object string
		Data   []struct{ ID string }
	}
	getJSON(t, f.url+"/v1/models", &v)
	if v.Object != "list" || len(v.Data) != 1 || v.Data[0].ID != "sandbox-tiny" {
		t.Errorf("got %+v", v)
	}
}

func TestReadTruthTornTail(t *testing.T) {
	f := newFront(t, nil)
	f.ready(f.instance("w-1", echo("one")))
	f.post(t.Context(), "a")
	f.truth(1)
	path := filepath.Join(f.dir, platformTruth)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(whole, whole[:20]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if tr, err := ReadTruth(f.dir); err != nil || len(tr.Requests) != 1 {
		t.Errorf("with a torn tail: got %v, %v", tr, err)
	}
	if err := os.WriteFile(path, append(append([]byte("{broken\n"), whole...), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTruth(f.dir); err == nil || !strings.Contains(err.Error(), "platform.jsonl:1:") {
		t.Errorf("with a broken line: got %v, want an error that names line 1", err)
	}
}

func BenchmarkPool(b *testing.B) {
	p := newPool(Config{ConcurrencyLimit: 8, QueueLimit: 64}, 12*time.Second, func() {})
	for range 4 {
		x := &backend{}
		p.add(x)
		p.admit(x, func(time.Time, bool) {})
	}
	b.ReportAllocs()
	for b.Loop() {
		t, err := p.acquire(b.Context(), "", time.Second)
		if err != nil {
			b.Fatal(err)
		}
		p.release(t)
	}
}
