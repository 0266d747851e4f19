package profile

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/assay-dev/assay"
)

func TestQueries(t *testing.T) {
	const w = 5 * time.Second
	vllm, dcgm, kn := For("vllm"), For("dcgm"), For("knative")
	for _, tt := range []struct{ got, want string }{
		{vllm.Query(Running), `vllm:num_requests_running`},
		{vllm.Query(KVUsage, "instance_id", `w-"1"`), `vllm:kv_cache_usage_perc{instance_id="w-\"1\""} or vllm:gpu_cache_usage_perc{instance_id="w-\"1\""}`},
		{vllm.Query(TTFT), `vllm:time_to_first_token_seconds_count`},
		{vllm.Rate(TokensOut, w, "a", "1", "b", "2"), `rate(vllm:generation_tokens_total{a="1",b="2"}[5000ms])`},
		{vllm.Rate(ITL, w), `rate(vllm:inter_token_latency_seconds_count[5000ms]) or rate(vllm:time_per_output_token_seconds_count[5000ms])`},
		{vllm.Mean(QueueTime, w), `sum(rate(vllm:request_queue_time_seconds_sum[5000ms])) / sum(rate(vllm:request_queue_time_seconds_count[5000ms]))`},
		{vllm.Quantile(TTFT, 0.95, w, "x", "y"), `histogram_quantile(0.95, sum by (le) (rate(vllm:time_to_first_token_seconds_bucket{x="y"}[5000ms])))`},
		{vllm.Query(GPUBusy), ""},
		{vllm.Rate(Running, w), ""},
		{vllm.Quantile(Running, 0.5, w), ""},
		{vllm.Mean(TokensIn, w), ""},
		{dcgm.Query(GPUBusy), `DCGM_FI_PROF_GR_ENGINE_ACTIVE or DCGM_FI_DEV_GPU_UTIL * 0.01`},
		{dcgm.Query(GPUMemUsed, "gpu", "0"), `DCGM_FI_DEV_FB_USED{gpu="0"} * 1048576`},
		{kn.Query(Requested), `kn_revision_pods_requested or autoscaler_requested_pods`},
		{For("keda").Query(ScalerLatency), `keda_scaler_metrics_latency_seconds or keda_scaler_metrics_latency * 0.001`},
		{kn.Query(Desired), `kn_revision_pods_desired or autoscaler_desired_pods`},
		{kn.Query(Ready), `kn_revision_pods_count or autoscaler_actual_pods`},
		{kn.Query(Panic), `kn_revision_panic_mode or autoscaler_panic_mode`},
		{For("unheard-of").Query(Running), ""},
		{For("unheard-of").Quantile(TTFT, 0.5, w), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("got  %s\nwant %s", tt.got, tt.want)
		}
	}
}

var promQL = parser.NewParser(parser.Options{})

func TestAllQueriesParse(t *testing.T) {
	if d := cmp.Diff([]string{"amd-gpu", "bentoml", "blackbox", "cadvisor", "cloudrun", "dcgm", "dynamo", "envoy", "envoy-log", "http", "intel-gpu", "keda", "knative", "kserve", "kubernetes", "lambda", "llamacpp", "lmdeploy", "modal", "nginx", "nim", "nvidia-smi", "ollama", "openfaas", "prometheus", "rayserve", "redis", "runpod", "sglang", "table", "tfserving", "tgi", "torchserve", "triton", "trtllm", "vllm"}, Kinds()); d != "" {
		t.Errorf("kinds (-want +got):\n%s", d)
	}
	units := []assay.Unit{assay.Seconds, assay.Bytes, assay.Ratio, assay.Count, assay.Tokens, assay.Watts, assay.Joules, assay.Celsius, assay.Hertz, assay.Bandwidth}
	for _, kind := range Kinds() {
		p := For(kind)
		if p.Version < 1 || p.Date == "" || p.Source == "" || p.Title == "" {
			t.Errorf("%s lacks its version, date, source or title: %+v", kind, p)
		}
		for q, s := range p.Quantities {
			if !slices.Contains(units, s.Unit) {
				t.Errorf("%s %s: unit %q is none of ours", kind, q, s.Unit)
			}
			for i, n := range s.Names {
				if i > 0 && n.Until == "" && s.Names[0].Since != "" {
					t.Errorf("%s %s: %s stands behind a newer name but has no end", kind, q, n.Metric)
				}
				if got := p.Shows(n.Metric); n.Type != Response && !slices.Contains(got, q) {
					t.Errorf("%s: %s shows %s, want %s among it", kind, n.Metric, got, q)
				}
				if got, _, ok := p.Response(n.Metric); n.Type == Response && (!ok || got != q) {
					t.Errorf("%s: the field %s shows %s, want %s", kind, n.Metric, got, q)
				}
			}
			for _, expr := range []string{p.Query(q), p.Query(q, "a", "b\n\"\\\xff"), p.Rate(q, time.Second), p.Mean(q, time.Second), p.Quantile(q, 0.99, time.Minute, "a", "b")} {
				if expr == "" {
					continue
				}
				if _, err := promQL.ParseExpr(expr); err != nil {
					t.Errorf("%s %s: %s: %v", kind, q, expr, err)
				}
			}
		}
	}
}

func TestEveryQuantityIsKnownSomewhere(t *testing.T) {
	for _, q := range []Quantity{Running, Waiting, KVUsage, Preemptions, TokensIn, TokensOut, Success, TTFT, ITL, TPOT, E2E, QueueTime, PrefillTime, DecodeTime,
		GPUBusy, GPUTensorActive, GPUDRAMActive, GPUMemUsed, GPUMemFree, Desired, Ready, NotReady, Panic, Queued, Concurrency, ConcurrencyStable, ConcurrencyPanic, ConcurrencyTarget,
		Requested, Pending, Terminating, Restarts, ExitReason, ExitCode, ExitedAt, StartedAt, InBackOff, Evicted, OOMs, Memory, CPUThrottled,
		ScalerActive, ScalerValue, ScalerLatency, ScalerErrors, ScaleLoopLag, ScalingPaused} {
		if !slices.ContainsFunc(Kinds(), func(k string) bool { _, ok := For(k).Spec(q); return ok }) {
			t.Errorf("no vocabulary has %s", q)
		}
	}
}

func names(exposition []byte) (out []string) {
	for line := range strings.Lines(string(exposition)) {
		if name := strings.TrimRight(line, "\n"); name != "" && name[0] != '#' {
			out = append(out, name[:strings.IndexAny(name, "{ ")])
		}
	}
	return out
}

func TestSandboxExposition(t *testing.T) {
	b, err := os.ReadFile("testdata/sandbox.prom")
	if err != nil {
		t.Fatal(err)
	}
	got := names(b)
	if d := cmp.Diff([]string{"vllm", "knative", "dcgm"}, Detect(got)); d != "" {
		t.Errorf("Detect (-want +got):\n%s", d)
	}
	found := map[string][]Quantity{}
	for _, kind := range Kinds() {
		for _, n := range got {
			for _, q := range For(kind).Shows(n) {
				if !slices.Contains(found[kind], q) {
					found[kind] = append(found[kind], q)
				}
			}
		}
		slices.Sort(found[kind])
	}
	want := map[string][]Quantity{
		"vllm":    {DecodeTime, E2E, Failure, ITL, KVUsage, Preemptions, PrefillTime, QueueTime, Running, Success, TokensIn, TokensOut, TTFT, Waiting},
		"dcgm":    {GPUBusy, GPUDRAMActive, GPUMemFree, GPUMemUsed, GPUTensorActive},
		"knative": {Concurrency, ConcurrencyPanic, ConcurrencyStable, ConcurrencyTarget, Desired, E2E, NotReady, Panic, Queued, Ready},
	}
	for _, qs := range want {
		slices.Sort(qs)
	}
	if d := cmp.Diff(want, found); d != "" {
		t.Errorf("Shows (-want +got):\n%s", d)
	}
	if got := Detect([]string{"go_goroutines", "up"}); got != nil {
		t.Errorf("Detect of foreign names: got %v", got)
	}
}

func TestSimulatorRecording(t *testing.T) {
	b, err := os.ReadFile("../../../shared/data/recordings/llm-d-inference-sim-metrics.prom")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("recording is absent")
	}
	if err != nil {
		t.Fatal(err)
	}
	got := names(b)
	if d := cmp.Diff([]string{"vllm"}, Detect(got)); d != "" {
		t.Errorf("Detect (-want +got):\n%s", d)
	}
	for _, q := range []Quantity{Running, Waiting, KVUsage, TokensIn, TokensOut, TTFT, ITL, E2E, QueueTime, PrefillTime, DecodeTime} {
		if !slices.ContainsFunc(got, func(n string) bool { return slices.Contains(For("vllm").Shows(n), q) }) {
			t.Errorf("the recording shows no %s", q)
		}
	}
}

func TestParseRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, in := range []string{"kind: x\nbogus: 1\n", "kind: x\nquantities: {a: {type: gauge}}\n", "kind: x\nquantities: {a: {type: odd, names: [{metric: m}]}}\n"} {
		if _, err := parse([]byte(in)); err == nil {
			t.Errorf("%q: want an error", in)
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, tt := range []struct{ old, now string }{{"gen_ai.system", "gen_ai.provider.name"}, {"gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"}, {"gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"}} {
		if now, ok := Renamed(tt.old); !ok || now != tt.now {
			t.Errorf("%s: got %q, want %q", tt.old, now, tt.now)
		}
		if _, ok := Renamed(tt.now); ok {
			t.Errorf("%s is a present name", tt.now)
		}
	}
	for _, k := range []string{"gen_ai.input.messages", "gen_ai.prompt.0.content", "gen_ai.prompt", "http.request.header.authorization", "db.query.text", "llm.input_messages.3.message.content"} {
		if !Private(k) {
			t.Errorf("%s is recorded", k)
		}
	}
	for _, k := range []string{"", "gen_ai.usage.prompt_tokens", "gen_ai.usage.completion_tokens", "gen_ai.request.model", "gen_ai.response.finish_reasons", "http.request.method",
		"http.response.status_code", "http.route", "db.system.name", "server.address", "error.type", "faas.instance", "wait.reason", "gen_ai.latency.time_in_queue", "sandbox.accelerator.busy"} {
		if Private(k) {
			t.Errorf("%s is dropped", k)
		}
	}
}

func FuzzMatchers(f *testing.F) {
	f.Add(`a"b\`, "x\ny")
	f.Fuzz(func(t *testing.T, a, b string) {
		if _, err := promQL.ParseExpr(For("vllm").Query(Running, "l1", a, "l2", b)); err != nil {
			t.Fatal(err)
		}
	})
}

func Example() {
	kinds := Detect([]string{"vllm:num_requests_running", "vllm:kv_cache_usage_perc", "process_start_time_seconds"})
	fmt.Println(kinds)
	fmt.Println(For(kinds[0]).Query(Running, "instance_id", "w-1"))
	fmt.Println(For(kinds[0]).Rate(TokensOut, 5*time.Second))
	// Output:
	// [vllm]
	// vllm:num_requests_running{instance_id="w-1"}
	// rate(vllm:generation_tokens_total[5000ms])
}
