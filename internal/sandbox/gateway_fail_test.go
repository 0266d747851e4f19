package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestGatewayRefusals(t *testing.T) {
	errorOf := func(r reply) (code, kind string) {
		var v struct {
			Error struct{ Message, Type, Code string }
		}
		if json.Unmarshal([]byte(r.body), &v) != nil || v.Error.Message == "" {
			t.Errorf("%q is not an error in the shape of OpenAI", r.body)
		}
		return v.Error.Code, v.Error.Type
	}
	t.Run("queue full", func(t *testing.T) {
		f := newFront(t, func(c *Config) { c.QueueLimit = 1 })
		b := f.instance("w-1", echo("one"))
		waits := f.later("a")
		f.queued(1)
		r := f.post(t.Context(), "b")
		if code, kind := errorOf(r); r.status != 429 || r.header.Get("Retry-After") == "" || code != "queue_full" || kind != "rate_limit_error" {
			t.Errorf("got %+v", r)
		}
		f.ready(b)
		<-waits
		if tr := f.truth(2); tr[1].Outcome != outcomeQueueFull && tr[0].Outcome != outcomeQueueFull {
			t.Errorf("got %+v", tr)
		}
	})
	t.Run("waited too long", func(t *testing.T) {
		f := newFront(t, func(c *Config) { c.QueueTimeout = 30 * time.Millisecond })
		r := f.post(t.Context(), "a")
		if code, _ := errorOf(r); r.status != 503 || code != "model_not_ready" {
			t.Errorf("got %+v", r)
		}
		if tr := f.truth(1)[0]; tr.Outcome != outcomeQueueWait || tr.Cold != nil || time.Duration(tr.Wait) < 30*time.Millisecond {
			t.Errorf("got %+v", tr)
		}
		if l := f.g.pool.look(time.Now(), time.Second, time.Second); l.queued != 0 || f.g.pool.load.n != 0 {
			t.Errorf("it still counts as load: %+v, %d", l, f.g.pool.load.n)
		}
	})
	t.Run("shutting down", func(t *testing.T) {
		f := newFront(t, nil)
		waits := f.later("a")
		f.queued(1)
		f.g.pool.stop()
		for _, r := range []reply{<-waits, f.post(t.Context(), "b")} {
			if code, _ := errorOf(r); r.status != 503 || code != "shutting_down" {
				t.Errorf("got %+v", r)
			}
		}
	})
	t.Run("too large", func(t *testing.T) {
		f := newFront(t, nil)
		if r := f.post(t.Context(), strings.Repeat("x", maxBody+1)); r.status != 413 {
			t.Errorf("got status %d, want 413", r.status)
		}
	})
	t.Run("the client leaves", func(t *testing.T) {
		f := newFront(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan reply, 1)
		go func() { done <- f.post(ctx, "a") }()
		f.queued(1)
		cancel()
		<-done
		if tr := f.truth(1)[0]; tr.Outcome != outcomeGone || tr.Status != 0 {
			t.Errorf("got %+v", tr)
		}
		f.queued(0)
	})
	t.Run("not served here", func(t *testing.T) {
		f := newFront(t, nil)
		res, err := http.Get(f.url + "/v2/nothing")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if code, _ := errorOf(reply{body: string(b)}); res.StatusCode != 404 || code != "not_found" {
			t.Errorf("got %d %s", res.StatusCode, b)
		}
	})
}

func TestGatewayFailures(t *testing.T) {
	broken := func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }
	t.Run("before the answer", func(t *testing.T) {
		f := newFront(t, nil)
		f.ready(f.instance("w-1", broken))
		if r := f.post(t.Context(), "a"); r.status != 502 {
			t.Errorf("got %+v, want 502", r)
		}
		if tr := f.truth(1)[0]; tr.Outcome != outcomeUpstream || tr.Attempts != 1 {
			t.Errorf("got %+v", tr)
		}
		if got := fmt.Sprint(f.failed); got != "[w-1 connection_closed]" {
			t.Errorf("got %s ejected, want w-1 for connection_closed", got)
		}
	})
	t.Run("in the middle", func(t *testing.T) {
		f := newFront(t, nil)
		f.ready(f.instance("w-1", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "data: 1\n\n")
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		r := f.post(t.Context(), "a")
		if r.status != 200 || r.body != "data: 1\n\n" || r.err != io.ErrUnexpectedEOF {
			t.Errorf("got %+v, want what was sent and then an unexpected end", r)
		}
		if tr := f.truth(1)[0]; tr.Outcome != outcomeAborted || tr.BytesOut != 9 {
			t.Errorf("got %+v", tr)
		}
	})
	t.Run("reset in the middle", func(t *testing.T) {
		f := newFront(t, nil)
		seen := make(chan struct{})
		f.ready(f.instance("w-1", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "data: 1\n\n")
			http.NewResponseController(w).Flush()
			<-seen // a reset overtakes what was not read yet
			reset(w)
		}))
		res, err := http.Post(f.url+"/v1/completions", "", strings.NewReader("a"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.ReadFull(res.Body, make([]byte, 9)); err != nil {
			t.Fatal(err)
		}
		close(seen)
		if _, err := io.ReadAll(res.Body); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client sees %v, want a reset", err)
		}
		if tr := f.truth(1)[0]; tr.Outcome != outcomeAborted {
			t.Errorf("got %+v", tr)
		}
	})
	refusing := func() *backend { // an address at which nobody listens
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		return &backend{id: "w-0", url: "http://" + ln.Addr().String(), client: newTransport()}
	}
	t.Run("refused, tried again", func(t *testing.T) {
		f := newFront(t, nil)
		dead := refusing()
		f.g.pool.add(dead)
		f.ready(dead)
		f.ready(f.instance("w-1", echo("one")))
		if r := f.post(t.Context(), "a"); r.status != 200 || r.body != "one /v1/completions a" {
			t.Errorf("got %+v, want the answer of w-1", r)
		}
		if tr := f.truth(1)[0]; tr.Attempts != 2 || tr.Instance != "w-1" || *tr.Cold {
			t.Errorf("got %+v", tr)
		}
	})
	t.Run("refused, not tried again", func(t *testing.T) {
		f := newFront(t, func(c *Config) { c.NoRetry = true })
		dead := refusing()
		f.g.pool.add(dead)
		f.ready(dead)
		f.ready(f.instance("w-1", echo("one")))
		if r := f.post(t.Context(), "a"); r.status != 502 {
			t.Errorf("got %+v, want 502", r)
		}
	})
	t.Run("the client leaves in the middle", func(t *testing.T) {
		f := newFront(t, nil)
		left := make(chan struct{})
		f.ready(f.instance("w-1", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(left)
		}))
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/v1/completions", strings.NewReader("a"))
		if _, err := http.DefaultClient.Do(req); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-left // the worker is told
		if tr := f.truth(1)[0]; tr.Outcome != outcomeGone {
			t.Errorf("got %+v", tr)
		}
		if len(f.failed) > 0 {
			t.Errorf("%v ejected for what the client did", f.failed)
		}
	})
}
