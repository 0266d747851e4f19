package chaos

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/pacetest"
)

// listing is a platform that lists what it is told.
type listing struct {
	Platform
	mu   sync.Mutex
	list []Victim
}

func (p *listing) Instances(context.Context) ([]Victim, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Victim(nil), p.list...), nil
}

func (p *listing) Process() Process { return Process{} }

func (p *listing) set(list ...Victim) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = list
}

// For each end of a victim one instance is killed: the newest that was not there, and none that the runner does not give.
func TestCrashLoopKillsOneForEachEnd(t *testing.T) {
	t.Parallel()
	lookOnly(t)
	ready := func(id string) Victim {
		v := sleeper(t)
		v.ID, v.State, v.Named = id, Ready, false
		time.Sleep(20 * time.Millisecond) // start times are told in hundredths of a second
		return v
	}
	first, beside := ready("first"), ready("beside")
	p := &listing{list: []Victim{first, beside}}
	a, err := planCrashLoop(t.Context(), &Local{Platform: p}, &Step{Fault: "crashloop", Instances: 1, For: time.Minute}, first)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1000)
	a.May = func(v Victim, _ []Victim, _ int) error {
		asked <- v.ID
		if v.ID == "held" {
			return errors.New("another fault lies on it")
		}
		return nil
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	did := make(chan string, 1)
	go func() { did <- a.During(ctx) }()
	extra, next := ready("extra"), ready("next")
	p.set(beside, extra, next)
	time.Sleep(100 * time.Millisecond)
	if extra.Process.Gone() || next.Process.Gone() {
		t.Fatal("one was killed while the first lives")
	}
	gone := func(v Victim) {
		t.Helper()
		limit, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
		defer cancel()
		if err := until(limit, time.Millisecond, func() error {
			if !v.Process.Gone() {
				return os.ErrDeadlineExceeded
			}
			return nil
		}); err != nil {
			t.Fatalf("%s lives", v.ID)
		}
	}
	first.Process.signal(syscall.SIGKILL, func() {})
	gone(next)
	held := ready("held")
	p.set(beside, extra, held)
	for range 2 { // it is asked for again and again
		for id := ""; id != "held"; id = <-asked {
		}
	}
	after := ready("after")
	p.set(beside, extra, held, after)
	gone(after)
	stop()
	if text := <-did; text != "killed 3 times" {
		t.Errorf("it says %q", text)
	}
	alive := map[string]bool{}
	for _, v := range []Victim{first, beside, extra, next, held, after} {
		alive[v.ID] = !v.Process.Gone()
	}
	if diff := cmp.Diff(map[string]bool{"first": false, "beside": true, "extra": true, "next": false, "held": true, "after": false}, alive); diff != "" {
		t.Errorf("alive (-want +got):\n%s", diff)
	}
}

// The runner gives nobody on whom another fault lies, and no more than the limits allow.
func TestFurtherVictims(t *testing.T) {
	f, g := &injection{Active: Active{ID: "f", Target: "a"}}, &injection{Active: Active{ID: "g", Target: "b"}}
	r := &Runner{chosen: []*injection{f, g}}
	all := []Victim{{ID: "b"}, {ID: "c"}, {ID: "d"}, {ID: "e"}}
	say := func(id string) string {
		if err := r.further(f, Victim{ID: id}, all, 4); err != nil {
			return err.Error()
		}
		return f.on()
	}
	got := []string{say("b"), say("c")}
	r.Limits.Instances = 2
	got = append(got, say("d"))
	r.Limits.Instances = 1
	got = append(got, say("e"))
	if diff := cmp.Diff([]string{"g lies on b", "c", "d", "2 instances would be hurt at once; limits.instances allows 1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if free := r.free(all); len(free) != 2 || free[0].ID != "c" || free[1].ID != "e" {
		t.Errorf("free are %v", free)
	}
}
