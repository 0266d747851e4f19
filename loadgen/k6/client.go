package k6

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/grafana/sobek"
	"go.k6.io/k6/v2/lib"
	"go.k6.io/k6/v2/metrics"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/loadgen"
)

// A Client is the script's view of one of assay's clients. It belongs to one virtual user.
type Client struct {
	in       *instance
	kind     loadgen.ClientKind
	endpoint loadgen.Endpoint
	options  map[string]any // of this kind of client
	model    string
	class    string
	stream   bool
	deadline time.Duration
	tags     [][2]string
	target   assay.Target
	aws      *signing // nil: requests are not signed

	open      loadgen.Closer // nil before the first request: only then are the VU's dialer and TLS settings there
	iteration int64          // of the last request
}

// client reads the settings of a Client and checks all of them, so that a mistake shows before the load begins.
func (i *instance) client(v sobek.Value) (*Client, error) {
	if i.vu.State() != nil {
		return nil, errors.New("Client: make it in the init context, outside of functions: a new one for each iteration would open new connections")
	}
	o, err := objectOf("Client", v)
	if err != nil {
		return nil, err
	}
	// Without a url the client goes to the target of the environment. Its token goes nowhere else.
	otherwise := map[string]string{"kind": "openai"}
	if v, given := o.fields["url"]; !given || v == nil {
		otherwise = map[string]string{"kind": cmp.Or(i.env(EnvKind), "openai"), "url": i.env(EnvURL), "model": i.env(EnvModel), "token": i.env(EnvToken)}
	}
	name := o.text("kind", otherwise["kind"])
	c := &Client{in: i, model: o.text("model", otherwise["model"]), class: o.text("class", ""), stream: o.flag("stream", true),
		deadline: o.length("deadline", loadgen.DefaultDeadline), tags: o.pairs("tags"),
		endpoint: loadgen.Endpoint{URL: o.text("url", otherwise["url"]), Clock: i.ext.clock, Headers: o.headers("headers"), Stall: o.length("stall", 0)}}
	c.endpoint.User = o.text("userHeader", "")
	c.endpoint.Class, c.endpoint.HTTP2, c.endpoint.Expect = o.text("classHeader", ""), o.flag("http2", false), o.expect("expect")
	c.aws = o.aws("aws")
	if token := o.text("token", otherwise["token"]); token != "" {
		c.endpoint.Token = func(context.Context) (string, error) { return token, nil }
	}
	names := make([]string, 0, len(loadgen.ClientKinds))
	for _, k := range loadgen.ClientKinds {
		if names = append(names, k.Name); k.Name == name {
			c.kind = k
		}
	}
	switch {
	case o.err != nil:
		return nil, o.err
	case c.kind.New == nil:
		return nil, fmt.Errorf("Client: kind %q is unknown; want one of %s", name, strings.Join(names, ", "))
	case c.endpoint.URL == "":
		return nil, errors.New("Client: url is missing, and " + EnvURL + " is not set")
	}
	c.options = maps.Clone(o.fields)
	trial, err := c.build(nil, nil, o)
	if err != nil {
		return nil, fmt.Errorf("Client: %w", err)
	}
	trial.Close()
	if err := o.end(); err != nil {
		return nil, err
	}
	switch {
	case c.aws != nil && c.endpoint.Token != nil:
		return nil, errors.New("Client: token and aws: want one of them")
	case c.aws != nil && c.aws.service == "" && name != "lambda" && name != "sagemaker":
		return nil, fmt.Errorf("Client: aws: service is missing: kind %s has none of its own", name)
	}
	c.target = assay.Target{Kind: name, Name: place(c.endpoint.URL), Model: c.model}
	return c, nil
}

// place is the URL as reports show it: without a query, which may hold a key.
func place(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "invalid URL"
	}
	u.RawQuery, u.Fragment, u.User = "", "", nil
	return u.String()
}

// build makes the client and gives it the settings of its kind.
func (c *Client) build(conf *tls.Config, dial func(ctx context.Context, network, addr string) (net.Conn, error), o *object) (loadgen.Closer, error) {
	e := c.endpoint
	e.TLS, e.Dial = conf, dial
	client, err := c.kind.New(e)
	if err != nil {
		return nil, err
	}
	o.settings(client)
	return client, o.err
}

// A request is what a script asks for.
type request struct {
	call     assay.Call
	class    string
	user     string // as the script names it
	tags     [][2]string
	in       int // prompt tokens, as the script knows them
	deadline time.Duration
}

func (c *Client) read(v sobek.Value) (*request, error) {
	q := &request{call: assay.Call{Model: c.model, Stream: c.stream}, class: c.class, deadline: c.deadline}
	if v != nil {
		if prompt, ok := v.Export().(string); ok {
			q.call.Prompt = prompt
			return q, nil
		}
	}
	o, err := objectOf("request", v)
	if err != nil {
		return nil, err
	}
	q.call.Prompt = o.text("prompt", "")
	q.call.Model = o.text("model", c.model)
	q.call.MaxTokens = o.count("maxTokens")
	q.call.Stream = o.flag("stream", c.stream)
	q.call.Seed = uint64(o.count("seed"))
	q.call.Headers = o.headers("headers")
	q.class, q.user = o.text("class", c.class), o.text("user", "")
	q.tags = o.pairs("tags")
	q.in = o.count("promptTokens")
	q.deadline = o.length("deadline", c.deadline)
	return q, o.end()
}

// Request makes one request, waits for its end and returns what was seen. How it ended is a result, never an
// exception; only a mistake in the options is thrown.
func (c *Client) Request(options sobek.Value) (*result, error) {
	state := c.in.vu.State()
	if state == nil {
		return nil, errors.New("request: not in the init context: call it in a function")
	}
	q, err := c.read(options)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(state); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	ctx := c.in.vu.Context()
	if state.RPSLimit != nil {
		if err := state.RPSLimit.Wait(ctx); err != nil {
			return nil, fmt.Errorf("wait for the option rps: %w", err)
		}
	}

	x := &exchange{target: c.target, limit: q.deadline}
	r := &x.record
	now := c.in.ext.clock.Now
	*r = assay.Request{Class: q.class, User: assay.Pseudonym(q.user), Due: now(), NoSchedule: true, TokensIn: int32(q.in), TokensAsked: int32(q.call.MaxTokens)}
	c.in.ext.identify(r)
	if turn := turnOf(ctx); turn != nil {
		if due := turn.take(); due != 0 {
			r.Due, r.NoSchedule = due, false
		}
		if r.User == "" && turn.item != nil && turn.item.Session != 0 {
			r.User = fmt.Sprintf("%016x", turn.item.Session)
		}
	}
	tags := state.Tags.GetCurrentValues()
	if s := lib.GetScenarioState(ctx); s != nil {
		r.Phase = s.Name
		x.begin = c.in.ext.clock.At(s.StartTime)
	} else {
		r.Phase = outside(&tags)
	}
	q.call.Headers = append(q.call.Headers, [2]string{"traceparent", traceparent(r)}, [2]string{loadgen.RunHeader, c.in.runID})
	c.do(ctx, q, r)

	t := timesOf(r)
	x.at = c.in.ext.clock.Time(r.End)
	c.tag(&tags, q, r)
	x.tags = tags.Tags
	x.samples = c.in.meters.samples(r, &t, tags, x.at)
	// Not PushIfNotDone: the request that the end of its scenario cut off is to be recorded too. The channel is read
	// until every virtual user has returned from its iteration, in which this one still is.
	state.Samples <- x
	return resultOf(r, &t), nil
}

// do makes the call under its own deadline. The end of the scenario cancels it instead of being its deadline, or it would count as
// a timeout of the target.
func (c *Client) do(ctx context.Context, q *request, r *assay.Request) {
	flight, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.deadline)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	c.open.Do(flight, &q.call, r)
	if r.End == 0 {
		r.End = c.in.ext.clock.Now()
	}
	if len(r.Arrivals) == 0 {
		r.Arrivals = nil
	}
	if len(r.Counts) == 0 {
		r.Counts = nil
	}
}

// prepare opens the client and closes connections as the options of the test ask.
func (c *Client) prepare(state *lib.State) error {
	if c.open == nil {
		var err error
		if c.aws != nil {
			if err := c.in.ext.sign(c.in.vu.Context(), c.aws, c.kind.Name, &c.endpoint); err != nil {
				return err
			}
		}
		if c.open, err = c.build(state.TLSConfig, state.Dialer.DialContext, &object{what: "Client", fields: maps.Clone(c.options)}); err != nil {
			return err
		}
		c.iteration = state.Iteration
	}
	if state.Options.NoConnectionReuse.Bool || state.Options.NoVUConnectionReuse.Bool && c.iteration != state.Iteration {
		c.open.Close()
	}
	c.iteration = state.Iteration
	return nil
}

// tag adds what our metrics can be broken down by: tags of the client, those of the request and how it ended.
func (c *Client) tag(tags *metrics.TagsAndMeta, q *request, r *assay.Request) {
	for _, list := range [][][2]string{c.tags, q.tags} {
		for _, t := range list {
			tags.SetTag(t[0], t[1])
		}
	}
	if r.Class != "" {
		tags.SetTag("class", r.Class)
	}
	tags.SetTag("outcome", r.Outcome.String())
}

// outside names the phase of a request that belongs to no scenario.
func outside(tags *metrics.TagsAndMeta) string {
	if group, _ := tags.Tags.Get("group"); strings.HasSuffix(group, "teardown") {
		return "teardown"
	}
	return "setup"
}
