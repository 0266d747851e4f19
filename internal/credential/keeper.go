package credential

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	longestLead = 5 * time.Minute // ahead of expiry, a fresh credential is fetched
	leadShare   = 5               // or this part of its life, if that is shorter
	firstRetry  = time.Second     // after a fetch that failed or brought nothing new; doubled each time
	lastRetry   = 30 * time.Second
	fetchLimit  = 30 * time.Second // for one fetch
)

// A Keeper holds the credential of a source and keeps it fresh.
type Keeper struct {
	src     Source
	failed  func(error)
	value   atomic.Pointer[Value]
	refused chan struct{}
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// Keep fetches a first credential and keeps it fresh until Close. failed is told of a fetch that failed later, once until one succeeds
// again; it may be nil. ctx bounds the first fetch only.
func Keep(ctx context.Context, src Source, failed func(error)) (*Keeper, error) {
	fetching, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	v, err := src.Fetch(fetching)
	if err != nil {
		return nil, err
	}
	k := &Keeper{src: src, failed: failed, refused: make(chan struct{}, 1)}
	k.value.Store(&v)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	k.stop = stop
	k.done.Go(func() { k.run(running, v, time.Now()) })
	return k, nil
}

// Close ends the refreshing. It may be called twice, and of a keeper that is nil.
func (k *Keeper) Close() {
	if k == nil {
		return
	}
	k.stop()
	k.done.Wait()
}

// Get returns the credential. It never waits.
func (k *Keeper) Get() (Value, error) {
	v := k.value.Load()
	if !v.Expires.IsZero() && !time.Now().Before(v.Expires) {
		return Value{}, ErrExpired
	}
	return *v, nil
}

// Refused says that the target refused the credential: a fresh one is fetched. It never waits.
func (k *Keeper) Refused() {
	select {
	case k.refused <- struct{}{}:
	default:
	}
}

// run fetches anew when it is time. A target that refuses every credential is not a reason to ask for one each second.
func (k *Keeper) run(ctx context.Context, v Value, at time.Time) {
	retry, last := firstRetry, at
	next := k.due(v, at)
	told := false
	for {
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = time.After(time.Until(next))
		}
		refused := k.refused
		if time.Since(last) < retry {
			refused = nil // looked at again when the pause is over
			if pause := last.Add(retry); next.IsZero() || pause.Before(next) {
				timer = time.After(time.Until(pause))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-refused:
		case <-timer:
			if next.IsZero() || time.Now().Before(next) {
				continue // only the pause was over
			}
		}
		fetching, cancel := context.WithTimeout(ctx, fetchLimit)
		fresh, err := k.src.Fetch(fetching)
		cancel()
		if ctx.Err() != nil {
			return
		}
		last = time.Now()
		switch {
		case err != nil:
			if k.failed != nil && !told {
				k.failed(err)
			}
			told = true
			next, retry = last.Add(retry), min(2*retry, lastRetry)
			continue
		case fresh.same(v):
			retry = min(2*retry, lastRetry)
			if _, polled := k.src.(Polled); polled {
				retry = firstRetry // a look costs nothing
			}
		default:
			retry = firstRetry
		}
		told = false
		v = fresh
		k.value.Store(&fresh)
		floor := firstRetry
		if !v.Expires.IsZero() && !last.Before(v.Expires) {
			floor = retry // the source gives what has expired already
		}
		if next = k.due(v, last); !next.IsZero() && next.Before(last.Add(floor)) {
			next = last.Add(floor)
		}
	}
}

// due returns when to fetch after v, which was fetched at that time; zero for never.
func (k *Keeper) due(v Value, at time.Time) time.Time {
	var next time.Time
	if !v.Expires.IsZero() {
		next = v.Expires.Add(-min(longestLead, v.Expires.Sub(at)/leadShare))
	}
	if p, ok := k.src.(Polled); ok {
		if look := at.Add(p.Every()); next.IsZero() || look.Before(next) {
			next = look
		}
	}
	return next
}
