package loadgen

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"strconv"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sse"
)

// Triton is a client of Triton's generate extension: generate_stream where the call wants a stream, else generate. Set the fields before the first Do.
//
// Its stream has no last event, so an answer is whole when HTTP's framing says so and it said something; without such framing
// (a body that ends when the server closes) a cut could not be seen, and the answer is recorded as cut.
type Triton struct {
	*site
	Version string // of the model; "": the server's choice

	// Tensors sends stream and the answer's length as members of the request, which the TensorRT-LLM backend takes as input tensors. The
	// vLLM backend, the default, wants them inside parameters.
	Tensors    bool
	Parameters json.RawMessage // object whose members are added beside them, for example {"temperature":0}
	place      *place
}

// NewTriton returns a client for the endpoint: the URL of the server, of a model on it (…/v2/models/NAME) or of one of the two operations.
func NewTriton(e Endpoint) (*Triton, error) {
	c := &Triton{}
	s, err := e.open(func(u *url.URL) { c.place = newPlace(u, "/v2/models/", "/generate_stream", "/generate") })
	if err != nil {
		return nil, err
	}
	c.site = s
	return c, nil
}

// Do implements assay.Client.
func (c *Triton) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	t.request = c.body(t.request[:0], call)
	t.q.body = t.request
	operation := "/generate"
	if call.Stream {
		t.q.accept, operation = "text/event-stream", "/generate_stream"
	}
	t.q.path = c.place.path(call.Model, c.Version, operation)
	t.send(c)
}

func (c *Triton) body(b []byte, call *assay.Call) []byte {
	b = append(b, `{"text_input":`...)
	b = quote(b, call.Prompt)
	b = append(b, ',')
	if !c.Tensors {
		b = append(b, `"parameters":{`...)
	}
	from := len(b)
	b = append(b, `"stream":`...)
	b = strconv.AppendBool(b, call.Stream)
	if call.MaxTokens > 0 {
		b = append(b, `,"max_tokens":`...)
		b = strconv.AppendInt(b, int64(call.MaxTokens), 10)
	}
	b = appendMembers(b, c.Parameters, from)
	if !c.Tensors {
		b = append(b, '}')
	}
	return append(b, '}')
}

// read implements reader.
func (c *Triton) read(t *trip, a *answer) bool {
	switch {
	case a.sse:
		return c.stream(t, a)
	case a.json:
		return c.whole(t, a)
	}
	t.bad("answer is neither an event stream nor JSON")
	return false
}

func (c *Triton) stream(t *trip, a *answer) bool {
	tally := tally{r: t.r}
	counted := &counting{Reader: a.body, n: &t.r.BytesIn}
	t.events.Now, t.escaped = a.readAt, true
	t.events.Reset(counted)
	for {
		var e sse.Event
		if err := t.events.Next(&e); err != nil {
			tally.close()
			switch {
			case err != io.EOF:
				t.fail(tooLong(err))
			case !a.framed:
				t.fail(io.ErrUnexpectedEOF)
			case !tally.choices:
				t.bad("stream without text_output")
			default:
				t.ok(a.readAt())
				return true
			}
			return false
		}
		var k tritonChunk
		if !k.parse(e.Data) {
			tally.close()
			t.broken(e.Partial)
			return false
		}
		if k.failure {
			tally.close()
			t.inner(k.code, k.message(), e.At)
			return false
		}
		t.hear(k.said)
		t.named(k.model)
		t.versioned(k.version)
		tally.add(&k.chunk, e.At)
	}
}

func (c *Triton) whole(t *trip, a *answer) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	at := a.readAt()
	var k tritonChunk
	switch {
	case !k.parse(b):
		t.bad("answer is not a JSON object")
	case k.failure:
		t.inner(k.code, k.message(), at)
	case !k.choices:
		t.bad("answer without text_output")
	default:
		t.escaped = true
		t.hear(k.said)
		t.named(k.model)
		t.versioned(k.version)
		t.ok(at)
	}
	return true
}

// refuse implements refuser.
func (c *Triton) refuse(a *answer, k *complaint) assay.Outcome { return notReady(a.status, k.text) }

// tritonChunk is what matters of one event or of a whole answer.
type tritonChunk struct {
	chunk
	version []byte // raw version of the model
}

// parse reads b, which must be one JSON object.
func (k *tritonChunk) parse(b []byte) bool {
	*k = tritonChunk{}
	s := scan{b: b}
	ok := s.object(func(key []byte) (ok bool) {
		switch string(key) {
		case "text_output":
			k.choices = true
			if s.next() == '[' {
				return s.array(func() bool { return k.readText(&s) })
			}
			ok = k.readText(&s)
		case "model_name":
			k.model, ok = s.string()
		case "model_version":
			k.version, ok = s.string()
		case "error":
			ok = k.readError(&s)
		default:
			ok = s.skip()
		}
		return ok
	})
	return ok && s.end()
}
