package loadgen

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/assay-dev/assay"
)

// SageMaker is a client of an endpoint of SageMaker: InvokeEndpoint, or InvokeEndpointWithResponseStream where the call wants a
// stream. Set the fields before the first Do. Requests are signed if the endpoint's Sign is set.
//
// A stream comes as frames: the container's answer is cut into PayloadParts as it comes, in pieces that need not be those of its own events. Each
// token has the instant of the frame that completed it. An exception inside the stream is a failure, by its name; so is the model's
// own refusal, which SageMaker passes on as ModelError with status 424.
type SageMaker struct {
	*site
	Name        string          // of the endpoint; "": the call's model, unless the URL has it
	Variant     string          // production variant to invoke; "": by the endpoint's weights
	Component   string          // inference component; "": none
	TargetModel string          // of a multi-model endpoint; "": none
	API         string          // what the container speaks: chat, completions, generate; "": anything, each frame an arrival
	Extra       json.RawMessage // object whose members are added to each request
	Payloads    *Payloads       // bodies that requests take in turn; nil: made from the prompt, in the API's form or as {"prompt":…,"max_tokens":…}

	fixed string // escaped name of the endpoint in the URL
	base  string // escaped path before /endpoints/
}

// NewSageMaker returns a client for the endpoint: that of the service (https://runtime.sagemaker.REGION.amazonaws.com), or of an
// endpoint on it (…/endpoints/NAME/invocations).
func NewSageMaker(e Endpoint) (*SageMaker, error) {
	c := &SageMaker{}
	s, err := e.open(func(u *url.URL) {
		path := strings.TrimSuffix(u.EscapedPath(), "/")
		before, after, found := strings.Cut(path, "/endpoints/")
		if c.base = before; found {
			c.fixed, _, _ = strings.Cut(after, "/")
		}
	})
	if err != nil {
		return nil, err
	}
	c.site = s
	return c, nil
}

func (c *SageMaker) form() form { return form{api: c.API, extra: c.Extra, payloads: c.Payloads} }

// Do implements assay.Client.
func (c *SageMaker) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	f := c.form()
	f.ask(t, call, r)
	t.q.single = !call.Stream
	if !f.counts() {
		r.TokensIn, r.TokensAsked = 0, 0
	}
	name, operation := c.fixed, "/invocations"
	if name == "" {
		if name = c.Name; name == "" {
			name = call.Model
		}
		name = url.PathEscape(name)
	}
	if call.Stream {
		operation = "/invocations-response-stream"
	}
	t.q.path, t.q.accept, t.q.fields = c.base+"/endpoints/"+name+operation+c.suffix(), "*/*", true
	t.headers = append(t.headers[:0], t.q.headers...)
	for _, h := range [...][2]string{{"X-Amzn-SageMaker-Target-Variant", c.Variant}, {"X-Amzn-SageMaker-Inference-Component", c.Component},
		{"X-Amzn-SageMaker-Target-Model", c.TargetModel}} {
		if h[1] != "" {
			t.headers = append(t.headers, h)
		}
	}
	t.q.headers = t.headers
	t.send(c)
}

// read implements reader.
func (c *SageMaker) read(t *trip, a *answer) bool {
	f := c.form()
	if strings.HasPrefix(a.field("content-type"), frameType) {
		in := newFrames(a, "PayloadPart")
		return f.stream(t, a, in, in.readAt)
	}
	return f.whole(t, a)
}

// refuse implements refuser.
func (c *SageMaker) refuse(a *answer, k *complaint) assay.Outcome { return awsRefusal(a, k) }
