package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// testConfig is a small deployment of the real engine.
func testConfig(t *testing.T) Config {
	cfg := Defaults()
	cfg.Model, cfg.WeightsDir, cfg.LoadFloor, cfg.Nice = "nano", os.Getenv(testWeights), 0, 0
	cfg.ActivationScale = 1
	cfg.TruthDir, cfg.LogDir = t.TempDir(), t.TempDir()
	cfg.DrainTimeout, cfg.StopTimeout = 3*time.Second, 3*time.Second
	return cfg
}

func startTest(t *testing.T, cfg Config, env ...string) *Platform {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p, err := Start(ctx, StartOptions{Config: cfg, Env: env, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		p.Stop(ctx)
		if left := groupMembers(p.PID); len(left) > 0 {
			t.Errorf("processes %v of group %d are left", left, p.PID)
		}
	})
	return p
}

// groupMembers returns the processes of a process group that are not zombies.
func groupMembers(pgid int) []int {
	var out []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		stat, err := os.ReadFile(d + "/stat")
		if err != nil {
			continue
		}
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if f[2] == strconv.Itoa(pgid) && f[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(d))
			out = append(out, pid)
		}
	}
	return out
}

// waitGone waits until no process of the group is left and returns how long that took.
func waitGone(t *testing.T, pgid int, within time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	for len(groupMembers(pgid)) > 0 {
		if time.Since(begin) > within {
			t.Fatalf("after %s processes %v of group %d are left", within, groupMembers(pgid), pgid)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(begin)
}

// ask sends one streamed request and returns the status, the number of events with content and how the stream ended.
func ask(ctx context.Context, url string, prompt, tokens int, header ...string) (status, events int, firstToken time.Duration, err error) {
	body := fmt.Sprintf(`{"stream":true,"max_tokens":%d,"prompt":%q}`, tokens, strings.TrimSpace(strings.Repeat("word ", prompt)))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/completions", strings.NewReader(body))
	if err != nil {
		return 0, 0, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	begin := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, 0, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: {") {
			if events == 0 {
				firstToken = time.Since(begin)
			}
			events++
		}
	}
	return res.StatusCode, events, firstToken, lines.Err()
}

// watch streams the events of a platform until the test ends.
type watch struct {
	t      *testing.T
	events chan Event
	seen   []Event
}

func watchEvents(t *testing.T, p *Platform) *watch {
	w := &watch{t: t, events: make(chan Event, 1000)}
	res, err := http.Get(p.AdminURL + "/admin/events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	go func() {
		defer close(w.events)
		dec := json.NewDecoder(res.Body)
		for {
			var e Event
			if dec.Decode(&e) != nil {
				return
			}
			w.events <- e
		}
	}()
	return w
}

// next waits for an event of the kind for which ok holds.
func (w *watch) next(kind string, ok func(Event) bool) Event {
	w.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case e, open := <-w.events:
			if !open {
				w.t.Fatalf("the events ended before %s came; seen %v", kind, w.seen)
			}
			w.seen = append(w.seen, e)
			if e.Kind == kind && (ok == nil || ok(e)) {
				return e
			}
		case <-limit:
			w.t.Fatalf("no event %s came; seen %v", kind, w.seen)
		}
	}
}

func getJSON(t *testing.T, url string, v any) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}

// TestFromZero follows one deployment from nothing to an answer and back to nothing.
func TestFromZero(t *testing.T) {
	cfg := testConfig(t)
	cfg.StableWindow, cfg.PanicWindow, cfg.Tick, cfg.Grace = 600*time.Millisecond, 200*time.Millisecond, 50*time.Millisecond, 300*time.Millisecond
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	status, events, first, err := ask(t.Context(), p.URL, 16, 8, "traceparent", "00-"+trace+"-00f067aa0ba902b7-01", RunHeader, "r1")
	if err != nil || status != 200 || events < 8 {
		t.Fatalf("got status %d, %d events, %v", status, events, err)
	}
	t.Logf("from zero to the first token: %s", first)
	ready := w.next(assay.EventInstanceReady, nil)
	if ready.Attrs["first"] != "true" || ready.Instance != "w-1" {
		t.Errorf("got %+v, want the first readiness of w-1", ready)
	}
	if status, _, _, err = ask(t.Context(), p.URL, 16, 8); err != nil || status != 200 {
		t.Fatalf("warm: got status %d, %v", status, err)
	}
	exit := w.next(assay.EventInstanceExited, nil)
	if exit.Attrs["reason"] != exitScaleIn || exit.Attrs["code"] != "0" {
		t.Errorf("got exit %v, want scale_in with code 0", exit.Attrs)
	}
	var kinds []string
	for _, e := range w.seen {
		kind := e.Kind
		if e.Kind == assay.EventInstancePhase {
			kind += " " + e.Attrs["phase"]
		}
		kinds = append(kinds, kind)
	}
	want := []string{"scale", "instance.created", "instance.phase schedule", "instance.started", "instance.phase runtime_start", "instance.phase weights_fetch",
		"instance.phase weights_load", "instance.phase warmup", "instance.ready", "instance.phase readiness", "scale", "instance.draining", "instance.exited"}
	if !slices.Equal(kinds, want) {
		t.Errorf("got events\n%v, want\n%v", kinds, want)
	}
	for i, e := range w.seen {
		if e.Seq != int64(i+1) || e.Source != Source {
			t.Errorf("event %d has number %d and source %q", i+1, e.Seq, e.Source)
		}
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}

	truth, err := ReadTruth(cfg.TruthDir)
	if err != nil {
		t.Fatal(err)
	}
	if len(truth.Requests) != 2 || len(truth.Engine) != 2 {
		t.Fatalf("got %d requests at the gateway, %d at the worker, want 2 and 2", len(truth.Requests), len(truth.Engine))
	}
	cold, warm := truth.Requests[0], truth.Requests[1]
	if cold.TraceID != trace || cold.Parent != "00f067aa0ba902b7" || cold.Run != "r1" || cold.Reason != waitNoInstance || !*cold.Cold ||
		cold.Born <= cold.Arrived || cold.Wait <= 0 || cold.Instance != "w-1" || cold.Outcome != outcomeOK {
		t.Errorf("the first request: got %+v", cold)
	}
	if *warm.Cold || warm.Wait != 0 || warm.Reason != "" {
		t.Errorf("the second request: got %+v", warm)
	}
	if truth.Engine[0].TraceID != trace {
		t.Errorf("the worker saw trace %s, want %s", truth.Engine[0].TraceID, trace)
	}
	// Phases follow one another: what the platform times joins what the worker times.
	var last int64
	for _, e := range truth.Events {
		if e.Kind != assay.EventInstancePhase {
			continue
		}
		begin, _ := strconv.ParseInt(e.Attrs["start_unix_ns"], 10, 64)
		end, _ := strconv.ParseInt(e.Attrs["end_unix_ns"], 10, 64)
		if last != 0 && (begin < last-int64(time.Millisecond) || begin > last+int64(100*time.Millisecond)) || end < begin {
			t.Errorf("phase %s is [%d, %d], the one before ended %d", e.Attrs["phase"], begin, end, last)
		}
		t.Logf("%-14s %s", e.Attrs["phase"], time.Duration(end-begin))
		last = end
	}
}

func TestKillIsSeenAtOnceAndReplaced(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale = 1, 1
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	w.next(assay.EventInstanceReady, nil)
	var list []Instance
	getJSON(t, p.AdminURL+"/admin/instances", &list)
	if len(list) != 1 || list[0].State != Ready || list[0].PID == 0 {
		t.Fatalf("got %+v, want one ready instance", list)
	}
	if ticks, err := StartTicks(list[0].PID); err != nil || ticks != list[0].PIDStart {
		t.Errorf("got start %d, want %d (%v)", list[0].PIDStart, ticks, err)
	}
	// A long answer is under way when its instance dies.
	cut := make(chan error, 1)
	began := make(chan struct{})
	go func() { cut <- longAsk(p.URL, began) }()
	<-began
	killed := time.Now()
	if err := syscall.Kill(list[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	exit := w.next(assay.EventInstanceExited, nil)
	if exit.Attrs["reason"] != exitCrash || exit.Attrs["signal"] != "SIGKILL" {
		t.Errorf("got exit %v, want crash by SIGKILL", exit.Attrs)
	}
	if d := time.Unix(0, exit.Time).Sub(killed); d > pacetest.Most(500*time.Millisecond) {
		t.Errorf("the exit was noticed after %s", d)
	}
	created := w.next(assay.EventInstanceCreated, func(e Event) bool { return e.Instance == "w-2" })
	if created.Attrs["reason"] != startReplace {
		t.Errorf("w-2 was created for %q, want replace", created.Attrs["reason"])
	}
	w.next(assay.EventInstanceReady, func(e Event) bool { return e.Instance == "w-2" })
	if err := <-cut; err == nil {
		t.Error("the answer that was under way ended cleanly, want it cut")
	} else {
		t.Logf("the answer under way ended with: %v", err)
	}
	if status, _, _, err := ask(t.Context(), p.URL, 4, 2); err != nil || status != 200 {
		t.Errorf("after the replacement: got status %d, %v", status, err)
	}
}

// longAsk asks for an answer that takes seconds, closes began at its first token, and returns how it ended.
func longAsk(url string, began chan struct{}) error {
	res, err := http.Post(url+"/v1/completions", "application/json", strings.NewReader(`{"stream":true,"max_tokens":900,"prompt":"go"}`))
	if err != nil {
		close(began)
		return err
	}
	defer res.Body.Close()
	one := make([]byte, 64)
	_, err = res.Body.Read(one)
	close(began)
	if err == nil {
		_, err = io.Copy(io.Discard, res.Body)
	}
	return err
}

func TestHangIsEjectedKilledAndReplaced(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale = 1, 1
	cfg.ProbePeriod, cfg.ProbeTimeout, cfg.HangKill = 50*time.Millisecond, 200*time.Millisecond, 800*time.Millisecond
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	w.next(assay.EventInstanceReady, nil)
	var list []Instance
	getJSON(t, p.AdminURL+"/admin/instances", &list)
	hung := time.Now()
	if err := syscall.Kill(list[0].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.next(assay.EventInstanceProbe, func(e Event) bool { return e.Attrs["ok"] == "false" })
	ejected := w.next(assay.EventInstanceEjected, nil)
	exit := w.next(assay.EventInstanceExited, nil)
	if exit.Attrs["reason"] != exitCrash || exit.Attrs["by"] != byLiveness || exit.Attrs["signal"] != "SIGKILL" {
		t.Errorf("got exit %v, want crash by the liveness probe", exit.Attrs)
	}
	e, x := time.Unix(0, ejected.Time).Sub(hung), time.Unix(0, exit.Time).Sub(hung)
	t.Logf("ejected after %s, killed after %s", e, x)
	if e < 2*cfg.ProbeTimeout || x < cfg.HangKill || x-e > pacetest.Most(2*time.Second) {
		t.Errorf("ejected after %s, killed after %s; want at least %s and %s", e, x, 2*cfg.ProbeTimeout, cfg.HangKill)
	}
	w.next(assay.EventInstanceReady, func(e Event) bool { return e.Instance == "w-2" })
}

func TestHangThatEndsIsReadmitted(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale = 1, 1
	cfg.ProbePeriod, cfg.ProbeTimeout, cfg.HangKill = 50*time.Millisecond, 100*time.Millisecond, 20*time.Second
	p := startTest(t, cfg)
	w := watchEvents(t, p)
	w.next(assay.EventInstanceReady, nil)
	var list []Instance
	getJSON(t, p.AdminURL+"/admin/instances", &list)
	if err := syscall.Kill(list[0].PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.next(assay.EventInstanceEjected, nil)
	answer := make(chan error, 1)
	go func() {
		status, _, _, err := ask(context.Background(), p.URL, 4, 2)
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		answer <- err
	}()
	// The request waits, since the only instance is out of routing.
	for deadline := time.Now().Add(5 * time.Second); ; {
		if strings.Contains(scrape(t, p), "\nkn_revision_request_queued{") && metric(t, p, "kn_revision_request_queued") == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the request does not wait at the activator")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := syscall.Kill(list[0].PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	again := w.next(assay.EventInstanceReady, nil)
	if again.Instance != "w-1" || again.Attrs["first"] != "false" {
		t.Errorf("got %+v, want w-1 readmitted", again)
	}
	if err := <-answer; err != nil {
		t.Errorf("the request that waited: %v", err)
	}
	p.Stop(t.Context())
	truth, err := ReadTruth(cfg.TruthDir)
	if err != nil {
		t.Fatal(err)
	}
	if r := truth.Requests[0]; r.Reason != waitNoInstance || *r.Cold {
		t.Errorf("got reason %q and cold %v, want %s and warm: it waited for no start", r.Reason, *r.Cold, waitNoInstance)
	}
}

func scrape(t *testing.T, p *Platform) string {
	t.Helper()
	res, err := http.Get(p.AdminURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func metric(t *testing.T, p *Platform, name string) float64 {
	t.Helper()
	for line := range strings.Lines(scrape(t, p)) {
		if strings.HasPrefix(line, name+"{") {
			v, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestCrashLoopBacksOff(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale = 1, 1
	p := startTest(t, cfg, "ASSAY_TEST_WORKER=crash")
	w := watchEvents(t, p)
	var exits []Event
	for range 4 {
		exits = append(exits, w.next(assay.EventInstanceExited, nil))
	}
	if e := exits[0]; e.Attrs["reason"] != exitCrash || e.Attrs["code"] != "1" {
		t.Errorf("got exit %v, want crash with code 1", e.Attrs)
	}
	third, fourth := time.Duration(exits[2].Time-exits[1].Time), time.Duration(exits[3].Time-exits[2].Time)
	if third < backOffFirst || fourth < 2*backOffFirst {
		t.Errorf("restarts came after %s and %s, want at least %s and %s", third, fourth, backOffFirst, 2*backOffFirst)
	}
}

func TestStartTimeout(t *testing.T) {
	cfg := testConfig(t)
	cfg.InitialScale, cfg.MinScale, cfg.StartTimeout = 1, 1, time.Second
	p := startTest(t, cfg, "ASSAY_TEST_WORKER=silent")
	exit := watchEvents(t, p).next(assay.EventInstanceExited, nil)
	if exit.Attrs["by"] != byStart || exit.Attrs["reason"] != exitCrash {
		t.Errorf("got exit %v, want crash by %s", exit.Attrs, byStart)
	}
}
