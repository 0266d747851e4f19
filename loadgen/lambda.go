package loadgen

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/assay-dev/assay"
)

// Lambda is a client of a function on AWS Lambda: Invoke, or InvokeWithResponseStream where the call wants a stream, or the function's own
// URL. Set the fields before the first Do. Requests are signed if the endpoint's Sign is set.
//
// Status 200 does not make an answer good: a function that raised an error or ran out of time has it too, and is told by
// X-Amz-Function-Error, by the body (see [BodyRule]) or by the end of the stream. A stream is whole when its InvokeComplete came. With an
// API, a function's answer is read as that of a model server; without one an answer may be anything, and each piece of
// a stream is an arrival. An answer from a function URL is streamed when it is an event stream.
type Lambda struct {
	*site
	Function  string          // name or ARN; "": the call's model. With neither, the URL is the function's own
	Qualifier string          // version or alias; "": the unpublished version
	API       string          // what the function speaks: chat, completions, generate; "": anything
	Extra     json.RawMessage // object whose members are added to each request
	Payloads  *Payloads       // bodies that requests take in turn; nil: made from the prompt, in the API's form or as {"prompt":…,"max_tokens":…}
	Rule      *BodyRule       // what a body says about failure; NewLambda sets the platform's own rules

	// LogTail asks for the end of the function's log, which tells a cold start by its init duration. Invoke alone gives it.
	LogTail bool

	own   bool   // the URL is the function's own
	fixed string // escaped name of the function in the URL
	base  string // escaped path before that of the operation
}

// NewLambda returns a client for the endpoint: that of the service (https://lambda.REGION.amazonaws.com), of a function on it
// (…/functions/NAME/invocations), or a function's own URL.
func NewLambda(e Endpoint) (*Lambda, error) {
	c := &Lambda{Rule: &BodyRule{Errors: true}}
	s, err := e.open(func(u *url.URL) {
		path := strings.TrimSuffix(u.EscapedPath(), "/")
		before, after, found := strings.Cut(path, "/functions/")
		switch {
		case strings.Contains(u.Hostname(), ".lambda-url."):
			c.own = true
		case found:
			c.base = strings.TrimSuffix(strings.TrimSuffix(before, "/2015-03-31"), "/2021-11-15")
			c.fixed, _, _ = strings.Cut(after, "/")
		default:
			c.own = path != ""
		}
	})
	if err != nil {
		return nil, err
	}
	c.site = s
	return c, nil
}

func (c *Lambda) form() form {
	return form{api: c.API, extra: c.Extra, payloads: c.Payloads, rule: c.Rule}
}

// Do implements assay.Client.
func (c *Lambda) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	f := c.form()
	f.ask(t, call, r)
	t.q.single = !call.Stream
	if !f.counts() {
		r.TokensIn, r.TokensAsked = 0, 0
	}
	t.q.accept, t.q.fields = "*/*", true
	if name := c.function(call); name != "" {
		c.invoke(t, name, call.Stream)
	}
	t.send(c)
}

// function returns the escaped name of the function to invoke, "" where the URL is its own.
func (c *Lambda) function(call *assay.Call) string {
	switch {
	case c.own:
		return ""
	case c.fixed != "":
		return c.fixed
	case c.Function != "":
		return url.PathEscape(c.Function)
	}
	return url.PathEscape(call.Model)
}

// invoke makes the query one of the service's two operations.
func (c *Lambda) invoke(t *trip, name string, stream bool) {
	version, operation := "/2015-03-31", "/invocations"
	if stream {
		version, operation = "/2021-11-15", "/response-streaming-invocations"
	}
	path := c.base + version + "/functions/" + name + operation + c.suffix()
	if c.Qualifier != "" {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "Qualifier=" + url.QueryEscape(c.Qualifier)
	}
	t.q.path = path
	t.headers = append(append(t.headers[:0], t.q.headers...), [2]string{"X-Amz-Invocation-Type", "RequestResponse"})
	if c.LogTail {
		t.headers = append(t.headers, [2]string{"X-Amz-Log-Type", "Tail"})
	}
	t.q.headers = t.headers
}

// read implements reader.
func (c *Lambda) read(t *trip, a *answer) bool {
	f := c.form()
	if fault := a.field("x-amz-function-error"); fault != "" {
		return c.raised(t, a, fault)
	}
	c.cold(t.r, a.field("x-amz-log-result"))
	switch {
	case strings.HasPrefix(a.field("content-type"), frameType):
		in := newFrames(a, "PayloadChunk")
		in.last, in.finish = "InvokeComplete", func(b []byte) error { return c.complete(t.r, b) }
		return f.stream(t, a, in, in.readAt)
	case a.sse:
		return f.stream(t, a, a.body, a.readAt)
	}
	return f.whole(t, a)
}

// raised ends the request by an error that the function raised.
func (c *Lambda) raised(t *trip, a *answer, fault string) bool {
	b, ok := t.whole(a)
	if !ok {
		return false
	}
	c.cold(t.r, a.field("x-amz-log-result"))
	text := fault
	if _, told := (&BodyRule{Errors: true}).failure(b); told != "" {
		text = told
	}
	t.inner(http.StatusInternalServerError, text, a.readAt())
	return true
}

// refuse implements refuser. A function's own URL answers with what the function says.
func (c *Lambda) refuse(a *answer, k *complaint) assay.Outcome {
	if c.own {
		return assay.OutcomeUnknown
	}
	return awsRefusal(a, k)
}
