package loadgen

import (
	"context"
	"io"
	"net/http"

	"github.com/assay-dev/assay"
)

// HTTP is a client for any URL. A 2xx whose body arrives whole is good, unless Rule or the endpoint's Expect says otherwise. It
// knows no tokens: FirstToken stays zero and the call's prompt is not sent.
type HTTP struct {
	*site
	Method   string    // "": GET, or POST with a body
	Body     []byte    // sent with each request
	Type     string    // content type of Body; "": application/json
	Payloads *Payloads // bodies that requests take in turn, in place of Body
	Rule     *BodyRule // what a body says about failure; nil: nothing
}

// NewHTTP returns a client for the endpoint.
func NewHTTP(e Endpoint) (*HTTP, error) {
	s, err := e.open(nil)
	if err != nil {
		return nil, err
	}
	return &HTTP{site: s}, nil
}

// Do implements assay.Client.
func (c *HTTP) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	t.q.method, t.q.body, t.q.accept = c.Method, c.Body, "*/*"
	if c.Type != "" {
		t.q.kind = c.Type
	}
	if c.Payloads != nil {
		t.load(c.Payloads.of(r.ID))
	}
	if t.q.method == "" {
		if t.q.method = http.MethodGet; t.q.body != nil {
			t.q.method = http.MethodPost
		}
	}
	r.TokensIn, r.TokensAsked = 0, 0
	t.q.single = true
	t.send(c)
}

// refuse implements refuser: a redirect is named as what it is.
func (c *HTTP) refuse(a *answer, k *complaint) assay.Outcome {
	k.text = "" // of a body that follows no protocol nothing is recorded
	if a.status/100 == 3 {
		k.text = "redirects are not followed"
	}
	return assay.OutcomeUnknown
}

// read implements reader.
func (c *HTTP) read(t *trip, a *answer) bool {
	if c.Rule == nil && t.expect == nil {
		n, err := io.Copy(io.Discard, a.body)
		t.r.BytesIn = n
		if err != nil {
			t.fail(err)
			return false
		}
		t.ok(a.readAt())
		return true
	}
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	t.settle(c.Rule, b, a.readAt())
	return true
}
