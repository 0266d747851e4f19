package loadgen

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// A speech is one way to speak to a server of ours over loopback.
type speech struct {
	name            string
	secure, two, h2 bool // TLS; HTTP/2 negotiated by it; HTTP/2 with prior knowledge
	paced           bool // sent by a generator, over a connection that has served a request before
}

var speeches = []speech{{name: "HTTP/1.1"}, {name: "TLS", secure: true}, {name: "HTTP/2", secure: true, two: true}, {name: "h2c", h2: true}, {name: "HTTP/1.1, paced", paced: true}}

type connKey struct{}

// serve starts a server that speaks so; its handlers find the TCP connection with wireOf.
func (w speech) serve(t *testing.T, handler http.HandlerFunc) (*httptest.Server, Endpoint) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server does not see the client leave
		handler(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if secure, ok := c.(*tls.Conn); ok {
			c = secure.NetConn()
		}
		return context.WithValue(ctx, connKey{}, c)
	}
	e := Endpoint{Clock: clock.New(), HTTP2: w.h2}
	switch {
	case w.secure:
		s.EnableHTTP2 = w.two
		s.StartTLS()
		e.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
	default:
		s.Config.Protocols = protocols(w.h2)
		s.Start()
	}
	e.URL = s.URL
	t.Cleanup(s.Close)
	return s, e
}

func wireOf(r *http.Request) *net.TCPConn { return r.Context().Value(connKey{}).(*net.TCPConn) }

// say streams parts, each seen by the client before the next thing happens.
func say(w http.ResponseWriter, parts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, p := range parts {
		io.WriteString(w, p)
		w.(http.Flusher).Flush()
	}
	lullNow()
}

// TestTaxonomy: what a server does to a streamed answer has one outcome, whatever the wire. A text of the error stands for its beginning.
func TestTaxonomy(t *testing.T) {
	fail := func(status int, header, value, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	reset := func(c *net.TCPConn) { c.SetLinger(0); c.Close() }
	hold := make(chan struct{})
	wait := func(r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	one := seen{Status: 200, Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}
	with := func(s seen, o assay.Outcome, text string) seen {
		s.Outcome, s.Error = o, text
		return s
	}
	const hurry = 7
	for _, c := range []struct {
		name   string
		do     http.HandlerFunc
		within int // the deadline in lulls; 0 is one that is not reached
		expect *Expect
		want   seen
	}{
		{"ok", func(w http.ResponseWriter, _ *http.Request) { say(w, tokenA, finish, usage, doneLine) }, 0, nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 5, Out: 7, First: true, FirstByte: true}},
		{"throttled", fail(429, "Retry-After", "3", ""), 0, nil,
			seen{Outcome: assay.Throttled, Status: 429, Error: "429 Too Many Requests", In: 2, FirstByte: true, Retry: 3 * time.Second}},
		{"throttled until a date", fail(429, "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), ""), 0, nil,
			seen{Outcome: assay.Throttled, Status: 429, Error: "429 Too Many Requests", In: 2, FirstByte: true, Retry: time.Hour}},
		{"loading", fail(503, "Retry-After", "7", `{"error":{"message":"model is loading"}}`), 0, nil,
			seen{Outcome: assay.Loading, Status: 503, Error: "503 Service Unavailable: model is loading", In: 2, FirstByte: true, Retry: 7 * time.Second}},
		{"loading by a header", fail(503, "X-Model-Status", "Not loaded", ""), 0, nil,
			seen{Outcome: assay.Loading, Status: 503, Error: "503 Service Unavailable", In: 2, FirstByte: true}},
		{"unavailable, in words of a model that is loaded", fail(503, "Content-Type", "application/json", `{"error":{"message":"Server is overloaded or not ready yet."}}`), 0, nil,
			seen{Outcome: assay.Unavailable, Status: 503, Error: "503 Service Unavailable: Server is overloaded or not ready yet.", In: 2, FirstByte: true}},
		{"unavailable", fail(503, "Retry-After", "2", "no healthy upstream"), 0, nil,
			seen{Outcome: assay.Unavailable, Status: 503, Error: "503 Service Unavailable", In: 2, FirstByte: true, Retry: 2 * time.Second}},
		{"server error", fail(500, "X", "", "oops"), 0, nil, seen{Outcome: assay.ServerError, Status: 500, Error: "500 Internal Server Error", In: 2, FirstByte: true}},
		{"client error", fail(404, "X", "", ""), 0, nil, seen{Outcome: assay.ClientError, Status: 404, Error: "404 Not Found", In: 2, FirstByte: true}},
		{"credential", fail(403, "X", "", "key sk-1"), 0, nil, seen{Outcome: assay.Credential, Status: 403, Error: "403 Forbidden", In: 2, FirstByte: true}},
		{"timeout before the answer", func(_ http.ResponseWriter, r *http.Request) { wait(r) }, hurry, nil,
			seen{Outcome: assay.Timeout, Error: "no complete answer before the deadline", In: 2}},
		{"timeout after the head", func(w http.ResponseWriter, r *http.Request) { say(w, ""); wait(r) }, hurry, nil,
			seen{Outcome: assay.Timeout, Status: 200, Error: "no complete answer before the deadline", In: 2, FirstByte: true}},
		{"timeout with tokens to the end", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				say(w, tokenA)
			}
		}, 5 * hurry, nil, seen{Outcome: assay.Timeout, Status: 200, Error: "no complete answer before the deadline", Arrivals: -1, In: 2, Out: -1, First: true, FirstByte: true}},
		{"stall", func(w http.ResponseWriter, r *http.Request) { say(w, tokenA); wait(r) }, hurry, nil, with(one, assay.CutStall, "stream fell silent")},
		{"reset before the answer", func(_ http.ResponseWriter, r *http.Request) { reset(wireOf(r)) }, 0, nil,
			seen{Outcome: assay.Reset, Error: resetText, In: 2}},
		{"closed before the answer", func(_ http.ResponseWriter, r *http.Request) { wireOf(r).Close() }, 0, nil,
			seen{Outcome: assay.Reset, Error: closedText, In: 2}},
		{"cut by an end", func(w http.ResponseWriter, r *http.Request) { say(w, tokenA); wireOf(r).CloseWrite() }, 0, nil, with(one, assay.CutFIN, closedText)},
		{"cut by a reset", func(w http.ResponseWriter, r *http.Request) { say(w, tokenA); reset(wireOf(r)) }, 0, nil, with(one, assay.CutRST, resetText)},
		{"cut by its handler", func(w http.ResponseWriter, _ *http.Request) { say(w, tokenA); panic(http.ErrAbortHandler) }, 0, nil, with(one, assay.CutFIN, closedText)},
		{"no final event", func(w http.ResponseWriter, _ *http.Request) { say(w, tokenA) }, 0, nil, with(one, assay.CutFIN, closedText)},
		{"bad payload", func(w http.ResponseWriter, _ *http.Request) { say(w, tokenA, "data: {oops}\n\n") }, 0, nil, with(one, assay.BadPayload, "chunk is not a JSON object")},
		{"another kind of answer", fail(200, "Content-Type", "text/html", "<html>"), 0, nil,
			seen{Outcome: assay.BadPayload, Status: 200, Error: "answer is neither an event stream nor JSON", In: 2, FirstByte: true}},
		{"wrong content", func(w http.ResponseWriter, _ *http.Request) { say(w, tokenA, finish, doneLine) }, 0, &Expect{Contains: "b"},
			with(one, assay.WrongContent, "answer lacks the expected text")},
	} {
		for _, w := range speeches {
			t.Run(c.name+"/"+w.name, func(t *testing.T) {
				unhurried(t, func(lull time.Duration) string {
					served := false
					_, e := w.serve(t, func(to http.ResponseWriter, r *http.Request) {
						if w.paced && !served {
							served = true
							say(to, strings.ReplaceAll(tokenA, `"a"`, `"b"`), finish, doneLine)
							return
						}
						c.do(to, r)
					})
					e.Expect = c.expect
					client, err := NewOpenAI(e)
					if err != nil {
						t.Fatal(err)
					}
					defer client.Close()
					within := time.Duration(c.within) * lull
					if c.within == 0 {
						within = pacetest.Patience
					}
					var r *assay.Request
					if !w.paced {
						r = do(t, client, true, within)
					} else if r, err = second(t, e.Clock, client, true, within); err != nil {
						return err.Error()
					}
					got, want := see(r), c.want
					if w.two || w.h2 { // HTTP/2 says what happens to a stream in its own words
						switch c.name {
						case "cut by its handler": // a reset of the stream alone
							want = with(want, assay.CutRST, "stream error")
						case "reset before the answer": // while the connection is set up it may say that it is gone and no more
							if got.Error == closedText {
								want.Error = closedText
							}
						}
					}
					if want.Arrivals < 0 {
						got.Arrivals, got.Out = -1, -1
					}
					if want.Retry == time.Hour { // of a date in whole seconds
						got.Retry = got.Retry.Round(time.Minute)
					}
					if strings.HasPrefix(got.Error, want.Error) {
						got.Error = want.Error
					}
					return cmp.Diff(want, got)
				})
			})
		}
	}
	close(hold)
}

// second has a generator send two requests, one after the other, and returns the second.
func second(t *testing.T, clk *clock.Clock, client assay.Client, stream bool, within time.Duration) (*assay.Request, error) {
	t.Helper()
	g, err := New(Config{Clock: clk, Client: client, Stream: stream, Deadline: within,
		Phases: []Phase{{Name: "p", Arrivals: Even{Profile{Rate: 10}}, For: 200 * time.Millisecond, Prompt: Fixed(2), Output: Fixed(7)}}})
	if err != nil {
		t.Fatal(err)
	}
	l := &tape{}
	if err := g.Run(t.Context(), l.emit); err != nil {
		t.Fatal(err)
	}
	list := l.byID()
	if len(list) != 2 || list[0].Outcome != assay.OK {
		return nil, fmt.Errorf("%d requests, the first ended as %v (%s); want 2 and ok", len(list), list[0].Outcome, list[0].Error)
	}
	checkOrder(t, &list[1])
	return &list[1], nil
}

// TestTaxonomyOfWholeAnswers is the same for answers that are not streamed, which the pacing goroutine may read itself.
func TestTaxonomyOfWholeAnswers(t *testing.T) {
	const js = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
	good := `{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7}}`
	hold := make(chan struct{})
	defer close(hold)
	for _, c := range []struct {
		name, answer string
		then         func(*net.TCPConn)
		hurry        bool
		want         seen
	}{
		{"ok", reply("200 OK", jsonType, good), nil, false, seen{Outcome: assay.OK, Status: 200, In: 5, Out: 7, FirstByte: true}},
		{"throttled", reply("429 Too Many Requests", "Retry-After: 3\r\n", ""), nil, false,
			seen{Outcome: assay.Throttled, Status: 429, Error: "429 Too Many Requests", In: 2, FirstByte: true, Retry: 3 * time.Second}},
		{"loading", reply("503 Service Unavailable", "", "Loading model"), nil, false, seen{Outcome: assay.Loading, Status: 503, Error: "503 Service Unavailable", In: 2, FirstByte: true}},
		{"reset before the answer", "", abort, false, seen{Outcome: assay.Reset, Error: resetText, In: 2}},
		{"closed before the answer", "", nil, false, seen{Outcome: assay.Reset, Error: closedText, In: 2}},
		{"cut in the head", js[:20], nil, false, seen{Outcome: assay.CutFIN, Error: closedText, In: 2, FirstByte: true}},
		{"cut by an end", js + "{", nil, false, seen{Outcome: assay.CutFIN, Status: 200, Error: closedText, In: 2, FirstByte: true}},
		{"cut by a reset", js + "{", abort, false, seen{Outcome: assay.CutRST, Status: 200, Error: resetText, In: 2, FirstByte: true}},
		{"timeout before the answer", "", func(*net.TCPConn) { <-hold }, true, seen{Outcome: assay.Timeout, Error: "no complete answer before the deadline", In: 2}},
		{"timeout in the answer", js + "{", func(*net.TCPConn) { <-hold }, true,
			seen{Outcome: assay.Timeout, Status: 200, Error: "no complete answer before the deadline", In: 2, FirstByte: true}},
		{"bad payload", reply("200 OK", jsonType, "{oops}"), nil, false, seen{Outcome: assay.BadPayload, Status: 200, Error: "answer is not a JSON object", In: 2, FirstByte: true}},
		{"no HTTP", "SSH-2.0-OpenSSH_9.9\r\n\r\n", nil, false, seen{Outcome: assay.BadPayload, Error: "not an HTTP/1 response", In: 2, FirstByte: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			unhurried(t, func(lull time.Duration) string {
				url := rude(t, func(conn *net.TCPConn, n int) {
					if n == 1 { // the path has it keep the connection
						io.WriteString(conn, reply("200 OK", jsonType, good))
						return
					}
					io.WriteString(conn, c.answer)
					if c.answer != "" {
						lullNow()
					}
					if c.then != nil {
						c.then(conn)
					}
					conn.Close()
				})
				client, err := NewOpenAI(Endpoint{URL: url + "/keep", Clock: clock.New()})
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				within := pacetest.Patience
				if c.hurry {
					within = 7 * lull
				}
				r, err := second(t, client.Clock, client, false, within)
				if err != nil {
					return err.Error()
				}
				return cmp.Diff(c.want, see(r))
			})
		})
	}
}

// TestTaxonomyWithoutAnswer: what keeps a request from being made at all, on every wire.
func TestTaxonomyWithoutAnswer(t *testing.T) {
	for _, w := range speeches {
		t.Run(w.name, func(t *testing.T) {
			s, e := w.serve(t, func(w http.ResponseWriter, _ *http.Request) { say(w, tokenA, finish, doneLine) })
			ask := func(e Endpoint, within time.Duration) seen {
				t.Helper()
				client, err := NewOpenAI(e)
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				return see(do(t, client, true, within))
			}
			black := e
			black.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { // a host that drops what is sent to it
				<-ctx.Done()
				return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
			}
			if got := ask(black, 50*time.Millisecond); got.Outcome != assay.Timeout {
				t.Errorf("a host that does not answer: %+v, want a timeout", got)
			}
			if w.secure {
				stranger := e
				stranger.TLS = nil
				if got := ask(stranger, 10*time.Second); got.Outcome != assay.Unresolved {
					t.Errorf("a certificate of nobody we know: %+v, want unresolved", got)
				}
			}
			if got := ask(e, 10*time.Second); got.Outcome != assay.OK {
				t.Fatalf("%+v, want ok", got)
			}
			s.Close()
			if got, want := ask(e, 10*time.Second), (seen{Outcome: assay.Refused, Error: "connect: connection refused", In: 2}); got != want {
				t.Errorf("nobody listens: %+v, want %+v", got, want)
			}
		})
	}
}

// TestTaxonomyOfOurOwn: what we refuse or leave ourselves is told apart from what the target does.
func TestTaxonomyOfOurOwn(t *testing.T) {
	for _, w := range speeches {
		t.Run(w.name, func(t *testing.T) {
			_, e := w.serve(t, func(w http.ResponseWriter, r *http.Request) { say(w, tokenA); <-r.Context().Done() })
			client, err := NewOpenAI(e)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			g, err := New(Config{Clock: e.Clock, Client: client, Cap: 2, Drain: 100 * time.Millisecond,
				Phases: []Phase{{Name: "p", Arrivals: Even{Profile{Rate: 40}}, For: 100 * time.Millisecond, Prompt: Fixed(2), Output: Fixed(7)}}})
			if err != nil {
				t.Fatal(err)
			}
			l := &tape{}
			if err := g.Run(t.Context(), l.emit); err != nil {
				t.Fatal(err)
			}
			n := map[assay.Outcome]int{}
			for _, r := range l.byID() {
				n[r.Outcome]++
				if (r.Outcome == assay.RefusedByCap) != (r.Sent == 0) {
					t.Errorf("request %d: %v, sent at %d", r.ID, r.Outcome, r.Sent)
				}
			}
			if d := cmp.Diff(map[assay.Outcome]int{assay.Unfinished: 2, assay.RefusedByCap: 2}, n); d != "" {
				t.Errorf("outcomes (-want +got):\n%s", d)
			}
		})
	}
}
