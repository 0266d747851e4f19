package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// A tracedTarget answers requests as a target does that exports its traces, and as the Tempo that they are in: every fourth is there only a second after it was first
// asked for, and every tenth was not sampled.
type tracedTarget struct {
	mu    sync.Mutex
	spans map[string]string // by trace id, as OTLP JSON
	late  map[string]time.Time
	n     int
}

func (x *tracedTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	id, isTrace := strings.CutPrefix(r.URL.Path, "/api/v2/traces/")
	switch {
	case isTrace:
		if r.Header.Get("Authorization") != "Bearer hush-456" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		spans, ok := x.spans[id]
		if at, late := x.late[id]; late && at.IsZero() {
			x.late[id], ok = time.Now().Add(time.Second), false
		} else if late && time.Now().Before(at) {
			ok = false
		}
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"trace":{"resourceSpans":[%s]}}`, spans)
	case strings.HasPrefix(r.URL.Path, "/api/traces/"):
		w.WriteHeader(http.StatusNotFound)
	case r.URL.Path == "/api/search":
		fmt.Fprint(w, `{"traces":[{"traceID":"2f3e0cee77ae5dc9c17ade3689eb2e54"}]}`)
	default:
		begin := time.Now()
		time.Sleep(2 * time.Millisecond) // the work
		p := strings.Split(r.Header.Get("traceparent"), "-")
		if len(p) != 4 || p[3] != "01" {
			http.Error(w, "it does not ask to be sampled", http.StatusBadRequest)
			return
		}
		x.n++
		if x.n%4 == 0 {
			x.late[p[1]] = time.Time{}
		}
		if x.n%10 != 0 {
			x.spans[p[1]] = fmt.Sprintf(`{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"gateway"}}]},"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%016x","parentSpanId":"%s","name":"POST /","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}]}]}`,
				p[1], x.n, p[2], begin.UnixNano(), time.Now().UnixNano())
		}
		fmt.Fprint(w, "{}")
	}
}

// TestReadBackFromAPlan runs a plan whose target exports its traces to a Tempo, and reads them back.
func TestReadBackFromAPlan(t *testing.T) {
	target := &tracedTarget{spans: map[string]string{}, late: map[string]time.Time{}}
	srv := httptest.NewServer(target)
	defer srv.Close()
	t.Setenv("READBACK_TOKEN", "hush-456")
	dir := t.TempDir()
	plan := write(t, dir, "p.yaml", strings.ReplaceAll(`apiVersion: assay/v1
name: readback
target: {kind: http, url: 'URL/infer', body: '{}'}
load: [{name: a, arrivals: {even: {rate: 20/s}}, for: 2s}]
collect: {tempo: [{url: 'URL', token: {env: READBACK_TOKEN}, wait: 4s}]}
`, "URL", srv.URL))
	doctor := assayIn(t, dir, "doctor", plan)
	if !strings.Contains(doctor.out, "collect.tempo[0]: "+srv.URL+" answers: 1 traces of the last hour") {
		t.Errorf("doctor says\n%s", doctor.out)
	}
	got := assayIn(t, dir, "run", plan)
	raw, err := os.ReadFile(filepath.Join(runsIn(t, dir)[0], "result.json"))
	if err != nil {
		t.Fatalf("%v\n%s%s", err, got.out, got.err)
	}
	var r assay.Report
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range r.Findings {
		switch f.Metric {
		case "validity/came", "validity/spans":
			lines = append(lines, fmt.Sprintf("%s %s %.2g of %d", f.Metric, f.Labels["store"], f.Quantity.Value, f.Quantity.N))
		case "validity/late":
			if v := f.Quantity.Value; v < 0.9 || v > 4 {
				t.Errorf("the last trace came after %g s", v)
			}
		}
	}
	want := []string{"validity/spans  0.9 of 40", "validity/came tempo 0.9 of 40"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("findings (-want +got):\n%s\n%s%s", diff, got.out, got.err)
	}
	if !strings.Contains(strings.Join(r.Trust.Doubts, "\n"), "tempo: 36 of 40 traces of our requests, which ask to be sampled, came within 4") {
		t.Errorf("doubts %q", r.Trust.Doubts)
	}
	if strings.Contains(string(raw)+got.out+got.err, "hush-456") {
		t.Error("the token is shown")
	}
}
