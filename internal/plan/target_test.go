package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// targetPlan is a plan with the target given in YAML's flow form.
func targetPlan(target string) []byte {
	return []byte("apiVersion: assay/v1\nname: t\ntarget: " + target + "\n" + load)
}

// A setting that the kind of target does not know is refused by name: silently ignored, it would make the numbers speak of something else.
func TestTargetRefusals(t *testing.T) {
	for _, tt := range []struct{ target, want string }{
		{"{kind: kserve2, url: 'http://h'}", `target.kind: "kserve2" is unknown; did you mean "kserve1"?`},
		{"{kind: openai, url: 'http://h', payloads: {files: [a.png]}}", "plan.yaml:3:51: target.payloads: kind openai does not know it; it belongs to sandbox, kserve1, openinference, openinference-grpc, lambda, sagemaker, http"},
		{"{kind: tgi, url: 'http://h', api: chat}", "target.api: kind tgi has no choice of it; leave it out"},
		{"{kind: triton, url: 'http://h', api: chat}", `target.api: "chat" is unknown; known here: tensorrtllm, vllm`},
		{"{kind: kserve1, url: 'http://h', stream: true}", "target.stream: kind kserve1 has no choice of it"},
		{"{kind: kserve1, url: 'http://h', tensors: {name: x}}", "target.tensors: kind kserve1 does not know it; it belongs to openinference, openinference-grpc"},
		{"{kind: http, url: 'http://h', limitField: x}", "target.limitField: kind http does not know it; it belongs to sandbox, openai"},
		{"{kind: http, url: 'http://h', sandbox: {threads: 2}}", "target.sandbox: only kind sandbox has these dials"},
		{"{kind: http, url: 'http://h', body: x, payloads: {files: [y]}}", "target.body: stands beside payloads; give one"},
		{"{kind: http, url: 'http://h', payloads: {files: []}}", "target.payloads: names no files"},
		{"{kind: http, url: 'http://h', payloads: {files: [x], as: instance}}", "target.payloads.as: instance belongs to kind kserve1, not http"},
		{"{kind: http, url: 'http://h', bodyRule: {fail: '('}}", `target.bodyRule.fail: "(" is no RE2 pattern`},
		{"{kind: http, url: 'http://h', headers: {x-api-key: s}}", "target.headers.x-api-key: may carry a credential, which no plan holds; use target.auth"},
		{"{kind: http, url: 'http://h', headers: {ocp-apim-subscription-key: s}}", "target.headers.ocp-apim-subscription-key: may carry a credential"},
		{"{kind: http, url: 'http://h', headers: {X-Functions-Key: s}}", "target.headers.X-Functions-Key: may carry a credential"},
		{"{kind: http, url: 'http://h', headers: {x-goog-api-key: s}}", "target.headers.x-goog-api-key: may carry a credential"},
		{"{kind: http, url: 'http://h', headers: {x-auth-token: s}}", "target.headers.x-auth-token: may carry a credential"},
		{"{kind: http, url: 'http://h', headers: {Host: s}}", "target.headers.Host: belongs to the whole target: give its name as target.host, or as --host with --url"},
		{"{kind: http, url: 'http://h', headers: {content-length: '3'}}", "target.headers.content-length: is the client's own; leave it out"},
		{"{kind: http, url: 'http://h', host: 'http://x'}", `target.host: "http://x" is no host; write a name such as llama.models.example.com`},
		{"{kind: http, url: 'http://h', host: 'me:s3cret@x'}", `target.host: "…@x" is no host`},
		{"{kind: http, url: 'http://h', host: 'x/y'}", `target.host: "x/y" is no host`},
		{"{kind: http, url: 'http://h', host: ':80'}", `target.host: ":80" is no host`},
		{"{kind: http, url: 'http://h', host: x, proxy: 'http://p'}", "target.proxy: stands beside host: a proxy would look that name up"},
		{"{kind: sandbox, host: x}", "target.host: the sandbox has no virtual hosts"},
		{`{kind: http, url: 'http://h', headers: {X-A: "a\nb"}}`, "target.headers.X-A: is not a valid HTTP header"},
		{"{kind: http, url: 'http://h', classHeader: 'a b'}", `target.classHeader: "a b" is not the name of an HTTP header`},
		{"{kind: http, url: 'http://h', proxy: 'http://me:secret@p'}", "a URL in a plan must not carry credentials"},
		{"{kind: http, url: 'https://h', tls: {cert: a}}", "target.tls: needs cert and key together"},
		{"{kind: http, url: 'https://h', tls: {insecure: true, ca: x}}", "target.tls.insecure: takes any certificate"},
		{"{kind: http, url: 'http://h', tls: {ca: x}}", "target.tls: has no effect with http://h; write https://"},
		{"{kind: openinference-grpc, url: 'grpc://h', http2: true}", "goes without a proxy and is HTTP/2 anyway"},
		{"{kind: openinference, url: 'http://h', tensors: {datatype: FP32}}", "target.tensors: needs name, that of the input"},
		{"{kind: openinference, url: 'http://h', tensors: {name: x, datatype: FP32}}", "target.tensors.datatype: is that of the payloads, and there are none"},
		{"{kind: openinference, url: 'http://h', payloads: {files: [x]}, tensors: {name: x, datatype: FP32}}", "target.tensors: needs shape for datatype FP32"},
		{"{kind: openinference, url: 'http://h', payloads: {files: [x]}, tensors: {name: x, datatype: FP31, shape: [1]}}", `target.tensors.datatype: "FP31" is unknown; did you mean`},
		{"{kind: openinference, url: 'http://h', payloads: {files: [x]}, tensors: {name: x, datatype: FP32, shape: [0]}}", "target.tensors.shape[0]: 0 is out of range; 1 or more"},
		{"{kind: openai, url: 'http://h', expect: {version: '1'}}", "target.expect.version: answers of kind openai name no version; it belongs to openinference, openinference-grpc and triton"},
		{"{kind: sandbox, sandbox: {kind: vision}, expect: {version: '1'}}", "target.expect.version: answers of kind kserve1 name no version"},
		{"{kind: openai, url: 'http://h', expect: {}}", "target.expect: asks nothing"},
		{"{kind: openai, url: 'http://h', expect: {regexp: '('}}", `target.expect.regexp: "(" is no RE2 pattern`},
		{"{kind: openai, url: 'http://h', expect: {sha256: abc}}", "target.expect.sha256: want 64 hexadecimal digits"},
		{"{kind: openai, url: 'http://h', expect: {minTokens: 3, maxTokens: 2}}", "target.expect: want 0 <= minTokens <= maxTokens"},
		{"{kind: openai, url: 'http://h', extra: [a]}", "target.extra: want a mapping, not a list"},
		{"{kind: openai, url: 'http://h', extra: {a: .inf}}", "target.extra.a: is no number of JSON"},
		{"{kind: openai, url: 'http://h', extra: {a: 1, a: 2}}", `"a"`},
		{"{kind: http, url: 'http://h', auth: {env: A, aws: {service: x}}}", "target.auth: has aws and env; give one"},
		{"{kind: http, url: 'http://h', auth: {exec: {args: [a]}}}", "target.auth.exec: needs command"},
		{"{kind: http, url: 'http://h', auth: {oidc: {issuer: 'https://i', clientID: c}}}", "target.auth.oidc.clientSecret: needs exactly one of env and file"},
		{"{kind: http, url: 'http://h', auth: {aws: {}}}", "target.auth.aws: needs service for kind http"},
		{"{kind: http, url: 'http://h', auth: {aws: {service: x}, header: api-key}}", "target.auth.header: carries a token, and there is none"},
		{"{kind: openinference-grpc, url: 'grpc://h', auth: {aws: {service: x}}}", "target.auth.aws: requests over gRPC are not signed"},
		{"{kind: sandbox, auth: {env: X}}", "target.auth: has no effect with the sandbox"},
		{"{kind: sandbox, payloads: {files: [a]}}", "target.payloads: belongs to the sandbox's kind vision"},
		{"{kind: sandbox, sandbox: {protocol: kserve1}}", "target.sandbox.protocol: belongs to the sandbox's kind vision"},
		{"{kind: sandbox, sandbox: {kind: vision, dial: compute}}", "target.sandbox.dial: is one of language models"},
		{"{kind: sandbox, sandbox: {kind: vision, kvTokens: 99}}", "target.sandbox.kvTokens: image classifiers have no KV cache"},
		{"{kind: sandbox, api: chat, sandbox: {kind: vision}}", "target.api: belongs to language models"},
		{"{kind: sandbox, sandbox: {kind: audio}}", `target.sandbox.kind: "audio" is unknown; known here: llm, vision`},
		{"{kind: sandbox, sandbox: {tenants: [{share: 2}]}}", "target.sandbox.tenants[0]: needs name"},
		{"{kind: sandbox, sandbox: {tenants: [{name: a}, {name: a}]}}", `target.sandbox.tenants[1].name: "a" stands twice`},
	} {
		_, err := Parse("plan.yaml", targetPlan(tt.target))
		if err == nil {
			t.Errorf("%s: accepted", tt.target)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s:\ngot  %v\nwant %s", tt.target, err, tt.want)
		}
	}
}

func TestTargetDefaults(t *testing.T) {
	for _, tt := range []struct {
		target string
		look   func(*Target) any
		want   any
	}{
		{"{kind: http, url: 'http://h'}", func(t *Target) any { return t.Method }, "GET"},
		{"{kind: http, url: 'http://h', body: x}", func(t *Target) any { return t.Method }, "POST"},
		{"{kind: openai, url: 'http://h'}", func(t *Target) any { return *t.Stream }, true},
		{"{kind: openai, url: 'http://h', stream: false}", func(t *Target) any { return *t.Stream }, false},
		{"{kind: kserve1, url: 'http://h'}", func(t *Target) any { return *t.Stream }, false},
		{"{kind: sandbox, sandbox: {kind: vision}}", func(t *Target) any { return [2]any{*t.Stream, t.Sandbox.Protocol} }, [2]any{false, "kserve1"}},
		{"{kind: sandbox, sandbox: {tenants: [{name: a}]}}", func(t *Target) any { return t.ClassHeader }, "X-Tenant"},
		{"{kind: openinference, url: 'http://h', payloads: {files: [x]}, tensors: {name: x, datatype: BYTES}}", func(t *Target) any { return t.Tensors.Shape }, []int64{1}},
	} {
		p, err := Parse("p", targetPlan(tt.target))
		if err != nil {
			t.Errorf("%s: %v", tt.target, err)
			continue
		}
		if d := cmp.Diff(tt.want, tt.look(&p.Target)); d != "" {
			t.Errorf("%s (-want +got)\n%s", tt.target, d)
		}
	}
}

// TestMembers: what a plan writes as YAML arrives as the same JSON, in the plan's order, and stays so in run.json.
func TestMembers(t *testing.T) {
	p, err := Parse("p", targetPlan(`{kind: openai, url: 'http://h', extra: {z: 0.5, a: [1, -2, "3", true, null, {b: x}], "k\"": 'é', big: 18446744073709551615}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"z":0.5,"a":[1,-2,"3",true,null,{"b":"x"}],"k\"":"é","big":18446744073709551615}`
	if got := string(p.Target.Extra); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	raw, _, err := p.JSON()
	if err != nil || !strings.Contains(string(raw), `"extra":`+want) {
		t.Errorf("%v\n%s", err, raw)
	}
}

// TestSchemaNamesEveryKind: the tag of Target.Kind is written by hand.
func TestSchemaNamesEveryKind(t *testing.T) {
	raw, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Defs struct {
			Target struct {
				Properties struct{ Kind struct{ Enum []string } }
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	if got := s.Defs.Target.Properties.Kind.Enum; !slices.Equal(got, TargetKinds()) {
		t.Errorf("got  %v\nwant %v", got, TargetKinds())
	}
}
