package probes

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

type wall struct{ start time.Time }

func (w wall) Now() int64              { return int64(time.Since(w.start)) + 1 }
func (w wall) FromUnix(ns int64) int64 { return ns - w.start.UnixNano() }

// An inference simulator while it starts up, as in a recording: its port refuses, then it is alive and not ready while it serves, then ready; overloaded it sheds.
func TestLook(t *testing.T) {
	status := map[string]int{"/health": 200, "/health/ready": 503, "/v1/completions": 200, "/busy": 429, "/moved": 302, "/wrong": 404, "/broken": 500}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			<-r.Context().Done()
		case "/cut":
			c, _, _ := w.(http.Hijacker).Hijack()
			c.Close()
		default:
			w.WriteHeader(status[r.URL.Path])
			io.WriteString(w, strings.Repeat("x", 1000))
		}
	}))
	defer server.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + nobody.Addr().String()
	nobody.Close()
	for _, c := range []struct {
		url  string
		want Result
		why  string
	}{
		{server.URL + "/health", OK, ""},
		{server.URL + "/health/ready", NotReady, "status 503"},
		{server.URL + "/v1/completions", OK, ""},
		{server.URL + "/busy", Shed, "status 429"},
		{server.URL + "/moved", OK, ""},
		{server.URL + "/wrong", Absent, "status 404"},
		{server.URL + "/broken", Failed, "status 500"},
		{server.URL + "/hang", Failed, "no answer in time"},
		{server.URL + "/cut", Failed, "the connection broke"},
		{gone, Refused, "connection refused"},
	} {
		patience := pacetest.Patience
		if c.why == "no answer in time" {
			patience = 100 * time.Millisecond
		}
		if got, why := Look(t.Context(), Client(patience), c.url, "run"); got != c.want || why != c.why {
			t.Errorf("%s: got %s (%s), want %s (%s)", c.url, got, why, c.want, c.why)
		}
	}
}

// A look is at the interval; events tell of changes alone, and the last of how it ended.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := wall{time.Now()}
		answers := map[string][]int{"/live": {200, 200, 200, 200, 200}, "/ready": {503, 503, 200, 200, 429}}
		var mu sync.Mutex
		p := &Probes{Live: "http://target/live", Ready: "http://target/ready", Interval: time.Second, Clock: clock}
		var events []assay.Event
		samples := 0
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			next := answers[r.URL.Path]
			answers[r.URL.Path] = next[1:]
			return &http.Response{StatusCode: next[0], Body: io.NopCloser(strings.NewReader("")), Header: http.Header{}}, nil
		})
		emit := func(r assay.Record) error {
			mu.Lock()
			defer mu.Unlock()
			switch r := r.(type) {
			case *assay.Event:
				events = append(events, *r)
			case *assay.Sample:
				samples++
			}
			return nil
		}
		var wg sync.WaitGroup
		for _, l := range []*looker{{probe: Liveness, url: p.Live}, {probe: Readiness, url: p.Ready}} {
			l.p, l.client, l.emit, l.interval = p, &http.Client{Transport: transport}, emit, time.Second
			wg.Go(func() { l.run(ctx) })
		}
		wg.Wait()
		type told struct {
			At, Resolution     int64 // ms
			Probe, Result, End string
			Looks              string
		}
		var got []told
		for _, e := range events {
			got = append(got, told{e.Time / 1e6, e.Resolution / 1e6, e.Attrs["probe"], e.Attrs["result"], e.Attrs["end"], e.Attrs["looks"]})
		}
		slices.SortStableFunc(got, func(a, b told) int { return strings.Compare(a.Probe, b.Probe) })
		want := []told{
			{0, 0, Liveness, "ok", "", "1"}, {4500, 0, Liveness, "ok", "true", "5"},
			{0, 0, Readiness, "not_ready", "", "1"}, {2000, 1000, Readiness, "ok", "", "3"}, {4000, 1000, Readiness, "shed", "", "5"}, {4500, 0, Readiness, "shed", "true", "5"},
		}
		if d := cmp.Diff(want, got); d != "" || samples != 20 {
			t.Errorf("%d samples, want 20; events (-want +got)\n%s", samples, d)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWrongURL(t *testing.T) {
	p := &Probes{Live: "target/health", Clock: wall{time.Now()}}
	if err := p.Run(t.Context(), func(assay.Record) error { return nil }); err == nil || !strings.Contains(err.Error(), `"target/health" is no URL`) {
		t.Errorf("got %v", err)
	}
}
