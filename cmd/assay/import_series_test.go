package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// series is what an engine exposed each 15 s for two minutes, in an excerpt of llm-d-inference-sim's names.
func series() string {
	var b strings.Builder
	for i := range 9 {
		at := 1795434000000 + int64(i)*15000
		fmt.Fprintf(&b, "vllm:num_requests_running{model_name=\"fake/tiny\"} %d %d\n", i%3, at)
		fmt.Fprintf(&b, "vllm:request_success_total{finish_reason=\"stop\",model_name=\"fake/tiny\"} %d %d\n", 10*i, at)
		for _, le := range []string{"0.5", "1", "+Inf"} {
			fmt.Fprintf(&b, "vllm:e2e_request_latency_seconds_bucket{model_name=\"fake/tiny\",le=%q} %d %d\n", le, 10*i, at)
		}
		fmt.Fprintf(&b, "vllm:e2e_request_latency_seconds_sum{model_name=\"fake/tiny\"} %g %d\nvllm:e2e_request_latency_seconds_count{model_name=\"fake/tiny\"} %d %d\n", 2.5*float64(i), at, 10*i, at)
	}
	return b.String()
}

// TestImportSeries: what an engine exposed last week is assessed without a request: findings for what it holds, and what it does not hold is not measured.
func TestImportSeries(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "week.prom", series())
	got := assayIn(t, dir, "import", "week.prom", "--out", "runs/week")
	if got.code != 0 || !strings.Contains(got.out, "week.prom: 63 of 63 samples kept as 63 samples") {
		t.Fatalf("import: exit %d\n%s%s", got.code, got.out, got.err)
	}
	got = assayIn(t, dir, "assess", "runs/week")
	text := strings.Join(strings.Fields(got.out), " ")
	for _, want := range []string{"GO no gated objectives", "ENGINE vllm: end to end mean 250 ms, p95 ≤500 ms", "running at most 2", "not measured, because it was not exposed or nothing was counted: TTFT",
		"not measured, because the run holds no requests"} {
		if got.code != 0 || !strings.Contains(text, want) {
			t.Errorf("assess: exit %d, lacks %q\n%s%s", got.code, want, got.out, got.err)
		}
	}
	for slo, code := range map[string]int{"engine/e2e/p95{engine=vllm}=600ms": 0, "engine/e2e/mean=200ms": 10, "ttft/p95=1s": 11, "engine/ttft/mean=1s": 11} {
		if got := assayIn(t, dir, "assess", "runs/week", "--slo", slo); got.code != code {
			t.Errorf("--slo %s: exit %d, want %d\n%s", slo, got.code, code, got.out)
		}
	}
}

// TestImportProber: what the blackbox exporter saw of a service for five hours tells of its failures and of its time, and of no request.
func TestImportProber(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	for m := range 300 {
		up := 1
		if m >= 100 && m < 110 || m >= 200 && m < 205 || m == 250 {
			up = 0
		}
		fmt.Fprintf(&b, "probe_success{instance=\"https://llm.example/health\",job=\"blackbox\"} %d %d\n", up, 1795434000000+int64(m)*60000)
	}
	write(t, dir, "probe.prom", b.String())
	if got := assayIn(t, dir, "import", "--metrics", "probe.prom", "--out", "runs/week"); got.code != 0 {
		t.Fatalf("import: exit %d\n%s%s", got.code, got.out, got.err)
	}
	got := assayIn(t, dir, "assess", "runs/week")
	text := strings.Join(strings.Fields(got.out), " ")
	for _, want := range []string{"availability 95 % [", "(2 failures) of the time, by looks", "2 failures of the service", "MTBF/service 2h22m", "2 [2, 3] episodes by rules halved and doubled", "only looks at the service"} {
		if got.code != 0 || !strings.Contains(text, want) {
			t.Errorf("assess: exit %d, lacks %q\n%s%s", got.code, want, got.out, got.err)
		}
	}
}

// TestImportFromPrometheus: a window of a store becomes a run in one command.
func TestImportFromPrometheus(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if r.URL.Path == "/api/v1/label/__name__/values" {
			fmt.Fprint(w, `{"status":"success","data":["go_goroutines","sglang:token_usage"]}`)
			return
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"sglang:token_usage","instance":"a"},"values":[[1795434000,"0.5"],[1795434015,"0.75"]]}]}}`)
	}))
	defer srv.Close()
	dir := t.TempDir()
	t.Setenv("STORE_TOKEN", "secret")
	args := []string{"import", "--prometheus", srv.URL, "--from", "2026-11-23T11:40:00Z", "--to", "2026-11-23T12:00:00Z", "--token-env", "STORE_TOKEN", "--out", "runs/week"}
	got := assayIn(t, dir, args...)
	if got.code != 0 || !strings.Contains(got.out, "2 of 2 samples kept as 2 samples") {
		t.Fatalf("import: exit %d\n%s%s", got.code, got.out, got.err)
	}
	got = assayIn(t, dir, "assess", "runs/week")
	if got.code != 0 || !strings.Contains(got.out, "KV cache at most 75 %") {
		t.Errorf("assess: exit %d\n%s%s", got.code, got.out, got.err)
	}
	t.Setenv("STORE_TOKEN", "other")
	args[len(args)-1] = "runs/other"
	if got := assayIn(t, dir, args...); got.code != 2 || !strings.Contains(got.err, "status 403") || strings.Contains(got.err, "other ") {
		t.Errorf("a wrong token: exit %d, %s", got.code, got.err)
	}
}
