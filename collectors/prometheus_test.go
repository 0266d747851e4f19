package collectors

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// until waits for cond, which is called with the sink locked.
func until(t testing.TB, s *sink, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(pacetest.Patience); ; time.Sleep(2 * time.Millisecond) {
		var ok bool
		s.do(func() { ok = cond() })
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

func find(sc assay.Scrape, name string) *assay.Sample {
	for i := range sc.Samples {
		if sc.Samples[i].Name == name {
			return &sc.Samples[i]
		}
	}
	return nil
}

func TestScrapeClientGolang(t *testing.T) {
	for _, open := range []bool{false, true} {
		t.Run(fmt.Sprintf("openmetrics=%v", open), func(t *testing.T) {
			reg := prometheus.NewRegistry()
			c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "reqs_total", Help: "h"}, []string{"job", "path"})
			h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lat_seconds", Buckets: []float64{1, 2.5}})
			g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "odd"})
			reg.MustRegister(c, h, g)
			c.WithLabelValues("theirs", "/a").Add(3)
			c.WithLabelValues("theirs", "").Add(1)
			h.(prometheus.ExemplarObserver).ObserveWithExemplar(2, prometheus.Labels{"trace_id": "abc"})
			g.Set(math.NaN())
			srv := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: open}))
			defer srv.Close()
			host := srv.Listener.Addr().String()

			s := new(sink)
			p := &Prometheus{Interval: time.Minute, Clock: clock.New(), emit: s.emit}
			p.defaults()
			defer p.client.CloseIdleConnections()
			one, err := fixedTarget(Target{URL: srv.URL, Labels: map[string]string{"job": "engine", "instance_id": "w-1", "__internal": "x"}})
			if err != nil {
				t.Fatal(err)
			}
			x := newScraper(p, one)
			x.look(t.Context())
			x.look(t.Context()) // by what it remembers of the first
			target := func(more ...assay.Label) []assay.Label {
				return append([]assay.Label{{Name: "instance", Value: host}, {Name: "instance_id", Value: "w-1"}, {Name: "job", Value: "engine"}}, more...)
			}
			exported := func(more ...assay.Label) []assay.Label {
				return append([]assay.Label{{Name: "exported_job", Value: "theirs"}}, target(more...)...)
			}
			for i := range 2 {
				got := s.scrapes[i]
				at := got.Time
				want := []assay.Sample{
					{Name: "lat_seconds_bucket", Labels: target(assay.Label{Name: "le", Value: "1.0"}), Time: at, Value: 0},
					{Name: "lat_seconds_bucket", Labels: target(assay.Label{Name: "le", Value: "2.5"}), Time: at, Value: 1},
					{Name: "lat_seconds_bucket", Labels: target(assay.Label{Name: "le", Value: "+Inf"}), Time: at, Value: 1},
					{Name: "lat_seconds_sum", Labels: target(), Time: at, Value: 2},
					{Name: "lat_seconds_count", Labels: target(), Time: at, Value: 1},
					{Name: "odd", Labels: target(), Time: at, Value: math.NaN()},
					{Name: "reqs_total", Labels: exported(), Time: at, Value: 1},
					{Name: "reqs_total", Labels: exported(assay.Label{Name: "path", Value: "/a"}), Time: at, Value: 3},
				}
				for _, list := range [][]assay.Sample{want, got.Samples} { // formats differ in the order of a histogram's series
					slices.SortStableFunc(list, func(a, b assay.Sample) int { return strings.Compare(a.Name, b.Name) })
				}
				nan := cmp.Comparer(func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) })
				if d := cmp.Diff(want, got.Samples, nan); d != "" {
					t.Errorf("scrape %d (-want +got):\n%s", i, d)
				}
				if got.Target != "w-1/metrics" || got.Error != "" || got.Time <= 0 {
					t.Errorf("scrape %d: got target %q, error %q, time %d", i, got.Target, got.Error, got.Time)
				}
			}
		})
	}
}

func TestScrapeFailures(t *testing.T) {
	release := make(chan struct{})
	page := func(ct, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", ct)
			io.WriteString(w, body)
		}
	}
	const text = "text/plain; version=0.0.4"
	mux := http.NewServeMux()
	for path, h := range map[string]http.HandlerFunc{
		"/status":  func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 503) },
		"/html":    page("text/html", "<html>"),
		"/bad":     page(text, "a 1\nb{x=\n"),
		"/samples": page(text, "a 1\nb 2\nc 3\nd 4\ne 5\n"),
		"/labels":  page(text, "a{b=\"1\",c=\"2\",d=\"3\",e=\"4\"} 1\n"),
		"/label":   page(text, "a{b=\""+strings.Repeat("x", 300)+"\"} 1\n"),
		"/name":    page(text, strings.Repeat("n", 300)+" 1\n"),
		"/big":     page(text, strings.Repeat("# padding\n", 300)),
		"/bomb": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", text)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.CopyN(z, zeros{}, 64<<10)
			z.Close()
		},
		"/slow": func(w http.ResponseWriter, r *http.Request) { <-release },
		"/stall": func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "a 1\n")
			w.(http.Flusher).Flush()
			<-release
		},
		"/away": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://example.invalid/metrics", 302)
		},
		"/good": page(text, "a 1\n"),
	} {
		mux.HandleFunc(path, h)
	}
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer close(release)
	says := map[string]string{
		"/status": "status 503 Service Unavailable", "/html": `content type "text/html" is no exposition`, "/bad": "parse exposition: ",
		"/samples": "more than max_samples, 4, in one exposition", "/labels": "series a has 4 labels, more than max_labels, 3",
		"/label": "series a has a label of 300 bytes, more than max_label_length, 256", "/name": "a metric's name has 300 bytes, more than max_label_length, 256",
		"/big": "body is larger than max_body, 2048 bytes", "/bomb": "body is larger than max_body, 2048 bytes", "/slow": "no answer within 60ms", "/stall": "no answer within 60ms",
		"/away": "redirect to another host", "/good": "",
	}
	closed := Target{URL: "http://user:hidden@127.0.0.1:1/closed?token=hidden"}
	says["/closed"] = "connect: connection refused"
	s := new(sink)
	for path, want := range says {
		p := &Prometheus{Interval: time.Minute, MaxBody: 2048, MaxSamples: 4, MaxLabels: 3, MaxLabel: 256, Clock: clock.New(), emit: s.emit}
		if strings.Contains(want, "60ms") {
			p.Timeout = 60 * time.Millisecond
		}
		p.defaults()
		tt := Target{URL: srv.URL + path}
		if path == "/closed" {
			tt = closed
		}
		one, err := fixedTarget(tt)
		if err != nil {
			t.Fatal(err)
		}
		x := newScraper(p, one)
		for range 2 { // the second look uses what the first left
			s.scrapes = nil
			x.look(t.Context())
			sc := s.scrapes[0]
			if strings.Contains(sc.Error, "hidden") || !strings.Contains(sc.Error, want) || (sc.Error == "") != (want == "") {
				t.Errorf("%s: got %q, want it to say %q and no secret", path, sc.Error, want)
			}
			if want == "" {
				continue
			}
			if !strings.HasPrefix(sc.Error, "scrape "+sc.Target+": ") || len(sc.Samples) != 0 {
				t.Errorf("%s: got %q and %d samples, want the target named and none", path, sc.Error, len(sc.Samples))
			}
		}
		p.client.CloseIdleConnections()
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestScrapeFollowsDiscovery(t *testing.T) {
	var n atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "m{q=%q} 1\n", r.URL.Query().Get("q"))
	}))
	defer target.Close()
	host := target.Listener.Addr().String()
	answers := []string{
		0: `[{"targets":["` + host + `"],"labels":{"instance_id":"w-1","job":"engine","__metrics_path__":"/metrics"}}]`,
		1: `[{"targets":["` + host + `"],"labels":{"instance_id":"w-1","job":"engine"}},{"targets":["` + host + `"],"labels":{"instance_id":"w-2","__metrics_path__":"/metrics/dcgm","__param_q":"x"}}]`,
		2: `{"not": "a list"}`,
		3: `[{"targets":["` + host + `"],"labels":{"instance_id":"w-2","__metrics_path__":"/metrics/dcgm","__param_q":"x"}}]`,
	}
	sd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answers[n.Load()]) }))
	defer sd.Close()
	s := new(sink)
	p := &Prometheus{Discovery: sd.URL, Interval: 100 * time.Millisecond, Clock: clock.New()}
	stop := start(t, p, s)
	isGone := func(sc *assay.Scrape) bool { return sc.Gone }
	count := func(name string, gone bool) (n int) {
		for i := range s.scrapes {
			if sc := &s.scrapes[i]; sc.Target == name && isGone(sc) == gone {
				n++
			}
		}
		return n
	}
	until(t, s, "w-1", func() bool { return count("w-1/metrics", false) >= 2 })
	n.Store(1)
	until(t, s, "w-2", func() bool { return count("w-2/metrics/dcgm", false) >= 2 })
	n.Store(2)
	until(t, s, "a warning", func() bool { return len(s.events) > 0 })
	var before int
	s.do(func() { before = count("w-1/metrics", false) })
	until(t, s, "w-1 to stay", func() bool { return count("w-1/metrics", false) > before+2 })
	n.Store(3)
	until(t, s, "w-1 to go", func() bool { return count("w-1/metrics", true) == 1 })
	stop()
	if got := s.events[0].Text; !strings.HasPrefix(got, "discovery failed, targets stay as they were: discover targets") {
		t.Errorf("got %q", got)
	}
	gone := false
	for _, sc := range s.scrapes {
		switch {
		case isGone(&sc):
			gone = true
		case sc.Target == "w-1/metrics" && gone:
			t.Error("w-1 was scraped after it had gone")
		case sc.Target == "w-2/metrics/dcgm" && sc.Error == "":
			m := find(sc, "m")
			if m == nil || !cmp.Equal(m.Labels, []assay.Label{{Name: "instance", Value: host}, {Name: "instance_id", Value: "w-2"}, {Name: "q", Value: "x"}}) {
				t.Errorf("w-2: got %+v", m)
			}
		}
	}
}

func TestScrapeSlowTargetDelaysNoOther(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-release }))
	fast := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a 1\n") }))
	defer fast.Close()
	defer slow.Close()
	defer close(release)
	s := new(sink)
	p := &Prometheus{Targets: []Target{{URL: slow.URL}, {URL: fast.URL}}, Interval: 20 * time.Millisecond, Clock: clock.New()}
	stop := start(t, p, s)
	until(t, s, "ten scrapes of the fast one", func() bool {
		n := 0
		for _, sc := range s.scrapes {
			if sc.Error == "" {
				n++
			}
		}
		return n >= 10
	})
	stop()
}

func TestOnGrid(t *testing.T) {
	for _, tt := range []struct{ now, phase, want int64 }{{0, 0, 10}, {1, 0, 10}, {9, 0, 10}, {10, 0, 20}, {0, 3, 3}, {3, 3, 13}, {4, 3, 13}, {99, 3, 103}} {
		if got := onGrid(tt.now, tt.phase, 10); got != tt.want {
			t.Errorf("after %d on the grid of %d: got %d, want %d", tt.now, tt.phase, got, tt.want)
		}
	}
}

func TestScrapeSettings(t *testing.T) {
	for _, p := range []*Prometheus{{}, {Targets: []Target{{URL: "127.0.0.1:80"}}}, {Targets: []Target{{URL: "ftp://h/"}}}} {
		p.Clock = clock.New()
		if err := p.Run(t.Context(), func(assay.Record) error { return nil }); err == nil || !strings.HasPrefix(err.Error(), "prometheus: ") {
			t.Errorf("%+v: got %v, want it refused", p.Targets, err)
		}
	}
}

func newExposition(labels ...string) *exposition {
	m := map[string]string{}
	for i := 0; i+1 < len(labels); i += 2 {
		m[labels[i]] = labels[i+1]
	}
	return &exposition{target: newTarget(&url.URL{Scheme: "http", Host: "h:1"}, m), fromUnix: func(ns int64) int64 { return ns - 1_700_000_000e9 },
		series: make(map[string]*series), maxSamples: promMaxSamples, maxLabels: promMaxLabels, maxLabel: promMaxLabel}
}

func TestExpositionStampsAndRepeats(t *testing.T) {
	const now = int64(100e9)
	in := "own 1 1700000099000\nfuture 1 1800000000000\nwild 1 9223372036854775807\ntwice 1\ntwice 2\n"
	x := newExposition()
	got, err := x.read([]byte(in), "text/plain", now, nil)
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int64{}
	for _, s := range got {
		times[s.Name] = s.Time
	}
	if d := cmp.Diff(map[string]int64{"own": 99e9, "future": now, "wild": now, "twice": now}, times); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if x.repeated != 1 || len(got) != 4 {
		t.Errorf("got %d repeated, %d samples; want 1 and 4", x.repeated, len(got))
	}
}

func TestExpositionForgetsSeries(t *testing.T) {
	x := newExposition()
	x.maxSamples = 500
	for look := range 50 {
		var b bytes.Buffer
		for i := range 100 {
			fmt.Fprintf(&b, "m{i=\"%d-%d\"} 1\n", look, i)
		}
		if look%2 == 1 {
			b.WriteString("{") // a failed look
		}
		x.read(b.Bytes(), "text/plain", 1, nil)
		if len(x.series) > 1200 {
			t.Fatalf("look %d: %d series are kept", look, len(x.series))
		}
	}
}

func TestExpositionOfSimulator(t *testing.T) {
	b, err := os.ReadFile("../../shared/data/recordings/llm-d-inference-sim-metrics.prom")
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("recording is absent")
	}
	x := newExposition("job", "engine")
	got, err := x.read(b, "text/plain; version=0.0.4", 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for line := range strings.Lines(string(b)) {
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
			want++
		}
	}
	if len(got) != want {
		t.Errorf("got %d samples, want %d", len(got), want)
	}
}

func FuzzExposition(f *testing.F) {
	f.Add([]byte("# TYPE a counter\na_total{b=\"c\"} 1 1700000099\n# EOF\n"), true)
	f.Add([]byte("a{instance=\"x\",job=\"y\",exported_job=\"z\"} NaN\n{\"utf8.name\",l=\"\"} 1e3\n"), false)
	f.Fuzz(func(t *testing.T, b []byte, open bool) {
		ct := "text/plain"
		if open {
			ct = "application/openmetrics-text"
		}
		x := newExposition("job", "j")
		x.maxSamples = 1000
		one, err := x.read(b, ct, 1, nil)
		if err != nil {
			return
		}
		first := append([]assay.Sample(nil), one...)
		two, err := x.read(b, ct, 1, nil)
		if err != nil || len(first) != len(two) {
			t.Fatalf("the same exposition again: got %d samples, %v; want %d", len(two), err, len(first))
		}
		for _, s := range two {
			seen := map[string]string{}
			for i, l := range s.Labels {
				if i > 0 && s.Labels[i-1].Name >= l.Name {
					t.Fatalf("labels of %q are not sorted and unique: %q", s.Name, s.Labels)
				}
				seen[l.Name] = l.Value
			}
			if seen["job"] != "j" || seen["instance"] != "h:1" {
				t.Fatalf("%q lost the target's labels: %q", s.Name, s.Labels)
			}
		}
	})
}

func FuzzDiscovery(f *testing.F) {
	f.Add([]byte(`[{"targets":["127.0.0.1:80"],"labels":{"__metrics_path__":"/m","__scheme__":"https","__param_a":"b","x":"y"}}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, err := parseDiscovery(b, 10)
		if err != nil {
			return
		}
		keys := map[string]bool{}
		for _, tt := range ts {
			u, err := url.Parse(tt.url)
			if err != nil || u.Host == "" || keys[tt.key] {
				t.Fatalf("target %+v: %v", tt, err)
			}
			keys[tt.key] = true
		}
		if len(ts) > 10 {
			t.Fatalf("%d targets", len(ts))
		}
	})
}

// exposition5k is 5,000 series: histograms as an engine has them.
func exposition5k() []byte {
	var b bytes.Buffer
	for m := range 10 {
		fmt.Fprintf(&b, "# HELP vllm:metric_%d_seconds Some help.\n# TYPE vllm:metric_%d_seconds histogram\n", m, m)
		for e := range 20 {
			for le := range 25 {
				fmt.Fprintf(&b, "vllm:metric_%d_seconds_bucket{engine=\"%d\",model_name=\"some/model-name\",le=\"%g\"} %d\n", m, e, float64(le)*0.25, le*m)
			}
		}
	}
	return b.Bytes()
}

func BenchmarkExposition(b *testing.B) {
	body := exposition5k()
	for _, again := range []bool{true, false} {
		b.Run(map[bool]string{true: "known series", false: "new series"}[again], func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			x := newExposition("job", "engine", "instance_id", "w-1")
			out, err := x.read(body, "text/plain", 1, nil)
			if err != nil || len(out) != 5000 {
				b.Fatal(err, len(out))
			}
			for b.Loop() {
				if !again {
					clear(x.series)
				}
				if out, err = x.read(body, "text/plain", 1, out[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
