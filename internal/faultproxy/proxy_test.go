package faultproxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/pacetest"
)

const (
	role   = `data: {"choices":[{"delta":{"role":"assistant","content":""}}]}` + "\n\n"
	finish = `data: {"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	done   = "data: [DONE]\n\n"
)

func token(n int) string {
	return fmt.Sprintf(`data: {"choices":[{"delta":{"content":"t%d"}}]}`+"\n\n", n)
}

// five is a stream of five tokens.
var five = role + token(1) + token(2) + token(3) + token(4) + token(5) + finish + done

// upstream serves the stream on /stream, echoes elsewhere and ends badly on /fin and /rst.
func upstream(t testing.TB) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream")
			for _, e := range strings.SplitAfter(five, "\n\n") {
				io.WriteString(w, e)
				w.(http.Flusher).Flush()
			}
		case "/fin", "/rst":
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			c, _, _ := w.(http.Hijacker).Hijack()
			if r.URL.Path == "/rst" {
				c.(*net.TCPConn).SetLinger(0)
			}
			c.Close()
		default:
			b, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Seen", fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Host, " ", r.Header["X-A"], r.Header["User-Agent"]))
			w.WriteHeader(http.StatusAccepted)
			w.Write(b)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func listen(t testing.TB, upstream string, opt Options) *Proxy {
	t.Helper()
	p, err := Listen(upstream, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// answer is what a client saw.
type answer struct {
	Status int
	Retry  string
	Body   string
	End    string
}

// ask makes one request on a connection of its own.
func ask(t testing.TB, method, url, body string, header ...string) answer {
	t.Helper()
	return askFor(t, pacetest.Patience, method, url, body, header...)
}

// silence is how long a client waits whose answer is expected not to come, or not to its end.
const silence = time.Second

// upTo returns how long to wait for an answer.
func upTo(want answer) time.Duration {
	if want.End == "silence" {
		return silence
	}
	return pacetest.Patience
}

func askFor(t testing.TB, within time.Duration, method, url, body string, header ...string) (a answer) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: within}
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err == nil {
		a.Status, a.Retry = res.StatusCode, res.Header.Get("Retry-After")
		var b []byte
		b, err = io.ReadAll(res.Body)
		a.Body = string(b)
		res.Body.Close()
	}
	var ne net.Error
	switch {
	case errors.As(err, &ne) && ne.Timeout():
		a.End = "silence"
	case errors.Is(err, syscall.ECONNRESET):
		a.End = "reset"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		a.End = "eof"
	case err != nil:
		a.End = err.Error()
	}
	return a
}

const refusal = `{"error":{"message":"a fault injected on purpose","type":"injected","code":429}}` + "\n"

func TestModes(t *testing.T) {
	p := listen(t, upstream(t).URL, Options{})
	to := func(n int) string { // the stream up to token n
		return five[:strings.Index(five, token(n))+len(token(n))]
	}
	for name, tc := range map[string]struct {
		c      Conditions
		path   string
		want   answer
		struck int64
	}{
		"none":          {Conditions{}, "/stream", answer{200, "", five, ""}, 0},
		"status":        {Conditions{Mode: Status, Status: 429}, "/stream", answer{429, "", refusal, ""}, 1},
		"retry after":   {Conditions{Mode: Status, Status: 429, RetryAfter: 2 * time.Second}, "/echo", answer{429, "2", refusal, ""}, 1},
		"hang":          {Conditions{Mode: Hang}, "/echo", answer{End: "silence"}, 1},
		"fin":           {Conditions{Mode: FIN, Tokens: 2}, "/stream", answer{200, "", to(2), "eof"}, 1},
		"fin at once":   {Conditions{Mode: FIN}, "/stream", answer{200, "", "", "eof"}, 1},
		"rst":           {Conditions{Mode: RST, Tokens: 3}, "/stream", answer{200, "", to(3), "reset"}, 1},
		"stall":         {Conditions{Mode: Stall, Tokens: 3}, "/stream", answer{200, "", to(3), "silence"}, 1},
		"slow":          {Conditions{Mode: Slow, Delay: time.Millisecond}, "/stream", answer{200, "", five, ""}, 1},
		"corrupt":       {Conditions{Mode: Corrupt, Tokens: 2}, "/stream", answer{200, "", strings.Replace(five, token(2), token(2)[:25]+"\n\n", 1), ""}, 1},
		"short stream":  {Conditions{Mode: FIN, Tokens: 6}, "/stream", answer{200, "", five, ""}, 0},
		"no stream":     {Conditions{Mode: FIN, Tokens: 1}, "/echo", answer{202, "", "hello", ""}, 0},
		"upstream fin":  {Conditions{}, "/fin", answer{200, "", "half", "eof"}, 0},
		"upstream rst":  {Conditions{}, "/rst", answer{200, "", "half", "reset"}, 0},
		"not the first": {Conditions{Mode: Status, Status: 429, After: 1}, "/echo", answer{202, "", "hello", ""}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p.Set(tc.c)
			defer p.Reset()
			got := askFor(t, upTo(tc.want), "POST", p.URL()+tc.path, "hello")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(Stats{1, tc.struck}, p.Stats()); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
		})
	}
}

// What the upstream gets and the client gets back is what it would have been without the proxy.
func TestPassesOn(t *testing.T) {
	up := upstream(t)
	p := listen(t, up.URL, Options{})
	req, _ := http.NewRequest("PUT", p.URL()+"/a%2Fb?x=1&y", strings.NewReader("body"))
	req.Header.Set("X-A", "b")
	req.Header.Set("User-Agent", "")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	want := "PUT /a%2Fb?x=1&y " + strings.TrimPrefix(up.URL, "http://") + " [b] []"
	if got := res.Header.Get("X-Seen"); got != want || string(b) != "body" || res.StatusCode != 202 {
		t.Errorf("%d %q, the upstream saw %q, want %q", res.StatusCode, b, got, want)
	}
	up.Close()
	if got := ask(t, "GET", p.URL(), ""); got != (answer{End: "reset"}) {
		t.Errorf("without an upstream a client sees %+v, want a reset", got)
	}
}

// TestAnswersEarly: an upstream may answer before it has read what it was asked, as one that sheds load does, and its answer arrives whole.
func TestAnswersEarly(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		io.WriteString(w, "early, ")
		w.(http.Flusher).Flush()
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v", b, err)
	}))
	defer up.Close()
	c, err := net.Dial("tcp", strings.TrimPrefix(listen(t, up.URL, Options{}).URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(pacetest.Patience))
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := io.ReadFull(res.Body, got); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, " more")
	rest, err := io.ReadAll(res.Body)
	if got := string(got) + string(rest); err != nil || got != "early, half more <nil>" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDelays(t *testing.T) {
	p := listen(t, upstream(t).URL, Options{})
	for _, tc := range []struct {
		c     Conditions
		least time.Duration
	}{
		{Conditions{Mode: Latency, Delay: 60 * time.Millisecond}, 60 * time.Millisecond},
		{Conditions{Mode: Slow, Delay: 20 * time.Millisecond}, 100 * time.Millisecond},
	} {
		p.Set(tc.c)
		begin := time.Now()
		if got := ask(t, "POST", p.URL()+"/stream", ""); got.Body != five || time.Since(begin) < tc.least {
			t.Errorf("%s: %+v after %v, want at least %v", tc.c.Mode, got, time.Since(begin), tc.least)
		}
	}
}

// Lifting a fault lets go what it held, with nothing lost.
func TestLift(t *testing.T) {
	p := listen(t, upstream(t).URL, Options{})
	for _, c := range []Conditions{{Mode: Stall, Tokens: 2}, {Mode: Hang}, {Mode: Latency, Delay: time.Hour}, {Mode: Slow, Delay: time.Hour}} {
		p.Set(c)
		res := make(chan *http.Response, 1)
		go func() {
			r, err := http.Get(p.URL() + "/stream")
			if err != nil {
				t.Error(err)
			}
			res <- r
		}()
		for p.Stats().Struck == 0 {
			time.Sleep(time.Millisecond)
		}
		p.Reset()
		r := <-res
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || string(b) != five {
			t.Errorf("%s: %v, %d bytes, want %d", c.Mode, err, len(b), len(five))
		}
	}
}

func TestProbe(t *testing.T) {
	p := listen(t, "http://127.0.0.1:1", Options{}) // nobody is asked
	x := `data: {"choices":[{"delta":{"content":"x"}}]}` + "\n\n"
	for _, tc := range []struct {
		c    Conditions
		want answer
	}{
		{Conditions{}, answer{200, "", strings.Repeat(x, 3) + done, ""}},
		{Conditions{Mode: Status, Status: 429, After: 100}, answer{429, "", refusal, ""}},
		{Conditions{Mode: RST, Tokens: 5, Every: 10}, answer{200, "", strings.Repeat(x, 5), "reset"}},
		{Conditions{Mode: Hang, Probability: 0.01}, answer{End: "silence"}},
	} {
		p.Set(tc.c)
		if diff := cmp.Diff(tc.want, askFor(t, upTo(tc.want), "GET", p.URL()+"/x", "", Probe, "1")); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tc.c, diff)
		}
		if got := p.Stats(); got != (Stats{}) {
			t.Errorf("%+v: a probe was counted: %+v", tc.c, got)
		}
	}
}

func TestExpiredCertificate(t *testing.T) {
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	defer up.Close()
	p := listen(t, up.URL, Options{Secure: true, TLS: up.Client().Transport.(*http.Transport).TLSClientConfig})
	roots, name := p.Roots()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}}}
	get := func() string {
		res, err := client.Get(p.URL())
		if err != nil {
			var invalid *tls.CertificateVerificationError
			if errors.As(err, &invalid) {
				return invalid.Err.Error()
			}
			return err.Error()
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return string(b)
	}
	for _, want := range []string{"ok", "ok", "expired", "expired", "ok"} { // a connection that is kept is not spared
		switch {
		case want == "expired" && p.Conditions().IsZero():
			p.Set(Conditions{Mode: Expired})
		case want == "ok" && !p.Conditions().IsZero():
			p.Reset()
		}
		if got := get(); !strings.Contains(got, want) {
			t.Errorf("a client sees %q, want %q", got, want)
		}
	}
}

func TestListenRefuses(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:80", "ftp://x", "http://"} {
		if p, err := Listen(bad, Options{}); err == nil {
			p.Close()
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestAdmin(t *testing.T) {
	p := listen(t, upstream(t).URL, Options{})
	s := httptest.NewServer(p.Admin())
	defer s.Close()
	c := `{"mode":"status","status":503,"retry_after_ns":0,"delay_ns":0,"tokens":0,"after":0,"first":2,"every":0,"probability":0,"seed":0}`
	zero := `{"mode":"","status":0,"retry_after_ns":0,"delay_ns":0,"tokens":0,"after":0,"first":0,"every":0,"probability":0,"seed":0`
	tail := `,"url":"` + p.URL() + `","stats":{"requests":%d,"struck":%d}}` + "\n"
	for _, tc := range []struct {
		method, body string
		header       []string
		status       int
		want         string
	}{
		{"GET", "", nil, 200, zero + fmt.Sprintf(tail, 0, 0)},
		{"PUT", c, nil, 200, strings.TrimSuffix(c, "}") + fmt.Sprintf(tail, 0, 0)},
		{"PUT", `{"mode":"status","status":200}`, nil, 400, "status: 200 is out of range; want 400 to 599\n"},
		{"PUT", `{"mod":"status"}`, nil, 400, "json: unknown field \"mod\"\n"},
		{"GET", "", []string{"Origin", "http://x"}, 403, "this server does not serve browsers\n"},
		{"POST", "", nil, 405, "POST is not allowed here\n"},
		{"GET", "", nil, 200, strings.TrimSuffix(c, "}") + fmt.Sprintf(tail, 3, 2)},
		{"DELETE", "", nil, 200, zero + fmt.Sprintf(tail, 0, 0)},
	} {
		got := ask(t, tc.method, s.URL, tc.body, tc.header...)
		if diff := cmp.Diff(answer{Status: tc.status, Body: tc.want}, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tc.method, tc.body, diff)
		}
		if tc.method == "POST" {
			for i := range 3 {
				if got := ask(t, "GET", p.URL(), "").Status; (got == 503) != (i < 2) {
					t.Errorf("request %d of the first two that fail: status %d", i+1, got)
				}
			}
		}
	}
}

// A client that goes while it is held must not be held on to.
func TestClientGone(t *testing.T) {
	p := listen(t, upstream(t).URL, Options{})
	p.Set(Conditions{Mode: Hang})
	over := make(chan struct{})
	inner := p.server.Handler
	p.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(w, r); close(over) })
	c, err := net.Dial("tcp", strings.TrimPrefix(p.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	for p.Stats().Struck == 0 {
		time.Sleep(time.Millisecond)
	}
	c.Close()
	select {
	case <-over:
	case <-time.After(pacetest.Patience):
		t.Error("held for a client that is gone")
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(five, true)
	f.Add("{\"response\":\"a\"}\n{\"done\":true}", false)
	f.Add("data: a\r\n\r\n: ping\n\nevent: x\ndata: {\"token\":{\"text\":\"b\"}}\n\n", true)
	f.Fuzz(func(t *testing.T, in string, events bool) {
		kind := lineStream
		if events {
			kind = eventStream
		}
		src := bufio.NewReaderSize(strings.NewReader(in), 16)
		var out strings.Builder
		for {
			msg, err := message(src, kind, nil)
			isToken(msg, kind)
			corrupt(msg)
			out.Write(msg)
			if err != nil {
				break
			}
		}
		if out.String() != in {
			t.Errorf("%q came out as %q", in, out.String())
		}
	})
}
