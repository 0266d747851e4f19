package rusage

import (
	"context"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan Usage)
	go func() { done <- Watch(ctx) }()
	x := 0
	for end := time.Now().Add(60 * time.Millisecond); time.Now().Before(end); x++ {
	}
	cancel()
	u := <-done
	if CPU() == 0 {
		t.Skip("this system does not tell")
	}
	if u.CPU <= 0 || u.CPU > time.Second || u.Wall < 50*time.Millisecond || u.Peak <= 0 || u.Peak > float64(2*u.CPUs) {
		t.Errorf("%+v after %d turns of a busy loop of 60 ms", u, x)
	}
}
