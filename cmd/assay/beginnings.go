package main

import (
	"context"
	"errors"
	"sync"

	"github.com/assay-dev/assay"
)

// beginnings tells who waits for a load phase when it begins.
type beginnings struct {
	mu    sync.Mutex
	at    map[string]int64
	ended bool
	more  chan struct{} // closed and replaced whenever something changed
}

func newBeginnings() *beginnings {
	return &beginnings{at: map[string]int64{}, more: make(chan struct{})}
}

// see notes phase.begin and load.end. The first phase is also the beginning of the load, and the first step of
// a search that of the search.
func (b *beginnings) see(e *assay.Event) {
	if e.Kind != assay.EventPhaseBegin && e.Kind != assay.EventLoadEnd {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.Kind == assay.EventLoadEnd {
		b.ended = true
	} else {
		for _, name := range []string{"", e.Phase, e.Attrs["of"]} {
			if _, ok := b.at[name]; !ok {
				b.at[name] = e.Time
			}
		}
	}
	close(b.more)
	b.more = make(chan struct{})
}

var errLoadEnded = errors.New("the load ended before")

// wait returns the instant at which the phase began; "" is the load itself.
func (b *beginnings) wait(ctx context.Context, phase string) (int64, error) {
	for {
		b.mu.Lock()
		at, ok := b.at[phase]
		ended, more := b.ended, b.more
		b.mu.Unlock()
		switch {
		case ok:
			return at, nil
		case ended:
			return 0, errLoadEnded
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-more:
		}
	}
}
