package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// A loggedTarget answers requests, and as the Loki that its log is in: an engine starts with the first request, and its lines come half a second late.
type loggedTarget struct {
	mu    sync.Mutex
	lines []logged
}

type logged struct {
	at, came time.Time
	text     string
}

func (x *loggedTarget) log(at time.Time, text string) {
	x.lines = append(x.lines, logged{at, at.Add(500 * time.Millisecond), text})
}

func (x *loggedTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	defer x.mu.Unlock()
	q := r.URL.Query()
	number := func(name string) int64 { n, _ := strconv.ParseInt(q.Get(name), 10, 64); return n }
	switch r.URL.Path {
	case "/loki/api/v1/query_range":
		if r.Header.Get("Authorization") != "Bearer hush-789" || q.Get("query") != `{app="vllm"}` {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		values := [][2]string{}
		for _, l := range x.lines {
			if at := l.at.UnixNano(); at >= number("start") && at < number("end") && l.came.Before(time.Now()) {
				values = append(values, [2]string{strconv.FormatInt(at, 10), l.text})
			}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"resultType": "streams", "result": []any{map[string]any{"stream": map[string]string{"pod": "vllm-0"}, "values": values}}}})
	case "/loki/api/v1/query":
		fmt.Fprintf(w, `{"data":{"result":[{"value":[1,"%d"]}]}}`, len(x.lines)+1)
	case "/infer":
		if len(x.lines) == 0 {
			x.log(time.Now(), "vLLM API server version 0.15.1")
			x.log(time.Now().Add(time.Millisecond), "Loading weights took 0.001 seconds")
		}
		fmt.Fprint(w, "{}")
	default:
		fmt.Fprint(w, "{}") // what doctor asks for the time
	}
}

// TestFollowLokiFromAPlan runs a plan whose target's log is in a Loki, with a line that came too late to be read.
func TestFollowLokiFromAPlan(t *testing.T) {
	target := &loggedTarget{}
	srv := httptest.NewServer(target)
	defer srv.Close()
	t.Setenv("LOKI_TOKEN", "hush-789")
	dir := t.TempDir()
	plan := write(t, dir, "p.yaml", strings.ReplaceAll(`apiVersion: assay/v1
name: followed
target: {kind: http, url: 'URL/infer', body: '{}'}
load: [{name: a, arrivals: {even: {rate: 5/s}}, for: 1s}]
collect: {loki: [{url: 'URL', query: '{app="vllm"}', token: {env: LOKI_TOKEN}, interval: 1s, wait: 1s}]}
`, "URL", srv.URL))
	if doctor := assayIn(t, dir, "doctor", plan); !strings.Contains(doctor.out, "and has no line of the last hour that the query chooses") {
		t.Errorf("doctor says\n%s", doctor.out)
	}
	got := assayIn(t, dir, "run", plan)
	raw, err := os.ReadFile(filepath.Join(runsIn(t, dir)[0], "events.jsonl"))
	if err != nil {
		t.Fatalf("%v\n%s%s", err, got.out, got.err)
	}
	var told []string
	for line := range strings.Lines(string(raw)) {
		var e assay.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Source == "log" || e.Source == "logs" {
			told = append(told, strings.ReplaceAll(fmt.Sprintf("%s %s%s", e.Kind, e.Instance, e.Text), srv.URL, "URL"))
		}
	}
	want := []string{"instance.started vllm-0", "instance.phase vllm-0", "run.warning loki at URL: the store has 3 lines of the run and 2 were read: the others came more than 1s late; want a longer wait"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("events (-want +got):\n%s\n%s%s", diff, got.out, got.err)
	}
	if strings.Contains(string(raw)+got.out+got.err, "hush-789") {
		t.Error("the token is shown")
	}
	if !strings.Contains(assayIn(t, dir, "doctor", plan).out, "answers; of the first 2 lines of the last hour 2 are recorded") {
		t.Error("doctor does not tell what it found")
	}
}
