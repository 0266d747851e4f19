package vision

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
	r := startMain(t, Config{LoadFloor: -1, OTLPEndpoint: url, TruthPath: truth, MaxBatch: 2, StepOverhead: time.Millisecond}).ready()
	var wg sync.WaitGroup
	for range 4 { // two passes at least for each, so that some wait for a step or a full batch
		wg.Go(func() {
			if status, _, body := r.call("POST", predictPath, []byte(`{"instances":[[[1]],[[2]],[[3]]]}`)); status != 200 {
				t.Errorf("got %d %s", status, body)
			}
		})
	}
	wg.Wait()
	text := r.metrics()
	for _, want := range []string{
		`request_preprocess_seconds_count{model_name="sandbox-vision-nano"} 4`, `request_queue_seconds_count{model_name="sandbox-vision-nano"} 4`,
		`request_predict_seconds_count{model_name="sandbox-vision-nano"} 4`, `request_postprocess_seconds_count{model_name="sandbox-vision-nano"} 4`,
		`requests_total{model_name="sandbox-vision-nano",outcome="ok"} 4`, `predict_batch_images_sum{model_name="sandbox-vision-nano"} 12`,
		`requests_in_flight{model_name="sandbox-vision-nano"} 0`, `images_waiting{model_name="sandbox-vision-nano"} 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s:\n%s", want, text)
		}
	}
	if _, _, text := r.call("GET", "/metrics/dcgm", nil); strings.Count(string(text), "SIMULATED") != 6 || !strings.Contains(string(text), `DCGM_FI_DEV_FB_USED{`) {
		t.Errorf("not all fields say that they are simulated:\n%s", text)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	roots, children := map[int64]ptrace.Span{}, map[string][]ptrace.Span{}
	for _, rs := range received() {
		if diff := cmp.Diff(map[string]any{"service.name": "sandbox-vision", "service.instance.id": "w-1", "faas.instance": "w-1"}, rs.Resource().Attributes().AsRaw()); diff != "" {
			t.Errorf("resource (-want +got):\n%s", diff)
		}
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				if s.Name() == "inference_request" {
					roots[int64(s.StartTimestamp())] = s
				} else {
					children[s.ParentSpanID().String()] = append(children[s.ParentSpanID().String()], s)
				}
			}
		}
	}
	n := 0
	for _, l := range readTruth(t, truth) {
		if l.Kind != "request" {
			continue
		}
		n++
		s, ok := roots[l.Arrived]
		if !ok {
			t.Fatalf("no span begins at %d", l.Arrived)
		}
		if s.Kind() != ptrace.SpanKindServer || s.ParentSpanID().String() != testSpan || s.TraceID().String() != testTrace || int64(s.EndTimestamp()) != l.End {
			t.Errorf("span kind %v, parent %s, end %d, want end %d", s.Kind(), s.ParentSpanID(), s.EndTimestamp(), l.End)
		}
		want := map[string]any{"gen_ai.operation.name": "predict", "gen_ai.provider.name": "assay.sandbox", "gen_ai.request.model": "sandbox-vision-nano",
			"gen_ai.latency.time_in_queue": seconds(l.Queued), "gen_ai.latency.e2e": seconds(l.End - l.Arrived), "sandbox.accelerator.busy": seconds(l.Busy),
			"sandbox.images": int64(3), "sandbox.batch": int64(2), "faas.instance": "w-1"}
		if diff := cmp.Diff(want, s.Attributes().AsRaw()); diff != "" {
			t.Errorf("attributes (-want +got):\n%s", diff)
		}
		if sum := l.Preprocess + l.Queued + l.Predict + l.Postprocess; sum != l.End-l.Arrived {
			t.Errorf("the parts add up to %d of %d ns", sum, l.End-l.Arrived)
		}
		if l.Busy <= 0 || l.Busy > l.Predict || l.Predict-l.Busy < 2e6 { // two passes, each with a millisecond of the host
			t.Errorf("busy %d of predict %d ns", l.Busy, l.Predict)
		}
		sums, at := map[string]int64{}, int64(s.StartTimestamp())
		for _, c := range children[s.SpanID().String()] {
			if int64(c.StartTimestamp()) != at {
				t.Errorf("%s begins %d ns after the end of the one before", c.Name(), int64(c.StartTimestamp())-at)
			}
			at = int64(c.EndTimestamp())
			sums[c.Name()] += int64(c.EndTimestamp() - c.StartTimestamp())
			if reason, has := c.Attributes().Get("wait.reason"); has != (c.Name() == "queue") {
				t.Errorf("%s: wait.reason %v", c.Name(), reason)
			}
		}
		parts := map[string]int64{}
		for name, ns := range map[string]int64{"preprocess": l.Preprocess, "queue": l.Queued, "predict": l.Predict, "postprocess": l.Postprocess} {
			if ns > 0 {
				parts[name] = ns
			}
		}
		if diff := cmp.Diff(parts, sums); diff != "" {
			t.Errorf("sums of the children (-truth +spans):\n%s", diff)
		}
	}
	if n != 4 {
		t.Errorf("%d requests", n)
	}
}
