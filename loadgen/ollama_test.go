package loadgen

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

const (
	ndjsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
	ollamaA    = `{"model":"m","created_at":"2026-11-23T12:04:50Z","message":{"role":"assistant","content":"a"},"done":false}` + "\n"
	ollamaG    = `{"model":"m","created_at":"2026-11-23T12:04:50Z","response":"a","done":false}` + "\n"
	ollamaDone = `{"model":"m","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":1127564031,` +
		`"load_duration":961824,"prompt_eval_count":13,"prompt_eval_duration":4726347,"eval_count":16,"eval_duration":4436714822}` + "\n"
)

func openOllama(e Endpoint) (Closer, error) { return NewOllama(e) }

func TestOllamaOutcomes(t *testing.T) {
	two := func(o assay.Outcome, text string) seen {
		return seen{Outcome: o, Status: 200, Error: text, Arrivals: 2, Out: 2, First: true}
	}
	testOutcomes(t, openOllama, []outcome{
		{"chat", true, ndjsonHead + chunked(ollamaA, ollamaA, ollamaDone) + "0\r\n\r\n", nil, seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 13, Out: 16, First: true}},
		{"two lines in one chunk, one over two", true, ndjsonHead + chunked(ollamaA+ollamaA, ollamaDone[:9], ollamaDone[9:]) + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 13, Out: 16, First: true}},
		{"generate", true, ndjsonHead + chunked(ollamaG, ollamaDone) + "0\r\n\r\n", nil, seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 13, Out: 16, First: true}},
		{"thinking and tools", true, ndjsonHead + chunked(`{"message":{"content":"","thinking":"hm"},"done":false}`+"\n", `{"message":{"tool_calls":[{"function":{}}]},"done":false}`+"\n", ollamaDone) + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 2, In: 13, Out: 16, First: true}},
		{"prompt from the cache", true, ndjsonHead + chunked(ollamaA, `{"done":true,"eval_count":1}`+"\n") + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 2, Out: 1, First: true}},
		{"whole", false, reply("200 OK", jsonType, ollamaDone), nil, seen{Outcome: assay.OK, Status: 200, In: 13, Out: 16}},
		{"done without a line end", true, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + ollamaA + strings.TrimSpace(ollamaDone), nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 1, In: 13, Out: 16, First: true}},
		{"good framing, never done", true, ndjsonHead + chunked(ollamaA, ollamaA) + "0\r\n\r\n", nil, two(assay.CutFIN, closedText)},
		{"end in the middle", true, ndjsonHead + chunked(ollamaA, ollamaA), nil, two(assay.CutFIN, closedText)},
		{"end in a line", true, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + ollamaA + ollamaA + `{"mod`, nil, two(assay.CutFIN, closedText)},
		{"reset in the middle", true, ndjsonHead + chunked(ollamaA, ollamaA), abort, two(assay.CutRST, resetText)},
		{"error in the stream", true, ndjsonHead + chunked(ollamaA, ollamaA, `{"error":"llama runner process has terminated: signal: killed"}`+"\n"), nil,
			two(assay.ServerError, "in the answer: 500 Internal Server Error: llama runner process has terminated: signal: killed")},
		{"not JSON", true, ndjsonHead + chunked(ollamaA, ollamaA, "oops\n"), nil, two(assay.BadPayload, "chunk is not a JSON object")},
		{"busy", true, reply("503 Service Unavailable", jsonType, `{"error":"server busy, please try again.  maximum pending requests exceeded"}`), nil,
			seen{Outcome: assay.Throttled, Status: 503, Error: "503 Service Unavailable: server busy, please try again.  maximum pending requests exceeded"}},
		{"no model", true, reply("404 Not Found", jsonType, `{"error":"model 'm' not found"}`), nil, seen{Outcome: assay.ClientError, Status: 404, Error: "404 Not Found: model 'm' not found"}},
	})
	testStall(t, openOllama, ndjsonHead, chunked(ollamaA))
}

func TestOllamaRequest(t *testing.T) {
	for _, c := range []struct {
		path   string
		stream bool
		set    func(*Ollama)
		uri    string
		body   string
	}{
		{"", true, func(*Ollama) {}, "/api/chat", `{"model":"m","messages":[{"role":"user","content":"alpha beta gamma delta"}],"stream":true,"options":{"num_predict":7}}`},
		{"/api/generate", false, func(*Ollama) {}, "/api/generate", `{"model":"m","prompt":"alpha beta gamma delta","stream":false,"options":{"num_predict":7}}`},
		{"/x/api", true, func(c *Ollama) {
			c.Generate, c.Seeded, c.KeepAlive, c.Options = true, true, "5s", json.RawMessage(` {"temperature":0} `)
		}, "/x/api/generate", `{"model":"m","prompt":"alpha beta gamma delta","stream":true,"keep_alive":"5s","options":{"num_predict":7,"seed":0,"temperature":0}}`},
	} {
		uri, body := sent(t, func(e Endpoint) (Closer, error) {
			o, err := NewOllama(e)
			if err == nil {
				c.set(o)
			}
			return o, err
		}, c.path, c.stream)
		if d := cmp.Diff([]string{c.uri, c.body}, []string{uri, body}); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, d)
		}
	}
}

// TestOllamaRecorded plays back answers of the real server: a cold one, a warm one, one after the keep-alive time had expired, and one after
// its runner had been killed, which looks like a success.
func TestOllamaRecorded(t *testing.T) {
	f, err := os.Open("../../shared/data/recordings/ollama-0.6.8-responses.jsonl")
	if err != nil {
		t.Skip("the recording is not here")
	}
	defer f.Close()
	want := map[string]assay.Cold{"cold_first": assay.ColdYes, "warm": assay.ColdNo, "cold_after_keep_alive_expiry": assay.ColdYes, "after_runner_sigkill": assay.ColdYes}
	for in := bufio.NewScanner(f); in.Scan(); {
		var one struct {
			Case string
			Body map[string]json.Number
		}
		if err := json.Unmarshal(in.Bytes(), &one); err != nil {
			t.Fatal(err)
		}
		end := map[string]any{"model": "m", "response": "", "done": true, "done_reason": "length"}
		for k, v := range one.Body {
			end[k] = v
		}
		last, err := json.Marshal(end)
		if err != nil {
			t.Fatal(err)
		}
		url := rude(t, func(conn *net.TCPConn, _ int) {
			io.WriteString(conn, ndjsonHead+chunked(ollamaG, string(last)+"\n")+"0\r\n\r\n")
		})
		c, err := NewOllama(Endpoint{URL: url, Clock: clock.New()})
		if err != nil {
			t.Fatal(err)
		}
		r := do(t, c, true, 5*time.Second)
		c.Close()
		got := fmt.Sprintf("%v %v %v %v", r.Outcome, r.Cold, r.TokensIn, r.TokensOut)
		if w := fmt.Sprintf("%v %v %v %v", assay.OK, want[one.Case], one.Body["prompt_eval_count"], one.Body["eval_count"]); got != w {
			t.Errorf("%s: %s, want %s", one.Case, got, w)
		}
		delete(want, one.Case)
	}
	if len(want) > 0 {
		t.Errorf("the recording lacks %v", want)
	}
}

func FuzzOllamaChunk(f *testing.F) {
	for _, c := range append(chunks, ollamaA, ollamaG, ollamaDone, `{"done":true,"load_duration":-1,"eval_count":1e3}`) {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Count(string(b), "[")+strings.Count(string(b), "{") > maxDepth {
			return
		}
		var k ollamaChunk
		if got, want := k.parse(b), object(b); got != want {
			t.Fatalf("%q: valid %v, encoding/json says %v", b, got, want)
		}
		if k.load < -1 || k.in < 0 || k.out < 0 {
			t.Fatalf("%q: %+v", b, k)
		}
	})
}

// FuzzLines compares the lines with those of bytes.Lines, however the stream is cut into reads.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n  c"), true)
	f.Add([]byte("\n\n"), false)
	f.Fuzz(func(t *testing.T, b []byte, single bool) {
		var want, got []string
		for line := range bytes.Lines(b) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				want = append(want, string(line))
			}
		}
		src := io.Reader(bytes.NewReader(b))
		if single {
			src = iotest.OneByteReader(src)
		}
		var l lines
		l.reset(src, func() int64 { return 1 })
		for {
			line, at, _, err := l.next()
			if err != nil {
				if err != io.EOF {
					t.Fatal(err)
				}
				break
			}
			if at != 1 {
				t.Fatalf("line without a stamp: %q", line)
			}
			got = append(got, string(line))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("lines (-want +got):\n%s", d)
		}
	})
}

func TestLongLine(t *testing.T) {
	var l lines
	l.reset(strings.NewReader(strings.Repeat("x", maxLine+9000)), func() int64 { return 1 })
	if _, _, _, err := l.next(); err == nil || !strings.Contains(err.Error(), "line of more than") {
		t.Errorf("error %v, want one about the length", err)
	}
}

func BenchmarkOllamaChunk(b *testing.B) {
	text := []byte(ollamaA)
	b.ReportAllocs()
	for b.Loop() {
		var k ollamaChunk
		if !k.parse(text) || !k.content {
			b.Fatal("no content")
		}
	}
}

// TestOllamaCold: a load ends at a step of 250 ms, so that a shorter load_duration is the wait of a busy machine.
func TestOllamaCold(t *testing.T) {
	for load, want := range map[time.Duration]assay.Cold{-1: assay.ColdUnknown, 0: assay.ColdNo, 180 * time.Millisecond: assay.ColdNo, 255 * time.Millisecond: assay.ColdYes} {
		var r assay.Request
		(&Ollama{}).cold(&r, load)
		if r.Cold != want {
			t.Errorf("load_duration %v: %v, want %v", load, r.Cold, want)
		}
	}
	var r assay.Request
	if (&Ollama{ColdAfter: time.Millisecond}).cold(&r, 2*time.Millisecond); r.Cold != assay.ColdYes {
		t.Errorf("with a threshold of 1 ms, 2 ms: %v", r.Cold)
	}
}
