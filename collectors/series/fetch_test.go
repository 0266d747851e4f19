package series

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/flatten"
)

// A standIn answers as Prometheus does: each series is 1 all the time, or too large an answer for more than most points.
type standIn struct {
	names []string
	most  int
	asked []url.Values
	token string
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/api/v1/label/__name__/values":
		fmt.Fprintf(w, `{"status":"success","data":["%s"]}`, strings.Join(s.names, `","`))
	case "/api/v1/query_range":
		r.ParseForm()
		s.asked = append(s.asked, r.PostForm)
		number := func(name string) float64 { v, _ := strconv.ParseFloat(r.PostForm.Get(name), 64); return v }
		n := int((number("end")-number("start"))/number("step")) + 1
		if n > 11_000 {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries."}`)
			return
		}
		if s.most > 0 && n > s.most {
			w.Write(bytes.Repeat([]byte(" "), 33<<20))
			return
		}
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,[%.3f,"1"]`, number("start")+float64(i)*number("step"))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[%s]}]}}`, b.String()[1:])
	default:
		http.NotFound(w, r)
	}
}

// fetched gives the instants of the samples, in seconds since base.
func fetched(t *testing.T, url string, window time.Duration, options map[string]string, token string) (names []string, times []float64, err error) {
	t.Helper()
	settings := input.Settings{From: base * 1e9, To: base*1e9 + int64(window), Latest: (base + 1e7) * 1e9, Token: token, Temp: t.TempDir()}
	set, err := input.Open(t.Context(), []input.Spec{{Kind: &Prometheus, Path: url, Options: options}}, settings)
	if err != nil {
		return nil, nil, err
	}
	defer set.Close()
	return names, times, set.Run(t.Context(), func(r assay.Record) error {
		if s, ok := r.(*assay.Sample); ok {
			names = append(names, flatten.Series(s.Name, s.Labels))
			times = append(times, float64(s.Time+set.Epoch-base*1e9)/1e9)
		}
		return nil
	})
}

func TestFetch(t *testing.T) {
	s := &standIn{names: []string{"go_goroutines", "vllm:num_requests_running", "up"}, token: "secret"}
	srv := httptest.NewServer(s)
	defer srv.Close()
	window := 11_999 * time.Second
	_, times, err := fetched(t, srv.URL, window, map[string]string{"step": "1s"}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if len(times) != 12_000 || times[0] != 0 || times[11_999] != 11_999 || !slices.IsSorted(times) {
		t.Errorf("%d points, from %v to %v", len(times), times[0], times[len(times)-1])
	}
	if got, want := s.asked[0].Get("query"), `{__name__=~"vllm:num_requests_running|up"}`; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if len(s.asked) != 2 {
		t.Errorf("%d questions, want 2 of at most 11,000 points", len(s.asked))
	}
	if _, _, err := fetched(t, srv.URL, time.Hour, nil, "wrong"); err == nil || !strings.Contains(err.Error(), "status 401") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong token: %v", err)
	}

	s.asked, s.most = nil, 100
	_, times, err = fetched(t, srv.URL, 249*time.Second, map[string]string{"step": "1s", "match": "go_.*", "select": `job="a"`}, "secret")
	if err != nil || len(times) != 250 || times[249] != 249 {
		t.Errorf("in halves: %d points, %v", len(times), err)
	}
	if got, want := s.asked[0].Get("query"), `{__name__=~"go_goroutines",job="a"}`; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}

	for want, o := range map[string]map[string]string{
		`step "1"`: {"step": "1"}, `step "1ms": want a duration of at least 1s`: {"step": "1ms"},
		`none of its 3 names in the window matches "x"`: {"match": "x"}, `match "("`: {"match": "("},
	} {
		if _, _, err := fetched(t, srv.URL, time.Hour, o, "secret"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want …%s…", o, err, want)
		}
	}
	s.names = []string{"a"}
	if _, _, err := fetched(t, srv.URL, time.Hour, nil, "secret"); err == nil || !strings.Contains(err.Error(), "none of its 1 names in the window is of an engine that is known") {
		t.Errorf("nothing known: %v", err)
	}
}

func TestStepOf(t *testing.T) {
	for window, want := range map[time.Duration]time.Duration{time.Hour: 15 * time.Second, 24 * time.Hour: 15 * time.Second, 7 * 24 * time.Hour: 61 * time.Second} {
		if got, err := stepOf("", window); err != nil || got != want || window/got > 10_000 {
			t.Errorf("%v: got %v, %v; want %v", window, got, err, want)
		}
	}
}

// TestFetchFromPrometheus asks Debian's Prometheus, which holds a recording.
func TestFetchFromPrometheus(t *testing.T) {
	server, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed (Debian: apt-get install prometheus)")
	}
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: apt-get install prometheus)")
	}
	dir := t.TempDir()
	var b strings.Builder
	b.WriteString("# TYPE vllm:num_requests_running gauge\n")
	for i := range 5 {
		fmt.Fprintf(&b, "vllm:num_requests_running{model_name=\"m\"} %d %d\n", i, base+int64(i)*15)
	}
	b.WriteString("# TYPE foreign gauge\n")
	fmt.Fprintf(&b, "foreign 1 %d\n# EOF\n", base)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data := filepath.Join(dir, "data")
	if out, err := exec.Command(tool, "tsdb", "create-blocks-from", "openmetrics", write("in.om", b.String()), data).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, server, "--config.file", write("p.yml", "global: {}\n"), "--storage.tsdb.path", data, "--storage.tsdb.retention.time=100y", "--web.listen-address", addr)
	log := new(bytes.Buffer)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); cmd.Wait() }()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if resp, err := http.Get("http://" + addr + "/-/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("prometheus is not ready:\n%s", log)
		}
		time.Sleep(50 * time.Millisecond)
	}
	names, times, err := fetched(t, "http://"+addr, time.Minute, map[string]string{"step": "15s"}, "")
	if err != nil {
		t.Fatal(err, log)
	}
	want := slices.Repeat([]string{`vllm:num_requests_running{model_name="m"}`}, 5)
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]float64{0, 15, 30, 45, 60}, times); d != "" {
		t.Errorf("times (-want +got):\n%s", d)
	}
}
