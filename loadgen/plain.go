package loadgen

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/assay-dev/assay"
)

// HTTP is a client for any URL. A 2xx whose body arrives whole is good. It knows no tokens: FirstToken stays zero and
// the call's prompt is not sent.
type HTTP struct {
	*site
	Method string // "": GET, or POST with a Body
	Body   []byte // sent with each request
	Type   string // content type of Body; "": application/json
}

// NewHTTP returns a client for the endpoint.
func NewHTTP(e Endpoint) (*HTTP, error) {
	s, err := e.open(nil)
	if err != nil {
		return nil, err
	}
	s.scratch.New = func() any { return &scratch{} }
	return &HTTP{site: s}, nil
}

// Do implements assay.Client.
func (c *HTTP) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	q := query{method: c.Method, headers: call.Headers, body: c.Body, kind: c.Type, accept: "*/*"}
	if q.method == "" {
		if q.method = http.MethodGet; q.body != nil {
			q.method = http.MethodPost
		}
	}
	if q.kind == "" {
		q.kind = "application/json"
	}
	r.TokensIn, r.TokensAsked = 0, 0
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
	case a.status >= 400:
		m := c.scratch.Get().(*scratch)
		var text []byte
		text, clean = excerpt(a, m, r)
		c.refused(r, a.status, a.loading || saysLoading(text), a.retry, "")
		c.scratch.Put(m)
	default:
		r.BytesIn, err = io.Copy(io.Discard, a.body)
		r.End = a.readAt()
		switch clean = err == nil; {
		case !clean:
			c.failed(ctx, r, err)
		case a.status < 300:
			r.Outcome = assay.OK
		default:
			r.Outcome, r.Error = assay.ClientError, short(fmt.Sprintf("%d %s: redirects are not followed", a.status, http.StatusText(a.status)))
		}
	}
	a.finish(clean)
}
