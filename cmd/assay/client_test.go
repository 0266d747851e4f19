package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/loadgen"
)

// TestTargetKindsAreTheClients: the plan's table of kinds is written apart, since plans know none of the parts.
func TestTargetKindsAreTheClients(t *testing.T) {
	want := []string{"sandbox"}
	for _, k := range loadgen.ClientKinds {
		want = append(want, k.Name)
	}
	if got := plan.TargetKinds(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestPlanReachesTheWire: each setting of a target changes what the server gets.
func TestPlanReachesTheWire(t *testing.T) {
	type asked struct{ Method, URI, Type, Body string }
	var mu sync.Mutex
	var got asked
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got, header = asked{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), string(b)}, r.Header
	}))
	defer s.Close()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	raw, jpeg := file("a.bin", "\x01\x02\x03\x04"), file("a.jpg", "xyz")
	const js = "application/json"
	for _, c := range []struct {
		target string // without the url
		want   asked
	}{
		{"kind: openai, stream: false, limitField: max_completion_tokens, extra: {top_k: 1}",
			asked{"POST", "/v1/chat/completions", js, `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":7,"top_k":1}`}},
		{"kind: openai, api: completions, countEach: true", asked{"POST", "/v1/completions", js,
			`{"model":"m","prompt":"hi","max_tokens":7,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}`}},
		{"kind: ollama, api: generate, stream: false, keepAlive: 5m, extra: {temperature: 0}", asked{"POST", "/api/generate", js,
			`{"model":"m","prompt":"hi","stream":false,"keep_alive":"5m0s","options":{"num_predict":7,"temperature":0}}`}},
		{"kind: tgi, stream: false, extra: {do_sample: false}", asked{"POST", "/generate", js, `{"inputs":"hi","parameters":{"details":true,"max_new_tokens":7,"do_sample":false}}`}},
		{"kind: triton, api: tensorrtllm, version: 2", asked{"POST", "/v2/models/m/versions/2/generate_stream", js, `{"text_input":"hi","stream":true,"max_tokens":7}`}},
		{"kind: kserve1, version: 3, payloads: {files: [" + jpeg + "]}", asked{"POST", "/v1/models/m/versions/3:predict", js, `{"instances":[{"b64":"eHl6"}]}`}},
		{"kind: kserve1, payloads: {files: [" + jpeg + "], as: body}", asked{"POST", "/v1/models/m:predict", "image/jpeg", "xyz"}},
		{"kind: openinference, payloads: {files: [" + raw + "]}, tensors: {name: x, datatype: FP32, shape: [1], binary: true}", asked{"POST", "/v2/models/m/infer", "application/octet-stream",
			`{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}}],"parameters":{"binary_data_output":true}}` + "\x01\x02\x03\x04"}},
		{"kind: openinference, tensors: {name: question}", asked{"POST", "/v2/models/m/infer", js, `{"inputs":[{"name":"question","shape":[1],"datatype":"BYTES","data":["hi"]}]}`}},
		{"kind: embeddings, dimensions: 4", asked{"POST", "/v1/embeddings", js, `{"model":"m","input":"hi","encoding_format":"float","dimensions":4}`}},
		{"kind: rerank, documents: 1, top: 1", asked{"POST", "/v1/rerank", js, `{"query":"1","documents":["hi"],"model":"m","top_n":1}`}},
		{"kind: rerank, api: tei, documents: 1", asked{"POST", "/v1/rerank", js, `{"query":"1","texts":["hi"]}`}},
		{"kind: lambda, function: f, qualifier: live, body: '{}'", asked{"POST", "/2021-11-15/functions/f/response-streaming-invocations?Qualifier=live", js, "{}"}},
		{"kind: lambda, stream: false, api: chat, extra: {n: 1}", asked{"POST", "/2015-03-31/functions/m/invocations", js,
			`{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":7,"n":1}`}},
		{"kind: sagemaker, endpoint: e, api: generate", asked{"POST", "/endpoints/e/invocations-response-stream", js, `{"inputs":"hi","parameters":{"details":true,"max_new_tokens":7},"stream":true}`}},
		{"kind: sagemaker, stream: false, payloads: {files: [" + jpeg + "]}", asked{"POST", "/endpoints/m/invocations", "image/jpeg", "xyz"}},
		{"kind: http, method: PUT, body: hello", asked{"PUT", "/", js, "hello"}},
		{"kind: http, payloads: {files: [" + raw + "], type: text/csv}", asked{"POST", "/", "text/csv", "\x01\x02\x03\x04"}},
	} {
		p, _ := planFor(t, s.URL, c.target+", headers: {X-Team: red}, classHeader: X-Class")
		call(t, p)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", c.target, d)
		}
		if header.Get("X-Team") != "red" || header.Get("X-Class") != "gold" {
			t.Errorf("%s: headers %v", c.target, header)
		}
	}
}

// planFor returns the plan with the target at url.
func planFor(t *testing.T, url, target string) (*plan.Plan, []byte) {
	t.Helper()
	text := []byte("apiVersion: assay/v1\nname: t\ntarget: {url: '" + url + "', " + target + "}\nload: [{name: a, for: 1s}]\n")
	p, err := plan.Parse("plan.yaml", text)
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return p, text
}

// call makes one call with the client of a plan.
func call(t *testing.T, p *plan.Plan) *assay.Request {
	t.Helper()
	e, err := endpoint(p, clock.New())
	if err != nil {
		t.Fatal(err)
	}
	c, err := client(p, e)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := &assay.Request{ID: 1, Class: "gold"}
	c.Do(t.Context(), &assay.Call{Model: "m", Prompt: "hi", MaxTokens: 7, Stream: *p.Target.Stream}, r)
	return r
}

// TestClientMistakesShowBeforeTheRun: what validate says of files and settings.
func TestClientMistakesShowBeforeTheRun(t *testing.T) {
	for _, c := range []struct{ target, want string }{
		{"kind: http, payloads: {files: [/no/such]}", "target.payloads: payload /no/such: no such file"},
		{"kind: http, tls: {ca: /no/such}", "target.tls.ca: open /no/such"},
		{"kind: openinference, payloads: {files: [client.go]}, tensors: {name: x, datatype: FP32, shape: [1]}", `target.payloads: tensor "x"`},
		{"kind: openinference-grpc, payloads: {files: [client.go]}", "target.payloads: kind openinference-grpc sends tensors"},
	} {
		p, _ := planFor(t, "https://127.0.0.1:1", c.target)
		if err := tryClient(p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.target, err, c.want)
		}
	}
}

// TestValidateSaysWhatIsCarried: a target without tokens is not said to be asked with prompts, and spends none.
func TestValidateSaysWhatIsCarried(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.bin", "a")
	write(t, dir, "b.bin", "b")
	for target, want := range map[string]string{
		"{kind: sandbox, sandbox: {kind: vision}}":                    "16 made-up images in turn",
		"{kind: http, url: 'http://h', payloads: {files: ['*.bin']}}": "2 bodies from files in turn",
		"{kind: lambda, url: 'http://h', body: '{}'}":                 "the same body each",
		"{kind: http, url: 'http://h'}":                               "GET without a body",
		"{kind: openai, url: 'http://h'}":                             "prompts of 64 tokens",
	} {
		write(t, dir, "plan.yaml", "apiVersion: assay/v1\nname: a\ntarget: "+target+"\nload: [{name: a, arrivals: {even: {rate: 1/s}}, for: 5s}]\n")
		got := assayIn(t, dir, "validate", "plan.yaml")
		if got.code != 0 || !strings.Contains(got.out, want) || strings.Contains(got.out, "tokens") != strings.Contains(want, "tokens") {
			t.Errorf("%s: exit %d, want %q in\n%s%s", target, got.code, want, got.out, got.err)
		}
	}
}

// TestVisionSandbox proves two clients on the embedded image classifier, with tenants at its gateway.
func TestVisionSandbox(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"kserve1", "openinference"} {
		t.Run(protocol, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: vision
target:
  kind: sandbox
  model: nano
  deadline: 1m # of the first, which wait for the start
  expect: {regexp: 'class-[0-9]'}
  sandbox: {kind: vision, protocol: `+protocol+`, loadFloor: 50ms, batchWindow: 5ms, scheduling: round_robin, tenants: [{name: gold, share: 3}, {name: bronze}]}
load:
  - {name: one, class: gold, arrivals: {even: {rate: 20/s}}, for: 1s}
  - {name: two, class: bronze, arrivals: {even: {rate: 10/s}}, for: 1s}
`)
			got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none", "--truth", filepath.Join(dir, "truth"))
			if got.code != assay.ExitGo && got.code != assay.ExitInvalid {
				t.Fatalf("exit %d\n%s\n%s", got.code, got.err, got.out)
			}
			tenants := map[string]int{}
			for _, line := range strings.Split(string(readFile(t, filepath.Join(dir, "truth", "platform.jsonl"))), "\n") {
				var l struct {
					Request *struct {
						Tenant, Route string
						Status        int
					}
				}
				if line != "" && json.Unmarshal([]byte(line), &l) == nil && l.Request != nil && l.Request.Status == 200 {
					tenants[l.Request.Tenant]++
				}
			}
			if d := cmp.Diff(map[string]int{"gold": 20, "bronze": 10}, tenants); d != "" {
				t.Errorf("good answers by tenant (-want +got)\n%s\n%s", d, got.out)
			}
		})
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
