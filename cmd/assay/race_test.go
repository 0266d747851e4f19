package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// slowServer answers after a while and counts who asked, by run id.
func slowServer(t *testing.T, wait time.Duration, asked *atomic.Int64) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Assay-Run") != "" {
			asked.Add(1)
		}
		time.Sleep(wait)
		w.Write([]byte("ok"))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// racesIn lists the races below dir.
func racesIn(t *testing.T, dir string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(dir, "runs", "*-race"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// A target that takes three times as long fails after few pairs, within the budget, and the records say the same.
func TestRaceLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var base, cand atomic.Int64
	a, b := slowServer(t, 30*time.Millisecond, &base), slowServer(t, 150*time.Millisecond, &cand)
	got := assayIn(t, dir, "compare", "--live", a, b, "--rate", "20/s", "--block", "500ms", "--budget", "requests=600,time=60s", "--metric", "e2e/p50", "-o", "json")
	c := comparisonOf(t, got)
	// A loaded machine may make the generator late, which is 12; what was seen is the same.
	if got.code != assay.ExitNoGo && got.code != assay.ExitInvalid || got.code != c.Exit {
		t.Fatalf("exit %d, said %d\n%s", got.code, c.Exit, got.err)
	}
	if n := base.Load() + cand.Load(); n > 600 || n < int64(c.Race.Requests) {
		t.Errorf("%d requests were sent, the race tells of %d, and 600 were allowed", n, c.Race.Requests)
	}
	if len(c.Changes) == 0 {
		t.Fatalf("no pair was raced\n%s%s", got.out, got.err)
	}
	if strings.Contains(c.Why, "pairs of blocks") {
		t.Errorf("records are missing: %s", c.Why)
	}
	ch := c.Changes[0]
	if got.code == assay.ExitInvalid && ch.Verdict != assay.VerdictFail && ch.Verdict != assay.VerdictPass { // too late for any answer to count: no verdict either way
		t.Logf("the machine is too busy: %s", ch.Change)
	} else if ch.Metric != "e2e/p50" || ch.Verdict != assay.VerdictFail || ch.Change.Value < 1 || ch.Change.N != c.Race.Pairs || c.Race.Stopped != "decided" && got.code != assay.ExitInvalid || c.Race.Pairs >= c.Race.Most {
		t.Errorf("%s %s after %d pairs of %d, %s", ch.Title, ch.Change, c.Race.Pairs, c.Race.Most, c.Race.Stopped)
	}
	if !strings.Contains(got.err, "pair 3 of at most 29: end to end p50") {
		t.Errorf("progress:\n%s", got.err)
	}
	dirs := racesIn(t, dir)
	if len(dirs) != 1 {
		t.Fatalf("races: %v", dirs)
	}
	rel, err := filepath.Rel(dir, dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	again := comparisonOf(t, assayIn(t, dir, "compare", rel, "-o", "json"))
	if diff := cmp.Diff(c, again, cmpopts.EquateNaNs(), cmp.Comparer(func(a, b assay.Num) bool { return a == b || a != a && b != b })); diff != "" {
		t.Errorf("the records say otherwise: %s", diff)
	}
	if got := assayIn(t, dir, "compare", dirs[0], "--metric", "e2e/p95"); got.code != assay.ExitUsage {
		t.Errorf("another metric afterwards: exit %d", got.code)
	}
	if got := assayIn(t, dir, "compare", dirs[0], "--confidence", "99%"); got.code != assay.ExitUsage || !strings.Contains(got.err, "confidence were set before it began") {
		t.Errorf("another confidence afterwards: exit %d: %s", got.code, got.err)
	}
	for _, side := range raceSides {
		if r := assayIn(t, dir, "assess", filepath.Join(dirs[0], side)); r.code == assay.ExitError || r.code == assay.ExitUsage || !strings.Contains(r.out, "race") {
			t.Errorf("assess %s: exit %d\n%s%s", side, r.code, r.out, r.err)
		}
	}
}

// The budget is hard: equal targets are not told apart by 120 requests.
func TestRaceBudget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var asked atomic.Int64
	url := slowServer(t, 10*time.Millisecond, &asked)
	got := assayIn(t, dir, "compare", "--live", url, url, "--rate", "20/s", "--block", "500ms", "--budget", "requests=100")
	if got.code != assay.ExitInconclusive && got.code != assay.ExitInvalid || asked.Load() > 100 {
		t.Errorf("exit %d after %d requests\n%s%s", got.code, asked.Load(), got.out, got.err)
	}
	if !strings.Contains(got.out, "both sides are one target") {
		t.Errorf("no doubt:\n%s", got.out)
	}
}

// A target that serves nothing at all is found out by the warm-up.
func TestRaceOfNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var asked atomic.Int64
	url := slowServer(t, time.Millisecond, &asked)
	got := assayIn(t, dir, "compare", "--live", url, "http://127.0.0.1:1/", "--rate", "20/s", "--block", "500ms")
	if got.code != assay.ExitPreflight || !strings.Contains(got.err, "http://127.0.0.1:1/ served none of") || asked.Load() > 30 {
		t.Errorf("exit %d after %d requests: %s", got.code, asked.Load(), got.err)
	}
}

// Whoever interrupts gets what there is, and the records are whole.
func TestRaceInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var asked atomic.Int64
	url := slowServer(t, 5*time.Millisecond, &asked)
	cmd := cli(t, dir, "compare", "--live", url, url, "--rate", "20/s", "--block", "500ms", "--budget", "time=2m")
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); asked.Load() < 25; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was sent in 30 s")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != assay.ExitInterrupted {
		t.Errorf("exit %d, want 130\n%s", code, out.String())
	}
	dirs := racesIn(t, dir)
	if len(dirs) != 1 {
		t.Fatalf("races: %v", dirs)
	}
	var m assay.Manifest
	raw, err := os.ReadFile(filepath.Join(dirs[0], "candidate", "run.json"))
	if err := json.Unmarshal(raw, &m); err != nil || m.End.Status != assay.EndInterrupted {
		t.Errorf("ended %q: %v", m.End.Status, err)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestRaceRefuses(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"two URLs":               {"http://127.0.0.1:1/"},
		"requests=NUMBER":        {"http://127.0.0.1:1/", "http://127.0.0.1:2/", "--budget", "money=5"},
		"a whole number":         {"http://127.0.0.1:1/", "http://127.0.0.1:2/", "--budget", "requests=5x"},
		"spent before the first": {"http://127.0.0.1:1/", "http://127.0.0.1:2/", "--budget", "requests=50"},
		"500ms to 5m0s":          {"http://127.0.0.1:1/", "http://127.0.0.1:2/", "--block", "1ms"},
		"is not a rate":          {"http://127.0.0.1:1/", "http://127.0.0.1:2/", "--rate", "fast"},
		"gives no such metric":   {"http://127.0.0.1:1/", "http://127.0.0.1:2/", "--metric", "goodput"},
		"leave out the braces":   {"http://127.0.0.1:1/", "http://127.0.0.1:2/", "--metric", "e2e/p50{phase=x}"},
		"it makes its own runs":  {"http://127.0.0.1:1/", "http://127.0.0.1:2/", "--by", "release"},
		"ftp://127.0.0.1:1/: ":   {"ftp://127.0.0.1:1/", "http://127.0.0.1:2/"},
	} {
		got := assayIn(t, dir, append([]string{"compare", "--live"}, args...)...)
		if got.code != assay.ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%v: exit %d, %s; want 2 and %q", args, got.code, got.err, want)
		}
	}
	if dirs := racesIn(t, dir); len(dirs) > 0 {
		t.Errorf("left behind: %v", dirs)
	}
}
