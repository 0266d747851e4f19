package loadgen

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sse"
)

// TGI is a client of Hugging Face's text-generation-inference: /generate_stream where the call wants a stream, else /generate. Set the
// fields before the first Do.
//
// Each event of its stream carries one token, and the last one carries the whole text: a stream that ends without it was cut. An error
// inside the stream has a type, from which the outcome follows. Status 424 means that generation failed on the server and is one of
// its failures, though the status is that of a client's error.
type TGI struct {
	*site
	Parameters json.RawMessage // object whose members are added to the request's parameters, for example {"do_sample":false}
	Seeded     bool            // send the call's seed
	base       string          // escaped path before /generate
}

// NewTGI returns a client for the endpoint: the URL of the server, or of one of its two operations.
func NewTGI(e Endpoint) (*TGI, error) {
	c := &TGI{}
	s, err := e.open(func(u *url.URL) {
		path := strings.TrimSuffix(u.EscapedPath(), "/")
		c.base = strings.TrimSuffix(strings.TrimSuffix(path, "/generate_stream"), "/generate")
	})
	if err != nil {
		return nil, err
	}
	c.site = s
	return c, nil
}

// Do implements assay.Client.
func (c *TGI) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	t.request = c.body(t.request[:0], call)
	t.q.body, t.q.path = t.request, c.base+"/generate"
	if call.Stream {
		t.q.path, t.q.accept = c.base+"/generate_stream", "text/event-stream"
	}
	t.q.path += c.suffix()
	t.send(c)
}

// suffix returns the endpoint's query with its mark.
func (s *site) suffix() string {
	if s.url.RawQuery == "" {
		return ""
	}
	return "?" + s.url.RawQuery
}

func (c *TGI) body(b []byte, call *assay.Call) []byte {
	b = append(b, `{"inputs":`...)
	b = quote(b, call.Prompt)
	b = append(b, `,"parameters":{`...)
	from := len(b)
	b = append(b, `"details":true`...)
	if call.MaxTokens > 0 {
		b = append(b, `,"max_new_tokens":`...)
		b = strconv.AppendInt(b, int64(call.MaxTokens), 10)
	}
	if c.Seeded {
		b = append(b, `,"seed":`...)
		b = strconv.AppendUint(b, call.Seed>>33, 10)
	}
	b = appendMembers(b, c.Parameters, from)
	return append(b, '}', '}')
}

// read implements reader.
func (c *TGI) read(t *trip, a *answer) bool {
	switch {
	case a.sse:
		return t.tgiEvents(a, a.body, a.readAt)
	case a.json:
		return c.whole(t, a)
	}
	t.bad("answer is neither an event stream nor JSON")
	return false
}

// tgiEvents reads a stream of token events.
func (t *trip) tgiEvents(a *answer, body io.Reader, readAt func() int64) bool {
	tally := tally{r: t.r}
	counted := &counting{Reader: body, n: &t.r.BytesIn}
	t.events.Now, t.escaped = readAt, true
	t.events.Reset(counted)
	for {
		var e sse.Event
		if err := t.events.Next(&e); err != nil {
			tally.close()
			t.fail(tooLong(cutOff(err)))
			return false
		}
		var k tgiChunk
		if !k.parse(e.Data) {
			tally.close()
			t.broken(e.Partial)
			return false
		}
		if k.failure {
			tally.close()
			t.inner(k.status(), k.message(), e.At)
			return false
		}
		t.hear(k.said)
		tally.add(&k.chunk, e.At)
		if k.finished {
			tally.close()
			if k.usage { // it counts the answer's tokens only
				t.r.TokensIn = tally.planned
			}
			t.ok(e.At)
			return t.drain(a, counted)
		}
	}
}

// whole reads an answer that is not streamed: an object, or a list of one.
func (c *TGI) whole(t *trip, a *answer) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	t.generated(b, a.readAt())
	return true
}

// generated settles the request by a whole answer, which came at the instant given.
func (t *trip) generated(b []byte, at int64) {
	if text := strings.TrimSpace(string(b)); strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		b = []byte(text[1 : len(text)-1])
	}
	var k tgiChunk
	switch {
	case !k.parse(b):
		t.bad("answer is not a JSON object")
	case k.failure:
		t.inner(k.status(), k.message(), at)
	case !k.finished:
		t.bad("answer without generated_text")
	default:
		t.escaped = true
		t.hear(k.text)
		if k.usage {
			t.r.TokensOut = k.out
		}
		t.ok(at)
	}
}

// refuse implements refuser.
func (c *TGI) refuse(a *answer, k *complaint) assay.Outcome {
	if a.status == http.StatusFailedDependency {
		return assay.ServerError
	}
	return assay.OutcomeUnknown
}

// tgiChunk is what matters of one event or of a whole answer. Its finished says that the generated text is there.
type tgiChunk struct {
	chunk
	kind []byte // raw type of the error
}

// status is that of an error inside a stream.
func (k *tgiChunk) status() int {
	switch string(k.kind) {
	case "overloaded":
		return http.StatusTooManyRequests
	case "validation":
		return http.StatusUnprocessableEntity
	}
	return http.StatusInternalServerError
}

// parse reads b, which must be one JSON object.
func (k *tgiChunk) parse(b []byte) bool {
	*k = tgiChunk{}
	s := scan{b: b}
	ok := s.object(func(key []byte) (ok bool) {
		switch string(key) {
		case "token":
			ok = k.readToken(&s)
		case "generated_text":
			k.finished = s.next() == '"'
			var text []byte
			if text, ok = s.string(); k.finished && !k.failure {
				k.text = text
			}
		case "details":
			ok = s.objectOr(func(key []byte) (ok bool) {
				if string(key) != "generated_tokens" {
					return s.skip()
				}
				n, ok := s.count()
				if n >= 0 {
					k.usage, k.out = true, n
				}
				return ok
			})
		case "error":
			ok = k.readError(&s)
		case "error_type":
			k.kind, ok = s.string()
		default:
			ok = s.skip()
		}
		return ok
	})
	return ok && s.end()
}

func (k *tgiChunk) readToken(s *scan) bool {
	special := false
	var text []byte
	ok := s.objectOr(func(key []byte) (ok bool) {
		k.content = true
		switch string(key) {
		case "text":
			text, ok = s.string()
		case "special":
			special = s.next() == 't'
			ok = s.skip()
		default:
			ok = s.skip()
		}
		return ok
	})
	if !special {
		k.said = text
	}
	return ok
}
