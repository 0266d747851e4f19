// Package drilltest is what tests of faults share: injectors in processes of their own that stop dead at a stage, to be killed there, and the journals that they leave.
package drilltest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

const file = "events.jsonl"

// A Journal is a run's events, in memory and on disk. Its methods may be called at once.
type Journal struct {
	On func(e *assay.Event) // is called with each event that was written; may be nil

	mu     sync.Mutex
	file   *os.File
	events []assay.Event
}

// Create makes the journal of a run in dir.
func Create(dir string) (*Journal, error) {
	f, err := os.Create(filepath.Join(dir, file))
	return &Journal{file: f}, err
}

// Close closes its file.
func (j *Journal) Close() error { return j.file.Close() }

// Write appends an event and syncs it.
func (j *Journal) Write(r assay.Record) error {
	e := r.(*assay.Event)
	j.mu.Lock()
	j.events = append(j.events, *e)
	err := json.NewEncoder(j.file).Encode(e)
	j.file.Sync()
	j.mu.Unlock()
	if j.On != nil {
		j.On(e)
	}
	return err
}

// Events returns the events so far.
func (j *Journal) Events() []assay.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]assay.Event(nil), j.events...)
}

// Kinds lists the kinds of the events of faults, in order.
func (j *Journal) Kinds() (list []string) {
	for _, e := range j.Events() {
		if e.Fault != "" {
			list = append(list, e.Kind)
		}
	}
	return list
}

// Find returns the first event of a kind; the zero event if there is none.
func (j *Journal) Find(kind string) assay.Event {
	for _, e := range j.Events() {
		if e.Kind == kind {
			return e
		}
	}
	return assay.Event{}
}

// Read returns the events of the journal in dir, up to one that is being written.
func Read(t *testing.T, dir string) (events []assay.Event) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var e assay.Event
		if d.Decode(&e) != nil {
			return events
		}
		events = append(events, e)
	}
}

// Stage returns a func for an injector to call at each stage: at the one named it says on standard output what say points at, and stops dead.
func Stage(stage string, say any) (reached func(stage string)) {
	var once sync.Once
	return func(at string) {
		if at == stage {
			once.Do(func() { json.NewEncoder(os.Stdout).Encode(say) })
			select {}
		}
	}
}

// Inject starts an injector whose journal is in dir and returns once it stands at its stage, having read into said what it says there. It is killed when the test ends.
func Inject(t *testing.T, cmd *exec.Cmd, dir, stage string, said any) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	got := make(chan error, 1)
	go func() { got <- json.NewDecoder(out).Decode(said) }()
	select {
	case err := <-got:
		if err != nil {
			t.Fatalf("the injector ended before stage %s: %v; %v", stage, err, Read(t, dir))
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("the injector did not reach stage %s: %v", stage, Read(t, dir))
	}
}

// Await waits until ok and fails the test if that takes longer than limit.
func Await(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(time.Millisecond) { // polls; the limit decides
		if took := time.Since(begin); took > pacetest.Most(limit) {
			t.Fatalf("%s: not within %v", what, took)
		}
	}
}
