package chaos

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// planExperiment plans an experiment whose one rollback is a request to the server, and begins its method.
func planExperiment(t *testing.T, url string) Undo {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.json")
	text := fmt.Sprintf(`{"title": "t", "description": "d", "method": [{"type": "action", "name": "hurt", "provider": {"type": "http", "url": "%s/hurt", "method": "POST"}}],
 "rollbacks": [{"type": "action", "name": "mend", "provider": {"type": "http", "url": "%s/mend", "method": "POST", "timeout": 60}}]}`, url, url)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := (&Toolkit{Dir: t.TempDir()}).Plan(context.Background(), &Step{Fault: "experiment", By: ByToolkit, Experiment: file}, Victim{ID: "all"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(context.Background(), func() {}); err != nil {
		t.Fatal(err)
	}
	a.Undo.ID, a.Undo.Patience = "experiment-1", a.Patience
	return a.Undo
}

// The guardian leaves the rollbacks of an experiment to a run that has heard that it is to stop, and plays them itself where the run does not answer.
func TestStopLeavesRollbacksToTheRun(t *testing.T) {
	for _, hears := range []bool{true, false} {
		t.Run(fmt.Sprint("hears ", hears), func(t *testing.T) {
			t.Parallel()
			var mended atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/mend" {
					mended.Add(1)
				}
			}))
			defer srv.Close()
			u := planExperiment(t, srv.URL)
			over, end := context.WithCancel(context.Background())
			defer end()
			g := &guard{over: over, notes: notebook{source: "guardian", dir: t.TempDir()}, out: &bytes.Buffer{}, stopped: make(chan struct{}), heard: make(chan struct{}), deaf: make(chan struct{})}
			if err := g.arm(u); err != nil {
				t.Fatal(err)
			}
			done := make(chan stopReport, 1)
			go func() { done <- g.stop("a test") }()
			want := int64(1)
			if hears {
				want = 0 // the run plays them: here it takes the undo back and plays none
				for range 2 {
					if a, _ := g.handle([]byte(`{"seq": 1, "heard": true}`)); !a.OK {
						t.Fatal(a.Error)
					}
				}
				select {
				case rep := <-done:
					t.Fatalf("it did not wait for the run: %+v", rep)
				case <-time.After(3 * stopPoll):
				}
				g.handle([]byte(`{"seq": 2, "disarm": "experiment-1"}`))
			}
			if diff := cmp.Diff(stopReport{Stopped: "a test", Reverted: []string{"experiment-1"}, Remaining: []string{}}, <-done); diff != "" {
				t.Error(diff)
			}
			if got := mended.Load(); got != want {
				t.Errorf("the rollback was played %d times by the guardian, want %d", got, want)
			}
		})
	}
}

// Who undoes an experiment gives its rollbacks the time that they may take.
func TestUndoHasThePatienceOfItsAction(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	u := planExperiment(t, srv.URL)
	if got := u.within(remoteBudget); got != 65*time.Second {
		t.Errorf("the guardian gives a rollback of 60s %v", got)
	}
	if got := (&Undo{Kind: UndoKube}).within(remoteBudget); got != remoteBudget {
		t.Errorf("without patience: %v", got)
	}
	if got := (&Undo{Kind: UndoKube, Patience: time.Second}).within(remoteBudget); got != remoteBudget {
		t.Errorf("with little patience: %v", got)
	}
	d := scripted{ids: []string{"a"}, act: func(v Victim) (*Action, error) {
		a := nothing(v)
		one := u
		one.ID, one.Patience = "", 0
		a.Undo, a.Patience = one, time.Minute
		return a, nil
	}}
	tr := newTrial(d, Step{Fault: "hang", Instances: 1, For: 10 * time.Millisecond})
	tr.run(t, context.Background())
	if armed := tr.event(t, "hang-1", "fault.armed"); !bytes.Contains([]byte(armed.Attrs[attrUndo]), []byte(`"patience_ns":60000000000`)) {
		t.Errorf("the journal's undo has no patience: %s", armed.Attrs[attrUndo])
	}
	g := &Guardian{far: map[string]time.Duration{"a": 65 * time.Second, "b": remoteBudget}}
	if got := g.patience(); got != 75*time.Second {
		t.Errorf("the guardian's end is waited for %v", got)
	}
	if got := (&Guardian{}).patience(); got != 10*time.Second {
		t.Errorf("with nothing armed: %v", got)
	}
	if _, last := splitLast(slices.Clone([]Undo{{Kind: UndoKube}, u})); len(last) != 1 || last[0].Kind != UndoRollbacks {
		t.Errorf("done last: %v", last)
	}
}
