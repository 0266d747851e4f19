package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sse"
)

// OpenAI is a client of an OpenAI-compatible endpoint. Set the fields before the first Do.
type OpenAI struct {
	*site
	Completions bool            // the older API: prompt in, text out; NewOpenAI sets it for a URL that ends in /completions
	LimitField  string          // of the answer's length; "": max_tokens
	Extra       json.RawMessage // object whose members are added to each request, for example {"ignore_eos":true}
	UserField   bool            // tell the request's user, a pseudonym, in the member user
	Seeded      bool            // send the call's seed; off by default, since engines sample slower with one

	// CountEach asks for the token count with each chunk (continuous_usage_stats), so that Counts is right where an event
	// carries several tokens. Not every server knows the option.
	CountEach bool
}

// NewOpenAI returns a client for the endpoint. Its URL may be that of the server, of the API's
// root (…/v1) or of the operation itself (…/v1/chat/completions).
func NewOpenAI(e Endpoint) (*OpenAI, error) {
	c := &OpenAI{}
	s, err := e.open(func(u *url.URL) {
		path := strings.TrimSuffix(u.Path, "/")
		switch {
		case strings.HasSuffix(path, "/chat/completions"):
		case strings.HasSuffix(path, "/completions"):
			c.Completions = true
		case path == "":
			path = "/v1/chat/completions"
		default:
			path += "/chat/completions"
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
func (c *OpenAI) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	t.request = c.body(t.request[:0], call, r.User)
	t.q.body = t.request
	if rest, ok := strings.CutSuffix(c.url.EscapedPath(), "/chat/completions"); ok && c.Completions { // the field was set after New
		t.q.path = rest + "/completions" + c.suffix()
	}
	if call.Stream {
		t.q.accept = "text/event-stream"
	}
	t.q.single = !call.Stream
	t.send(c)
}

// read implements reader.
func (c *OpenAI) read(t *trip, a *answer) bool {
	switch {
	case a.sse:
		return t.chunks(a, a.body, a.readAt)
	case a.json:
		return t.completion(a)
	}
	t.bad("answer is neither an event stream nor JSON")
	return false
}

// body appends the request's JSON.
func (c *OpenAI) body(b []byte, call *assay.Call, user string) []byte {
	b = append(b, `{"model":`...)
	b = quote(b, call.Model)
	if c.Completions {
		b = append(b, `,"prompt":`...)
		b = quote(b, call.Prompt)
	} else {
		b = append(b, `,"messages":[{"role":"user","content":`...)
		b = quote(b, call.Prompt)
		b = append(b, `}]`...)
	}
	if call.MaxTokens > 0 {
		field := c.LimitField
		if field == "" {
			field = "max_tokens"
		}
		b = append(b, ',')
		b = quote(b, field)
		b = append(b, ':')
		b = strconv.AppendInt(b, int64(call.MaxTokens), 10)
	}
	if call.Stream {
		b = append(b, `,"stream":true,"stream_options":{"include_usage":true`...)
		if c.CountEach {
			b = append(b, `,"continuous_usage_stats":true`...)
		}
		b = append(b, "}"...)
	}
	if call.Greedy {
		b = append(b, `,"temperature":0`...)
	}
	if c.UserField && user != "" {
		b = append(b, `,"user":`...)
		b = quote(b, user)
	}
	if c.Seeded {
		b = append(b, `,"seed":`...)
		b = strconv.AppendUint(b, call.Seed>>33, 10) // engines take 31 bits
	}
	if extra := bytes.TrimSpace(c.Extra); len(extra) > 2 && extra[0] == '{' {
		b = append(b, ',')
		b = append(b, extra[1:]...)
		return b
	}
	return append(b, '}')
}

// quote appends v as a JSON string.
func quote(b []byte, v string) []byte {
	if !unescaped(v) {
		q, _ := json.Marshal(v)
		return append(b, q...)
	}
	b = append(b, '"')
	b = append(b, v...)
	return append(b, '"')
}

// unescaped reports whether v stands for itself in a JSON string. It looks at eight bytes at a time: a prompt may have a megabyte, and its
// request is due now.
func unescaped(v string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	bad := uint64(0) // high bits of the bytes that are below a space, a quote, a backslash or above 0x7e
	for ; len(v) >= 8; v = v[8:] {
		x := uint64(v[0]) | uint64(v[1])<<8 | uint64(v[2])<<16 | uint64(v[3])<<24 | uint64(v[4])<<32 | uint64(v[5])<<40 | uint64(v[6])<<48 | uint64(v[7])<<56
		quote, slash, del := x^('"'*ones), x^('\\'*ones), x^(0x7f*ones)
		bad |= x | (x-' '*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash | (del-ones)&^del
	}
	if bad&highs != 0 {
		return false
	}
	for i := range len(v) {
		if c := v[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			return false
		}
	}
	return true
}

// chunks reads an answer streamed as OpenAI's chunks and reports whether the connection is clean after it.
func (t *trip) chunks(a *answer, body io.Reader, readAt func() int64) bool {
	tally := tally{r: t.r}
	counted := &counting{Reader: body, n: &t.r.BytesIn}
	t.events.Now, t.escaped = readAt, true
	t.events.Reset(counted)
	for {
		var e sse.Event
		if err := t.events.Next(&e); err != nil {
			tally.close()
			if err == io.EOF && tally.finished { // some servers leave out [DONE]
				t.ok(readAt())
				return true
			}
			t.fail(tooLong(err))
			return false
		}
		if string(bytes.TrimSpace(e.Data)) == "[DONE]" {
			tally.close()
			if !tally.choices {
				t.bad("stream without a choice")
				return false
			}
			t.ok(e.At)
			return t.drain(a, counted)
		}
		var k chunk
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
		tally.add(&k, e.At)
	}
}

// tooLong makes the error of an event above the limit one of the protocol.
func tooLong(err error) error {
	if errors.Is(err, sse.ErrTooLong) {
		return &protocolError{err.Error()}
	}
	return err
}

// broken ends the request by a chunk that is not JSON. Half an event at the end of a stream means that it was cut.
func (t *trip) broken(partial bool) {
	if partial {
		t.fail(io.ErrUnexpectedEOF)
		return
	}
	t.bad("chunk is not a JSON object")
}

// counting counts what is read.
type counting struct {
	io.Reader
	n *int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.n += int64(n)
	return n, err
}

// tally follows the tokens of a stream.
type tally struct {
	r        *assay.Request
	choices  bool
	finished bool
	usage    bool
	each     bool // every chunk with content came with the count so far
	counted  int32
	planned  int32 // prompt tokens before the target told its own count
}

func (t *tally) add(k *chunk, at int64) {
	r := t.r
	t.choices = t.choices || k.choices
	t.finished = t.finished || k.finished
	if k.usage {
		if !t.usage {
			t.planned = r.TokensIn
		}
		t.usage = true
		r.TokensIn, r.TokensOut = k.in, k.out
	}
	if !k.content {
		return
	}
	if len(r.Arrivals) == 0 {
		r.FirstToken = at
		t.each = true
	}
	r.Arrivals = append(r.Arrivals, at)
	if t.each = t.each && k.usage; t.each {
		r.Counts = append(r.Counts, k.out-t.counted)
		t.counted = k.out
	}
}

// close settles the counts: those of chunks only if each chunk had one, and without usage a chunk counts as a token.
func (t *tally) close() {
	if !t.each {
		t.r.Counts = t.r.Counts[:0]
	}
	if !t.usage {
		t.r.TokensOut = int32(len(t.r.Arrivals))
	}
}

// completion reads an answer that is not streamed.
func (t *trip) completion(a *answer) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	t.completed(b, a.readAt())
	return true
}

// completed settles the request by a whole answer, which came at the instant given.
func (t *trip) completed(b []byte, at int64) {
	var k chunk
	switch {
	case !k.parse(b):
		t.bad("answer is not a JSON object")
	case k.failure:
		t.inner(k.code, k.message(), at)
	case !k.choices:
		t.bad("answer without a choice")
	default:
		t.escaped = true
		t.hear(k.said)
		t.named(k.model)
		if k.usage {
			t.r.TokensIn, t.r.TokensOut = k.in, k.out
		}
		t.ok(at)
	}
}
