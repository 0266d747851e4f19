package loadgen

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/sse"
)

const (
	maxWhole   = 16 << 20              // answer that is not streamed
	maxExcerpt = 4 << 10               // of an error's body
	epilogue   = 20 * time.Millisecond // for what follows the last event, to keep the connection
)

// A trip is one call on its way, with buffers that the next one uses again.
type trip struct {
	*site
	ctx  context.Context
	call *assay.Call
	r    *assay.Request
	q    query

	request []byte
	headers [][2]string
	excerpt []byte
	events  sse.Reader
	lines   lines
	said    []byte // what the answer said, where a check wants to know
	escaped bool   // said consists of the insides of JSON strings
	model   []byte // that the answer names
	version []byte // of the model, that the answer names
}

// A reader is a client's own part of a call: it reads the body of an answer of status 2xx, settles the request's outcome and
// reports whether the body was read to its end, so that the connection can be used again.
type reader interface {
	read(t *trip, a *answer) (clean bool)
}

// A refuser is a reader that knows more about its target's refusals than the status says.
type refuser interface {
	// refuse returns the outcome of an answer that is no success, and OutcomeUnknown to leave it to the status.
	refuse(a *answer, c *complaint) assay.Outcome
}

// begin starts a call: a POST of JSON that wants JSON, unless the client changes the query.
func (s *site) begin(ctx context.Context, call *assay.Call, r *assay.Request) *trip {
	t, _ := s.trips.Get().(*trip)
	if t == nil {
		t = &trip{}
	}
	t.site, t.ctx, t.call, t.r = s, ctx, call, r
	t.q = query{method: http.MethodPost, kind: "application/json", accept: "application/json", headers: call.Headers}
	if s.Class != "" && r.Class != "" && safe(r.Class) {
		t.headers = append(append(t.headers[:0], call.Headers...), [2]string{s.Class, r.Class})
		t.q.headers = t.headers
	}
	if s.User != "" && r.User != "" {
		t.headers = append(append(t.headers[:0], t.q.headers...), [2]string{s.User, r.User})
		t.q.headers = t.headers
	}
	t.said, t.model, t.version, t.escaped = t.said[:0], t.model[:0], t.version[:0], false
	return t
}

// send does the exchange and has c read the answer. It is the last thing that a client does in a call: a request that is launched (see flight) is
// still out when it returns.
func (t *trip) send(c reader) {
	if f, ok := t.ctx.(*flight); ok {
		w, wired := t.carrier.(*wire)
		f.able = wired && t.Token == nil && t.Sign == nil // a credential may have to be waited for
		if f.launch {
			if f.aloft = f.able && w.launch(t, c, f); !f.aloft {
				t.release()
			}
			return
		}
	}
	if err := t.authorize(t.ctx, &t.q); err != nil {
		t.land(c, nil, err)
		return
	}
	a, err := t.carrier.exchange(t.ctx, &t.q, t.r)
	t.land(c, a, err)
}

// release puts the trip aside for the next call.
func (t *trip) release() {
	s := t.site
	t.ctx, t.call, t.r, t.q = nil, nil, nil, query{}
	s.trips.Put(t)
}

// land ends the call after its exchange came up to the head of an answer, or failed.
func (t *trip) land(c reader, a *answer, err error) {
	defer t.release()
	if err != nil {
		t.fail(err)
		return
	}
	s, r := t.site, t.r
	r.Status = int32(a.status)
	clean := false
	switch {
	case a.status/100 != 2:
		clean = t.refusal(c, a)
	case a.coded:
		t.bad("answer is compressed, which was not asked for")
	default:
		clean = c.read(t, a)
	}
	a.finish(clean)
	if s.expect != nil && r.Outcome == assay.OK {
		s.expect.judge(t)
	}
}

// fail ends the request by a transport error.
func (t *trip) fail(err error) {
	var named *exception
	if errors.As(err, &named) {
		t.thrown(named)
		return
	}
	t.failed(t.ctx, t.r, err)
}

// bad ends the request by an answer that is not what was promised.
func (t *trip) bad(text string) { t.fail(&protocolError{text}) }

// hear keeps what an answer says, if anyone wants to know.
func (t *trip) hear(text []byte) {
	if t.expect != nil && len(t.said) < maxSaid {
		t.said = append(t.said, text...)
	}
}

// named keeps the model that an answer names.
func (t *trip) named(model []byte) {
	if t.expect != nil && len(model) > 0 {
		t.model = append(t.model[:0], model...)
	}
}

// versioned keeps the version of the model that an answer names.
func (t *trip) versioned(version []byte) {
	if t.expect != nil && len(version) > 0 {
		t.version = append(t.version[:0], version...)
	}
}

// whole reads a body that is not streamed. It returns false after having settled the request.
func (t *trip) whole(a *answer) ([]byte, bool) {
	b, err := io.ReadAll(io.LimitReader(a.body, maxWhole+1))
	t.r.BytesIn = int64(len(b))
	switch {
	case err != nil:
		t.fail(err)
		return nil, false
	case len(b) > maxWhole:
		t.bad("answer larger than 16 MiB")
		return nil, false
	}
	return b, true
}

// ok ends the request well, at the instant given.
func (t *trip) ok(at int64) {
	t.r.End, t.r.Outcome = at, assay.OK
}

// drain reads what follows the last event of a stream and reports whether that was the end.
func (t *trip) drain(a *answer, body io.Reader) bool {
	a.wait(epilogue)
	_, err := io.CopyN(io.Discard, body, maxExcerpt)
	return err == io.EOF
}

// refusal reads the body of an answer that is no success.
func (t *trip) refusal(c reader, a *answer) bool {
	text, clean := excerpt(a, t)
	if a.status == http.StatusBadRequest && certificateText(text) {
		t.refused(t.r, http.StatusUnauthorized, false, 0, "")
		t.r.Error = errCertificate.Error()
		return clean
	}
	k := readComplaint(text)
	loading := a.loading || saysLoading(text)
	status := a.status
	if f, ok := c.(refuser); ok {
		if o := f.refuse(a, &k); o != assay.OutcomeUnknown {
			t.refused(t.r, status, loading, a.retry, t.discreet(k.text))
			if t.r.Outcome, t.r.RetryAfter = o, a.retry; o == assay.Credential {
				t.refused(t.r, http.StatusUnauthorized, false, 0, "")
			}
			return clean
		}
	}
	t.refused(t.r, status, loading, a.retry, t.discreet(k.text))
	return clean
}

// inner ends the request by an error that came inside an answer of status 200.
func (t *trip) inner(status int, text string, at int64) {
	if status < 400 || status > 599 {
		status = http.StatusInternalServerError
	}
	t.refused(t.r, status, saysLoading([]byte(text)), 0, t.discreet(text))
	t.r.End = at
	t.r.Error = short("in the answer: " + t.r.Error)
}

// excerpt reads the beginning of an error's body, skips some more and reports whether that was all.
func excerpt(a *answer, t *trip) ([]byte, bool) {
	if cap(t.excerpt) < maxExcerpt {
		t.excerpt = make([]byte, maxExcerpt)
	}
	a.wait(time.Second) // a broken server may never end it
	text, r := t.excerpt[:0], t.r
	for len(text) < maxExcerpt {
		n, err := a.body.Read(t.excerpt[len(text):maxExcerpt])
		text = t.excerpt[:len(text)+n]
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
func (t *trip) discreet(text string) string {
	if t.q.token != "" {
		text = strings.ReplaceAll(text, t.q.token, "***")
	}
	for _, secret := range t.q.hide {
		text = strings.ReplaceAll(text, secret, "***")
	}
	if t.call.Prompt != "" {
		words := strings.SplitN(t.call.Prompt, " ", 4)
		if strings.Contains(text, strings.Join(words[:min(3, len(words))], " ")) {
			return ""
		}
	}
	return text
}

// A complaint is what the JSON body of an error says, in any of the forms that model servers and clouds use.
type complaint struct {
	found bool
	code  int    // status-like
	kind  string // name of the error
	text  string
}

// readComplaint looks for an error in b: {"error":{"message","code","type"}}, {"error":"…","error_type":"…"},
// {"message":"…"}, {"errorMessage":"…","errorType":"…"}, {"detail":"…"}.
func readComplaint(b []byte) complaint {
	var k complaint
	var top map[string]json.RawMessage
	if json.Unmarshal(b, &top) != nil {
		return k
	}
	k.take(top, "error")
	k.take(top, "errorMessage", "message", "Message", "detail")
	for _, name := range []string{"errorType", "error_type", "__type", "code", "Code", "OriginalStatusCode"} {
		k.mark(top[name])
	}
	return k
}

// take reads the first of the members that is there: a text, or an object with one.
func (k *complaint) take(in map[string]json.RawMessage, names ...string) {
	for _, name := range names {
		raw, ok := in[name]
		if !ok || string(raw) == "null" || k.text != "" {
			continue
		}
		var inside map[string]json.RawMessage
		switch {
		case json.Unmarshal(raw, &k.text) == nil:
			k.found = true
		case json.Unmarshal(raw, &inside) == nil:
			k.found = true
			k.take(inside, "message", "Message")
			k.mark(inside["code"])
			k.mark(inside["type"])
		case name == "error":
			k.found = true
		}
	}
}

// mark reads a code or the name of a kind of error.
func (k *complaint) mark(raw json.RawMessage) {
	var text string
	switch {
	case raw == nil:
	case k.code == 0 && json.Unmarshal(raw, &k.code) == nil:
	case k.kind == "" && json.Unmarshal(raw, &text) == nil:
		k.kind = text
	}
}
