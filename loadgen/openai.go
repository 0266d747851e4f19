package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sse"
)

const (
	maxWhole   = 16 << 20              // answer that is not streamed
	maxExcerpt = 4 << 10               // of an error's body
	epilogue   = 20 * time.Millisecond // for what follows [DONE], to keep the connection
)

// OpenAI is a client of an OpenAI-compatible endpoint. Set the fields before the first Do.
type OpenAI struct {
	*site
	Completions bool            // the older API: prompt in, text out; NewOpenAI sets it for a URL that ends in /completions
	LimitField  string          // of the answer's length; "": max_tokens
	Extra       json.RawMessage // object whose members are added to each request, for example {"ignore_eos":true}
	Seeded      bool            // send the call's seed; off by default, since engines sample slower with one
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
	s.scratch.New = func() any { return &scratch{events: &sse.Reader{}} }
	return c, nil
}

// scratch is what a call needs and the next one can use again.
type scratch struct {
	request []byte
	excerpt []byte
	events  *sse.Reader
}

// Do implements assay.Client.
func (c *OpenAI) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	m := c.scratch.Get().(*scratch)
	defer c.scratch.Put(m)
	m.request = c.body(m.request[:0], call)
	q := query{method: http.MethodPost, kind: "application/json", accept: "application/json", headers: call.Headers, body: m.request}
	if call.Stream {
		q.accept = "text/event-stream"
	}
	if err := c.authorize(ctx, &q); err != nil {
		c.failed(ctx, r, err)
		return
	}
	a, err := c.carrier.exchange(ctx, &q, r)
	if err != nil {
		c.failed(ctx, r, err)
		return
	}
	r.Status = int32(a.status)
	clean := false
	switch {
	case a.status != http.StatusOK:
		clean = c.refusal(a, m, call, q.token, r)
	case a.coded:
		c.failed(ctx, r, &protocolError{"answer is compressed, which was not asked for"})
	case a.sse:
		clean = c.stream(ctx, a, m, call, q.token, r)
	case a.json:
		clean = c.whole(ctx, a, call, q.token, r)
	default:
		c.failed(ctx, r, &protocolError{"answer is neither an event stream nor JSON"})
	}
	a.finish(clean)
}

// body appends the request's JSON.
func (c *OpenAI) body(b []byte, call *assay.Call) []byte {
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
		b = append(b, `,"stream":true,"stream_options":{"include_usage":true}`...)
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
	for i := range len(v) {
		if c := v[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			q, _ := json.Marshal(v)
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, v...)
	return append(b, '"')
}

// stream reads a streamed answer and reports whether the connection is clean after it.
func (c *OpenAI) stream(ctx context.Context, a *answer, m *scratch, call *assay.Call, token string, r *assay.Request) bool {
	tally := tally{r: r}
	counted := &counting{Reader: a.body, n: &r.BytesIn}
	m.events.Now = a.readAt
	m.events.Reset(counted)
	for {
		var e sse.Event
		if err := m.events.Next(&e); err != nil {
			if err == io.EOF && tally.finished { // some servers leave out [DONE]
				r.End, r.Outcome = a.readAt(), assay.OK
				tally.close()
				return true
			}
			if errors.Is(err, sse.ErrTooLong) {
				err = &protocolError{err.Error()}
			}
			tally.close()
			c.failed(ctx, r, err)
			return false
		}
		if string(bytes.TrimSpace(e.Data)) == "[DONE]" {
			tally.close()
			if r.End = e.At; !tally.choices {
				c.failed(ctx, r, &protocolError{"stream without a choice"})
				return false
			}
			r.Outcome = assay.OK
			a.wait(epilogue)
			_, err := io.CopyN(io.Discard, counted, maxExcerpt)
			return err == io.EOF
		}
		var k chunk
		if !k.parse(e.Data) {
			tally.close()
			if e.Partial { // half an event: the stream was cut
				c.failed(ctx, r, io.ErrUnexpectedEOF)
			} else {
				c.failed(ctx, r, &protocolError{"chunk is not a JSON object"})
			}
			return false
		}
		if k.failure {
			tally.close()
			c.inner(&k, call, token, r, e.At)
			return false
		}
		tally.add(&k, e.At)
	}
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
}

func (t *tally) add(k *chunk, at int64) {
	r := t.r
	t.choices = t.choices || k.choices
	t.finished = t.finished || k.finished
	if k.usage {
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

// whole reads an answer that is not streamed.
func (c *OpenAI) whole(ctx context.Context, a *answer, call *assay.Call, token string, r *assay.Request) bool {
	b, err := io.ReadAll(io.LimitReader(a.body, maxWhole+1))
	r.BytesIn = int64(len(b))
	at := a.readAt()
	var k chunk
	switch {
	case err != nil:
		c.failed(ctx, r, err)
		return false
	case len(b) > maxWhole:
		c.failed(ctx, r, &protocolError{fmt.Sprintf("answer larger than %d bytes", maxWhole)})
		return false
	case !k.parse(b):
		c.failed(ctx, r, &protocolError{"answer is not a JSON object"})
	case k.failure:
		c.inner(&k, call, token, r, at)
	case !k.choices:
		c.failed(ctx, r, &protocolError{"answer without a choice"})
	default:
		r.Outcome = assay.OK
		if k.usage {
			r.TokensIn, r.TokensOut = k.in, k.out
		}
	}
	r.End = at
	return true
}

// inner ends r by an error that came inside an answer of status 200.
func (c *OpenAI) inner(k *chunk, call *assay.Call, token string, r *assay.Request, at int64) {
	status := k.code
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	text := k.message()
	c.refused(r, status, saysLoading([]byte(text)), 0, discreet(text, call, token))
	r.End = at
	r.Error = short("in the answer: " + r.Error)
}

// refusal reads the body of an answer that is no success.
func (c *OpenAI) refusal(a *answer, m *scratch, call *assay.Call, token string, r *assay.Request) bool {
	text, clean := excerpt(a, m, r)
	var k chunk
	detail := ""
	if k.parse(text) && k.failure {
		detail = discreet(k.message(), call, token)
	}
	c.refused(r, a.status, a.loading || saysLoading(text), a.retry, detail)
	return clean
}

// excerpt reads the beginning of an error's body, skips some more and reports whether that was all.
func excerpt(a *answer, m *scratch, r *assay.Request) ([]byte, bool) {
	if cap(m.excerpt) < maxExcerpt {
		m.excerpt = make([]byte, maxExcerpt)
	}
	a.wait(time.Second) // a broken server may never end it
	text := m.excerpt[:0]
	for len(text) < maxExcerpt {
		n, err := a.body.Read(m.excerpt[len(text):maxExcerpt])
		text = m.excerpt[:len(text)+n]
		if err != nil {
			r.BytesIn, r.End = int64(len(text)), a.readAt()
			return text, err == io.EOF
		}
	}
	rest, err := io.CopyN(io.Discard, a.body, maxHead)
	r.BytesIn, r.End = int64(len(text))+rest, a.readAt()
	return text, err == io.EOF
}

// discreet returns an error's message without what must not be recorded: the token, and the prompt, which some
// servers repeat.
func discreet(text string, call *assay.Call, token string) string {
	if token != "" {
		text = strings.ReplaceAll(text, token, "***")
	}
	if call.Prompt != "" {
		words := strings.SplitN(call.Prompt, " ", 4)
		if strings.Contains(text, strings.Join(words[:min(3, len(words))], " ")) {
			return ""
		}
	}
	return text
}
