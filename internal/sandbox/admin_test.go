package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/link"
)

func call(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(b))
}

func TestAdmin(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale, cfg.HopDelay = 1, 1, time.Millisecond
	cfg.ProbePeriod, cfg.ProbeTimeout = 50*time.Millisecond, 200*time.Millisecond
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	w.next(assay.EventInstanceReady, nil)

	t.Run("config", func(t *testing.T) {
		var got Config
		getJSON(t, p.AdminURL+"/admin/config", &got)
		if diff := cmp.Diff(cfg, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("scale", func(t *testing.T) {
		if status, body := call(t, "GET", p.AdminURL+"/admin/scale", ""); status != 200 || strings.TrimSpace(body) != `{"wanted":1}` {
			t.Errorf("got status %d, %s", status, body)
		}
	})
	t.Run("targets", func(t *testing.T) {
		var list []Instance
		getJSON(t, p.AdminURL+"/admin/instances", &list)
		var got []TargetGroup
		getJSON(t, p.AdminURL+"/admin/targets", &got)
		want := []TargetGroup{
			{[]string{strings.TrimPrefix(p.AdminURL, "http://")}, map[string]string{"job": "platform", "__metrics_path__": "/metrics"}},
			{[]string{list[0].Addr}, map[string]string{"instance_id": "w-1", "job": "engine", "__metrics_path__": "/metrics"}},
			{[]string{list[0].Addr}, map[string]string{"instance_id": "w-1", "job": "accelerator", "__metrics_path__": "/metrics/dcgm"}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		for _, g := range got {
			if status, body := call(t, "GET", "http://"+g.Targets[0]+g.Labels["__metrics_path__"], ""); status != 200 || !strings.Contains(body, "# HELP ") {
				t.Errorf("%v: got status %d", g, status)
			}
		}
	})
	t.Run("metrics", func(t *testing.T) {
		if status, _, _, err := ask(t.Context(), p.URL, 4, 2); err != nil || status != 200 {
			t.Fatalf("got status %d, %v", status, err)
		}
		for name, want := range map[string]float64{"kn_revision_pods_desired": 1, "kn_revision_pods_count": 1, "kn_revision_pods_not_ready_count": 0,
			"kn_revision_panic_mode": 0, "kn_revision_concurrency_target": 4 * 0.7, "kn_revision_request_queued": 0, "kn_revision_request_concurrency": 0} {
			if got := metric(t, p, name); got != want {
				t.Errorf("%s: got %g, want %g", name, got, want)
			}
		}
		if got := metric(t, p, "kn_serving_invocation_duration_count"); got != 1 {
			t.Errorf("got %g invocations, want 1", got)
		}
	})
	t.Run("events from a number", func(t *testing.T) {
		res, err := http.Get(p.AdminURL + "/admin/events?from=3")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var e Event
		if err := json.NewDecoder(res.Body).Decode(&e); err != nil || e.Seq != 3 {
			t.Errorf("got event %d, %v, want 3", e.Seq, err)
		}
		if status, body := call(t, "GET", p.AdminURL+"/admin/events?from=x", ""); status != 400 || !strings.Contains(body, `\"x\" is not a sequence number`) {
			t.Errorf("got %d %s", status, body)
		}
	})
	t.Run("browsers", func(t *testing.T) {
		if status, _ := call(t, "POST", p.AdminURL+"/admin/shutdown", "", "Origin", "http://example.com"); status != 403 {
			t.Errorf("got status %d for a call from a web page, want 403", status)
		}
	})
	t.Run("links", func(t *testing.T) {
		at := p.AdminURL + "/admin/links/w-1"
		for _, tt := range []struct {
			method, url, body string
			status            int
			want              string
		}{
			{"GET", at, "", 200, `{"delay_ns":0,"jitter_ns":0,"rate":0,"linger_ns":0,"cut":"","effective":{"delay_ns":1000000,`},
			{"PUT", at, `{"delay_ns":-1}`, 400, "delay_ns: -1 is negative"},
			{"PUT", at, `{"delay":"1s"}`, 400, `unknown field \"delay\"`},
			{"PUT", at, `{"cut":"burn"}`, 400, "burn"},
			{"POST", at, "", 405, "POST is not allowed here"},
			{"GET", p.AdminURL + "/admin/links/w-9", "", 404, "no instance"},
			{"PUT", at, `{"delay_ns":2000000}`, 200, `"effective":{"delay_ns":3000000,`},
			{"GET", at, "", 200, `{"delay_ns":2000000,`},
			{"DELETE", at, "", 204, ""},
			{"GET", at, "", 200, `{"delay_ns":0,`},
		} {
			if status, body := call(t, tt.method, tt.url, tt.body); status != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("%s %s %s: got %d %s, want %d and %s", tt.method, tt.url, tt.body, status, body, tt.status, tt.want)
			}
		}
	})
	t.Run("a cut is seen, and its end", func(t *testing.T) {
		at := p.AdminURL + "/admin/links/w-1"
		if status, body := call(t, "PUT", at, `{"cut":"`+link.CutReset+`"}`); status != 200 {
			t.Fatalf("got %d %s", status, body)
		}
		w.next(assay.EventInstanceEjected, nil)
		call(t, "DELETE", at, "")
		if e := w.next(assay.EventInstanceReady, nil); e.Attrs["first"] != "false" || e.Instance != "w-1" {
			t.Errorf("got %+v, want w-1 readmitted", e)
		}
	})
	t.Run("a cut that stays", func(t *testing.T) {
		at := p.AdminURL + "/admin/links/w-1"
		call(t, "PUT", at, `{"cut":"`+link.CutBlackhole+`"}`)
		exit := w.next(assay.EventInstanceExited, nil)
		if exit.Attrs["by"] != byLiveness {
			t.Errorf("got exit %v, want by the liveness probe", exit.Attrs)
		}
		for method, want := range map[string]int{"GET": 410, "PUT": 410, "DELETE": 204} {
			if status, _ := call(t, method, at, "{}"); status != want {
				t.Errorf("%s on the link of an exited instance: got %d, want %d", method, status, want)
			}
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		if status, _ := call(t, "POST", p.AdminURL+"/admin/shutdown", ""); status != 202 {
			t.Errorf("got status %d", status)
		}
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestEventLogForgetsTheOldest(t *testing.T) {
	l := newEventLog()
	for range maxEvents + 1 {
		l.add(Event{Kind: "x"})
	}
	got := l.read(t.Context(), 1)
	if first, last := got[0].Seq, got[len(got)-1].Seq; first != maxEvents/10+1 || last != maxEvents+1 {
		t.Errorf("got %d to %d, want %d to %d", first, last, maxEvents/10+1, maxEvents+1)
	}
	if !slices.IsSortedFunc(got, func(a, b Event) int { return int(a.Seq - b.Seq) }) {
		t.Error("the numbers are not in order")
	}
	l.close()
	l.add(Event{Kind: "late"})
	if got := l.read(t.Context(), maxEvents+2); got != nil {
		t.Errorf("got %v after the end", got)
	}
}

func TestConfigSurvivesJSON(t *testing.T) {
	for _, d := range Dials() {
		b, err := json.Marshal(d.Config)
		if err != nil {
			t.Fatal(err)
		}
		var got Config
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil || !reflect.DeepEqual(got, d.Config) {
			t.Errorf("%s: (-want +got):\n%s %v", d.Name, cmp.Diff(d.Config, got), err)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		`listen: "nowhere" is not an address; write for example 127.0.0.1:8080`:                                     func(c *Config) { c.Listen = "nowhere" },
		`listen: "0.0.0.0:80" is not on loopback; the sandbox serves this machine only, for example 127.0.0.1:8080`: func(c *Config) { c.Listen = "0.0.0.0:80" },
		`admin_listen: ":1" is not on loopback; the sandbox serves this machine only, for example 127.0.0.1:8080`:   func(c *Config) { c.AdminListen = ":1" },
		`max_scale: 2 is too small; must be at least 3`:                                                             func(c *Config) { c.MinScale = 3 },
		`max_scale: 65 is too large; at most 64 workers on one machine`:                                             func(c *Config) { c.MaxScale = 65 },
		`initial_scale: 3 is more than max_scale, 2`:                                                                func(c *Config) { c.InitialScale = 3 },
		`concurrency_limit: -1 is too small; must be at least 0`:                                                    func(c *Config) { c.ConcurrencyLimit = -1 },
		`target: 0 is too small; must be at least 0.01`:                                                             func(c *Config) { c.Target = 0 },
		`target_utilization: 1.1 is out of range; must be above 0 and at most 1`:                                    func(c *Config) { c.TargetUtilization = 1.1 },
		`stable_window_ns: 500ms is too short; must be at least 1s`:                                                 func(c *Config) { c.StableWindow = 500 * time.Millisecond },
		`max_scale_down_rate: 1 is too small; must be at least 1.01`:                                                func(c *Config) { c.MaxScaleDownRate = 1 },
		`probe_timeout_ns: 500ms is not longer than a round trip over the link, 600ms`:                              func(c *Config) { c.HopDelay = 300 * time.Millisecond },
		`hang_kill_ns: 100ms is too short; must be at least 500ms`:                                                  func(c *Config) { c.HangKill = 100 * time.Millisecond },
		`nice: 20 is out of range; must be 0 to 19`:                                                                 func(c *Config) { c.Nice = 20 },
		`otlp_endpoint: "localhost:4317" is not an http URL; write for example http://127.0.0.1:4318`:               func(c *Config) { c.OTLPEndpoint = "localhost:4317" },
		`worker: model "huge" is not one of ["nano" "tiny" "small" "base"]`:                                         func(c *Config) { c.Model = "huge" },
		`queue_timeout_ns: 0s is too short; must be at least 1ms`:                                                   func(c *Config) { c.QueueTimeout = 0 },
	} {
		cfg := Defaults()
		change(&cfg)
		err := cfg.Validate()
		if err == nil || !slices.Contains(strings.Split(err.Error(), "\n"), want) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}
