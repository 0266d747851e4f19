package loadgen

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

const (
	tgiA   = `data:{"index":1,"token":{"id":1,"text":"a","logprob":-0.1,"special":false},"generated_text":null,"details":null}` + "\n\n"
	tgiEnd = `data:{"index":2,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":"a","details":{"finish_reason":"eos_token","generated_tokens":2,"seed":null}}` + "\n\n"

	tritonA = `data: {"model_name":"m","model_version":"1","text_output":"a"}` + "\n\n"
)

func openTGI(e Endpoint) (Closer, error)    { return NewTGI(e) }
func openTriton(e Endpoint) (Closer, error) { return NewTriton(e) }

func TestTGIOutcomes(t *testing.T) {
	one := func(o assay.Outcome, text string) seen {
		return seen{Outcome: o, Status: 200, Error: text, Arrivals: 1, Out: 1, First: true}
	}
	testOutcomes(t, openTGI, []outcome{
		{"streamed", true, sseHead + chunked(tgiA, tgiEnd) + "0\r\n\r\n", nil, seen{Outcome: assay.OK, Status: 200, Arrivals: 2, Out: 2, First: true}},
		{"closed after the end", true, sseClose + tgiA + tgiEnd, nil, seen{Outcome: assay.OK, Status: 200, Arrivals: 2, Out: 2, First: true}},
		{"no generated text", true, sseHead + chunked(tgiA) + "0\r\n\r\n", nil, one(assay.CutFIN, closedText)},
		{"end in the middle", true, sseHead + chunked(tgiA), nil, one(assay.CutFIN, closedText)},
		{"half an event", true, sseClose + tgiA + `data:{"ind`, nil, one(assay.CutFIN, closedText)},
		{"reset in the middle", true, sseHead + chunked(tgiA), abort, one(assay.CutRST, resetText)},
		{"error in the stream", true, sseHead + chunked(tgiA, `data:{"error":"Request failed during generation: CUDA out of memory","error_type":"generation"}`+"\n\n"), nil,
			one(assay.ServerError, "in the answer: 500 Internal Server Error: Request failed during generation: CUDA out of memory")},
		{"overloaded in the stream", true, sseHead + chunked(`data:{"error":"Model is overloaded","error_type":"overloaded"}`+"\n\n"), nil,
			seen{Outcome: assay.Throttled, Status: 200, Error: "in the answer: 429 Too Many Requests: Model is overloaded"}},
		{"malformed", true, sseHead + chunked(tgiA, "data:[1]\n\n"), nil, one(assay.BadPayload, "chunk is not a JSON object")},
		{"generation failed", true, reply("424 Failed Dependency", jsonType, `{"error":"Request failed during generation","error_type":"generation"}`), nil,
			seen{Outcome: assay.ServerError, Status: 424, Error: "424 Failed Dependency: Request failed during generation"}},
		{"validation", true, reply("422 Unprocessable Entity", jsonType, `{"error":"max_new_tokens must be <= 4","error_type":"validation"}`), nil,
			seen{Outcome: assay.ClientError, Status: 422, Error: "422 Unprocessable Entity: max_new_tokens must be <= 4"}},
		{"whole", false, reply("200 OK", jsonType, `{"generated_text":"ab","details":{"generated_tokens":3}}`), nil, seen{Outcome: assay.OK, Status: 200, Out: 3}},
		{"whole, a list", false, reply("200 OK", jsonType, ` [{"generated_text":"ab"}] `), nil, seen{Outcome: assay.OK, Status: 200}},
		{"whole, error", false, reply("200 OK", jsonType, `{"error":"no","error_type":"generation"}`), nil,
			seen{Outcome: assay.ServerError, Status: 200, Error: "in the answer: 500 Internal Server Error: no"}},
		{"whole, nothing", false, reply("200 OK", jsonType, `{}`), nil, seen{Outcome: assay.BadPayload, Status: 200, Error: "answer without generated_text"}},
		{"a web page", true, reply("200 OK", "Content-Type: text/html\r\n", "<html>"), nil,
			seen{Outcome: assay.BadPayload, Status: 200, Error: "answer is neither an event stream nor JSON"}},
	})
	testStall(t, openTGI, sseHead, chunked(tgiA))
}

func TestTritonOutcomes(t *testing.T) {
	one := func(o assay.Outcome, text string) seen {
		return seen{Outcome: o, Status: 200, Error: text, Arrivals: 1, Out: 1, First: true}
	}
	testOutcomes(t, openTriton, []outcome{
		{"streamed", true, sseHead + chunked(tritonA, `data: {"text_output":["b"]}`+"\n\n", `data: {"text_output":""}`+"\n\n") + "0\r\n\r\n", nil,
			seen{Outcome: assay.OK, Status: 200, Arrivals: 2, Out: 2, First: true}},
		{"an end that could be a cut", true, sseClose + tritonA, nil, one(assay.CutFIN, closedText)},
		{"end in the middle", true, sseHead + chunked(tritonA), nil, one(assay.CutFIN, closedText)},
		{"reset in the middle", true, sseHead + chunked(tritonA), abort, one(assay.CutRST, resetText)},
		{"error in the stream", true, sseHead + chunked(tritonA, `data: {"error":"engine died"}`+"\n\n") + "0\r\n\r\n", nil,
			one(assay.ServerError, "in the answer: 500 Internal Server Error: engine died")},
		{"malformed", true, sseHead + chunked(tritonA, "data: oops\n\n"), nil, one(assay.BadPayload, "chunk is not a JSON object")},
		{"nothing said", true, sseHead + chunked("data: {}\n\n") + "0\r\n\r\n", nil, seen{Outcome: assay.BadPayload, Status: 200, Error: "stream without text_output"}},
		{"not ready", true, reply("400 Bad Request", jsonType, `{"error":"Request for unknown model: 'm' version 1 is not at ready state"}`), nil,
			seen{Outcome: assay.Loading, Status: 400, Error: "400 Bad Request: Request for unknown model: 'm' version 1 is not at ready state"}},
		{"whole", false, reply("200 OK", jsonType, `{"model_name":"m","text_output":"ab"}`), nil, seen{Outcome: assay.OK, Status: 200}},
		{"whole, nothing", false, reply("200 OK", jsonType, `{"model_name":"m"}`), nil, seen{Outcome: assay.BadPayload, Status: 200, Error: "answer without text_output"}},
		{"whole, error", false, reply("200 OK", jsonType, `{"error":"no"}`), nil, seen{Outcome: assay.ServerError, Status: 200, Error: "in the answer: 500 Internal Server Error: no"}},
	})
	testStall(t, openTriton, sseHead, chunked(tritonA))
}

func TestGenerateRequests(t *testing.T) {
	triton := func(tensors bool) opener {
		return func(e Endpoint) (Closer, error) {
			c, err := NewTriton(e)
			if err == nil {
				c.Tensors, c.Version, c.Parameters = tensors, "2", json.RawMessage(`{"temperature":0}`)
			}
			return c, err
		}
	}
	seededTGI := func(e Endpoint) (Closer, error) {
		c, err := NewTGI(e)
		if err == nil {
			c.Seeded, c.Parameters = true, json.RawMessage(`{"do_sample":false}`)
		}
		return c, err
	}
	for _, c := range []struct {
		open      opener
		path      string
		stream    bool
		uri, body string
	}{
		{openTGI, "", true, "/generate_stream", `{"inputs":"alpha beta gamma delta","parameters":{"details":true,"max_new_tokens":7}}`},
		{seededTGI, "/a%2Fb/generate?x=1", false, "/a%2Fb/generate?x=1", `{"inputs":"alpha beta gamma delta","parameters":{"details":true,"max_new_tokens":7,"seed":0,"do_sample":false}}`},
		{openTriton, "", true, "/v2/models/m/generate_stream", `{"text_input":"alpha beta gamma delta","parameters":{"stream":true,"max_tokens":7}}`},
		{triton(false), "/v2/models/x/generate?q=1", false, "/v2/models/x/versions/2/generate?q=1", `{"text_input":"alpha beta gamma delta","parameters":{"stream":false,"max_tokens":7,"temperature":0}}`},
		{triton(true), "/v2/models", true, "/v2/models/m/versions/2/generate_stream", `{"text_input":"alpha beta gamma delta","stream":true,"max_tokens":7,"temperature":0}`},
	} {
		uri, body := sent(t, c.open, c.path, c.stream)
		if d := cmp.Diff([]string{c.uri, c.body}, []string{uri, body}); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, d)
		}
	}
}

func FuzzTGIChunk(f *testing.F) {
	for _, c := range append(chunks, tgiA[5:], tgiEnd[5:], tritonA[6:], `{"error":"x","error_type":"overloaded"}`, `{"text_output":["a",1,null]}`) {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if strings.Count(string(b), "[")+strings.Count(string(b), "{") > maxDepth {
			return
		}
		var k tgiChunk
		var l tritonChunk
		want := object(b)
		if got := k.parse(b); got != want {
			t.Fatalf("%q: valid %v for TGI, encoding/json says %v", b, got, want)
		}
		if got := l.parse(b); got != want {
			t.Fatalf("%q: valid %v for Triton, encoding/json says %v", b, got, want)
		}
		k.status()
	})
}
