package analyzers

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// exposed makes an import of looks at an engine, fifteen seconds apart.
// The import had something to say at its end.
func exposed(t *testing.T, looks ...string) *store.Run {
	t.Helper()
	w, err := store.Create(filepath.Join(t.TempDir(), "run"), &assay.Manifest{ID: "1", Name: "week", Imported: true, Epoch: time.Now().Add(-time.Hour).UnixNano()})
	if err != nil {
		t.Fatal(err)
	}
	end := int64(0)
	for i, look := range looks {
		p, err := textparse.New([]byte(look), "text/plain", labels.NewSymbolTable(), textparse.ParserOptions{})
		if err != nil {
			t.Fatal(err)
		}
		end = int64(1e6) + int64(i)*15e9
		for {
			entry, err := p.Next()
			if err != nil {
				break
			}
			if entry != textparse.EntrySeries {
				continue
			}
			_, _, v := p.Series()
			var ls labels.Labels
			p.Labels(&ls)
			s := assay.Sample{Name: strings.Clone(ls.Get("__name__")), Time: end, Value: v}
			ls.Range(func(l labels.Label) {
				if l.Name != "__name__" {
					s.Labels = append(s.Labels, assay.Label{Name: strings.Clone(l.Name), Value: strings.Clone(l.Value)})
				}
			})
			if err := w.Emit(&s); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Emit(&assay.Event{Time: end, Kind: assay.EventWarning, Text: "a line was not recorded"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete, At: end}); err != nil {
		t.Fatal(err)
	}
	run, err := store.Open(w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	return run
}

// engineFindings gives what was found of engines, a line each.
func engineFindings(r *assay.Report) map[string]string {
	out := map[string]string{}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Labels["engine"] == "" {
			continue
		}
		q := f.Quantity
		s := q.Reason
		switch {
		case q.Known() && q.Lo == q.Hi:
			s = fmt.Sprintf("%.4g %s of %d", q.Value, q.Unit, q.N)
		case q.Known():
			s = fmt.Sprintf("%.4g in %.4g..%.4g %s of %d", q.Value, q.Lo, q.Hi, q.Unit, q.N)
		}
		if len(f.Warnings) > 0 {
			s += " ! " + f.Warnings[0]
		}
		out[f.Labels["engine"]+" "+f.Metric] = s
	}
	return out
}

// what is exposed by an engine of two families, a queue that counts those only that waited, and a cache.
func vllmLook(done, waited, gen, running int) string {
	return fmt.Sprintf(`vllm:num_requests_running{instance="a"} %[4]d
vllm:num_requests_running{instance="b"} 0
vllm:kv_cache_usage_perc{instance="a"} 0.%[4]d
vllm:generation_tokens_total{instance="a"} %[3]d
vllm:prompt_tokens_total{instance="a"} %[3]d
vllm:prefix_cache_hits_total{instance="a"} %[1]d
vllm:prefix_cache_queries_total{instance="a"} %[3]d
vllm:request_success_total{instance="a",finished_reason="stop"} %[1]d
vllm:e2e_request_latency_seconds_bucket{instance="a",le="1"} %[1]d
vllm:e2e_request_latency_seconds_bucket{instance="a",le="2"} %[1]d
vllm:e2e_request_latency_seconds_bucket{instance="a",le="+Inf"} %[1]d
vllm:e2e_request_latency_seconds_sum{instance="a"} %[1]d
vllm:e2e_request_latency_seconds_count{instance="a"} %[1]d
vllm:request_queue_time_seconds_bucket{instance="a",le="0.3"} 0
vllm:request_queue_time_seconds_bucket{instance="a",le="+Inf"} %[2]d
vllm:request_queue_time_seconds_sum{instance="a"} %[2]d
vllm:request_queue_time_seconds_count{instance="a"} %[2]d
`, done, waited, gen, running)
}

func TestEngineFindings(t *testing.T) {
	run := exposed(t, vllmLook(0, 0, 0, 2), vllmLook(5, 2, 50, 4), vllmLook(10, 4, 100, 3))
	r, err := Assess(t.Context(), run, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := engineFindings(r)
	for metric, want := range map[string]string{
		"engine/e2e/mean":        "1 s of 10",
		"engine/e2e/p50":         "NaN in 0..1 s of 10",
		"engine/e2e/p95":         "NaN in 0..1 s of 10",
		"engine/queue_time/mean": "1 s of 4 ! it counts 4 of 10 requests, those that waited: its mean is of the queued",
		"engine/queue_time/p95":  "NaN in 0.3..+Inf s of 4 ! it counts 4 of 10 requests, those that waited: its mean is of the queued",
		"engine/running/mean":    "1.5 {n} of 1",
		"engine/running/max":     "4 {n} of 1",
		"engine/kv_usage/max":    "0.4 1 of 1",
		"cache/prefix/hit_ratio": "0.1 1 of 100",
		"engine/preemptions":     "not measured, because vLLM exposed no vllm:num_preemptions_total while it was watched",
		"engine/ttft/mean":       "not measured, because vLLM exposed no vllm:time_to_first_token_seconds while it was watched",
	} {
		if got["vllm "+metric] != want {
			t.Errorf("%s: got %q, want %q", metric, got["vllm "+metric], want)
		}
	}
	if rate := r.Find("engine/tokens_out/rate", "engine", "vllm"); rate == nil || math.Abs(rate.Quantity.Value-100.0/30) > 0.4 {
		t.Errorf("tokens out: %+v, want about 100 in 30 s", rate)
	}
	if _, ok := got["vllm engine/ttft/p95"]; ok {
		t.Error("a quantile of what was not exposed")
	}
	if r.Decision != assay.Go || r.Exit != assay.ExitGo || !r.Trust.Valid {
		t.Errorf("%s, exit %d, %q", r.Decision, r.Exit, r.Trust.Problems)
	}
	if f := r.Find("error_ratio"); f != nil && f.Quantity.Known() {
		t.Errorf("an error ratio without a request: %+v", f)
	}
	for _, name := range []string{"kv/usage", "queue/waiting"} {
		found := false
		for i := range r.Series {
			found = found || r.Series[i].Name == name
		}
		if found != (name == "kv/usage") {
			t.Errorf("plot of %s: %v", name, found)
		}
	}
}

// TestEngineAtOneLook: of one look, counters speak of all since the exporter began, and nothing has a rate.
func TestEngineAtOneLook(t *testing.T) {
	r, err := Assess(t.Context(), exposed(t, "go_goroutines 1\n"+vllmLook(10, 10, 100, 3), ""), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := engineFindings(r)
	for metric, want := range map[string]string{
		"engine/e2e/mean":        "1 s of 10",
		"engine/queue_time/mean": "1 s of 10",
		"engine/tokens_out/rate": "not estimable, because a rate needs two looks, and there was one",
	} {
		if got["vllm "+metric] != want {
			t.Errorf("%s: got %q, want %q", metric, got["vllm "+metric], want)
		}
	}
	if f := r.Find("engine/e2e/mean", "engine", "vllm"); f == nil || !strings.Contains(f.Quantity.Method, "all since the exporter began") {
		t.Errorf("finding %+v", f)
	}
}

// TestEngineUnits: an engine that counts microseconds and one that counts tokens twice.
func TestEngineUnits(t *testing.T) {
	triton, err := os.ReadFile("../internal/profile/testdata/triton.prom")
	if err != nil {
		t.Fatal(err)
	}
	lmdeploy, err := os.ReadFile("../internal/profile/testdata/lmdeploy.prom")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Assess(t.Context(), exposed(t, string(triton)+string(lmdeploy), ""), Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := engineFindings(r)
	want := map[string]string{
		"triton engine/e2e/mean":        "0.5 s of 50",
		"triton engine/queue_time/mean": "0.1 s of 50",
		"triton engine/load_time":       "163.2 s of 1",
		"triton cache/hit_ratio":        "0.25 1 of 100",
		"triton cache/saved":            "4.495 in 0..+Inf s of 25 ! what a hit would have cost is not known: this is the mean of what was not found",
		"triton engine/ttft/p50":        "NaN in 0..0.1 s of 50",
	}
	for metric, w := range want {
		if got[metric] != w {
			t.Errorf("%s: got %q, want %q", metric, got[metric], w)
		}
	}
	if s := got["lmdeploy engine/tokens_out/rate"]; !strings.Contains(s, "adds each step's tokens twice") && !strings.Contains(s, "double") {
		t.Errorf("tokens of LMDeploy: %q", s)
	}
}

func TestEngineObjectives(t *testing.T) {
	most := 0.25
	o := assay.Objective{Metric: "engine/e2e/p99", Labels: map[string]string{"engine": "vllm"}, Max: &most}
	if err := Check(o); err != nil {
		t.Fatal(err)
	}
	r, err := Assess(t.Context(), exposed(t, vllmLook(0, 0, 0, 2), vllmLook(10, 4, 100, 3)), Options{Objectives: []assay.Objective{o}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]assay.Verdict{assay.VerdictInconclusive}, []assay.Verdict{r.Objectives[0].Verdict}); d != "" || r.Exit != assay.ExitInconclusive {
		t.Errorf("a quantile in a bucket that reaches across the goal: exit %d %s", r.Exit, d)
	}
}
