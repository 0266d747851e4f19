package profile

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// record makes a run of two looks at an exposition, ten seconds apart: half of what grows stood there at the first.
func record(t *testing.T, path string) assay.Metrics {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := store.Create(filepath.Join(t.TempDir(), "run"), &assay.Manifest{ID: "1", Epoch: time.Now().Add(-time.Minute).UnixNano()})
	if err != nil {
		t.Fatal(err)
	}
	for look, at := range []int64{10e9, 20e9} {
		p, err := textparse.New(b, "text/plain", labels.NewSymbolTable(), textparse.ParserOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := &assay.Scrape{Target: "engine", Time: at}
		typ := model.MetricTypeUnknown
		for {
			entry, err := p.Next()
			if err != nil {
				break
			}
			if entry == textparse.EntryType {
				_, typ = p.Type()
			}
			if entry != textparse.EntrySeries {
				continue
			}
			_, _, v := p.Series()
			if look == 0 && typ != model.MetricTypeGauge {
				v /= 2
			}
			var ls labels.Labels
			p.Labels(&ls)
			one := assay.Sample{Name: strings.Clone(ls.Get("__name__")), Value: v}
			ls.Range(func(l labels.Label) {
				if l.Name != "__name__" {
					one.Labels = append(one.Labels, assay.Label{Name: strings.Clone(l.Name), Value: strings.Clone(l.Value)})
				}
			})
			s.Samples = append(s.Samples, one)
		}
		if err := w.Emit(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete, At: 20e9}); err != nil {
		t.Fatal(err)
	}
	run, err := store.Open(w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run.Close() })
	m, err := run.Metrics()
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	return m
}

// sum evaluates PromQL at the second look and adds up what it gives.
func sum(t *testing.T, m assay.Metrics, promQL string) (float64, bool) {
	t.Helper()
	series, err := m.Range(t.Context(), promQL, 20e9, 20e9, 1e9)
	if err != nil {
		t.Fatalf("%s: %v", promQL, err)
	}
	total := 0.0
	for _, s := range series {
		total += float64(s.Values[0])
	}
	return total, len(series) > 0
}

// TestEngines reads every quantity that a table claims from an exposition of that engine, through the store.
func TestEngines(t *testing.T) {
	wants, err := filepath.Glob("testdata/*.want")
	if err != nil || len(wants) == 0 {
		t.Fatal(err)
	}
	claimed := map[string]map[Quantity]bool{}
	for _, path := range wants {
		name := strings.TrimSuffix(filepath.Base(path), ".want")
		kind := name
		if For(kind) == nil { // an older version has another exposition
			kind, _, _ = strings.Cut(name, "-")
		}
		p := For(kind)
		if claimed[kind] == nil {
			claimed[kind] = map[Quantity]bool{}
		}
		t.Run(name, func(t *testing.T) {
			prom := strings.TrimSuffix(path, ".want") + ".prom"
			b, err := os.ReadFile(prom)
			if err != nil {
				t.Fatal(err)
			}
			if got := Detect(names(b)); kind != "prometheus" && (len(got) == 0 || got[0] != kind) {
				t.Errorf("Detect: got %v, want %s first", got, kind)
			}
			m := record(t, prom)
			lines, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(lines)) {
				f := strings.Fields(line)
				q := Quantity(f[0])
				want, err := strconv.ParseFloat(f[1], 64)
				if err != nil || len(f) != 3 {
					t.Fatal(line, err)
				}
				claimed[kind][q] = true
				s, ok := p.Spec(q)
				if !ok {
					t.Errorf("%s: the table has no such quantity", q)
					continue
				}
				if string(s.Unit) != f[2] {
					t.Errorf("%s: unit %s, want %s", q, s.Unit, f[2])
				}
				query := p.Mean(q, 20*time.Second)
				if v := p.Query(q); s.Type == Gauge || s.Type == Counter {
					query = v
				}
				got, ok := sum(t, m, query)
				if !ok || math.Abs(got-want) > 1e-9*math.Abs(want) {
					t.Errorf("%s: got %v (%v), want %v: %s", q, got, ok, want, query)
				}
				grown(t, m, s, q)
			}
		})
	}
	for _, kind := range Kinds() {
		if kind == "knative" || For(kind).Quantities == nil {
			continue // read from the sandbox's exposition
		}
		for q, s := range For(kind).Quantities {
			if !slices.ContainsFunc(s.Names, func(n Name) bool { return n.Type != Response }) {
				continue
			}
			if !claimed[kind][q] {
				t.Errorf("%s claims %s, and no exposition of testdata shows it", kind, q)
			}
		}
	}
}

// grown checks that the parts of a quantity agree with it.
func grown(t *testing.T, m assay.Metrics, s Spec, q Quantity) {
	t.Helper()
	for _, n := range s.Names {
		half, ok := sum(t, m, or(n.Growth(Count, 10*time.Second, false), "vector(1) > 1"))
		all, _ := sum(t, m, or(n.Growth(Count, 20*time.Second, true), "vector(1) > 1"))
		if ok && math.Abs(2*half-all) > 1e-9*all {
			t.Errorf("%s by %s: grew by %v of %v, want half", q, n.Metric, half, all)
		}
		if top, ok := sum(t, m, or(n.Over("max_over_time", 15*time.Second), "vector(1) > 1")); n.Type == Gauge && ok && top == 0 {
			t.Errorf("%s by %s: its highest value is 0", q, n.Metric)
		}
	}
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// TestAbsentIsNotZero: before its first request an engine exposes a few families, and what is not exposed has no value.
func TestAbsentIsNotZero(t *testing.T) {
	path := filepath.Join(t.TempDir(), "idle.prom")
	if err := os.WriteFile(path, []byte("# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, p := record(t, path), For("vllm")
	for _, promQL := range []string{p.Query(Success), p.Query(Waiting), p.Mean(TTFT, time.Minute), p.Rate(TokensOut, time.Minute), p.Quantile(E2E, 0.5, time.Minute)} {
		if v, ok := sum(t, m, promQL); ok {
			t.Errorf("%s gives %v, want nothing", promQL, v)
		}
	}
	if v, ok := sum(t, m, p.Query(Running)); !ok || v != 0 {
		t.Errorf("running: %v, %v", v, ok)
	}
}

func TestSummaryQuantile(t *testing.T) {
	m := record(t, "testdata/triton-summaries.prom")
	if v, ok := sum(t, m, For("triton").Quantile(E2E, 0.95, time.Minute)); !ok || math.Abs(v-0.9) > 1e-9 {
		t.Errorf("got %v, %v; want 0.9 s", v, ok)
	}
	if v, ok := sum(t, m, For("triton").Quantile(E2E, 0.9, time.Minute)); ok {
		t.Errorf("a quantile that was not exposed: got %v", v)
	}
}

func TestResponse(t *testing.T) {
	for field, want := range map[string]string{"load_duration": "load_time 1e-09", "eval_count": "tokens_out 1", "prompt_eval_duration": "prefill_time 1e-09"} {
		q, scale, ok := For("ollama").Response(field)
		if got := fmt.Sprintf("%s %g", q, scale); !ok || got != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
	if q, _, ok := For("ollama").Response("model"); ok {
		t.Errorf("model shows %s", q)
	}
	if got := Detect([]string{"load_duration", "eval_count"}); got != nil {
		t.Errorf("fields of answers are no series, but Detect gives %v", got)
	}
}

func TestSeries(t *testing.T) {
	got := For("triton").Series()
	for _, want := range []string{"nv_inference_count", "nv_cache_num_misses_per_model", "nv_inference_first_response_histogram_ms_bucket"} {
		if !slices.Contains(got, want) {
			t.Errorf("series %v lack %s", got, want)
		}
	}
	if slices.Contains(got, "") || !slices.IsSorted(got) {
		t.Errorf("series %v", got)
	}
}
