package sandbox

import (
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

func TestFaults(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale, cfg.MaxScale, cfg.ActivationScale = 1, 1, 1, 1
	cfg.ProbePeriod, cfg.ProbeTimeout = 50*time.Millisecond, 200*time.Millisecond
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	w.next(assay.EventInstanceReady, nil)
	at := p.AdminURL + "/admin/faults/w-1"
	none := `{"mode":"","status":0,`
	for _, tt := range []struct {
		method, url, body string
		status            int
		want              string
		gateway           int // status of a request afterwards, if any
	}{
		{"GET", at, "", 200, none, 200},
		{"PUT", at, `{"mode":"melt"}`, 400, "melt", 200},
		{"PUT", at, `{"mode":"status","status":429,"retry_after_ns":2000000000}`, 200, `"mode":"status","status":429,`, 429},
		{"GET", at, "", 200, `"stats":{"requests":1,"struck":1}`, 0},
		{"PUT", at, `{"mode":"status","status":503,"after":1}`, 200, `"status":503,`, 200},
		{"GET", at, "", 200, `"stats":{"requests":1,"struck":0}`, 503},
		{"POST", at, "", 405, "POST is not allowed here", 0},
		{"GET", p.AdminURL + "/admin/faults/w-9", "", 404, "no instance", 0},
		{"DELETE", at, "", 204, "", 200},
		{"GET", at, "", 200, none, 0},
		{"PUT", at, `{"mode":"tls-expired"}`, 200, `"url":"https://`, 502}, // last, since the platform ejects an instance that fails
		{"DELETE", at, "", 204, "", 0},
		{"GET", at, "", 200, none, 0},
	} {
		if status, body := call(t, tt.method, tt.url, tt.body); status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s %s %s: got %d %s, want %d and %s", tt.method, tt.url, tt.body, status, body, tt.status, tt.want)
		}
		if tt.gateway != 0 {
			if status, _, _, err := ask(t.Context(), p.URL, 4, 2); err != nil || status != tt.gateway {
				t.Errorf("after %s %s: a user got %d, %v, want %d", tt.method, tt.body, status, err, tt.gateway)
			}
		}
	}
	call(t, "PUT", p.AdminURL+"/admin/links/w-1", `{"cut":"blackhole"}`) // so that it is killed
	w.next(assay.EventInstanceExited, nil)
	for method, want := range map[string]int{"GET": 410, "PUT": 410, "DELETE": 204} {
		if status, _ := call(t, method, at, "{}"); status != want {
			t.Errorf("%s on an exited instance: got %d, want %d", method, status, want)
		}
	}
}
