package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/alertmanager"
	"github.com/assay-dev/assay/internal/alertmanager/standin"
	"github.com/assay-dev/assay/internal/pacetest"
)

// twoRules are the alerting rules of a server.
const twoRules = `{"name":"Slow","type":"alerting"},{"name":"Down","type":"alerting"},{"name":"slow:rate","type":"recording"}`

// firingOf is ALERTS with one alert.
func firingOf(name string) string {
	return `{"metric":{"__name__":"ALERTS","alertname":"` + name + `","alertstate":"firing"},"value":[1,"1"]}`
}

func alertsPlan(target string, length int, more string) string {
	return fmt.Sprintf(`apiVersion: assay/v1
name: drill
target: {kind: openai, url: '%s', model: m}
load: [{name: steady, for: %ds, arrivals: {even: {rate: 20/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos: [{fault: http, at: 1s, for: %ds, mode: latency, delay: 10ms}]
%s
`, target, length, length-1, more)
}

// unexpired lists the silences that have not ended.
func unexpired(s *standin.Server) (ids []string) {
	for _, x := range s.Silences() {
		if !x.Over() {
			ids = append(ids, x.ID)
		}
	}
	return ids
}

// A drill silences what it is meant to raise, ends the silence with itself, and says which alerts would have woken someone.
func TestAlertsOfADrill(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	target := openAI(t, &served)
	am := &standin.Server{Token: "secret"}
	amURL := httptest.NewServer(am)
	t.Cleanup(amURL.Close)
	var asked []string
	looks := 0
	prom := newMetricServer(t, func(query string) string {
		if asked = append(asked, query); len(asked) > 2 { // once before the run and once in it, nothing fires
			looks++
			return firingOf("Slow")
		}
		return " "
	})
	prom.rules = twoRules
	dir := t.TempDir()
	write(t, dir, "token", "secret\n")
	write(t, dir, "plan.yaml", alertsPlan(target.URL, 5, `objectives: [{metric: alert/delay, max: 1m}]
alerts: {alertmanager: '`+amURL.URL+`', prometheus: '`+prom.URL+`', token: {file: token}, expect: [Slow, Down], matchers: {service: x}, silence: true}`))
	begin := time.Now()
	got := assayIn(t, dir, "run", "plan.yaml")
	run := runsIn(t, dir)[0]
	m := manifestOf(t, run)
	list := am.Silences()
	if len(list) != 1 || len(unexpired(am)) > 0 {
		t.Fatalf("silences %+v\n%s", list, got.err)
	}
	s := list[0]
	wantMatchers := []alertmanager.Matcher{{Name: "alertname", Value: "Slow|Down", IsRegex: true, IsEqual: true}, {Name: "service", Value: "x", IsEqual: true}}
	if d := cmp.Diff(wantMatchers, s.Matchers); d != "" || s.CreatedBy != "assay" || s.Comment != "drill drill, run "+m.ID {
		t.Errorf("by %q, %q; matchers (-want +got):\n%s", s.CreatedBy, s.Comment, d)
	}
	if s.EndsAt.Before(begin.Add(4*time.Second)) || s.EndsAt.After(time.Now()) {
		t.Errorf("ended at %v: want at the end of the run that began at %v", s.EndsAt, begin)
	}
	if want := `silenced until `; !strings.Contains(got.err, want) || !strings.Contains(got.err, `{alertname=~"Slow|Down", service="x"} (silence silence-1 at `+amURL.URL+`)`) {
		t.Errorf("stderr lacks %q:\n%s", want, got.err)
	}
	until := got.err[strings.Index(got.err, "silenced until ")+15:][:8]
	if at, err := time.Parse("15:04:05", until); err != nil || (time.Duration(at.Hour())*time.Hour+time.Duration(at.Minute())*time.Minute+time.Duration(at.Second())*time.Second-begin.UTC().Sub(begin.UTC().Truncate(24*time.Hour))+24*time.Hour)%(24*time.Hour)-5*time.Minute > 12*time.Second {
		t.Errorf("silenced until %s, the run began at %v: want the length of its load and 5 minutes more", until, begin.UTC())
	}
	if want := `ALERTS{alertname=~"Slow|Down", service="x", alertstate="firing"}`; !cmp.Equal(slices.Compact(slices.Clone(asked)), []string{want}) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	runs := append(am.Runs(), prom.asked...)
	slices.Sort(runs)
	if runs = slices.Compact(runs); !cmp.Equal(runs, []string{m.ID}) {
		t.Errorf("requests carried runs %q, want %s alone", runs, m.ID)
	}
	r, _ := readResult(t, run)
	slow, down := r.Find("alert/delay", "alert", "Slow"), r.Find("alert/delay", "alert", "Down")
	if slow == nil || slow.Quantity.Value < 2 || slow.Quantity.Value > 3.5 || slow.Quantity.Lo > slow.Quantity.Value-1.9 {
		t.Errorf("Slow %+v: want 3 s after the fault, or up to a look earlier", slow)
	}
	if down == nil || down.Quantity.Known() && (down.Quantity.Lo < 3 || down.Quantity.Lo > 5) || len(down.Evidence) != 1 || down.Evidence[0] != "Down did not fire" {
		t.Errorf("Down %+v: want more than the 4 s from the fault to the end", down)
	}
	if text := strings.Join(strings.Fields(got.out), " "); !strings.Contains(text, "ALERTS Slow fired ") || !strings.Contains(text, "Down DID NOT FIRE in the ") {
		t.Errorf("the report lacks the alerts:\n%s", got.out)
	}
	if len(r.Faults) != 1 {
		t.Errorf("faults %+v: a silence is none", r.Faults)
	}
	if h := assayIn(t, dir, "heal", run); h.out != run+": nothing to heal\n" {
		t.Errorf("heal: %s%s", h.out, h.err)
	}
}

// A run whose alerts nobody can tell of, or fire already, or that cannot be silenced, is refused, and leaves nothing.
func TestAlertsRefuseTheRun(t *testing.T) {
	var served atomic.Int64
	target := openAI(t, &served)
	am, deaf, locked := &standin.Server{}, &standin.Server{Deaf: true}, &standin.Server{Token: "secret"}
	urls := map[*standin.Server]string{}
	for _, s := range []*standin.Server{am, deaf, locked} {
		srv := httptest.NewServer(s)
		t.Cleanup(srv.Close)
		urls[s] = srv.URL
	}
	am.Fire(alertmanager.Alert{Labels: map[string]string{"alertname": "Slow", "service": "x"}})
	prom := newMetricServer(t, func(string) string { return " " })
	prom.rules = twoRules
	for name, tt := range map[string]struct{ alerts, want string }{
		"unreachable":   {`{alertmanager: 'http://127.0.0.1:1', expect: [Slow]}`, "alerts.alertmanager: GET http://127.0.0.1:1/api/v2/silences: dial tcp 127.0.0.1:1: connect: connection refused"},
		"no Prometheus": {`{prometheus: 'http://127.0.0.1:1', expect: [Slow]}`, "alerts: nobody can tell what fires: ask http://127.0.0.1:1: dial tcp"},
		"wrong token":   {`{alertmanager: '` + urls[locked] + `', token: {file: token}, expect: [Slow]}`, "status 401"},
		"no such rule":  {`{prometheus: '` + prom.URL + `', expect: [Slwo]}`, `alerts.expect[0]: ` + prom.URL + ` has no alerting rule Slwo; did you mean "Slow"?`},
		"fires already": {`{alertmanager: '` + urls[am] + `', expect: [Slow, Down], matchers: {service: x}}`, "an incident is on: Slow fires already; the run is refused until that is over"},
		"not silenced":  {`{alertmanager: '` + urls[deaf] + `', expect: [Slow], silence: 10m}`, `silence the alerts: POST ` + urls[deaf] + `/api/v2/silences: status 500 "no room"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "token", "guess")
			write(t, dir, "plan.yaml", alertsPlan(target.URL, 5, "alerts: "+tt.alerts))
			got := assayIn(t, dir, "run", "plan.yaml")
			if got.code != assay.ExitPreflight || !strings.Contains(got.err, tt.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", got.code, assay.ExitPreflight, tt.want, got.err)
			}
			if left := runsIn(t, dir); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// The silence of a run that was killed does not outlive it: its guardian ends it, or heal when that was killed too.
func TestSilenceOfAKilledRun(t *testing.T) {
	for _, both := range []bool{false, true} {
		t.Run(map[bool]string{false: "guardian", true: "heal"}[both], func(t *testing.T) {
			var served atomic.Int64
			target := openAI(t, &served)
			am := &standin.Server{}
			srv := httptest.NewServer(am)
			t.Cleanup(srv.Close)
			dir := t.TempDir()
			write(t, dir, "plan.yaml", alertsPlan(target.URL, 30, "alerts: {alertmanager: '"+srv.URL+"', expect: [Slow], silence: 30m}"))
			cmd, run, _ := underWay(t, dir, assay.EventPhaseBegin, "plan.yaml")
			if len(unexpired(am)) != 1 {
				t.Fatalf("silences %+v", am.Silences())
			}
			if !both {
				cmd.Process.Kill()
				cmd.Wait()
				gone(t, dir, 3*time.Second)
			} else {
				for _, line := range ours(t, dir) {
					var pid int
					fmt.Sscan(line, &pid)
					syscall.Kill(pid, syscall.SIGKILL)
				}
				cmd.Wait()
				gone(t, dir, time.Second)
				if len(unexpired(am)) != 1 {
					t.Fatal("the silence ended by itself")
				}
				if h := assayIn(t, dir, "heal", run); h.code != 0 || !strings.Contains(h.out, run+": reverted: silence-1: silence of "+srv.URL+"\n") {
					t.Errorf("heal: exit %d: %s%s", h.code, h.out, h.err)
				}
			}
			if left := unexpired(am); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// With a real Prometheus: a guard on its numbers holds, the drill's fault makes a real rule fire, and the report says when.
func TestAlertsOfPrometheus(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus on PATH: no real rule is evaluated")
	}
	var served atomic.Int64
	target := openAI(t, &served)
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "# TYPE served_total counter\nserved_total %d\n", served.Load())
	}))
	t.Cleanup(exporter.Close)
	dir := t.TempDir()
	write(t, dir, "rules.yml", `groups:
- name: drill
  rules:
  - {alert: NothingServed, expr: 'served_total > 20 and increase(served_total[1s]) == 0', labels: {service: x}}
  - {alert: Broken, expr: 'served_total < 0'}
`)
	write(t, dir, "prometheus.yml", `global: {scrape_interval: 250ms, scrape_timeout: 250ms, evaluation_interval: 250ms}
rule_files: [rules.yml]
scrape_configs: [{job_name: target, static_configs: [{targets: ['`+strings.TrimPrefix(exporter.URL, "http://")+`']}]}]
`)
	url := startPrometheus(t, bin, dir)
	write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: drill
target: {kind: openai, url: '`+target.URL+`', model: m}
load: [{name: steady, for: 7s, arrivals: {even: {rate: 20/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos: [{fault: http, at: 1500ms, for: 5s, status: 503}]
guards: [{promql: 'min(up)', prometheus: '`+url+`', min: 1}]
alerts: {prometheus: '`+url+`', expect: [NothingServed, Broken]}
`)
	got := assayIn(t, dir, "run", "plan.yaml")
	runs := runsIn(t, dir)
	if len(runs) != 1 || got.code == assay.ExitAborted {
		t.Fatalf("exit %d\n%s", got.code, got.err)
	}
	r, _ := readResult(t, runs[0])
	fired, broken := r.Find("alert/delay", "alert", "NothingServed"), r.Find("alert/delay", "alert", "Broken")
	// The rule needs a second without an answer, and is looked at each two.
	if fired == nil || !fired.Quantity.Known() || fired.Quantity.Value < 0.9 || fired.Quantity.Value > 5 {
		t.Errorf("NothingServed: %+v", fired)
	}
	if broken == nil || len(broken.Evidence) != 1 || broken.Evidence[0] != "Broken did not fire" {
		t.Errorf("Broken: %+v", broken)
	}
}

// startPrometheus runs the real one with the configuration in dir until the test ends.
func startPrometheus(t *testing.T, bin, dir string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, bin, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--web.listen-address="+addr, "--log.level=warn")
	log, err := os.Create(filepath.Join(dir, "prometheus.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cmd.Wait()
		log.Close()
		if b, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("prometheus said:\n%s", b)
		}
	})
	url = "http://" + addr
	for deadline := time.Now().Add(2 * pacetest.Patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) { // until it has scraped
		if resp, err := http.PostForm(url+"/api/v1/query", map[string][]string{"query": {"up == 1"}}); err == nil {
			b := make([]byte, 4096)
			n, _ := resp.Body.Read(b)
			resp.Body.Close()
			if strings.Contains(string(b[:n]), `"job":"target"`) {
				return url
			}
		}
	}
	t.Fatal("prometheus had not scraped in time")
	return ""
}

// A run that is refused after it has silenced, and cannot end the silence, keeps its directory, so that heal can.
func TestRefusedRunThatLeavesASilence(t *testing.T) {
	var served atomic.Int64
	target := openAI(t, &served)
	am := &standin.Server{}
	dir := t.TempDir()
	var dead atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || dead.Swap(true) {
			am.ServeHTTP(w, r)
			return
		}
		am.ServeHTTP(httptest.NewRecorder(), r)
		for _, line := range ours(t, dir) {
			if pid := 0; strings.Contains(line, "x-guardian") {
				fmt.Sscan(line, &pid)
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		panic(http.ErrAbortHandler) // the silence is made, and the answer that says so is lost
	}))
	t.Cleanup(srv.Close)
	write(t, dir, "plan.yaml", alertsPlan(target.URL, 5, "alerts: {alertmanager: '"+srv.URL+"', expect: [Slow], silence: 30m}"))
	got := assayIn(t, dir, "run", "plan.yaml")
	runs := runsIn(t, dir)
	if got.code != assay.ExitFaultMayRemain || len(runs) != 1 {
		t.Fatalf("exit %d, want %d; runs %v\n%s", got.code, assay.ExitFaultMayRemain, runs, got.err)
	}
	for _, want := range []string{
		"assay: silence the alerts: POST " + srv.URL + "/api/v2/silences: EOF\n",
		"assay: " + runs[0] + " is kept, since what it armed may remain: assay heal undoes it once that can be done\n",
		"assay: MAY REMAIN: silence-1: silence of " + srv.URL + ": by hand: expire the silences by assay",
	} {
		if !strings.Contains(got.err, strings.ReplaceAll(want, dir+"/", "")) {
			t.Errorf("stderr lacks %q:\n%s", want, got.err)
		}
	}
	if m := manifestOf(t, runs[0]); m.End.Status != assay.EndFailed || len(m.End.Remaining) != 1 {
		t.Errorf("ended %+v", m.End)
	}
	if h := assayIn(t, dir, "heal", runs[0]); h.code != 0 || !strings.Contains(h.out, runs[0]+": reverted: silence-1: silence of "+srv.URL+"\n") {
		t.Errorf("heal: exit %d: %s%s", h.code, h.out, h.err)
	}
	if left := unexpired(am); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// A silence whose answer was lost may be made after the run was refused: it is ended all the same.
func TestSilenceThatComesLate(t *testing.T) {
	var served atomic.Int64
	target := openAI(t, &served)
	am := &standin.Server{}
	var late sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			am.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		late.Add(1)
		time.AfterFunc(time.Second, func() { // as one that waits in a queue between
			defer late.Done()
			am.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/api/v2/silences", bytes.NewReader(body)))
		})
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	write(t, dir, "plan.yaml", alertsPlan(target.URL, 5, "alerts: {alertmanager: '"+srv.URL+"', expect: [Slow], silence: 30m}"))
	got := assayIn(t, dir, "run", "plan.yaml")
	late.Wait()
	if got.code != assay.ExitPreflight || len(runsIn(t, dir)) > 0 {
		t.Errorf("exit %d, want %d; runs %v\n%s", got.code, assay.ExitPreflight, runsIn(t, dir), got.err)
	}
	if len(am.Silences()) != 1 || len(unexpired(am)) > 0 {
		t.Errorf("left %+v", am.Silences())
	}
}
