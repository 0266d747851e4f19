package main

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/store"
)

// A metricServer stands in for Prometheus: it answers each query with what say gives for it, a result in JSON, and hangs on "".
type metricServer struct {
	*httptest.Server
	mu    sync.Mutex
	say   func(query string) string
	asked []string // run ids
	rules string   // alerting rules in JSON; "" for a server that tells none
}

func newMetricServer(t *testing.T, say func(query string) string) *metricServer {
	m := &metricServer{say: say}
	hang := make(chan struct{})
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.PostFormValue("query")
		if r.URL.Path == "/api/v1/rules" {
			fmt.Fprintf(w, `{"status":"success","data":{"groups":[{"rules":[%s]}]}}`, m.rules)
			return
		}
		m.mu.Lock()
		m.asked = append(m.asked, r.Header.Get("X-Assay-Run"))
		answer := m.say(query)
		m.mu.Unlock()
		if answer == "" {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, answer)
	}))
	t.Cleanup(m.Close)
	t.Cleanup(func() { close(hang) })
	return m
}

// number is one series without labels.
func number(v float64) string { return fmt.Sprintf(`{"metric":{},"value":[1,"%g"]}`, v) }

func eventsIn(t *testing.T, dir string) []assay.Event {
	t.Helper()
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	events, err := run.Events()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func eventOf(t *testing.T, events []assay.Event, kind string) *assay.Event {
	t.Helper()
	for i := range events {
		if events[i].Kind == kind {
			return &events[i]
		}
	}
	t.Fatalf("no %s among %d events", kind, len(events))
	return nil
}

// guardedPlan is a short run against an endpoint, with a fault on the wire that outlasts it.
func guardedPlan(target, guards string) string {
	return `apiVersion: assay/v1
name: guarded
target: {kind: openai, url: '` + target + `', model: m}
load: [{name: steady, for: 20s, arrivals: {even: {rate: 20/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos: [{fault: http, at: 1s, for: 30s, mode: latency, delay: 10ms}]
guards: [` + guards + `]
`
}

// No run begins while the users' own metrics say that an incident is on, or cannot say that none is.
func TestGuardRefusesTheRun(t *testing.T) {
	var served atomic.Int64
	target := openAI(t, &served)
	metrics := newMetricServer(t, func(query string) string {
		switch query {
		case "up":
			return number(5)
		case "two":
			return number(1) + "," + number(2)
		}
		return ""
	})
	none := newMetricServer(t, func(string) string { return " " })
	for name, tt := range map[string]struct{ guard, want string }{
		"above":       {`{promql: up, prometheus: '` + metrics.URL + `', max: 4, over: 1m}`, "an incident is on: up is 5, above its max 4 for 1m0s; the run is refused until that is over"},
		"below":       {`{promql: up, prometheus: '` + metrics.URL + `', min: 6}`, "an incident is on: up is 5, below its min 6"},
		"nothing":     {`{promql: up, prometheus: '` + none.URL + `', max: 4}`, "guard up has no data, so nobody would see an incident: no data: up gives no series; where no series means that all is well, say so: (up) or vector(0)"},
		"several":     {`{promql: two, prometheus: '` + metrics.URL + `', max: 4}`, "two gives 2 series; want one number"},
		"unreachable": {`{promql: up, prometheus: 'http://127.0.0.1:1', max: 4}`, "guard up cannot be asked: ask http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused; the run would go on unseen"},
		"no token":    {`{promql: up, prometheus: '` + metrics.URL + `', max: 9, token: {env: ASSAY_NOT_SET}}`, "guards[0].token.env: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "plan.yaml", guardedPlan(target.URL, tt.guard))
			got := assayIn(t, dir, "run", "plan.yaml")
			if got.code != assay.ExitPreflight || !strings.Contains(got.err, tt.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", got.code, assay.ExitPreflight, tt.want, got.err)
			}
			if left := runsIn(t, dir); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
	if n := served.Load(); n > 0 {
		t.Errorf("the target got %d requests", n)
	}
}

// A limit on the users' own metrics that is crossed ends the run; the event and the report say how long each step took, and it adds up.
func TestGuardOnUsersMetrics(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	target := openAI(t, &served)
	looks := 0
	metrics := newMetricServer(t, func(string) string { looks++; return number(float64(looks)) })
	dir := t.TempDir()
	write(t, dir, "plan.yaml", guardedPlan(target.URL, `{promql: sum(x), prometheus: '`+metrics.URL+`', max: 2}`)) // crossed at the third look, 2 s into the load
	got := assayIn(t, dir, "run", "plan.yaml")
	if got.code != assay.ExitAborted {
		t.Fatalf("exit %d\n%s", got.code, got.err)
	}
	run := runsIn(t, dir)[0]
	r, _ := readResult(t, run)
	if want := "a guard stopped the run: guard: sum(x) is 3, above its max 2, noticed "; !strings.HasPrefix(r.Why, want) || !strings.Contains(r.Why, "from breach to full revert") {
		t.Errorf("why %q, want %q and the times", r.Why, want)
	}
	events := eventsIn(t, run)
	e := eventOf(t, events, assay.EventGuardBreach)
	since, err := strconv.ParseInt(e.Attrs["since_ns"], 10, 64)
	if err != nil || since > e.Time || e.Attrs["guard"] != "sum(x)" || e.Attrs["value"] != "3" {
		t.Errorf("breach %+v", e)
	}
	clear := eventOf(t, events, assay.EventFaultClear)
	detect, revert, total := r.Find("abort/detect").Quantity, r.Find("abort/revert").Quantity, r.Find("abort/total").Quantity
	for name, x := range map[string]struct{ got, want float64 }{"detect": {detect.Value, float64(e.Time-since) / 1e9}, "revert": {revert.Value, float64(clear.Time-e.Time) / 1e9},
		"total": {total.Value, detect.Value + revert.Value}} {
		if math.Abs(x.got-x.want) > 1e-9 {
			t.Errorf("%s %v, want %v", name, x.got, x.want)
		}
	}
	if revert.Value < 0 || revert.Value > 1 || detect.Hi-detect.Value < 1.9 {
		t.Errorf("revert %+v, detect %+v: want a revert within a second, and a breach that may be as old as the look before", revert, detect)
	}
	id := manifestOf(t, run).ID
	if len(metrics.asked) != 3 {
		t.Errorf("asked %d times, want 3", len(metrics.asked))
	}
	for _, got := range metrics.asked {
		if got != id {
			t.Errorf("a query carried run %q, want %q", got, id)
		}
	}
}

// A breach while a fault is in force that is slow to undo: the time to the full revert counts until it is verified, and adds up.
func TestGuardWithASlowRevert(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := deployed(t, dir, true, 30*time.Second)
	c.lag = 1500 * time.Millisecond
	raw, err := os.ReadFile(filepath.Join(dir, "plan.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "plan.yaml", strings.Replace(string(raw), "for: 2s", "for: 20s", 1)+"guards: [{metric: error_ratio, over: 1s, max: 50%}]\n")
	got := assayIn(t, dir, "run", "plan.yaml")
	if got.code != assay.ExitAborted {
		t.Fatalf("exit %d\n%s", got.code, got.err)
	}
	run := runsIn(t, dir)[0]
	r, _ := readResult(t, run)
	events := eventsIn(t, run)
	breach, clear := eventOf(t, events, assay.EventGuardBreach), eventOf(t, events, assay.EventFaultClear)
	detect, revert, total := r.Find("abort/detect").Quantity, r.Find("abort/revert").Quantity, r.Find("abort/total").Quantity
	if revert.Value < 1.5 || revert.Value > 5 || math.Abs(revert.Value-float64(clear.Time-breach.Time)/1e9) > 1e-9 {
		t.Errorf("reverted in %v s: want %v from breach to clear, 1.5 at least", revert.Value, float64(clear.Time-breach.Time)/1e9)
	}
	if detect.Value < 0 || detect.Value > 0.6 || math.Abs(detect.Value+revert.Value-total.Value) > 1e-9 {
		t.Errorf("%v to detect and %v to revert are not %v in all", detect.Value, revert.Value, total.Value)
	}
	if !strings.Contains(r.Why, "error_ratio over 1s is ") || !strings.Contains(r.Why, " from breach to full revert") {
		t.Errorf("why %q", r.Why)
	}
	if c.replicas != 2 {
		t.Errorf("%d replicas", c.replicas)
	}
}

// Who sees nothing protects nobody: a server that no longer answers ends the run, however it is silent.
func TestGuardWithoutDataReverts(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	target := openAI(t, &served)
	looks := 0
	metrics := newMetricServer(t, func(string) string {
		if looks++; looks > 1 {
			return "" // hangs
		}
		return number(0)
	})
	dir := t.TempDir()
	write(t, dir, "plan.yaml", guardedPlan(target.URL, `{promql: x, prometheus: '`+metrics.URL+`', max: 2, noData: 5s}`))
	got := assayIn(t, dir, "run", "plan.yaml")
	if got.code != assay.ExitAborted {
		t.Fatalf("exit %d\n%s", got.code, got.err)
	}
	r, _ := readResult(t, runsIn(t, dir)[0])
	if want := "a guard stopped the run: guard: no data: x gave no number for 5s: "; !strings.HasPrefix(r.Why, want) {
		t.Errorf("why %q, want %q", r.Why, want)
	}
	if d := r.Find("abort/detect"); d == nil || d.Quantity.Value < 5 || d.Quantity.Value > 6 {
		t.Errorf("detected after %+v, want 5 s", d)
	}
	if f := r.Faults[0].Window; f.Clear == 0 {
		t.Errorf("fault %+v was not reverted", f)
	}
}

func manifestOf(t *testing.T, dir string) *assay.Manifest {
	t.Helper()
	run, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	return run.Manifest()
}
