package toolkit

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// slow is a service that does what it is asked to a while after it was asked, whether or not anybody listens by then.
type slow struct {
	*httptest.Server
	asked, finish chan struct{}
	mu            sync.Mutex
	hurt          bool
	heals         int // rollbacks that were played
	together      int // most at once
	now           int
}

func serveSlow(t *testing.T) *slow {
	t.Helper()
	s := &slow{asked: make(chan struct{}), finish: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hurt" {
			close(s.asked)
			<-s.finish
			s.mu.Lock()
			defer s.mu.Unlock()
			s.hurt = true
			return
		}
		s.mu.Lock()
		s.hurt = false
		s.heals++
		s.now++
		s.together = max(s.together, s.now)
		s.mu.Unlock()
		time.Sleep(30 * time.Millisecond) // a rollback takes a while
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *slow) player(t *testing.T) (*Player, Rollbacks) {
	t.Helper()
	act := func(path string) string {
		return fmt.Sprintf(`{"type": "action", "name": "%s", "provider": {"type": "http", "url": "%s/%s", "method": "POST", "timeout": 20}}`, path, s.URL, path)
	}
	x, err := Parse("slow.json", []byte(fmt.Sprintf(`{"title": "t", "description": "d", "method": [%s], "rollbacks": [%s]}`, act("hurt"), act("heal"))))
	if err != nil {
		t.Fatal(err)
	}
	p := &Player{Dir: filepath.Join(t.TempDir(), "experiment-1"), Experiment: x}
	if err := p.Prepare(); err != nil {
		t.Fatal(err)
	}
	back, err := x.Undo()
	if err != nil {
		t.Fatal(err)
	}
	return p, back
}

// A stop while a request is under way: others play the rollbacks at once, the server does what it was asked only after that, and the run rolls it back.
func TestStopWhileARequestIsUnderWay(t *testing.T) {
	s := serveSlow(t)
	p, back := s.player(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	over := make(chan [2]int, 1)
	go func() {
		ok, failed := p.Method(ctx)
		over <- [2]int{ok, failed}
	}()
	<-s.asked
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			if err := back.Play(context.Background(), p.Dir); err != nil {
				t.Error(err)
			}
		})
	}
	cancel()
	others.Wait()
	close(s.finish)
	if got := <-over; got != [2]int{1, 0} {
		t.Errorf("succeeded, failed: %v", got)
	}
	if Away(p.Dir) == nil {
		t.Error("it is away although the last activity followed the rollbacks")
	}
	if err := back.Play(context.Background(), p.Dir); err != nil {
		t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hurt || s.heals != 2 || s.together != 1 || Away(p.Dir) != nil {
		t.Errorf("hurt %t, %d rollbacks, %d at once, away: %v; want one rollback of the others and one of the run", s.hurt, s.heals, s.together, Away(p.Dir))
	}
}

// What is never answered is waited for a while, and is said to be lost.
func TestStopWaitsForAnAnswer(t *testing.T) {
	s := serveSlow(t)
	defer close(s.finish)
	p, _ := s.player(t)
	var seen []Result
	p.Saw = func(r Result) { seen = append(seen, r) }
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-s.asked
		cancel()
	}()
	p.Method(ctx)
	if len(seen) != 1 || !seen[0].Lost || !strings.Contains(seen[0].Why, "was given up when the run was stopped: the server may still do it") || seen[0].End.Sub(seen[0].Start) < Arrival {
		t.Errorf("%+v", seen)
	}
}

// Whoever owns a process of the method is told of it, and of its end; a process that nobody will own does not go on.
func TestProcessesAreOwned(t *testing.T) {
	s := serve(t)
	p := s.player(t)
	var mu sync.Mutex
	var owned, released int
	p.Own = func(pid int) (func(), error) {
		mu.Lock()
		defer mu.Unlock()
		owned++
		return func() {
			mu.Lock()
			defer mu.Unlock()
			released++
		}, nil
	}
	p.Method(context.Background())
	if owned != 1 || released != 1 {
		t.Errorf("%d owned, %d released, want 1 and 1", owned, released)
	}
	p.Own = func(int) (func(), error) { return nil, fmt.Errorf("nobody is there") }
	if ok, failed := p.Method(context.Background()); ok != 2 || failed != 1 {
		t.Errorf("%d succeeded, %d failed, want 2 and 1", ok, failed)
	}
}
