package collectors

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/flatten"
)

// scraperOf returns a scraper of one server, which records into s.
func scraperOf(t testing.TB, url string, s *sink) *scraper {
	t.Helper()
	p := &Prometheus{Interval: time.Minute, Clock: clock.New(), emit: s.emit}
	p.defaults()
	t.Cleanup(p.client.CloseIdleConnections)
	one, err := fixedTarget(Target{URL: url, Labels: map[string]string{"instance": "i"}})
	if err != nil {
		t.Fatal(err)
	}
	return newScraper(p, one)
}

func TestScrapeOfNativeHistograms(t *testing.T) {
	reg := prometheus.NewRegistry()
	native := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "native_seconds", NativeHistogramBucketFactor: 1.1})
	both := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "both_seconds", Buckets: []float64{1}, NativeHistogramBucketFactor: 1.1})
	reg.MustRegister(native, both)
	srv := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	defer srv.Close()
	s := new(sink)
	x := scraperOf(t, srv.URL, s)

	native.Observe(1.5)
	both.Observe(0.5)
	x.look(t.Context())
	native.(prometheus.ExemplarObserver).ObserveWithExemplar(3, prometheus.Labels{"trace_id": "abc"})
	x.look(t.Context())
	x.look(t.Context())

	var got []string
	for i, sc := range s.scrapes {
		if sc.Error != "" {
			t.Fatal(sc.Error)
		}
		for _, m := range sc.Samples {
			if strings.HasPrefix(m.Name, "both") && i > 0 {
				continue
			}
			look := 0
			for j := range s.scrapes {
				if s.scrapes[j].Time == m.Time {
					look = j
				}
			}
			got = append(got, fmt.Sprintf("%d %s@%d %g", i, flatten.Series(m.Name, m.Labels), look, m.Value))
		}
	}
	want := []string{
		`0 both_seconds_count{instance="i"}@0 1`,
		`0 both_seconds_sum{instance="i"}@0 0.5`,
		`0 both_seconds_bucket{instance="i",le="1.0"}@0 1`,
		`0 both_seconds_bucket{instance="i",le="+Inf"}@0 1`,
		`0 native_seconds_bucket{instance="i",le="1.414213562373095"}@0 0`,
		`0 native_seconds_bucket{instance="i",le="1.6817928305074288"}@0 1`,
		`0 native_seconds_bucket{instance="i",le="+Inf"}@0 1`,
		`0 native_seconds_sum{instance="i"}@0 1.5`,
		`0 native_seconds_count{instance="i"}@0 1`,
		`1 native_seconds_bucket{instance="i",le="1.414213562373095"}@1 0`,
		`1 native_seconds_bucket{instance="i",le="1.6817928305074288"}@1 1`,
		`1 native_seconds_bucket{instance="i",le="2.82842712474619"}@0 1`,
		`1 native_seconds_bucket{instance="i",le="2.82842712474619"}@1 1`,
		`1 native_seconds_bucket{instance="i",le="3.3635856610148576"}@0 1`,
		`1 native_seconds_bucket{instance="i",le="3.3635856610148576"}@1 2`,
	}
	if len(got) < len(want) {
		t.Fatalf("got %q", got)
	}
	if d := cmp.Diff(want, got[:len(want)]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	last := got[len(got)-4:]
	if d := cmp.Diff([]string{`2 native_seconds_bucket{instance="i",le="3.3635856610148576"}@2 2`, `2 native_seconds_bucket{instance="i",le="+Inf"}@2 2`,
		`2 native_seconds_sum{instance="i"}@2 4.5`, `2 native_seconds_count{instance="i"}@2 2`}, last); d != "" {
		t.Errorf("third look (-want +got):\n%s", d)
	}
	if len(s.events) != 1 || s.events[0].Kind != assay.EventExemplar || !cmp.Equal(s.events[0].Attrs, map[string]string{"series": `native_seconds{instance="i"}`, "trace": "abc", "value": "3"}) {
		t.Errorf("events %+v, want one exemplar", s.events)
	}
}

func TestScrapeOfExemplarsInText(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0")
		fmt.Fprint(w, "# TYPE lat histogram\n")
		for i := range 200 {
			fmt.Fprintf(w, "lat_bucket{le=\"%d.0\"} 1 # {traceID=\"t%d\"} 0.5\n", i, i)
		}
		fmt.Fprint(w, "lat_bucket{le=\"+Inf\"} 1 # {other=\"x\"} 0.5\nlat_count 1\nlat_sum 1\n# EOF\n")
	}))
	defer srv.Close()
	s := new(sink)
	scraperOf(t, srv.URL, s).look(t.Context())
	if len(s.events) != 100 || s.events[3].Attrs["trace"] != "t3" {
		t.Errorf("%d events, %+v", len(s.events), s.events[:1])
	}
}

// proto5k is exposition5k as protobuf.
func proto5k(t testing.TB) []byte {
	var parser = expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(exposition5k()))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	enc := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeProtoDelim))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestScrapeCost: an endpoint of 5,000 series looked at each second costs at most 3 % of a core, the server's part of this process included.
func TestScrapeCost(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("set ASSAY_FULL=1 to measure what looks cost")
	}
	for ct, body := range map[string][]byte{"text/plain; version=0.0.4": exposition5k(), protoExposition + "; proto=io.prometheus.client.MetricFamily; encoding=delimited": proto5k(t)} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", ct)
			w.Write(body)
		}))
		samples := 0
		x := scraperOf(t, srv.URL, new(sink))
		x.p.emit = func(r assay.Record) error { samples += len(r.(*assay.Scrape).Samples); return nil }
		x.look(t.Context())
		before, begin := cpu(t), samples
		const looks = 50
		for range looks {
			x.look(t.Context())
		}
		each := (cpu(t) - before) / looks
		t.Logf("%s: %v of CPU for each look of %d series", ct, each, (samples-begin)/looks)
		if each > 30*time.Millisecond {
			t.Errorf("%s: %v of CPU for each look: want at most 30ms, 3 %% of a core", ct, each)
		}
		srv.Close()
	}
}

func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func FuzzProtobufExposition(f *testing.F) {
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", NativeHistogramBucketFactor: 1.1})
	h.Observe(3)
	reg.MustRegister(h)
	families, err := reg.Gather()
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := expfmt.NewEncoder(&b, expfmt.NewFormat(expfmt.TypeProtoDelim)).Encode(families[0]); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\x04\x0a\x01a\x22\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := newExposition("job", "j")
		x.maxSamples = 1000
		for look := range int64(2) {
			got, err := x.read(b, protoExposition+"; proto=io.prometheus.client.MetricFamily; encoding=delimited", look+1, nil)
			if err != nil {
				return
			}
			for _, s := range got {
				if s.Name == "" || len(s.Labels) == 0 {
					t.Fatalf("a sample without name or labels: %+v", s)
				}
			}
		}
	})
}
