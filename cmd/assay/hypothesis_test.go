package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/promapi"
	"github.com/assay-dev/assay/loadgen"
)

func TestProbes(t *testing.T) {
	var run atomic.Value
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		run.Store(r.Header.Get(loadgen.RunHeader))
		switch r.URL.Path {
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprint(w, "the model tiny is ready "+r.URL.RawQuery)
	}))
	defer srv.Close()
	for _, tc := range []struct {
		probe plan.Probe
		want  chaos.Truth
		value string
		text  string
	}{
		{plan.Probe{URL: "/ok"}, chaos.Holds, "200", "status 200 after "},
		{plan.Probe{URL: srv.URL + "/ok"}, chaos.Holds, "200", "status 200 after "},
		{plan.Probe{URL: "/ok?a=b", Contains: "ready a=b"}, chaos.Holds, "200", ""},
		{plan.Probe{URL: "/ok", Contains: "large"}, chaos.Broken, "200", `status 200, and the answer does not contain "large"`},
		{plan.Probe{URL: "/busy"}, chaos.Broken, "503", "status 503, want 2xx"},
		{plan.Probe{URL: "/busy", Status: 503}, chaos.Holds, "503", ""},
		{plan.Probe{URL: "/ok", Status: 204}, chaos.Broken, "200", "status 200, want 204"},
		{plan.Probe{URL: "/moved"}, chaos.Broken, "302", "status 302, want 2xx"},
		{plan.Probe{URL: "/slow", Within: plan.Duration(50 * time.Millisecond)}, chaos.Broken, "none", "no whole answer within 50ms"},
		{plan.Probe{URL: "http://127.0.0.1:1/"}, chaos.Broken, "none", "connection refused"},
	} {
		if tc.probe.Within == 0 {
			tc.probe.Within = plan.Duration(5 * time.Second)
		}
		at, client, err := probeOf(tc.probe.URL, &loadgen.Endpoint{URL: srv.URL + "/v1/chat/completions"})
		if err != nil {
			t.Fatal(err)
		}
		got := lookByProbe(&tc.probe, at, client, "a run")(context.Background())
		if got.Holds != tc.want || got.Value != tc.value || !strings.Contains(got.Text, tc.text) {
			t.Errorf("%+v: got %+v, want %s, %q, %q", tc.probe, got, tc.want, tc.value, tc.text)
		}
	}
	if run.Load() != "a run" {
		t.Errorf("the run's id came as %q", run.Load())
	}
	if _, _, err := probeOf("/ok", &loadgen.Endpoint{}); err == nil {
		t.Error("a path of a target without a URL: accepted")
	}
}

func TestLooksAtMetrics(t *testing.T) {
	answer := ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, answer)
	}))
	defer srv.Close()
	lowest, highest := 1.0, 5.0
	look := lookAtMetrics(&promapi.Client{URL: srv.URL}, "up", &lowest, &highest)
	for value, want := range map[string]chaos.Look{
		"":    {Holds: chaos.Unknown, Text: "no data: up gives no series"},
		"0.5": {Holds: chaos.Broken, Value: "0.5", Text: "0.5, at least 1, at most 5"},
		"5":   {Holds: chaos.Holds, Value: "5", Text: "5, at least 1, at most 5"},
		"5.1": {Holds: chaos.Broken, Value: "5.1", Text: "5.1, at least 1, at most 5"},
	} {
		if answer = ""; value != "" {
			answer = fmt.Sprintf(`{"metric":{},"value":[1,"%s"]}`, value)
		}
		if diff := cmp.Diff(want, look(context.Background())); diff != "" {
			t.Errorf("%q (-want +got):\n%s", value, diff)
		}
	}
	srv.Close()
	if l := look(context.Background()); l.Holds != chaos.Unknown || !strings.Contains(l.Text, "refused") {
		t.Errorf("nobody answers: %+v", l)
	}
}

func TestHypothesesArePreviewed(t *testing.T) {
	p, err := plan.Parse("p", []byte("apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox}\nload: [{name: a, arrivals: {poisson: {rate: 2/s}}, for: 10s}]\n"+
		"chaos: [{fault: kill, at: 1s}]\nlimits: {share: 50%, faults: 1}\nhypothesis: [{metric: error_ratio, max: 5%}, {probe: {url: /health}, after: 3s}, {metric: e2e/p95, max: 3s, over: 5s}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := previewFaults(p)
	want := []string{
		"limits: at most 1 fault, 50% of the ready instances at once; a strike that would pass that is void",
		"must hold before the first fault and 15s after each is clear: error_ratio ≤ 5% over 10s; e2e/p95 ≤ 3s over 5s",
		"must hold before the first fault and 3s after each is clear: GET /health",
	}
	if diff := cmp.Diff(want, got[len(got)-3:]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d := horizon(p); d != 10*time.Second {
		t.Errorf("horizon %v", d)
	}
}
