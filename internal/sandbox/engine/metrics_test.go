package engine

import (
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1}).ready()
	for range 3 {
		r.postJSON("/v1/completions", `{"prompt":"a b c d","max_tokens":7}`)
	}
	for name, want := range map[string]float64{
		"vllm:num_requests_running": 0, "vllm:num_requests_waiting": 0, "vllm:kv_cache_usage_perc": 0, "vllm:num_preemptions_total": 0,
		"vllm:prompt_tokens_total": 15, "vllm:generation_tokens_total": 21,
		"vllm:time_to_first_token_seconds": 3, "vllm:inter_token_latency_seconds": 18, "vllm:e2e_request_latency_seconds": 3,
		"vllm:request_queue_time_seconds": 3, "vllm:request_prefill_time_seconds": 3, "vllm:request_decode_time_seconds": 3,
	} {
		if got := r.value("/metrics", name, "model_name", "sandbox-nano", "engine", "0"); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	for reason, want := range map[string]float64{"length": 3, "stop": 0, "abort": 0} {
		if got := r.value("/metrics", "vllm:request_success_total", "finished_reason", reason); got != want {
			t.Errorf("success by %s: got %v, want %v", reason, got, want)
		}
	}
	size, _ := sizeOf("nano")
	weights, kv := float64(size.WeightBytes())/(1<<20), float64(size.KVBytesPerToken()*4096)/(1<<20)
	if used, free := r.value("/metrics/dcgm", "DCGM_FI_DEV_FB_USED", "simulated", "true"), r.value("/metrics/dcgm", "DCGM_FI_DEV_FB_FREE", "gpu", "0"); used != weights || free != kv {
		t.Errorf("memory: used %v, free %v MiB; want %v and %v", used, free, weights, kv)
	}
	util, active := r.value("/metrics/dcgm", "DCGM_FI_DEV_GPU_UTIL"), r.value("/metrics/dcgm", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")
	if !(util > 0 && util <= 100 && active > 0 && active <= 1) {
		t.Errorf("utilisation %v %%, active %v", util, active)
	}
	tensor, dram := r.value("/metrics/dcgm", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"), r.value("/metrics/dcgm", "DCGM_FI_PROF_DRAM_ACTIVE")
	if !(tensor > 0 && dram > 0 && tensor+dram <= 1) {
		t.Errorf("tensor %v, DRAM %v", tensor, dram)
	}
	if _, text := r.get("/metrics/dcgm"); strings.Count(text, "SIMULATED") != 6 {
		t.Errorf("not all fields say that they are simulated:\n%s", text)
	}
}
