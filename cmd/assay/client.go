package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// This file translates a plan's target into a client.

// endpoint returns how the clients of a plan reach its target.
func endpoint(p *plan.Plan, c *clock.Clock) (loadgen.Endpoint, error) {
	t := &p.Target
	e := loadgen.Endpoint{URL: t.URL, Clock: c, Class: t.ClassHeader, User: t.UserHeader, HTTP2: t.HTTP2}
	for _, name := range slices.Sorted(maps.Keys(t.Headers)) {
		e.Headers = append(e.Headers, [2]string{name, t.Headers[name]})
	}
	if x := t.Expect; x != nil {
		e.Expect = &loadgen.Expect{Contains: x.Contains, Regexp: x.Regexp, SHA256: x.SHA256, Schema: json.RawMessage(x.Schema),
			MinTokens: x.MinTokens, MaxTokens: x.MaxTokens, Model: x.Model, Version: x.Version}
	}
	var err error
	if x := t.TLS; x != nil {
		if e.TLS, err = (loadgen.TLSFiles{CA: p.Path(x.CA), Cert: p.Path(x.Cert), Key: p.Path(x.Key), ServerName: x.ServerName, Insecure: x.Insecure}).Config(); err != nil {
			return e, fmt.Errorf("target.%w", err)
		}
	}
	if e.Proxy, err = proxy(t.Proxy); err != nil {
		return e, err
	}
	reachOf(t).lead(&e)
	return e, nil
}

// proxy returns the proxy that a plan names; nil leaves it to the environment.
func proxy(raw string) (func(*http.Request) (*url.URL, error), error) {
	switch raw {
	case "":
		return nil, nil
	case "none":
		return func(*http.Request) (*url.URL, error) { return nil, nil }, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("target.proxy: not a valid URL")
	}
	return http.ProxyURL(u), nil
}

// clientKind returns the kind of client that speaks to a plan's target.
func clientKind(t *plan.Target) string {
	switch {
	case t.Kind != "sandbox":
		return t.Kind
	case t.Sandbox.Kind == "vision":
		return t.Sandbox.Protocol
	}
	return "openai"
}

// client returns the client of a plan's target with the settings of its kind.
func client(p *plan.Plan, e loadgen.Endpoint) (loadgen.Closer, error) {
	t := &p.Target
	kind := clientKind(t)
	i := slices.IndexFunc(loadgen.ClientKinds, func(k loadgen.ClientKind) bool { return k.Name == kind })
	if i < 0 {
		return nil, fmt.Errorf("target.kind: there is no client %q", kind)
	}
	bodies, err := payloads(p, kind)
	if err != nil {
		return nil, fmt.Errorf("target.payloads: %w", err)
	}
	c, err := loadgen.ClientKinds[i].New(e)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	if err := configure(c, t, bodies); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// configure gives a client the settings of its kind.
func configure(c loadgen.Closer, t *plan.Target, bodies *loadgen.Payloads) error {
	extra := json.RawMessage(t.Extra)
	input := ""
	if t.Tensors != nil {
		input = t.Tensors.Name
	}
	switch c := c.(type) {
	case *loadgen.OpenAI:
		if t.API != "" { // else the URL may say it
			c.Completions = t.API == "completions"
		}
		c.LimitField, c.CountEach, c.Extra, c.UserField = t.LimitField, t.CountEach, extra, t.UserField
	case *loadgen.Ollama:
		if t.API != "" {
			c.Generate = t.API == "generate"
		}
		c.Options = extra
		if t.KeepAlive != nil {
			c.KeepAlive = t.KeepAlive.D().String()
		}
	case *loadgen.TGI:
		c.Parameters = extra
	case *loadgen.Triton:
		c.Version, c.Tensors, c.Parameters = t.Version, t.API == "tensorrtllm", extra
	case *loadgen.KServe1:
		c.Payloads, c.Version = bodies, t.Version
	case *loadgen.OpenInference:
		c.Payloads, c.Version, c.Input = bodies, t.Version, input
	case *loadgen.OpenInferenceGRPC:
		c.Payloads, c.Version, c.Input = bodies, t.Version, input
		c.Decoupled, c.Connections = t.API == "stream", t.Connections
	case *loadgen.Embeddings:
		c.Inputs, c.Dimensions = t.Inputs, t.Dimensions
	case *loadgen.Rerank:
		c.Documents, c.Top, c.TEI = t.Documents, t.Top, t.API == "tei"
	case *loadgen.Lambda:
		c.Function, c.Qualifier, c.LogTail = t.Function, t.Qualifier, t.LogTail
		c.API, c.Extra, c.Payloads = t.API, extra, bodies
		rule, err := bodyRule(t.BodyRule)
		if err != nil {
			return err
		}
		if rule != nil {
			rule.Errors = true
			c.Rule = rule
		}
	case *loadgen.SageMaker:
		c.Name, c.Variant, c.Component, c.TargetModel = t.Endpoint, t.Variant, t.Component, t.TargetModel
		c.API, c.Extra, c.Payloads = t.API, extra, bodies
	case *loadgen.HTTP:
		c.Method, c.Payloads = t.Method, bodies
		if t.Body != "" {
			c.Body = []byte(t.Body)
		}
		rule, err := bodyRule(t.BodyRule)
		if err != nil {
			return err
		}
		c.Rule = rule
	}
	return nil
}

func bodyRule(r *plan.BodyRule) (*loadgen.BodyRule, error) {
	if r == nil {
		return nil, nil
	}
	out := &loadgen.BodyRule{Errors: r.Errors}
	for _, x := range []struct {
		name, text string
		into       **regexp.Regexp
	}{{"fail", r.Fail, &out.Fail}, {"pass", r.Pass, &out.Pass}} {
		if x.text == "" {
			continue
		}
		compiled, err := regexp.Compile(x.text)
		if err != nil {
			return nil, fmt.Errorf("target.bodyRule.%s: %w", x.name, err)
		}
		*x.into = compiled
	}
	return out, nil
}

// payloads returns the bodies that the requests of a plan carry; nil where the client makes its own from the prompt.
func payloads(p *plan.Plan, kind string) (*loadgen.Payloads, error) {
	t := &p.Target
	if t.Payloads == nil {
		if t.Kind == "sandbox" && t.Sandbox.Kind == "vision" {
			return images(p.Seed, kind)
		}
		if t.Body != "" && kind != "http" { // which has a body of its own
			return loadgen.NewPayloads(loadgen.Payload{Body: []byte(t.Body)})
		}
		return nil, nil
	}
	if x := t.Tensors; x != nil && x.Datatype != "" {
		form := loadgen.BinaryPayload
		switch {
		case kind == "openinference-grpc":
			form = loadgen.GRPCPayload
		case x.Binary:
			form = loadgen.BinaryOutPayload
		}
		return loadgen.Tensor{Name: x.Name, Datatype: x.Datatype, Shape: x.Shape}.Each(form, p.Paths(t.Payloads.Files)...)
	}
	if kind == "openinference-grpc" {
		return nil, errors.New("kind openinference-grpc sends tensors: give target.tensors with name, datatype and shape")
	}
	read, err := loadgen.ReadPayloads(t.Payloads.Type, p.Paths(t.Payloads.Files)...)
	if err != nil {
		return nil, err
	}
	if t.Payloads.As == "instance" || t.Payloads.As == "" && kind == "kserve1" && read.Images() {
		read = read.Each(loadgen.InstancePayload)
	}
	return read, nil
}

// carried says in words what requests carry in place of a prompt; "" where it is a prompt.
func carried(p *plan.Plan) (string, error) {
	t := &p.Target
	kind := clientKind(t)
	bodies, err := payloads(p, kind)
	switch {
	case err != nil:
		return "", fmt.Errorf("target.payloads: %w", err)
	case bodies != nil && t.Payloads == nil && t.Body == "":
		return fmt.Sprintf("%d made-up images in turn", bodies.Len()), nil
	case bodies != nil && bodies.Len() > 1:
		return fmt.Sprintf("%d bodies from files in turn", bodies.Len()), nil
	case bodies != nil || t.Body != "":
		return "the same body each", nil
	case kind == "http":
		return t.Method + " without a body", nil
	}
	return "", nil
}

// tryClient makes the client of a plan and throws it away: what is wrong with its settings and files shows before the run.
func tryClient(p *plan.Plan) error {
	if _, err := credentialSource(p); err != nil {
		return err
	}
	e, err := endpoint(p, clock.New())
	if err != nil {
		return err
	}
	if p.Target.Kind == "sandbox" {
		e.URL = "http://127.0.0.1"
	}
	c, err := client(p, e)
	if err != nil {
		return err
	}
	c.Close()
	return nil
}
