package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/assay-dev/assay"
)

// lane carries out step first, or the group that begins with it.
func (r *Runner) lane(ctx context.Context, first int, injecting, reverting *sync.WaitGroup) {
	s := &r.Steps[first]
	g := s.group()
	last := first
	for s.Group != nil && last+1 < len(r.Steps) && r.Steps[last+1].Group == s.Group {
		last++
	}
	skip := func(from int, err error) {
		if ctx.Err() != nil {
			err = errors.New(cause(ctx))
		}
		for i := from; i <= last; i++ {
			r.skip(i, err.Error())
		}
	}
	phase := s.Phase
	if s.Group != nil {
		phase = g.Phase
	}
	from, err := r.Begin(ctx, phase)
	if err == nil {
		from, err = r.seen(ctx, g.When, from)
	}
	if err != nil {
		skip(first, err)
		return
	}
	from += int64(g.At)
	for i := first; i <= last; i++ {
		if !g.Serial {
			injecting.Go(func() { r.step(ctx, i, from, injecting, reverting) })
			continue
		}
		stays := r.step(ctx, i, from, injecting, reverting)
		if stays != "" && i < last {
			skip(i+1, fmt.Errorf("%s before it may still be in force", stays))
			return
		}
		from = r.Clock.Now()
	}
}

// seen waits for a condition; "" is seen at once.
func (r *Runner) seen(ctx context.Context, when string, from int64) (int64, error) {
	switch {
	case when == "":
		return from, nil
	case r.Seen == nil:
		return 0, fmt.Errorf("%s: nothing here tells when it comes", when)
	}
	at, err := r.Seen(ctx, when, from)
	if err != nil && ctx.Err() != nil {
		err = errors.New(cause(ctx))
	}
	if err != nil {
		return 0, fmt.Errorf("%s was not seen: %w", when, err)
	}
	return at, nil
}

// skip says that no strike of step i will come.
func (r *Runner) skip(i int, why string) {
	s := &r.Steps[i]
	id := s.id(i)
	if s.Repeat != nil {
		for n := range s.strikes(i) {
			r.void(s, fmt.Sprintf("%s.%d", id, n+1), why)
		}
		return
	}
	r.void(s, id, why)
}

func (r *Runner) void(s *Step, id, why string) {
	r.say(&assay.Event{Kind: assay.EventFaultVoid, Fault: id, Phase: s.Phase + s.group().Phase, Text: "not injected: " + why,
		Attrs: map[string]string{attrKind: s.Fault}})
}

// step makes the strikes of step i, whose At counts from the instant from, and returns when all of them are over, or when ctx is done. It returns the
// id of a fault that may remain, or "".
func (r *Runner) step(ctx context.Context, i int, from int64, injecting, reverting *sync.WaitGroup) (stays string) {
	s := &r.Steps[i]
	from, err := r.seen(ctx, s.When, from)
	if err != nil {
		r.skip(i, err.Error())
		return ""
	}
	var mu sync.Mutex
	var all []*injection
	var striking sync.WaitGroup
	id := s.id(i)
	for n, after := range s.strikes(i) {
		one := id
		if s.Repeat != nil {
			one = fmt.Sprintf("%s.%d", id, n+1)
		}
		if !r.sleepUntil(ctx, from+int64(s.At+after)) {
			r.void(s, one, cause(ctx))
			continue
		}
		striking.Go(func() { // while one waits for its victim the next may be due
			list := r.strike(ctx, i, n, one, injecting, reverting)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, list...)
		})
	}
	striking.Wait()
	for _, f := range all {
		select {
		case <-f.over:
			if f.stays {
				stays = f.ID
			}
		case <-ctx.Done():
			return ""
		}
	}
	return stays
}

// strike injects the faults of one strike and sends each on its way.
func (r *Runner) strike(ctx context.Context, i, n int, id string, injecting, reverting *sync.WaitGroup) []*injection {
	if why := r.steadyState(ctx); why != "" {
		r.void(&r.Steps[i], id, why)
		return nil
	}
	chosen, victims, err := r.choose(ctx, i, n)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New(cause(ctx))
		}
		r.void(&r.Steps[i], id, err.Error())
		return nil
	}
	for k, f := range chosen {
		if !r.inject(ctx, f, victims[k]) {
			continue
		}
		injecting.Go(func() {
			if why, over := r.hold(ctx, f); over {
				r.set(f, StateReverting) // claims it
				reverting.Go(func() { r.revert(ctx, f, why) })
			}
		})
		injecting.Go(func() { r.watch(ctx, f) })
	}
	return chosen
}
