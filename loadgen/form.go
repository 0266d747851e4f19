package loadgen

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"

	"github.com/assay-dev/assay"
)

// A form is what a call to a function or an endpoint of a cloud carries, and what its answer does: they pass on whatever the model's server speaks.
type form struct {
	api      string          // chat or completions, as OpenAI has them; generate, as text-generation-inference; "": the answer may be anything
	extra    json.RawMessage // members added to the request, or to its parameters
	payloads *Payloads       // bodies in place of the request's own
	rule     *BodyRule       // of an answer that is not streamed; nil: none
}

// ask makes the body of the request.
func (f *form) ask(t *trip, call *assay.Call, r *assay.Request) {
	if f.payloads != nil {
		t.load(f.payloads.of(r.ID))
		return
	}
	b := t.request[:0]
	switch f.api {
	case "chat", "completions":
		b = (&OpenAI{Completions: f.api == "completions", Extra: f.extra}).body(b, call, "")
	case "generate":
		b = (&TGI{Parameters: f.extra}).body(b, call)
		if call.Stream {
			b = append(b[:len(b)-1], `,"stream":true}`...)
		}
	default:
		from := len(b) + 1
		b = quote(append(b, `{"prompt":`...), call.Prompt)
		if call.MaxTokens > 0 {
			b = strconv.AppendInt(append(b, `,"max_tokens":`...), int64(call.MaxTokens), 10)
		}
		b = append(appendMembers(b, f.extra, from), '}')
	}
	t.request = b
	t.q.body = b
}

// counts reports whether the form knows tokens.
func (f *form) counts() bool { return f.api != "" }

// whole reads an answer that is not streamed.
func (f *form) whole(t *trip, a *answer) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	at := a.readAt()
	if f.rule != nil {
		if status, text := f.rule.failure(b); status != 0 {
			t.inner(status, text, at)
			return true
		}
	}
	switch f.api {
	case "chat", "completions":
		t.completed(b, at)
	case "generate":
		t.generated(b, at)
	default:
		t.settle(f.rule, b, at)
	}
	return true
}

// stream reads an answer that is streamed, from body. readAt tells when what was read last had come.
func (f *form) stream(t *trip, a *answer, body io.Reader, readAt func() int64) bool {
	switch f.api {
	case "chat", "completions":
		return t.chunks(a, body, readAt)
	case "generate":
		start, body, err := sniff(body)
		switch {
		case err != nil:
			t.fail(cutOff(err))
			return false
		case start == '{':
			return t.tgiLines(a, body, readAt)
		}
		return t.tgiEvents(a, body, readAt)
	}
	return f.pieces(t, body, readAt)
}

// pieces reads a stream of anything: each piece that comes is an arrival, and none a token.
func (f *form) pieces(t *trip, body io.Reader, readAt func() int64) bool {
	r := t.r
	buf, said := make([]byte, 32<<10), t.excerpt[:0]
	for {
		n, err := body.Read(buf)
		if n > 0 {
			at := readAt()
			r.BytesIn += int64(n)
			stamp(&r.FirstToken, at)
			r.Arrivals = append(r.Arrivals, at)
			t.hear(buf[:n])
			said = append(said, buf[:min(n, max(0, maxExcerpt-len(said)))]...)
		}
		if err != nil {
			t.excerpt = said
			if err != io.EOF {
				t.fail(err)
				return false
			}
			if f.rule != nil {
				if status, text := f.rule.failure(said); status != 0 {
					t.inner(status, text, readAt())
					return true
				}
			}
			t.ok(readAt())
			return true
		}
	}
}

// sniff returns the first byte of a body that is no space, and a reader of all of it.
func sniff(body io.Reader) (byte, io.Reader, error) {
	buf := make([]byte, 4<<10)
	n, err := 0, error(nil)
	for n < len(buf) && err == nil {
		var m int
		m, err = body.Read(buf[n:])
		n += m
		if text := bytes.TrimLeft(buf[:n], " \t\r\n"); len(text) > 0 {
			return text[0], io.MultiReader(bytes.NewReader(buf[:n]), body), nil
		}
	}
	if err == nil {
		err = &protocolError{"stream begins with nothing but space"}
	}
	return 0, nil, err
}

// tgiLines reads a stream of token events as lines of JSON, as servers do that speak text-generation-inference's schema without its
// event stream.
func (t *trip) tgiLines(a *answer, body io.Reader, readAt func() int64) bool {
	tally := tally{r: t.r}
	counted := &counting{Reader: body, n: &t.r.BytesIn}
	t.escaped = true
	t.lines.reset(counted, readAt)
	for {
		line, at, partial, err := t.lines.next()
		if err != nil {
			tally.close()
			t.fail(cutOff(err))
			return false
		}
		var k tgiChunk
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
		tally.add(&k.chunk, at)
		if k.finished {
			tally.close()
			if k.usage { // it counts the answer's tokens only
				t.r.TokensIn = tally.planned
			}
			t.ok(at)
			return t.drain(a, counted)
		}
	}
}
