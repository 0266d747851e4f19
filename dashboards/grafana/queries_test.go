package grafana

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay/dashboards/catalogue"
)

// The queries are executed against Debian's Prometheus, an old one on purpose: what works there works widely.

// server is a Prometheus on loopback, scraping two runs each second.
type server struct {
	url  string
	from time.Time
}

// startPrometheus runs Prometheus in a directory of its own until the test ends.
func startPrometheus(t *testing.T, targets ...string) *server {
	t.Helper()
	bin, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus on PATH: the dashboards' queries are not executed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := t.TempDir()
	conf := "scrape_configs:\n- job_name: assay\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  static_configs:\n  - targets: ['" + strings.Join(targets, "','") + "']\n"
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		"--web.listen-address="+addr, "--enable-feature=exemplar-storage", "--log.level=warn")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cmd.Wait()
		out.Close()
		if t.Failed() {
			if b, err := os.ReadFile(out.Name()); err == nil {
				t.Logf("prometheus said:\n%s", b)
			}
		}
	})
	s := &server{url: "http://" + addr}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if resp, err := http.Get(s.url + "/-/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("prometheus was not ready within 20 s")
		}
	}
	s.from = time.Now()
	return s
}

// get calls the HTTP API and decodes the data of its answer.
func (s *server) get(t *testing.T, path string, q url.Values, into any) {
	t.Helper()
	resp, err := http.PostForm(s.url+"/api/v1/"+path, q)
	if strings.HasPrefix(path, "label/") {
		resp, err = http.Get(s.url + "/api/v1/" + path + "?" + q.Encode())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if a.Status != "success" {
		t.Fatalf("%s %v: %s", path, q, a.Error)
	}
	if err := json.Unmarshal(a.Data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// points counts the values that expr gives over the last window, and those that are no number.
func (s *server) points(t *testing.T, expr string, from, to time.Time, step string) (n, nan int) {
	t.Helper()
	var data struct {
		Result []struct{ Values [][2]any }
	}
	s.get(t, "query_range", url.Values{"query": {expr}, "start": {stamp(from)}, "end": {stamp(to)}, "step": {step}}, &data)
	for _, r := range data.Result {
		for _, v := range r.Values {
			f, err := strconv.ParseFloat(v[1].(string), 64)
			if err != nil || math.IsNaN(f) {
				nan++
			}
			n++
		}
	}
	return n, nan
}

func stamp(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', 3, 64) }

var labelValues = regexp.MustCompile(`^label_values\((.+), (\w+)\)$`)

// TestQueries executes every query of the committed dashboard on a run that goes well and on one that is hurt.
func TestQueries(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a Prometheus for ten seconds")
	}
	healthy, faulty := newRun("healthy", false), newRun("faulty", true)
	var targets []string
	for _, r := range []*run{healthy, faulty} {
		srv := httptest.NewServer(r.handler())
		defer srv.Close()
		targets = append(targets, srv.Listener.Addr().String())
	}
	s := startPrometheus(t, targets...)
	ctx, stop := context.WithTimeout(context.Background(), 11*time.Second)
	defer stop()
	played := make(chan struct{})
	go func() {
		defer close(played)
		play(ctx, healthy, faulty)
	}()
	<-played
	// The first windows hold too few scrapes for a rate; a dashboard shows them empty as well.
	from, to := s.from.Add(6*time.Second), time.Now().Add(-500*time.Millisecond)

	d := load(t)
	emptyOK := map[string]string{}
	for _, p := range catalogue.Overview().Panels() {
		for _, q := range p.Queries {
			emptyOK[q.Expr] = q.EmptyOK
		}
	}
	for _, a := range catalogue.Overview().Annotations {
		emptyOK[a.Expr] = a.EmptyOK
	}
	for _, name := range []string{"healthy", "faulty"} {
		check := func(what, expr, step string) {
			ok, known := emptyOK[expr]
			if !known {
				t.Errorf("%s: query is not in the catalogue: %s", what, expr)
			}
			n, nan := s.points(t, catalogue.Expand(expr, name, ".+", "5s"), from, to, step)
			if nan > 0 {
				t.Errorf("%s: %s: %d of %d values are no number: %s", name, what, nan, n, expr)
			}
			if n == 0 && (name == "faulty" || ok == "") {
				t.Errorf("%s: %s: no data: %s", name, what, expr)
			}
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				check(fmt.Sprintf("panel %d %q query %s", p.ID, p.Title, q.RefID), q.Expr, "1s")
			}
		}
		for _, a := range d.Annotations.List {
			check(fmt.Sprintf("annotation %q", a.Name), a.Target.Expr, "1s")
		}
		for _, v := range catalogue.Overview().Variables {
			m := labelValues.FindStringSubmatch(v.Query)
			if m == nil {
				t.Fatalf("variable %s: query %q is not label_values(selector, label)", v.Name, v.Query)
			}
			var values []string
			s.get(t, "label/"+m[2]+"/values", url.Values{"match[]": {catalogue.Expand(m[1], name, ".+", "5s")}, "start": {stamp(s.from)}, "end": {stamp(to)}}, &values)
			if len(values) == 0 {
				t.Errorf("%s: variable %s has no values", name, v.Name)
			}
		}
	}
	if n, _ := s.points(t, `assay_request_ttft_secondz_bucket{run="faulty"}`, from, to, "1s"); n != 0 {
		t.Error("a metric that does not exist has data: the check checks nothing")
	}
	s.exemplars(t, to)
}

// exemplars makes sure that the panels which ask for exemplars get them.
func (s *server) exemplars(t *testing.T, to time.Time) {
	t.Helper()
	for _, metric := range []string{"assay_request_ttft_seconds_bucket", "assay_request_e2e_seconds_bucket"} {
		var data []struct {
			Exemplars []struct{ Labels map[string]string }
		}
		s.get(t, "query_exemplars", url.Values{"query": {metric + `{run="faulty"}`}, "start": {stamp(s.from)}, "end": {stamp(to)}}, &data)
		found := false
		for _, series := range data {
			for _, e := range series.Exemplars {
				found = found || e.Labels["trace_id"] != ""
			}
		}
		if !found {
			t.Errorf("%s: no exemplar with a trace_id", metric)
		}
	}
}
