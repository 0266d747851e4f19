package engine

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// receiver is a small OTLP/HTTP intake.
func receiver(t *testing.T) (url string, spans func() []ptrace.ResourceSpans) {
	var mu sync.Mutex
	var all []ptrace.ResourceSpans
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		r := ptraceotlp.NewExportRequest()
		if err := r.UnmarshalProto(b); err != nil || req.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", req.URL, err)
		}
		mu.Lock()
		for _, rs := range r.Traces().ResourceSpans().All() {
			all = append(all, rs)
		}
		mu.Unlock()
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []ptrace.ResourceSpans { mu.Lock(); defer mu.Unlock(); return all }
}

func TestSpansAgreeWithTruth(t *testing.T) {
	url, received := receiver(t)
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	// Two sequences of 5 blocks each cannot run at once in 6 blocks: one is preempted.
	r := startMain(t, Config{LoadFloor: -1, OTLPEndpoint: url, TruthPath: truth, KVTokens: 6 * blockTokens, StepOverhead: time.Millisecond}).ready()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			resp := r.post(t.Context(), "/v1/completions", `{"prompt":"`+strings.Repeat("a ", 30)+`","max_tokens":45}`)
			io.Copy(io.Discard, resp.Body)
		})
	}
	wg.Wait()
	if got := r.value("/metrics", "vllm:num_preemptions_total"); got == 0 {
		t.Error("no preemption")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	roots, children := map[int64]ptrace.Span{}, map[string][]ptrace.Span{}
	for _, rs := range received() {
		attrs := rs.Resource().Attributes().AsRaw()
		if diff := cmp.Diff(map[string]any{"service.name": "sandbox-engine", "service.instance.id": "w-1", "faas.instance": "w-1"}, attrs); diff != "" {
			t.Errorf("resource (-want +got):\n%s", diff)
		}
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				if s.TraceID().String() != testTrace {
					t.Errorf("span %s in trace %s", s.Name(), s.TraceID())
				}
				if s.Name() == "llm_request" {
					roots[int64(s.StartTimestamp())] = s
				} else {
					children[s.ParentSpanID().String()] = append(children[s.ParentSpanID().String()], s)
				}
			}
		}
	}
	n, names := 0, map[string]int{}
	for line := range strings.Lines(read(t, truth)) {
		l := decodeLine[TruthRequest](t, line)
		if l.Kind != "request" {
			continue
		}
		n++
		s, ok := roots[l.Arrived]
		if !ok {
			t.Fatalf("no span begins at %d", l.Arrived)
		}
		if s.Kind() != ptrace.SpanKindServer || s.ParentSpanID().String() != testSpan || int64(s.EndTimestamp()) != l.End {
			t.Errorf("span kind %v, parent %s, end %d, want end %d", s.Kind(), s.ParentSpanID(), s.EndTimestamp(), l.End)
		}
		want := map[string]any{"gen_ai.operation.name": "text_completion", "gen_ai.provider.name": "assay.sandbox", "gen_ai.request.model": "sandbox-nano",
			"gen_ai.request.max_tokens": int64(45), "gen_ai.usage.input_tokens": int64(31), "gen_ai.usage.output_tokens": int64(45),
			"gen_ai.response.finish_reasons": []any{"length"}, "faas.instance": "w-1",
			"gen_ai.latency.time_in_queue": seconds(l.Queued), "gen_ai.latency.time_in_model_prefill": seconds(l.Prefill),
			"gen_ai.latency.time_in_model_decode": seconds(l.Decode), "gen_ai.latency.e2e": seconds(l.End - l.Arrived),
			"gen_ai.latency.time_to_first_token": seconds(l.FirstToken - l.Arrived), "sandbox.accelerator.busy": seconds(l.Busy)}
		if l.Preemptions > 0 {
			want["sandbox.preemptions"] = int64(l.Preemptions)
		}
		if diff := cmp.Diff(want, s.Attributes().AsRaw()); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
		sums := map[string]int64{}
		for _, c := range children[s.SpanID().String()] {
			sums[c.Name()] += int64(c.EndTimestamp() - c.StartTimestamp())
			names[c.Name()]++
			reason, has := c.Attributes().Get("wait.reason")
			if has != (c.Name() == "queue") || has && reason.Type() != pcommon.ValueTypeStr {
				t.Errorf("%s: wait.reason %v", c.Name(), has)
			}
		}
		truth := map[string]int64{}
		for name, ns := range map[string]int64{"queue": l.Queued, "prefill": l.Prefill, "decode": l.Decode, "preempted": l.Preempted} {
			if ns > 0 {
				truth[name] = ns
			}
		}
		if diff := cmp.Diff(truth, sums); diff != "" {
			t.Errorf("sums of the children (-truth +spans):\n%s", diff)
		}
	}
	if n != 2 || names["queue"] == 0 || names["prefill"] != 2 || names["decode"] < 3 || names["preempted"] == 0 {
		t.Errorf("%d requests, children %v", n, names)
	}
}
