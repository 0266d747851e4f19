package loadgen

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// launched plays a phase of 100 requests at 500/s against a server, with a client whose answers are one piece and with one that streams, and
// hands over the records of each.
func launched(t *testing.T, cfg Config, handler http.HandlerFunc, check func(t *testing.T, g *Generator, l *tape, conns int)) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprintf("stream %v", stream), func(t *testing.T) {
			before := runtime.NumGoroutine()
			var conns atomic.Int64
			s := httptest.NewUnstartedServer(handler)
			s.Config.ConnState = func(_ net.Conn, c http.ConnState) {
				if c == http.StateNew {
					conns.Add(1)
				}
			}
			s.Start()
			cfg := cfg
			cfg.Clock, cfg.Stream, cfg.Model = clock.New(), stream, "m"
			if cfg.Phases == nil {
				cfg.Phases = []Phase{{Name: "p", Arrivals: Even{Profile{Rate: 500}}, For: 200 * time.Millisecond, Prompt: Fixed(8), Output: Fixed(3)}}
			}
			client, err := NewOpenAI(Endpoint{URL: s.URL, Clock: cfg.Clock})
			if err != nil {
				t.Fatal(err)
			}
			cfg.Client = client
			g, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if cfg.Grace == time.Millisecond { // the run is to be interrupted
				time.AfterFunc(500*time.Millisecond, cancel)
			}
			l := &tape{}
			if err := g.Run(ctx, l.emit); err != nil {
				t.Fatal(err)
			}
			client.Close()
			s.CloseClientConnections()
			s.Close()
			check(t, g, l, int(conns.Load()))
			settleGoroutines(t, before)
		})
	}
}

// answerAs answers a completion in one piece or as a stream of three tokens, as it was asked for.
func answerAs(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	if !strings.Contains(string(body), `"stream":true`) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"model":"m","choices":[{"message":{"content":"a b c"}}],"usage":{"prompt_tokens":8,"completion_tokens":3}}`)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for range 3 {
		io.WriteString(w, tokenA)
		w.(http.Flusher).Flush()
		time.Sleep(2 * time.Millisecond)
	}
	io.WriteString(w, doneLine)
}

func TestLaunch(t *testing.T) {
	launched(t, Config{}, answerAs, func(t *testing.T, g *Generator, l *tape, conns int) {
		if d := cmp.Diff(map[assay.Outcome]int{assay.OK: 100}, l.outcomes()); d != "" {
			t.Fatalf("outcomes (-want +got):\n%s", d)
		}
		if !g.able.Load() {
			t.Error("the client was not found able to launch")
		}
		if conns > 60 { // the first come before any is idle; a connection each would be 100
			t.Errorf("%d connections for 100 requests", conns)
		}
		for _, r := range l.requests {
			want := 0
			if g.cfg.Stream {
				want = 3
			}
			if r.Sent < r.Due || r.FirstByte <= r.Sent || r.End < r.FirstByte || len(r.Arrivals) != want || r.TokensOut != 3 || r.Status != 200 || r.TraceID.IsZero() {
				t.Fatalf("request %+v", r)
			}
		}
		if live := g.Live(); live.Sent != 100 || live.Done != 100 || live.InFlight != 0 {
			t.Errorf("%+v", live)
		}
	})
}

// TestLaunchedDeadline: requests that a server leaves without an answer, or in the middle of one, end at their deadline, and those after them are good.
func TestLaunchedDeadline(t *testing.T) {
	var n atomic.Int64
	const deadline = time.Second
	launched(t, Config{Deadline: deadline}, func(w http.ResponseWriter, req *http.Request) {
		switch n.Add(1) % 100 {
		case 50:
			io.Copy(io.Discard, req.Body) // only then does the server notice that the client has gone
			<-req.Context().Done()
		case 60:
			io.Copy(io.Discard, req.Body)
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "{")
			w.(http.Flusher).Flush()
			<-req.Context().Done()
		default:
			answerAs(w, req)
		}
	}, func(t *testing.T, g *Generator, l *tape, _ int) {
		if d := cmp.Diff(map[assay.Outcome]int{assay.OK: 98, assay.Timeout: 2}, l.outcomes()); d != "" {
			if l.outcomes()[assay.BadPayload] == 0 { // half an answer without a type is one, where it is streamed
				t.Fatalf("outcomes (-want +got):\n%s", d)
			}
		}
		for _, r := range l.requests {
			if took := time.Duration(r.End - r.Sent); r.Outcome == assay.Timeout && (took < deadline || took > pacetest.Most(2*deadline)) {
				t.Errorf("a request ended after %v, want its deadline, %v", took, deadline)
			}
		}
	})
}

// TestLaunchedInterrupt: what is open when the run is interrupted is unfinished.
func TestLaunchedInterrupt(t *testing.T) {
	var n atomic.Int64
	cfg := Config{Grace: time.Millisecond, Phases: []Phase{{Name: "p", Arrivals: Even{Profile{Rate: 100}}, For: time.Minute, Prompt: Fixed(8)}}}
	launched(t, cfg, func(w http.ResponseWriter, req *http.Request) {
		if n.Add(1)%20 == 0 {
			io.Copy(io.Discard, req.Body)
			<-req.Context().Done()
			return
		}
		answerAs(w, req)
	}, func(t *testing.T, g *Generator, l *tape, _ int) {
		got := l.outcomes()
		if got[assay.Unfinished] < 1 || got[assay.Unfinished] > 5 || got[assay.OK] < 20 || len(got) != 2 {
			t.Errorf("outcomes %v, want some unfinished and the others ok", got)
		}
	})
}

// TestLaunchOnClosedConnections: a server that closes each connection after its answer, while it is idle, fails no request.
func TestLaunchOnClosedConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					time.Sleep(3 * time.Millisecond)
				}
			}()
		}
	}()
	clk := clock.New()
	client, err := NewHTTP(Endpoint{URL: "http://" + l.Addr().String(), Clock: clk})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	g, err := New(Config{Clock: clk, Client: client, Phases: []Phase{{Name: "p", Arrivals: Even{Profile{Rate: 20}}, For: 500 * time.Millisecond}}})
	if err != nil {
		t.Fatal(err)
	}
	rec := &tape{}
	if err := g.Run(t.Context(), rec.emit); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[assay.Outcome]int{assay.OK: 10}, rec.outcomes()); d != "" {
		t.Errorf("outcomes (-want +got):\n%s", d)
	}
}

// TestLongRequestsReuseConnections: a request that is too long to be written by the pacing goroutine goes out on a connection that a former
// one left, and so does a further attempt.
func TestLongRequestsReuseConnections(t *testing.T) {
	var conns, asked atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		io.Copy(io.Discard, req.Body)
		if asked.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	s.Config.ConnState = func(_ net.Conn, c http.ConnState) {
		if c == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	cfg := Config{Clock: clock.New(), Retry: &Retry{Attempts: 20, Backoff: time.Millisecond},
		Phases: []Phase{{Name: "p", Arrivals: Even{Profile{Rate: 100}}, For: time.Second}}}
	client, err := NewHTTP(Endpoint{URL: s.URL, Clock: cfg.Clock})
	if err != nil {
		t.Fatal(err)
	}
	client.Body = make([]byte, 2*maxLaunch)
	cfg.Client = client
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &tape{}
	if err := g.Run(t.Context(), l.emit); err != nil {
		t.Fatal(err)
	}
	client.Close()
	got := l.outcomes()
	if got[assay.OK] != 100 || got[assay.Unavailable] < 50 || conns.Load() > 20 {
		t.Errorf("outcomes %v over %d connections: want 100 served, each after a refusal or two, over a few", got, conns.Load())
	}
}

// TestAnswersBeforeColdPhase: the answers to a phase are read while the next one makes the deployment cold, which takes its time.
func TestAnswersBeforeColdPhase(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		select { // the target's own time
		case <-time.After(100 * time.Millisecond):
		case <-req.Context().Done():
		}
	}))
	defer s.Close()
	const slow = 2 * time.Second
	cfg := Config{Clock: clock.New(), Deadline: 30 * time.Second,
		Chill: func(ctx context.Context) error {
			select {
			case <-time.After(slow):
			case <-ctx.Done():
			}
			return nil
		},
		Phases: []Phase{{Name: "warm", Arrivals: Even{Profile{Rate: 10}}, For: 300 * time.Millisecond}, {Name: "p", Arrivals: Even{Profile{Rate: 50}}, For: 200 * time.Millisecond},
			{Name: "cold", Cold: &Cold{Force: 1}, For: 10 * time.Second}}}
	client, err := NewHTTP(Endpoint{URL: s.URL, Clock: cfg.Clock})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Client = client
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &tape{}
	if err := g.Run(t.Context(), l.emit); err != nil {
		t.Fatal(err)
	}
	client.Close()
	n := 0
	for _, r := range l.requests {
		if n++; r.Outcome != assay.OK || r.End-r.Sent > int64(slow)/2 {
			t.Errorf("phase %s: %v after %v, of an answer that takes 100ms", r.Phase, r.Outcome, time.Duration(r.End-r.Sent))
		}
	}
	if n != 14 {
		t.Errorf("%d requests, want 3, 10 and 1", n)
	}
}
