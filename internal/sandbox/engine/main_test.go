package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	prom "github.com/prometheus/common/model"

	"github.com/assay-dev/assay/internal/pacetest"
)

// A running worker, in this process.
type running struct {
	t      testing.TB
	url    string
	phases []Phase
	lines  chan string
	log    *lockedBuffer
	stop   func() error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startMain runs Main and returns when it listens.
func startMain(t testing.TB, cfg Config) *running {
	t.Helper()
	if cfg.WeightsDir == "" {
		cfg.WeightsDir = t.TempDir()
	}
	if cfg.Model == "" {
		cfg.Model = "nano"
	}
	cfg.Instance = "w-1"
	ctx, cancel := context.WithCancel(context.Background())
	read, write := io.Pipe()
	r := &running{t: t, lines: make(chan string, 100), log: &lockedBuffer{}}
	ended := make(chan error, 1)
	go func() {
		err := Main(ctx, cfg, write, r.log)
		write.CloseWithError(io.EOF)
		ended <- err
	}()
	go func() {
		for lines := bufio.NewScanner(read); lines.Scan(); {
			r.lines <- lines.Text()
		}
		close(r.lines)
	}()
	r.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { r.stop() })
	var first struct{ Listening string }
	r.line(&first)
	r.url = "http://" + first.Listening
	return r
}

// line reads the next line of stdout.
func (r *running) line(v any) {
	r.t.Helper()
	select {
	case l, ok := <-r.lines:
		if !ok {
			r.t.Fatalf("the worker ended: %v\n%s", r.stop(), r.log)
		}
		if err := json.Unmarshal([]byte(l), v); err != nil {
			r.t.Fatalf("stdout line %q: %v", l, err)
		}
	case <-time.After(pacetest.Patience):
		r.t.Fatal("no line on stdout")
	}
}

// ready reads stdout until the worker is warm.
func (r *running) ready() *running {
	r.t.Helper()
	for {
		var l struct {
			Phase
			Ready bool
			Unix  int64 `json:"unix_ns"`
		}
		r.line(&l)
		if l.Ready {
			return r
		}
		r.phases = append(r.phases, l.Phase)
	}
}

func (r *running) get(path string) (int, string) {
	r.t.Helper()
	resp, err := http.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

const testTrace, testSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

func (r *running) post(ctx context.Context, path, body string) *http.Response {
	r.t.Helper()
	req, _ := http.NewRequestWithContext(ctx, "POST", r.url+path, strings.NewReader(body))
	req.Header.Set("traceparent", "00-"+testTrace+"-"+testSpan+"-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (r *running) postJSON(path, body string) (int, map[string]any) {
	r.t.Helper()
	resp := r.post(r.t.Context(), path, body)
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, v
}

// value returns the value of a series on a page of metrics; labels is part of its labels.
func (r *running) value(page, name string, labels ...string) float64 {
	r.t.Helper()
	_, text := r.get(page)
	parser := expfmt.NewTextParser(prom.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	f := families[name]
	if f == nil {
		r.t.Fatalf("%s has no %s", page, name)
	}
next:
	for _, m := range f.Metric {
		for i := 0; i < len(labels); i += 2 {
			found := false
			for _, l := range m.Label {
				found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
			}
			if !found {
				continue next
			}
		}
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			return m.Counter.GetValue()
		case dto.MetricType_HISTOGRAM:
			return float64(m.Histogram.GetSampleCount())
		}
		return m.Gauge.GetValue()
	}
	r.t.Fatalf("%s: no %s with %q", page, name, labels)
	return 0
}

func words64() string { return strings.TrimSpace(strings.Repeat("word ", 64)) }

func errorCode(v map[string]any) any {
	e, _ := v["error"].(map[string]any)
	return e["code"]
}

func TestStartIsInPhases(t *testing.T) {
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	spawned := time.Now().UnixNano()
	r := startMain(t, Config{LoadFloor: 300 * time.Millisecond, SpawnedUnixNS: spawned, TruthPath: truth})
	if status, _ := r.get("/health"); status != 200 {
		t.Errorf("live while loading: %d", status)
	}
	if status, body := r.get("/health/ready"); status != 503 || !strings.Contains(body, `"loading"`) {
		t.Errorf("ready while loading: %d %s", status, body)
	}
	status, v := r.postJSON("/v1/completions", `{"prompt":"a"}`)
	if status != 503 || errorCode(v) != "loading" {
		t.Errorf("completion while loading: %d %v", status, v)
	}
	r.ready()
	if status, _ := r.get("/health/ready"); status != 200 {
		t.Errorf("ready when warm: %d", status)
	}
	var names []string
	at := spawned
	for _, p := range r.phases {
		if p.Start != at || p.End <= p.Start {
			t.Errorf("phase %+v does not follow the one before, which ended at %d", p, at)
		}
		names, at = append(names, p.Phase), p.End
	}
	if diff := cmp.Diff([]string{"runtime_start", "weights_fetch", "weights_load", "warmup"}, names); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if fetch := r.phases[1]; fetch.End-fetch.Start < 3e8 {
		t.Errorf("fetch took %d ns, want at least 0.3 s", fetch.End-fetch.Start)
	}
	for _, want := range []string{"rate-limited", "Loading weights took 0.", "GPU KV cache size: 4096 tokens", "init engine (profile, create kv cache, warmup model) took", "Application startup complete."} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, r.log)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	var phases []Phase
	var refused []TruthRequest
	for line := range strings.Lines(read(t, truth)) {
		if strings.Contains(line, `"kind":"phase"`) {
			phases = append(phases, decodeLine[Phase](t, line))
		} else {
			refused = append(refused, decodeLine[TruthRequest](t, line))
		}
	}
	for i := range phases {
		phases[i].Kind, phases[i].Instance = "", ""
	}
	if diff := cmp.Diff(r.phases, phases); diff != "" {
		t.Errorf("truth and stdout differ:\n%s", diff)
	}
	if len(refused) != 1 || refused[0].Outcome != "refused" || refused[0].Status != 503 || refused[0].Code != "loading" || refused[0].TraceID != testTrace {
		t.Errorf("refused: %+v", refused)
	}
}

func read(t testing.TB, path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decodeLine[T any](t testing.TB, line string) (v T) {
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	return v
}

func TestStopWhileLoading(t *testing.T) {
	r := startMain(t, Config{LoadFloor: time.Hour})
	if err := r.stop(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestDamagedWeightsAreMadeAgain(t *testing.T) {
	dir := t.TempDir()
	path, size, err := EnsureWeights(Config{WeightsDir: dir, Model: "nano"})
	if err != nil {
		t.Fatal(err)
	}
	b := []byte(read(t, path))
	b[size/2] ^= 0x40
	os.WriteFile(path, b, 0o644)
	r := startMain(t, Config{WeightsDir: dir, LoadFloor: -1}).ready()
	if !strings.Contains(r.log.String(), "checksum") {
		t.Errorf("the log does not tell of the damage:\n%s", r.log)
	}
	if status, _ := r.postJSON("/v1/completions", `{"prompt":"a"}`); status != 200 {
		t.Errorf("status %d", status)
	}
}

func TestDrain(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1, StepOverhead: 5 * time.Millisecond}).ready()
	resp := r.post(t.Context(), "/v1/completions", `{"prompt":"a b","max_tokens":40,"stream":true}`)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); !strings.HasSuffix(string(b), "data: [DONE]\n\n") {
		t.Errorf("the running answer was cut: %s", b)
	}

	r = startMain(t, Config{LoadFloor: -1, StepOverhead: 5 * time.Millisecond, Drain: 100 * time.Millisecond}).ready()
	resp = r.post(t.Context(), "/v1/completions", `{"prompt":"a b","max_tokens":900,"stream":true}`)
	start := time.Now()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > pacetest.Most(2*time.Second) {
		t.Errorf("stopping took %v", d)
	}
	if b, _ := io.ReadAll(resp.Body); strings.Contains(string(b), "[DONE]") || !strings.Contains(string(b), `"stopping"`) {
		t.Errorf("the cut answer ends with %s", b[max(0, len(b)-200):])
	}
}

func TestValidate(t *testing.T) {
	good := Config{Instance: "w-1", WeightsDir: "/w"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"instance":         func(c *Config) { c.Instance = "" },
		"weights_dir":      func(c *Config) { c.WeightsDir = "" },
		"loopback":         func(c *Config) { c.Listen = "0.0.0.0:80" },
		"listen":           func(c *Config) { c.Listen = "nonsense" },
		`model "huge"`:     func(c *Config) { c.Model = "huge" },
		"threads":          func(c *Config) { c.Threads = -1 },
		"max_seqs":         func(c *Config) { c.MaxSeqs = 5000 },
		"kv_tokens":        func(c *Config) { c.KVTokens = 16 },
		"4 GiB":            func(c *Config) { c.Model = "base"; c.KVTokens = 1 << 20 },
		"nice":             func(c *Config) { c.Nice = 20 },
		"step_overhead_ns": func(c *Config) { c.StepOverhead = -1 },
		"otlp_endpoint":    func(c *Config) { c.OTLPEndpoint = "127.0.0.1:4318" },
		"load_rate_bytes":  func(c *Config) { c.LoadRate = -5 },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %s, got %v", want, err)
		}
	}
	c := Config{Instance: "a", StepOverhead: 5, LoadFloor: -1, OTLPEndpoint: "http://x/y"}
	b, _ := json.Marshal(c)
	var back Config
	if err := json.Unmarshal(b, &back); err != nil || back != c {
		t.Errorf("JSON round trip: %+v, %v", back, err)
	}
}

func TestPortInUse(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1})
	cfg := Config{Instance: "w-2", WeightsDir: t.TempDir(), Model: "nano", Listen: strings.TrimPrefix(r.url, "http://")}
	if err := Main(t.Context(), cfg, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "listen on") {
		t.Errorf("got %v", err)
	}
}
