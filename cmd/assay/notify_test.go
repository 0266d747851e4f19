package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
	"github.com/assay-dev/assay/internal/webhook"
)

// Others are told of what happens, in order; hooks that refuse or hang are warnings and hold up neither fault nor revert.
func TestNotify(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	target := openAI(t, &served)
	var mu sync.Mutex
	var got []webhook.Notice
	runs, auth := map[string]bool{}, map[string]bool{}
	hook := func(handle http.HandlerFunc) string {
		srv := httptest.NewServer(handle)
		t.Cleanup(srv.Close)
		return srv.URL
	}
	good := hook(func(w http.ResponseWriter, r *http.Request) {
		var n webhook.Notice
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, n)
		runs[r.Header.Get("X-Assay-Run")], auth[r.Header.Get("Authorization")] = true, true
	})
	refuses := hook(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusUnauthorized) })
	hangs := hook(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // the server sees a client that leaves only once the body is read
		<-r.Context().Done()
	})
	dir := t.TempDir()
	write(t, dir, "token", "told\n")
	write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: told
target: {kind: openai, url: '`+target.URL+`', model: m}
load: [{name: steady, for: 3s, arrivals: {even: {rate: 20/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos: [{fault: http, at: 1s, for: 1s, mode: latency, delay: 10ms}]
notify:
  - {url: '`+good+`/hook', token: {file: token}}
  - {url: '`+refuses+`/a/secret'}
  - {url: '`+hangs+`'}
`)
	begin := time.Now()
	res := assayIn(t, dir, "run", "plan.yaml")
	took := time.Since(begin)
	run := runsIn(t, dir)[0]
	m := manifestOf(t, run)
	type brief struct{ Kind, Fault, Victim, Text string }
	var list []brief
	for _, n := range got {
		if n.Schema != "assay/notice/v1" || n.Run != m.ID || n.Name != "told" || n.At.Before(begin) || n.At.After(begin.Add(took)) || n.Target == "" {
			t.Errorf("notice %+v", n)
		}
		text, _, _ := strings.Cut(n.Text, ": ")
		list = append(list, brief{n.Kind, n.Fault, n.Victim, text})
	}
	r, _ := readResult(t, run)
	want := []brief{{"run.begin", "", "", "told begins"}, {assay.EventFaultApplied, "http-1", "wire", "a fault is in force"}, {assay.EventFaultClear, "http-1", "wire", "a fault is verified to be away"},
		{"run.end", "", "", string(r.Decision)}}
	if d := cmp.Diff(want, list); d != "" {
		t.Errorf("notices (-want +got):\n%s", d)
	}
	if last := got[len(got)-1]; last.Exit == nil || *last.Exit != res.code || last.Decision != string(r.Decision) {
		t.Errorf("last notice %+v, exit %d", last, res.code)
	}
	if !cmp.Equal(runs, map[string]bool{m.ID: true}) || !cmp.Equal(auth, map[string]bool{"Bearer told": true}) {
		t.Errorf("headers: runs %v, want %s; tokens %v", runs, m.ID, auth)
	}
	warned := ""
	for _, e := range eventsIn(t, run) {
		if e.Source == "notify" {
			warned += e.Kind + " " + e.Text + "\n"
		}
	}
	if want := assay.EventWarning + " " + refuses + ": notice of run.begin was not delivered: status 401\n"; warned != want || strings.Contains(res.out+res.err, "secret") {
		t.Errorf("warned %q, want %q, and nothing of its path:\n%s%s", warned, want, res.out, res.err)
	}
	if want := "assay: notify: " + hangs + ": notice of run.begin was not delivered: the run ended first"; !strings.Contains(res.err, want) {
		t.Errorf("stderr lacks %q:\n%s", want, res.err)
	}
	if w := r.Faults[0].Window; w.Reverted-w.Applied > int64(5*time.Second) { // which is how long a try to tell takes that hangs
		t.Errorf("the fault lasted %v, want 1s", time.Duration(w.Reverted-w.Applied))
	}
	if took > pacetest.Most(12*time.Second) {
		t.Errorf("the run took %v", took)
	}
}
