package vision

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

	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// A running worker, in this process.
type running struct {
	t      testing.TB
	url    string
	phases []worker.Phase
	lines  chan string
	stop   func() error
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
	r := &running{t: t, lines: make(chan string, 100)}
	ended := make(chan error, 1)
	go func() {
		err := Main(ctx, cfg, write, io.Discard)
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
			r.t.Fatalf("the worker ended: %v", r.stop())
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
			worker.Phase
			Ready bool
		}
		r.line(&l)
		if l.Ready {
			return r
		}
		r.phases = append(r.phases, l.Phase)
	}
}

const testTrace, testSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

// call sends a request; header are pairs.
func (r *running) call(method, path string, body []byte, header ...string) (int, http.Header, []byte) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("traceparent", "00-"+testTrace+"-"+testSpan+"-01")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, res.Header, b
}

const predictPath, inferPath = "/v1/models/sandbox-vision-nano:predict", "/v2/models/sandbox-vision-nano/infer"

func TestStartIsInPhases(t *testing.T) {
	truth := filepath.Join(t.TempDir(), "truth.jsonl")
	spawned := time.Now().UnixNano()
	r := startMain(t, Config{LoadFloor: 300 * time.Millisecond, SpawnedUnixNS: spawned, TruthPath: truth})
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/health": {200, ""}, "/v2/health/live": {200, `{"live":true}`}, "/health/ready": {503, "still loading"}, "/v2/health/ready": {503, `{"ready":false}`},
		"/v1/models/sandbox-vision-nano": {503, `"state":"LOADING"`}, "/v2/models/sandbox-vision-nano/ready": {503, `"ready":false`},
		"/v2/models/sandbox-vision-nano": {200, `"platform":"assay_sandbox"`}, "/queue": {200, `{"waiting":0,"running":0}`},
	} {
		if status, _, body := r.call("GET", path, nil); status != want.status || !strings.Contains(string(body), want.body) {
			t.Errorf("%s while loading: got %d %s, want %d and %s", path, status, body, want.status, want.body)
		}
	}
	for _, path := range []string{predictPath, inferPath} {
		status, header, body := r.call("POST", path, []byte(`{}`))
		if status != 503 || header.Get("Retry-After") == "" || string(body) != `{"error":"Model with name sandbox-vision-nano is not ready: it is still loading."}`+"\n" {
			t.Errorf("%s while loading: %d %s", path, status, body)
		}
	}
	r.ready()
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
	for _, path := range []string{"/health/ready", "/v2/health/ready", "/v1/models/sandbox-vision-nano", "/v1/models/sandbox-vision-nano/versions/1", "/v2/models/sandbox-vision-nano/versions/1/ready"} {
		if status, _, body := r.call("GET", path, nil); status != 200 {
			t.Errorf("%s when warm: %d %s", path, status, body)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	var phases []worker.Phase
	refused := 0
	for _, l := range readTruth(t, truth) {
		if l.Kind == "phase" {
			phases = append(phases, worker.Phase{Phase: l.Phase, Start: l.Start, End: l.PhaseEnd})
		} else if l.Outcome == outcomeRefused && l.Status == 503 && l.Code == "loading" && l.TraceID == testTrace {
			refused++
		}
	}
	if diff := cmp.Diff(r.phases, phases); diff != "" || refused != 2 {
		t.Errorf("truth and stdout differ, %d refused:\n%s", refused, diff)
	}
}

// A truthLine is a line of either kind.
type truthLine struct {
	TruthRequest
	Phase    string `json:"phase"`
	Start    int64  `json:"start_unix_ns"`
	PhaseEnd int64  `json:"-"`
}

func readTruth(t testing.TB, path string) (list []truthLine) {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var l truthLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		l.PhaseEnd = l.End
		list = append(list, l)
	}
	return list
}

func TestDrain(t *testing.T) {
	r := startMain(t, Config{LoadFloor: -1, StepOverhead: 100 * time.Millisecond}).ready()
	type answer struct {
		status int
		body   []byte
	}
	got := make(chan answer, 1)
	go func() {
		status, _, body := r.call("POST", inferPath, pngOf(t, picture(8, 8)), "Content-Type", "image/png")
		got <- answer{status, body}
	}()
	for !strings.Contains(r.metrics(), `requests_in_flight{model_name="sandbox-vision-nano"} 1`) {
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.status != 200 {
		t.Errorf("the running request got %d %s", a.status, a.body)
	}

	r = startMain(t, Config{LoadFloor: -1, StepOverhead: time.Minute, Drain: 50 * time.Millisecond}).ready()
	go func() {
		status, _, body := r.call("POST", inferPath, pngOf(t, picture(8, 8)), "Content-Type", "image/png")
		got <- answer{status, body}
	}()
	for !strings.Contains(r.metrics(), `images_running{model_name="sandbox-vision-nano"} 1`) {
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.status != 503 || !strings.Contains(string(a.body), "stopped before") {
		t.Errorf("the request that was cut got %d %s", a.status, a.body)
	}
}

func (r *running) metrics() string {
	_, _, b := r.call("GET", "/metrics", nil)
	return string(b)
}

func TestStopWhileLoading(t *testing.T) {
	if err := startMain(t, Config{LoadFloor: time.Hour}).stop(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestDamagedWeightsAreMadeAgain(t *testing.T) {
	dir := t.TempDir()
	path, size, err := EnsureWeights(Config{WeightsDir: dir, Model: "nano"})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if int64(len(b)) != size {
		t.Fatalf("the file has %d bytes, said %d", len(b), size)
	}
	good := bytes.Clone(b)
	b[size/2] ^= 0x40
	os.WriteFile(path, b, 0o644)
	r := startMain(t, Config{WeightsDir: dir, LoadFloor: -1}).ready()
	if status, _, body := r.call("POST", predictPath, []byte(`{"instances":[[[1]]]}`)); status != 200 {
		t.Errorf("got %d %s", status, body)
	}
	if again, _ := os.ReadFile(path); !bytes.Equal(again, good) {
		t.Error("the file was not made again as it was")
	}
}

func TestValidate(t *testing.T) {
	good := Config{Instance: "w-1", WeightsDir: "/w"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"kind": func(c *Config) { c.Kind = "llm" }, "instance": func(c *Config) { c.Instance = "" }, "weights_dir": func(c *Config) { c.WeightsDir = "" },
		"loopback": func(c *Config) { c.Listen = "0.0.0.0:80" }, `model "huge"`: func(c *Config) { c.Model = "huge" }, "threads": func(c *Config) { c.Threads = -1 },
		"max_batch": func(c *Config) { c.MaxBatch = 500 }, "batch_window_ns": func(c *Config) { c.Window = time.Hour }, "nice": func(c *Config) { c.Nice = 20 },
		"otlp_endpoint": func(c *Config) { c.OTLPEndpoint = "127.0.0.1:4318" }, "max_body_bytes": func(c *Config) { c.MaxBody = -1 },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error about %s, got %v", want, err)
		}
	}
}
