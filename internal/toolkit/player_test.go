package toolkit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/pacetest"
)

// service is what experiments of these tests hurt: it is up until it is broken.
type service struct {
	*httptest.Server
	mu    sync.Mutex
	up    bool
	fails int      // rollbacks that are refused
	asked []string // by POST
}

func serve(t *testing.T) *service {
	t.Helper()
	s := &service{up: true}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.Method == http.MethodPost {
			b, _ := io.ReadAll(r.Body)
			s.asked = append(s.asked, r.URL.Path+" "+string(b)+r.Header.Get("Authorization"))
			if r.URL.Path == "/mend" {
				if s.fails > 0 {
					s.fails--
					w.WriteHeader(http.StatusBadGateway)
					return
				}
				s.up = true
				w.WriteHeader(http.StatusAccepted)
				return
			}
			s.up = false
			fmt.Fprintf(w, "broken with %s", r.Header.Get("Authorization"))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if !s.up {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, `{"models":[{"ready":%t}]}`, s.up)
	}))
	t.Cleanup(s.Close)
	return s
}

// player plays the experiment of testdata on the service.
func (s *service) player(t *testing.T, more ...string) *Player {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs processes of Unix")
	}
	t.Setenv("API_TOKEN", "hunter2hunter2")
	text := strings.NewReplacer(append(more, "http://127.0.0.1:8000", s.URL, `"after": 0.5`, `"after": 0.01`, `"before": 0.1`, `"before": 0`)...).Replace(string(good(t)))
	x, err := Parse("replica.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p := &Player{Dir: filepath.Join(t.TempDir(), "experiment-1"), Experiment: x}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	return p
}

// The whole of it: steady before, broken by the method, deviated after it, mended by the rollbacks, and all of that in the journal.
func TestPlay(t *testing.T) {
	s := serve(t)
	p := s.player(t)
	if err := p.Experiment.Check(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if ok, seen := p.Steady(ctx, "before"); !ok {
		t.Fatalf("not steady before: %+v", seen)
	}
	back, err := p.Experiment.Undo()
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Play(ctx, p.Dir); err != nil || len(s.asked) != 0 {
		t.Fatalf("rollbacks were played before the method began: %v %v", err, s.asked)
	}
	if err := p.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if ok, failed := p.Method(ctx); ok != 3 || failed != 0 {
		t.Errorf("method: %d succeeded, %d failed", ok, failed)
	}
	if ok, seen := p.Steady(ctx, "after"); ok || len(seen) != 1 || seen[0].Why != "got 503, want 200" {
		t.Errorf("after: %t %+v", ok, seen)
	}
	if Away(p.Dir) == nil {
		t.Error("it is away before it was rolled back")
	}
	s.fails = 1
	if err := back.Play(ctx, p.Dir); err == nil || !strings.Contains(err.Error(), `rollback "mend": status 502`) {
		t.Errorf("a rollback that failed: got %v", err)
	}
	for range 2 {
		if err := back.Play(ctx, p.Dir); err != nil {
			t.Error(err)
		}
	}
	if err := Away(p.Dir); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"/break who=nobodyBearer hunter2hunter2", "/mend ", "/mend "}, s.asked); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}

	j, err := ReadJournal(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range slices.Concat(j.States.Before.Probes, j.Run, j.States.After.Probes, j.Rollbacks) {
		var a struct{ Name string }
		if err := json.Unmarshal(e.Activity, &a); err != nil {
			t.Fatal(err)
		}
		met := "-"
		if e.Tolerance != nil {
			met = fmt.Sprint(*e.Tolerance)
		}
		got = append(got, fmt.Sprintf("%s %s %s", a.Name, e.Status, met))
	}
	want := []string{"answers succeeded true", "ready succeeded true", "break succeeded -", "list succeeded -", "answers succeeded false", "answers succeeded false", "mend failed -", "mend succeeded -"}
	slices.Sort(got[2:5]) // one of them was in the background
	slices.Sort(want[2:5])
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if j.Status != "completed" || !j.Deviated || !j.States.Before.Met || j.States.After.Met || j.Duration <= 0 {
		t.Errorf("journal: %+v", j)
	}
	err = filepath.WalkDir(p.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if raw, err := os.ReadFile(path); err != nil || strings.Contains(string(raw), "hunter2") {
			t.Errorf("%s holds the secret: %v", path, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if raw, _ := json.Marshal(back); strings.Contains(string(raw), "hunter2") {
		t.Errorf("the undo holds the secret: %s", raw)
	}
}

// Where the state is not steady before, its second probe is not asked and nothing is to be rolled back.
func TestNotSteadyBefore(t *testing.T) {
	s := serve(t)
	p := s.player(t)
	s.up = false
	if ok, seen := p.Steady(context.Background(), "before"); ok || len(seen) != 1 {
		t.Errorf("got %t %+v", ok, seen)
	}
	j, err := ReadJournal(p.Dir)
	if err != nil || j.Status != "failed" || j.Deviated || len(j.Run) != 0 {
		t.Errorf("%v %+v", err, j)
	}
	if err := Away(p.Dir); err != nil {
		t.Error(err)
	}
}

// A process is killed with all its children when its time is up, gets no shell, and its exit status is what counts.
func TestProcesses(t *testing.T) {
	var none Settings
	play := func(p Process) Result {
		if p.Timeout == 0 {
			p.Timeout = pacetest.Patience
		}
		return none.Play(context.Background(), &Activity{Type: "action", Name: "p", Process: &p})
	}
	if r := play(Process{Path: "sh", Args: []string{"-c", "sleep 30 & sleep 30"}, Timeout: 100 * time.Millisecond}); r.Status != Failed || !strings.Contains(r.Why, "was killed") || r.End.Sub(r.Start) > 20*time.Second {
		t.Errorf("beyond its time: %+v", r)
	}
	if r := play(Process{Path: "sh", Args: []string{"-c", "echo no >&2; exit 3"}}); r.Status != Failed || r.Why != "exit status 3: no" {
		t.Errorf("exit 3: %+v", r)
	}
	if r := play(Process{Path: "echo", Args: []string{"$HOME; ls"}}); r.Status != Succeeded || r.Output.Stdout != "$HOME; ls\n" {
		t.Errorf("no shell: %+v", r)
	}
	if r := play(Process{Path: "no-such-program"}); r.Status != Failed || !strings.Contains(r.Why, "program no-such-program: executable file not found") {
		t.Errorf("no program: %+v", r)
	}
}

// What is missing in the environment or on the disk is told before anything is played.
func TestCheck(t *testing.T) {
	s := serve(t)
	p := s.player(t, `"path": "echo"`, `"path": "no-such-program"`, `"secrets": ["api"]`, `"secrets": ["apy"]`)
	err := p.Experiment.Check()
	for _, want := range []string{`action "break": break: there is no group "apy" of secrets`, `probe "list": program no-such-program`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	p = s.player(t, `"key": "API_TOKEN"`, `"key": "ASSAY_NO_SUCH_VARIABLE"`)
	if err := p.Experiment.Check(); err == nil || !strings.Contains(err.Error(), "${token}: the environment has no ASSAY_NO_SUCH_VARIABLE") {
		t.Errorf("got %v", err)
	}
}
