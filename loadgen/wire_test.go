package loadgen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

func newTestHTTP(t testing.TB, url string) *HTTP {
	t.Helper()
	c, err := NewHTTP(Endpoint{URL: url, Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConnectionsAreReused(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		conns  int64
	}{
		"length":         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 1},
		"chunked":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 1},
		"no content":     {"HTTP/1.1 204 No Content\r\n\r\n", 1},
		"keep-alive 1.0": {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 1},
		"1.0":            {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 3},
		"close":          {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 3},
		"both lengths":   {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 3},
		"stray bytes":    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", 3},
	} {
		t.Run(name, func(t *testing.T) {
			url := rude(t, func(conn *net.TCPConn, _ int) { io.WriteString(conn, c.answer) })
			var conns atomic.Int64
			client, err := NewHTTP(Endpoint{URL: url + "/keep", Clock: clock.New(), Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conns.Add(1)
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for i := range 3 {
				if r := do(t, client, false, 5*time.Second); r.Outcome != assay.OK {
					t.Fatalf("request %d: %v %s", i, r.Outcome, r.Error)
				}
			}
			if conns.Load() != c.conns {
				t.Errorf("%d connections, want %d", conns.Load(), c.conns)
			}
		})
	}
}

// TestClosedIdleConnection: a connection that the server closed while it was idle is never the request's trouble.
func TestClosedIdleConnection(t *testing.T) {
	var conns atomic.Int64
	closed := make(chan struct{}, 10)
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
			conns.Add(1)
			go func() { // one request a connection, promising more
				if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					io.Copy(io.Discard, req.Body)
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
				c.Close()
				closed <- struct{}{}
			}()
		}
	}()
	client := newTestHTTP(t, "http://"+l.Addr().String())
	for i := range 5 {
		if r := do(t, client, false, 5*time.Second); r.Outcome != assay.OK {
			t.Fatalf("request %d: %v %s", i, r.Outcome, r.Error)
		}
		<-closed
	}
	if conns.Load() != 5 {
		t.Errorf("%d connections, want 5", conns.Load())
	}
}

// TestRetryOnlyWhenStale plays a pooled connection that dies at the next request, over a pipe, where it cannot be seen beforehand.
func TestRetryOnlyWhenStale(t *testing.T) {
	for name, c := range map[string]struct {
		idle    time.Duration
		partial string
		want    assay.Outcome
		conns   int64
	}{
		"long idle":               {2 * time.Second, "", assay.OK, 2},
		"just used":               {0, "", assay.Reset, 1},
		"long idle, answer begun": {2 * time.Second, "HTTP/1.1 2", assay.CutFIN, 1},
		"long idle, 1xx seen":     {2 * time.Second, "HTTP/1.1 100 Continue\r\n\r\n", assay.Reset, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var conns atomic.Int64
			client, err := NewHTTP(Endpoint{URL: "http://h", Clock: clock.New(), Dial: func(context.Context, string, string) (net.Conn, error) {
				first := conns.Add(1) == 1
				near, far := net.Pipe()
				go func() {
					defer far.Close()
					br := bufio.NewReader(far)
					for n := 0; ; n++ {
						if _, err := http.ReadRequest(br); err != nil {
							return
						}
						if first && n == 1 {
							io.WriteString(far, c.partial)
							return
						}
						io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
					}
				}()
				return near, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if r := do(t, client, false, 5*time.Second); r.Outcome != assay.OK {
				t.Fatalf("first request: %v %s", r.Outcome, r.Error)
			}
			idle := client.carrier.(*wire).idle
			if len(idle) != 1 {
				t.Fatalf("%d idle connections, want 1", len(idle))
			}
			idle[0].idleAt -= int64(c.idle)
			idle[0].rtt = time.Second // generous: the race detector slows the answer
			if c.idle > 0 && idle[0].idleAt == 0 {
				idle[0].idleAt = -1
			}
			r := do(t, client, false, 5*time.Second)
			if r.Outcome != c.want || conns.Load() != c.conns {
				t.Errorf("%v %q on %d connections, want %v on %d", r.Outcome, r.Error, conns.Load(), c.want, c.conns)
			}
		})
	}
}

// TestStampsAtTheSocket: the instants are those of the reads that brought the bytes, not of the end of the answer.
func TestStampsAtTheSocket(t *testing.T) {
	for _, secure := range []bool{false, true} {
		unhurried(t, func(step time.Duration) string {
			clk := clock.New()
			var wrote [4]int64 // just before the head and each token
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i := range wrote {
					wrote[i] = clk.Now()
					if i > 0 {
						io.WriteString(w, tokenA)
					}
					w.(http.Flusher).Flush()
					time.Sleep(step)
				}
				io.WriteString(w, doneLine)
			}))
			e := Endpoint{Clock: clk}
			if secure {
				s.StartTLS()
				e.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				s.Start()
			}
			e.URL = s.URL
			c, err := NewOpenAI(e)
			if err != nil {
				t.Fatal(err)
			}
			r := do(t, c, true, pacetest.Patience)
			c.Close()
			s.Close()
			if r.Outcome != assay.OK || len(r.Arrivals) != 3 {
				t.Fatalf("%v %q with %d arrivals, want ok with 3", r.Outcome, r.Error, len(r.Arrivals))
			}
			for i, at := range append([]int64{r.FirstByte}, r.Arrivals...) {
				if at < wrote[i] || i < 2 && at >= wrote[i+2] { // two steps of slack for a busy machine
					return fmt.Sprintf("secure %v: stamp %d is %v after the write, want less than two steps of %v", secure, i, time.Duration(at-wrote[i]), step)
				}
			}
			return ""
		})
	}
}

// answers from which the fuzz test starts.
var answers = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nA: b\r\n\r\n",
	"HTTP/1.0 200 OK\r\n\r\nuntil the end",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
	"HTTP/1.1 503 Service Unavailable\r\nRetry-After: Mon, 23 Nov 2026 11:54:46 GMT\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\nContent-Length: 1\n\nx",
	"HTTP/1.1 101 Switching Protocols\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
	"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}

// script is a connection that gives fixed bytes, some a read.
type script struct {
	net.Conn
	in   *bytes.Reader
	step int
}

func (s *script) Read(p []byte) (int, error)      { return s.in.Read(p[:min(len(p), s.step)]) }
func (s *script) Write(p []byte) (int, error)     { return len(p), nil }
func (s *script) Close() error                    { return nil }
func (s *script) SetDeadline(time.Time) error     { return nil }
func (s *script) SetReadDeadline(time.Time) error { return nil }

// readAnswer reads one answer with our parser.
func readAnswer(in []byte, step int) (status int, body []byte, err error) {
	c := newConn(&script{in: bytes.NewReader(in), step: step}, func() int64 { return 1 }, 0)
	if err := c.readHead("GET"); err != nil {
		return 0, nil, err
	}
	body, err = io.ReadAll(c.answer.body)
	return c.answer.status, body, err
}

func FuzzAnswer(f *testing.F) {
	for _, a := range answers {
		f.Add([]byte(a), byte(1))
		f.Add([]byte(a), byte(200))
	}
	f.Fuzz(func(t *testing.T, in []byte, step byte) {
		status, body, err := readAnswer(in, int(step)+1)
		wholeStatus, wholeBody, wholeErr := readAnswer(in, 1<<20)
		if status != wholeStatus || !bytes.Equal(body, wholeBody) || (err == nil) != (wholeErr == nil) {
			t.Fatalf("in pieces: %d %q %v; at once: %d %q %v", status, body, err, wholeStatus, wholeBody, wholeErr)
		}
		if err != nil {
			var bad *protocolError
			if !errors.As(err, &bad) && !errors.Is(err, errClosed) && err != io.ErrUnexpectedEOF {
				t.Fatalf("error %v: want a protocol error or an early end", err)
			}
			return
		}
		// What we take, the standard library must read alike, unless it is stricter.
		br := bufio.NewReader(bytes.NewReader(in))
		for {
			resp, err := http.ReadResponse(br, &http.Request{Method: "GET"})
			if err != nil {
				return
			}
			if resp.StatusCode < 200 {
				continue
			}
			want, err := io.ReadAll(resp.Body)
			if err != nil {
				return
			}
			if resp.StatusCode != status || !bytes.Equal(want, body) {
				t.Fatalf("got %d %q, the standard library %d %q", status, body, resp.StatusCode, want)
			}
			return
		}
	})
}

func TestAnswers(t *testing.T) {
	type result struct {
		Status int
		Body   string
		Err    string
	}
	var got []result
	for _, a := range answers {
		status, body, err := readAnswer([]byte(a), 3)
		r := result{Status: status, Body: string(body)}
		if err != nil {
			r.Err = err.Error()
		}
		got = append(got, r)
	}
	want := []result{{200, "ok", ""}, {200, "ok", ""}, {200, "until the end", ""}, {204, "", ""}, {503, "", ""}, {200, "x", ""},
		{0, "", "the server switched protocols, which was not asked for"}, {0, "", "malformed content-length"},
		{0, "", "transfer-encoding other than chunked"}, {200, "", "malformed chunk size"}, {200, "a", "chunk longer than its size"},
		{0, "", "transfer-encoding in HTTP/1.0"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answers (-want +got):\n%s", d)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 11, 54, 46, 0, time.UTC)
	for v, want := range map[string]time.Duration{"3": 3 * time.Second, "0.5": 500 * time.Millisecond, "-1": 0, "soon": 0, "": 0, "1e99": 0,
		"Mon, 23 Nov 2026 11:55:46 GMT": time.Minute, "Mon, 23 Nov 2026 11:00:00 GMT": 0} {
		if got := time.Duration(retryAfter(v, now)); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}

var chunks = []string{
	`{"choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":null}`,
	`{"choices":[{"text":"a","finish_reason":"length"}]}`, `{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"x":{"y":[1,-2.5e+3,true,false,null,"\u00e9\n"]}}}`,
	`{"error":{"message":"a \"b\"","code":429,"type":"x"}}`, `{"error":"x"}`, `{"error":null}`, `{}`, `[]`, `{"a":01}`, `{"a":1,}`, `{"a" "b"}`, `{"a":"\x"}`, "{\"a\":\"\n\"}",
	`{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}`, `{"usage":{"prompt_tokens":1.5,"completion_tokens":99999999999}}`, `{"a":1} x`, ` { } `, `{"choices":[1,null]}`,
}

// object reports whether encoding/json takes b as one JSON object.
func object(b []byte) bool {
	var v map[string]json.RawMessage
	return json.Unmarshal(b, &v) == nil && v != nil
}

func FuzzChunk(f *testing.F) {
	for _, c := range chunks {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Count(string(b), "[")+strings.Count(string(b), "{") > maxDepth {
			return
		}
		var k chunk
		got := k.parse(b)
		if want := object(b); got != want {
			t.Fatalf("%q: valid %v, encoding/json says %v", b, got, want)
		}
		k.message()
	})
}

func TestChunks(t *testing.T) {
	type result struct {
		OK, Choices, Content, Finished, Usage, Failure bool
		In, Out                                        int32
		Code                                           int
		Text                                           string
	}
	var got []result
	for _, c := range chunks {
		var k chunk
		ok := k.parse([]byte(c))
		if !ok {
			k = chunk{}
		}
		got = append(got, result{ok, k.choices, k.content, k.finished, k.usage, k.failure, k.in, k.out, k.code, k.message()})
	}
	want := []result{
		{OK: true, Choices: true, Content: true},
		{OK: true, Choices: true, Content: true, Finished: true},
		{OK: true, Usage: true, In: 3, Out: 4},
		{OK: true, Failure: true, Code: 429, Text: `a "b"`},
		{OK: true, Failure: true, Text: "x"},
		{OK: true}, {OK: true}, {}, {}, {}, {}, {}, {},
		{OK: true, Choices: true, Content: true},
		{OK: true, Usage: true, Out: 1<<31 - 1},
		{}, {OK: true}, {OK: true, Choices: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("chunks (-want +got):\n%s", d)
	}
}

func TestDeepJSONIsRefused(t *testing.T) {
	var k chunk
	if k.parse([]byte(`{"a":` + strings.Repeat("[", 1_000_000))) {
		t.Error("a million open brackets were taken")
	}
}

func BenchmarkChunk(b *testing.B) {
	text := []byte(`{"id":"chatcmpl-c496aaab","model":"tiny","object":"chat.completion.chunk","created":1795434886,"usage":null,"choices":[{"index":0,"finish_reason":null,"delta":{"content":"Testing"}}]}`)
	b.ReportAllocs()
	for b.Loop() {
		var k chunk
		if !k.parse(text) || !k.content {
			b.Fatal("no content")
		}
	}
}

// BenchmarkSend is one request with 16 tokens against the built-in server: the send path and the whole of the stream.
func BenchmarkSend(b *testing.B) {
	server, err := newNoop(context.Background(), calibrateTokens)
	if err != nil {
		b.Fatal(err)
	}
	defer server.close()
	c, err := NewOpenAI(Endpoint{URL: server.url(), Clock: clock.New()})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	call := &assay.Call{Model: "m", Prompt: strings.Repeat("word ", 64), MaxTokens: 16, Stream: true}
	r := &assay.Request{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b.ReportAllocs()
	used := cpuTime()
	for b.Loop() {
		*r = assay.Request{Arrivals: r.Arrivals[:0]}
		if c.Do(ctx, call, r); r.Outcome != assay.OK || len(r.Arrivals) != calibrateTokens {
			b.Fatal(r.Outcome, r.Error)
		}
	}
	b.ReportMetric(float64(cpuTime()-used)/float64(b.N), "cpu-ns/op")
}
