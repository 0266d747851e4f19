package loadgen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// rude is a TCP server whose handler gets each raw connection after the request was read, and closes it at the end.
func rude(t *testing.T, handle func(c *net.TCPConn, n int)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for {
					req, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					io.Copy(io.Discard, req.Body)
					handle(c.(*net.TCPConn), int(n.Add(1)))
					if req.Header.Get("X-Once") != "" || !strings.Contains(req.URL.Path, "keep") {
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "http://" + l.Addr().String()
}

const (
	sseHead  = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	sseClose = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
	tokenA   = `data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}` + "\n\n"
	finish   = `data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usage    = `data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}` + "\n\n"
	doneLine = "data: [DONE]\n\n"
)

func chunked(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(p), p)
	}
	return b.String()
}

func newTestOpenAI(t *testing.T, url string) *OpenAI {
	t.Helper()
	c, err := NewOpenAI(Endpoint{URL: url, Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// seen is what the tests compare of a request.
type seen struct {
	Outcome   assay.Outcome
	Status    int32
	Error     string
	Arrivals  int
	In, Out   int32
	First     bool
	FirstByte bool
	Retry     time.Duration
}

func see(r *assay.Request) seen {
	return seen{r.Outcome, r.Status, r.Error, len(r.Arrivals), r.TokensIn, r.TokensOut, r.FirstToken != 0, r.FirstByte != 0, time.Duration(r.RetryAfter)}
}

func do(t *testing.T, c assay.Client, stream bool, deadline time.Duration) *assay.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	r := &assay.Request{ID: 1, TokensIn: 2, Due: 1}
	c.Do(ctx, &assay.Call{Model: "m", Prompt: "alpha beta gamma delta", MaxTokens: 7, Stream: stream}, r)
	checkOrder(t, r)
	return r
}

// checkOrder checks the contract every client keeps about instants.
func checkOrder(t *testing.T, r *assay.Request) {
	t.Helper()
	last := r.Sent
	for i, at := range append(append([]int64{r.FirstByte}, r.Arrivals...), r.End) {
		if at != 0 && at < last {
			t.Errorf("instant %d goes back: sent %d, first byte %d, arrivals %v, end %d", i, r.Sent, r.FirstByte, r.Arrivals, r.End)
		}
		last = max(last, at)
	}
	if r.End == 0 || r.Outcome == assay.OutcomeUnknown {
		t.Errorf("end %d, outcome %v: want both set", r.End, r.Outcome)
	}
	if len(r.Arrivals) > 0 && r.Arrivals[0] != r.FirstToken {
		t.Errorf("first token %d, first arrival %d: want the same", r.FirstToken, r.Arrivals[0])
	}
}

func TestOpenAIOutcomes(t *testing.T) {
	reset := func(c *net.TCPConn) { c.SetLinger(0) }
	body := func(status, extra, body string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, extra, len(body), body)
	}
	long := strings.Repeat("x", 70<<10)
	for _, c := range []struct {
		name   string
		stream bool
		answer string
		then   func(*net.TCPConn)
		want   seen
	}{
		{"streamed", true, sseHead + chunked(tokenA, tokenA, finish, usage, doneLine) + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 5, Out: 7, First: true, FirstByte: true}},
		{"without usage", true, sseHead + chunked(tokenA, tokenA, finish, doneLine) + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 2, Out: 2, First: true, FirstByte: true}},
		{"without DONE, chunked", true, sseHead + chunked(tokenA, finish) + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"without DONE, closed", true, sseClose + tokenA + finish, nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"DONE without a final newline", true, sseClose + tokenA + finish + "data: [DONE]", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"DONE and then a reset", true, sseHead + chunked(tokenA, finish, doneLine), reset,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"no tokens at all", true, sseHead + chunked(finish, usage, doneLine) + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, In: 5, Out: 7, FirstByte: true}},
		{"reasoning and tools", true, sseHead + chunked(`data: {"choices":[{"delta":{"role":"assistant","content":""}}]}`+"\n\n",
			`data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}`+"\n\n", `data: {"choices":[{"delta":{"tool_calls":[{"id":"x"}]}}]}`+"\n\n",
			`data: {"choices":[{"delta":{"tool_calls":[]}}]}`+"\n\n", doneLine) + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 2, Out: 2, First: true, FirstByte: true}},
		{"100 continue first", true, "HTTP/1.1 100 Continue\r\n\r\n" + sseHead + chunked(tokenA, doneLine) + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"trailers", true, sseHead + chunked(tokenA, doneLine) + "0\r\nX-Sum: 1\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},

		{"end in the middle, chunked", true, sseHead + chunked(tokenA, tokenA), nil,
			seen{Outcome: assay.CutFIN, Status: 200, Error: "connection closed by the server", Arrivals: 2, In: 2, Out: 2, First: true, FirstByte: true}},
		{"end in the middle, closed", true, sseClose + tokenA + `data: {"choi`, nil,
			seen{Outcome: assay.CutFIN, Status: 200, Error: "connection closed by the server", Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"good framing, no final event", true, sseHead + chunked(tokenA) + "0\r\n\r\n", nil,
			seen{Outcome: assay.CutFIN, Status: 200, Error: "connection closed by the server", Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"reset in the middle", true, sseHead + chunked(tokenA), reset,
			seen{Outcome: assay.CutRST, Status: 200, Error: "connection reset by peer", Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"reset before the answer", true, "", reset, seen{Outcome: assay.Reset, Error: "connection reset by peer", In: 2}},
		{"closed before the answer", true, "", nil, seen{Outcome: assay.Reset, Error: "connection closed by the server", In: 2}},
		{"closed in the head", true, "HTTP/1.1 200 OK\r\nContent-Ty", nil,
			seen{Outcome: assay.CutFIN, Error: "connection closed by the server", In: 2, FirstByte: true}},

		{"throttled", true, body("429 Too Many Requests", "Retry-After: 3\r\n", `{"error":{"message":"slow down"}}`), nil,
			seen{Outcome: assay.Throttled, Status: 429, Error: "429 Too Many Requests: slow down", In: 2, FirstByte: true, Retry: 3 * time.Second}},
		{"throttled, ms", true, body("429 Too Many Requests", "Retry-After-Ms: 250\r\n", ""), nil,
			seen{Outcome: assay.Throttled, Status: 429, Error: "429 Too Many Requests", In: 2, FirstByte: true, Retry: 250 * time.Millisecond}},
		{"loading", true, body("503 Service Unavailable", "", `{"error":{"code":503,"message":"Loading model"}}`), nil,
			seen{Outcome: assay.Loading, Status: 503, Error: "503 Service Unavailable: Loading model", In: 2, FirstByte: true}},
		{"loading by header", true, body("503 Service Unavailable", "X-State: model loading\r\n", "no"), nil,
			seen{Outcome: assay.Loading, Status: 503, Error: "503 Service Unavailable", In: 2, FirstByte: true}},
		{"unavailable", true, body("503 Service Unavailable", "", "no capacity"), nil,
			seen{Outcome: assay.Unavailable, Status: 503, Error: "503 Service Unavailable", In: 2, FirstByte: true}},
		{"bad gateway", true, body("502 Bad Gateway", "", "<html>"), nil,
			seen{Outcome: assay.Unavailable, Status: 502, Error: "502 Bad Gateway", In: 2, FirstByte: true}},
		{"gateway timeout", true, body("504 Gateway Timeout", "", ""), nil,
			seen{Outcome: assay.Unavailable, Status: 504, Error: "504 Gateway Timeout", In: 2, FirstByte: true}},
		{"server error, long body", true, body("500 Internal Server Error", "", long), nil,
			seen{Outcome: assay.ServerError, Status: 500, Error: "500 Internal Server Error", In: 2, FirstByte: true}},
		{"unauthorized tells no text", true, body("401 Unauthorized", "", `{"error":{"message":"bad key sk-123"}}`), nil,
			seen{Outcome: assay.Credential, Status: 401, Error: "401 Unauthorized", In: 2, FirstByte: true}},
		{"not found", true, body("404 Not Found", "", `{"error":{"message":"no model \"m\""}}`), nil,
			seen{Outcome: assay.ClientError, Status: 404, Error: `404 Not Found: no model "m"`, In: 2, FirstByte: true}},
		{"prompt is not repeated", true, body("400 Bad Request", "", `{"error":{"message":"cannot take alpha beta gamma delta"}}`), nil,
			seen{Outcome: assay.ClientError, Status: 400, Error: "400 Bad Request", In: 2, FirstByte: true}},
		{"redirect", true, body("302 Found", "Location: http://elsewhere/\r\n", ""), nil,
			seen{Outcome: assay.ClientError, Status: 302, Error: "302 Found", In: 2, FirstByte: true}},

		{"no JSON in a chunk", true, sseHead + chunked(tokenA, "data: {oops}\n\n"), nil,
			seen{Outcome: assay.BadPayload, Status: 200, Error: "chunk is not a JSON object", Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"error in the stream", true, sseHead + chunked(tokenA, `data: {"error":{"message":"engine died","code":503}}`+"\n\n"), nil,
			seen{Outcome: assay.Unavailable, Status: 200, Error: "in the answer: 503 Service Unavailable: engine died", Arrivals: 1, In: 2, Out: 1, First: true, FirstByte: true}},
		{"error in the stream without code", true, sseHead + chunked(`data: {"error":"boom"}`+"\n\n"), nil,
			seen{Outcome: assay.ServerError, Status: 200, Error: "in the answer: 500 Internal Server Error: boom", In: 2, FirstByte: true}},
		{"DONE alone", true, sseHead + chunked(doneLine) + "0\r\n\r\n", nil,
			seen{Outcome: assay.BadPayload, Status: 200, Error: "stream without a choice", In: 2, FirstByte: true}},
		{"a web page", true, body("200 OK", "Content-Type: text/html\r\n", "<html>"), nil,
			seen{Outcome: assay.BadPayload, Status: 200, Error: "answer is neither an event stream nor JSON", In: 2, FirstByte: true}},
		{"compressed", true, body("200 OK", "Content-Type: text/event-stream\r\nContent-Encoding: gzip\r\n", "zz"), nil,
			seen{Outcome: assay.BadPayload, Status: 200, Error: "answer is compressed, which was not asked for", In: 2, FirstByte: true}},
		{"no HTTP", true, "SSH-2.0-OpenSSH_9.9\r\n\r\n", nil,
			seen{Outcome: assay.BadPayload, Error: "not an HTTP/1 response", In: 2, FirstByte: true}},
		{"endless head", true, "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Long: "+strings.Repeat("y", 1000)+"\r\n", 80), nil,
			seen{Outcome: assay.BadPayload, Error: "head larger than 65536 bytes", In: 2, FirstByte: true}},

		{"whole", false, body("200 OK", "Content-Type: application/json\r\n", `{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7}}`), nil,
			seen{Outcome: assay.OK, Status: 200, In: 5, Out: 7, FirstByte: true}},
		{"whole though a stream was asked for", true, body("200 OK", "Content-Type: application/json\r\n", `{"choices":[{"message":{"content":"hi"}}]}`), nil,
			seen{Outcome: assay.OK, Status: 200, In: 2, FirstByte: true}},
		{"whole, malformed", false, body("200 OK", "Content-Type: application/json\r\n", `{"choices":[`), nil,
			seen{Outcome: assay.BadPayload, Status: 200, Error: "answer is not a JSON object", In: 2, FirstByte: true}},
		{"whole, no choice", false, body("200 OK", "Content-Type: application/json\r\n", `{"choices":[]}`), nil,
			seen{Outcome: assay.BadPayload, Status: 200, Error: "answer without a choice", In: 2, FirstByte: true}},
		{"whole, cut", false, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", nil,
			seen{Outcome: assay.CutFIN, Status: 200, Error: "connection closed by the server", In: 2, FirstByte: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := rude(t, func(conn *net.TCPConn, _ int) {
				io.WriteString(conn, c.answer)
				if c.then != nil {
					if c.answer != "" {
						lullNow()
					}
					c.then(conn)
				}
			})
			unhurried(t, func(time.Duration) string {
				r := do(t, newTestOpenAI(t, url), c.stream, pacetest.Patience)
				if r.Sent == 0 {
					t.Error("Sent is zero")
				}
				return cmp.Diff(c.want, see(r))
			})
		})
	}
}

func TestSilentServers(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	for _, c := range []struct {
		name, answer string
		stall        time.Duration
		want         assay.Outcome
	}{
		{"never answers", "", 0, assay.Timeout},
		{"head only", sseHead, 0, assay.Timeout},
		{"one token and silence", sseHead + chunked(tokenA), 0, assay.CutStall},
		{"one token, silence within the stall limit", sseHead + chunked(tokenA), time.Minute, assay.Timeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := rude(t, func(conn *net.TCPConn, _ int) {
				io.WriteString(conn, c.answer)
				<-hold
			})
			client := newTestOpenAI(t, url)
			client.Stall = c.stall
			unhurried(t, func(lull time.Duration) string {
				r := do(t, client, true, 5*lull)
				if r.Outcome != c.want {
					return fmt.Sprintf("outcome %v (%s), want %v", r.Outcome, r.Error, c.want)
				}
				if took := time.Duration(r.End - r.Sent); took < 3*lull || took > 5*lull+5*time.Second {
					return fmt.Sprintf("took %v, want about the deadline, %v", took, 5*lull)
				}
				return ""
			})
		})
	}
}

func TestCancelledIsUnfinished(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	asked := make(chan struct{})
	url := rude(t, func(conn *net.TCPConn, _ int) {
		close(asked)
		<-hold
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-asked
		cancel()
	}()
	r := &assay.Request{}
	newTestOpenAI(t, url).Do(ctx, &assay.Call{Stream: true}, r)
	if r.Outcome != assay.Unfinished {
		t.Errorf("outcome %v, want %v", r.Outcome, assay.Unfinished)
	}
}

func TestNoConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for _, c := range []struct {
		name, url string
		dial      func(context.Context, string, string) (net.Conn, error)
		want      assay.Outcome
		text      string
	}{
		{"refused", "http://" + l.Addr().String(), nil, assay.Refused, "connect: connection refused"},
		{"refused, https", "https://" + l.Addr().String(), nil, assay.Refused, "connect: connection refused"},
		{"unknown name", "http://nowhere.invalid", func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nowhere.invalid", IsNotFound: true}}
		}, assay.Unresolved, "lookup: no such host"},
		{"untrusted certificate", secure.URL, nil, assay.Unresolved, ""},
		{"no TLS there", "https" + strings.TrimPrefix(rude(t, func(*net.TCPConn, int) {}), "http"), nil, assay.Reset, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := NewOpenAI(Endpoint{URL: c.url, Clock: clock.New(), Dial: c.dial})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			r := do(t, client, true, 5*time.Second)
			if r.Outcome != c.want || c.text != "" && r.Error != c.text {
				t.Errorf("%v %q, want %v %q", r.Outcome, r.Error, c.want, c.text)
			}
			if strings.Contains(r.Error, "127.0.0.1") && c.want == assay.Refused {
				t.Errorf("error %q names the address", r.Error)
			}
		})
	}
}

func TestRequestAsSent(t *testing.T) {
	var got *http.Request
	var body string
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		got, body = req, string(b)
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, tokenA+doneLine)
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(handler)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	for name, base := range map[string]string{"wire": plain.URL, "standard": secure.URL} {
		t.Run(name, func(t *testing.T) {
			c, err := NewOpenAI(Endpoint{URL: base + "/base/v1?x=1", Clock: clock.New(), Headers: [][2]string{{"X-Team", "a"}},
				Token: func(context.Context) (string, error) { return "secret\n", nil }, TLS: secure.Client().Transport.(*http.Transport).TLSClientConfig})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.Extra, c.Seeded, c.LimitField = []byte(`{"ignore_eos":true}`), true, "max_completion_tokens"
			r := &assay.Request{}
			c.Do(context.Background(), &assay.Call{Model: `m"1`, Prompt: "tab\there", MaxTokens: 9, Stream: true, Seed: 1 << 40,
				Headers: [][2]string{{"traceparent", "00-1-2-01"}, {RunHeader, "run"}}}, r)
			if r.Outcome != assay.OK {
				t.Fatalf("%v %s", r.Outcome, r.Error)
			}
			wantBody := `{"model":"m\"1","messages":[{"role":"user","content":"tab\there"}],"max_completion_tokens":9,"stream":true,"stream_options":{"include_usage":true},"seed":128,"ignore_eos":true}`
			if d := cmp.Diff(wantBody, body); d != "" {
				t.Errorf("body (-want +got):\n%s", d)
			}
			if r.BytesOut != int64(len(body)) || r.BytesIn != int64(len(tokenA+doneLine)) {
				t.Errorf("bytes out %d, in %d; want %d, %d", r.BytesOut, r.BytesIn, len(body), len(tokenA+doneLine))
			}
			if got.URL.String() != "/base/v1/chat/completions?x=1" {
				t.Errorf("path %s", got.URL)
			}
			for h, want := range map[string]string{"Authorization": "Bearer secret", "X-Team": "a", "Traceparent": "00-1-2-01", "X-Assay-Run": "run",
				"Content-Type": "application/json", "Accept": "text/event-stream", "Accept-Encoding": "", "User-Agent": "assay"} {
				if v := got.Header.Get(h); v != want {
					t.Errorf("header %s is %q, want %q", h, v, want)
				}
			}
			if name == "standard" && got.ProtoMajor != 2 {
				t.Errorf("HTTP/%d, want 2", got.ProtoMajor)
			}
		})
	}
}

func TestURLs(t *testing.T) {
	for in, want := range map[string]string{
		"http://h:1": "/v1/chat/completions", "http://h:1/": "/v1/chat/completions", "http://h/v1": "/v1/chat/completions", "http://h/v1/": "/v1/chat/completions",
		"http://h/v1/chat/completions": "/v1/chat/completions", "http://h/v1/completions": "/v1/completions", "http://h/a/b": "/a/b/chat/completions",
	} {
		c, err := NewOpenAI(Endpoint{URL: in, Clock: clock.New()})
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if c.url.Path != want || c.Completions != strings.HasSuffix(in, "v1/completions") {
			t.Errorf("%s: path %s, completions %v; want %s", in, c.url.Path, c.Completions, want)
		}
	}
	for in, want := range map[string]string{"ftp://h": "want http", "http://": "names no host", "http://u:pw@h": "credentials", "http://[": "not a valid URL", "h:1": "want http"} {
		_, err := NewHTTP(Endpoint{URL: in, Clock: clock.New()})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: error %v, want one with %q", in, err, want)
		}
	}
	if _, err := NewHTTP(Endpoint{URL: "http://h", Clock: clock.New(), Headers: [][2]string{{"X", "a\r\nY: b"}}}); err == nil {
		t.Error("a header with a line break was taken")
	}
}

func TestBadToken(t *testing.T) {
	for name, token := range map[string]func(context.Context) (string, error){
		"fails": func(context.Context) (string, error) { return "", errors.New("vault sealed: s3cret") },
		"empty": func(context.Context) (string, error) { return " ", nil },
		"splits the head": func(context.Context) (string, error) {
			return "a\r\nX: y", nil
		},
	} {
		c, err := NewOpenAI(Endpoint{URL: "http://127.0.0.1:1", Clock: clock.New(), Token: token})
		if err != nil {
			t.Fatal(err)
		}
		r := do(t, c, true, time.Second)
		if r.Outcome != assay.Credential || r.Error != "no token to send" || r.Sent != 0 {
			t.Errorf("%s: %v %q sent %d", name, r.Outcome, r.Error, r.Sent)
		}
	}
}

func TestHTTPOutcomes(t *testing.T) {
	var method, body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		method, body = req.Method, string(b)
		var status int
		fmt.Sscanf(req.URL.Path, "/%d", &status)
		w.WriteHeader(status)
		if status != 204 {
			io.WriteString(w, "the model is loading")
		}
	}))
	defer s.Close()
	for status, want := range map[int]assay.Outcome{200: assay.OK, 204: assay.OK, 301: assay.ClientError, 404: assay.ClientError, 429: assay.Throttled, 500: assay.ServerError, 503: assay.Loading} {
		c, err := NewHTTP(Endpoint{URL: fmt.Sprintf("%s/%d", s.URL, status), Clock: clock.New()})
		if err != nil {
			t.Fatal(err)
		}
		r := do(t, c, true, time.Second)
		if r.Outcome != want || r.FirstToken != 0 || r.TokensIn != 0 || r.FirstByte == 0 {
			t.Errorf("%d: %+v, want %v", status, r, want)
		}
		if method != "GET" || body != "" {
			t.Errorf("%d: %s with %q", status, method, body)
		}
		c.Body = []byte("{}")
		if do(t, c, true, time.Second); method != "POST" || body != "{}" {
			t.Errorf("%d: %s with %q, want POST with {}", status, method, body)
		}
		c.Close()
	}
}
