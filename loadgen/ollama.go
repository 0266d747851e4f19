package loadgen

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
)

// Ollama is a client of Ollama's own API, which tells what its OpenAI-compatible one does not: how long the answer had to wait for the
// model to be loaded. Set the fields before the first Do.
//
// Ollama reloads a model after it was unloaded and also after its runner crashed, and the answer is good both times. So the
// request's Cold is set from load_duration: a cold start without an idle stretch before it is a hidden failure. Ollama sheds
// load by a 503 that says "server busy"; that is recorded as throttled, and a 503 of any other kind is not.
type Ollama struct {
	*site
	Generate  bool            // /api/generate and not /api/chat; NewOllama sets it for a URL that ends so
	KeepAlive string          // how long the model stays loaded after the request, for example "5m"; "": as the server has it
	Options   json.RawMessage // object whose members are added to the request's options, for example {"temperature":0}
	Seeded    bool            // send the call's seed
	ColdAfter time.Duration   // load_duration from which an answer is cold; 0: 250 ms, since it looks whether a model is loaded at such steps, the first after one
}

// NewOllama returns a client for the endpoint: the URL of the server, or of /api/chat or /api/generate on it.
func NewOllama(e Endpoint) (*Ollama, error) {
	c := &Ollama{}
	s, err := e.open(func(u *url.URL) {
		path := strings.TrimSuffix(u.Path, "/")
		switch {
		case strings.HasSuffix(path, "/api/generate"):
			c.Generate = true
		case strings.HasSuffix(path, "/api/chat"):
		default:
			path = strings.TrimSuffix(path, "/api") + "/api/chat"
		}
		u.Path, u.RawPath = path, ""
	})
	if err != nil {
		return nil, err
	}
	c.site = s
	return c, nil
}

// Do implements assay.Client.
func (c *Ollama) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	t.request = c.body(t.request[:0], call)
	t.q.body = t.request
	if path := c.url.Path; c.Generate && strings.HasSuffix(path, "/chat") { // the field was set after New
		t.q.path = strings.TrimSuffix(path, "/chat") + "/generate"
	}
	if call.Stream {
		t.q.accept = "application/x-ndjson"
	}
	t.send(c)
}

// body appends the request's JSON.
func (c *Ollama) body(b []byte, call *assay.Call) []byte {
	b = append(b, `{"model":`...)
	b = quote(b, call.Model)
	if c.Generate {
		b = append(b, `,"prompt":`...)
		b = quote(b, call.Prompt)
	} else {
		b = append(b, `,"messages":[{"role":"user","content":`...)
		b = quote(b, call.Prompt)
		b = append(b, `}]`...)
	}
	b = append(b, `,"stream":`...)
	b = strconv.AppendBool(b, call.Stream)
	if c.KeepAlive != "" {
		b = append(b, `,"keep_alive":`...)
		b = quote(b, c.KeepAlive)
	}
	b = append(b, `,"options":{`...)
	from := len(b)
	if call.MaxTokens > 0 {
		b = append(b, `"num_predict":`...)
		b = strconv.AppendInt(b, int64(call.MaxTokens), 10)
	}
	if call.Greedy {
		b = comma(b, from)
		b = append(b, `"temperature":0`...)
	}
	if c.Seeded {
		b = comma(b, from)
		b = append(b, `"seed":`...)
		b = strconv.AppendUint(b, call.Seed>>33, 10)
	}
	b = appendMembers(b, c.Options, from)
	return append(b, '}', '}')
}

// comma appends a comma unless nothing was appended since from.
func comma(b []byte, from int) []byte {
	if len(b) > from {
		return append(b, ',')
	}
	return b
}

// appendMembers appends the members of a JSON object to an object whose own members begin at from.
func appendMembers(b []byte, object json.RawMessage, from int) []byte {
	text := strings.TrimSpace(string(object))
	if len(text) < 2 || text[0] != '{' || strings.TrimSpace(text[1:len(text)-1]) == "" {
		return b
	}
	b = comma(b, from)
	return append(b, text[1:len(text)-1]...)
}

// read implements reader. A whole answer is a stream of one line.
func (c *Ollama) read(t *trip, a *answer) bool {
	tally := tally{r: t.r}
	counted := &counting{Reader: a.body, n: &t.r.BytesIn}
	t.lines.reset(counted, a.readAt)
	t.escaped = true
	for {
		line, at, partial, err := t.lines.next()
		if err != nil {
			tally.close()
			t.fail(cutOff(err))
			return false
		}
		var k ollamaChunk
		if !k.parse(line) {
			tally.close()
			t.broken(partial)
			return false
		}
		if k.failure {
			tally.close()
			t.inner(k.status(), k.message(), at)
			return false
		}
		t.hear(k.said)
		t.named(k.model)
		k.content = k.content && t.call.Stream // when the tokens of a whole answer existed is not observable
		tally.add(&k.chunk, at)
		if !k.finished {
			continue
		}
		tally.close()
		if k.usage && k.in == 0 { // left out when the prompt came from the cache
			t.r.TokensIn = tally.planned
		}
		c.cold(t.r, k.load)
		t.ok(at)
		return t.drain(a, counted)
	}
}

// cutOff is the error of a stream that ended before its last event: an orderly end is a cut all the same.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// cold reads the time that loading the model took; -1 says nothing.
func (c *Ollama) cold(r *assay.Request, load time.Duration) {
	after := c.ColdAfter
	if after == 0 {
		after = 250 * time.Millisecond
	}
	switch {
	case load >= after:
		r.Cold = assay.ColdYes
	case load >= 0:
		r.Cold = assay.ColdNo
	}
}

// refuse implements refuser.
func (c *Ollama) refuse(a *answer, k *complaint) assay.Outcome {
	if a.status == http.StatusServiceUnavailable && strings.Contains(k.text, "server busy") {
		return assay.Throttled
	}
	return assay.OutcomeUnknown
}

// ollamaChunk is what matters of one line of an answer.
type ollamaChunk struct {
	chunk
	load time.Duration // -1: not told
}

// status is that of an error inside a stream.
func (k *ollamaChunk) status() int {
	if strings.Contains(string(k.text), "server busy") {
		return http.StatusTooManyRequests
	}
	return k.code
}

// parse reads b, which must be one JSON object.
func (k *ollamaChunk) parse(b []byte) bool {
	*k = ollamaChunk{load: -1}
	s := scan{b: b}
	ok := s.object(func(key []byte) (ok bool) {
		var n int32
		switch string(key) {
		case "response":
			ok = k.readText(&s)
		case "thinking":
			ok = k.readAside(&s)
		case "message":
			ok = k.readMessage(&s)
		case "done":
			s.space()
			from := s.i
			ok = s.skip()
			k.finished = ok && string(s.b[from:s.i]) == "true"
		case "model":
			k.model, ok = s.string()
		case "error":
			ok = k.readError(&s)
		case "eval_count":
			if n, ok = s.count(); n >= 0 {
				k.usage, k.out = true, n
			}
		case "prompt_eval_count":
			if n, ok = s.count(); n >= 0 {
				k.in = n
			}
		case "load_duration":
			s.space()
			from := s.i
			ok = s.skip()
			if ns, err := strconv.ParseInt(string(s.b[from:s.i]), 10, 64); err == nil && ns >= 0 {
				k.load = time.Duration(ns)
			}
		default:
			ok = s.skip()
		}
		return ok
	})
	k.choices = true
	return ok && s.end()
}
