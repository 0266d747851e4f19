package traces

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
)

// The stores that can be read back from.
const (
	Tempo  = "tempo"
	Jaeger = "jaeger"
)

// A ReadBack reads from a tracing store, after the load, the traces of our own requests by their ids, and waits for those that are late. A trace
// is complete when two looks, Every apart, found as many spans in it and the store does not call it a part; when the wait is over it is taken as it is then. Then it reads the other traces of the
// load's window that Query or Services choose, such as those of cold starts. How many came and how late it tells as an event of kind trace.readback, and
// how many a slow store left no time to ask for.
type ReadBack struct {
	Store    string        // Tempo or Jaeger
	URL      string        // of the store
	Token    string        // shown as a bearer token; "" for none
	Tenant   string        // of a Tempo that has several
	Query    string        // TraceQL that chooses other traces of the window; "" for none
	Services []string      // whose other traces of the window are wanted, from a Jaeger
	Wait     time.Duration // for late traces; 30s where it is 0
	Every    time.Duration // from one look to the next; 1s where it is 0
	RunID    string        // sent with each request
	Asked    []assay.TraceID
	From, To int64 // Unix ns: the load's window
	Clock    collectors.Clock

	grace time.Duration // for the last look, after Wait; lastLook where it is 0
	mu    sync.Mutex
	taken map[assay.TraceID]bool
}

var _ assay.Source = (*ReadBack)(nil)

const (
	maxAwaited = 10_000 // traces that are awaited; of more, evenly chosen ones
	atOnce     = 8      // requests to a store at once
	lastLook   = 10 * time.Second
)

// An awaited is a trace until it is taken.
type awaited struct {
	id    assay.TraceID
	spans int64 // in the last look; 0 where it was not there
	seen  int   // look in which it was first there, from 1
}

// Run reads and returns. Its error says that the store could not be asked; what had come until then was emitted.
func (b *ReadBack) Run(ctx context.Context, emit func(assay.Record) error) error {
	s, err := b.store()
	if err != nil {
		return err
	}
	b.taken = map[assay.TraceID]bool{}
	var left []*awaited
	step := max(1, (len(b.Asked)+maxAwaited-1)/maxAwaited)
	for i := 0; i < len(b.Asked); i += step {
		left = append(left, &awaited{id: b.Asked[i]})
	}
	asked, began, last := len(left), time.Now(), time.Duration(0)
	deadline := began.Add(cmp.Or(b.Wait, 30*time.Second))
	asking, done := context.WithDeadline(ctx, deadline.Add(cmp.Or(b.grace, lastLook)))
	defer done()
	late, cut, unasked := 0, 0, 0
	var told error // why traces could not be had in the last look
	for look := 1; len(left) > 0; look++ {
		over := !time.Now().Before(deadline)
		var next []*awaited
		failed, slow, ill := 0, 0, error(nil) // in this look
		until := deadline
		if over {
			until, _ = asking.Deadline()
			slices.SortStableFunc(left, func(a, b *awaited) int { return cmp.Compare(b.spans, a.spans) }) // those that are known to be there
		}
		rest, err := b.each(ctx, until, left, func(w *awaited) error {
			msg, partial, err := s.byID(asking, w.id.String())
			n := int64(0)
			if err == nil {
				n, err = s.spans(ctx, msg, nil)
			}
			if err != nil { // of this trace: the others may still be had
				b.mu.Lock()
				defer b.mu.Unlock()
				if next = append(next, w); asking.Err() != nil {
					slow++
				} else {
					failed, ill = failed+1, err
				}
				return ctx.Err()
			}
			before := w.spans
			w.spans = n
			complete := n > 0 && n == before && !partial
			if complete || over && n > 0 {
				if _, err := s.spans(ctx, msg, b.moved(emit)); err != nil {
					return err
				}
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			if n > 0 && w.seen == 0 {
				if w.seen = look; look > 1 {
					late++
					last = time.Since(began)
				}
			}
			switch {
			case complete:
				b.taken[w.id] = true
			case over && n > 0:
				b.taken[w.id] = true
				cut++
			default:
				next = append(next, w)
			}
			return nil
		})
		if ctx.Err() != nil {
			break
		}
		if err == nil && failed == len(left) {
			err = ill
		}
		if err != nil {
			return fmt.Errorf("read back from %s: %w", ask.Shown(b.URL), err)
		}
		if over {
			told, unasked = ill, slow+len(rest)
		}
		if left = append(next, rest...); over || len(left) == 0 {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(cmp.Or(b.Every, time.Second)):
		}
	}
	e := &assay.Event{Time: b.Clock.Now(), Kind: assay.EventReadBack, Source: b.Store, Attrs: map[string]string{
		"requests": strconv.Itoa(len(b.Asked)), "asked": strconv.Itoa(asked), "came": strconv.Itoa(asked - len(left)), "late": strconv.Itoa(late), "unsettled": strconv.Itoa(cut),
		"last_ns": strconv.FormatInt(int64(last), 10), "waited_ns": strconv.FormatInt(int64(time.Since(began)), 10)}}
	e.Text = fmt.Sprintf("%d of %d traces of our requests came", asked-len(left), asked)
	if unasked > 0 {
		e.Attrs["unasked"] = strconv.Itoa(unasked)
		e.Text += fmt.Sprintf("; the store was too slow to be asked for %d of the others to the end", unasked)
	}
	if err := emit(e); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	if told != nil {
		return fmt.Errorf("read back from %s: %w", ask.Shown(b.URL), told)
	}
	if err := b.others(ctx, s, emit); err != nil {
		return fmt.Errorf("read back from %s: %w", ask.Shown(b.URL), err)
	}
	return nil
}

// each calls do for all that are awaited, several at once, until one fails or an instant has come. It returns those that were not begun.
func (b *ReadBack) each(ctx context.Context, until time.Time, all []*awaited, do func(*awaited) error) (rest []*awaited, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan *awaited)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for w := range work {
				if err := do(w); err != nil {
					cancel(err)
				}
			}
		})
	}
	end := time.NewTimer(time.Until(until))
	defer end.Stop()
	for i, w := range all {
		select {
		case work <- w:
			continue
		case <-ctx.Done():
		case <-end.C:
		}
		rest = all[i:]
		break
	}
	close(work)
	wg.Wait()
	return rest, context.Cause(ctx)
}

// others reads what Query or Services choose, without what was taken by its id.
func (b *ReadBack) others(ctx context.Context, s *stored, emit func(assay.Record) error) error {
	if b.To <= b.From || s.window == nil {
		return nil
	}
	to := b.moved(emit)
	return s.window(ctx, b.From, b.To, func(msg []byte) error {
		_, err := s.spans(ctx, msg, func(r assay.Record) error {
			if sp, ok := r.(*assay.Span); ok && b.taken[sp.TraceID] {
				return nil
			}
			return to(r)
		})
		return err
	})
}

// moved emits spans in run time.
func (b *ReadBack) moved(emit func(assay.Record) error) func(assay.Record) error {
	return func(r assay.Record) error {
		if s, ok := r.(*assay.Span); ok {
			s.Start, s.End = b.Clock.FromUnix(s.Start), b.Clock.FromUnix(s.End)
		}
		return emit(r)
	}
}

// Look asks the store whether it answers, and says what it has: of the last hour, or which services.
func (b *ReadBack) Look(ctx context.Context) (found int, what string, err error) {
	switch b.Store {
	case Tempo:
		now := time.Now().UnixNano()
		ids, err := (&tempo{api: b.api()}).search(ctx, b.Query, now-int64(time.Hour), now, 20)
		return len(ids), "traces of the last hour, looking for at most 20", err
	case Jaeger:
		names, err := (&jaegerStore{b.api()}).services(ctx)
		return len(names), "services", err
	}
	_, err = b.store()
	return 0, "", err
}

func (b *ReadBack) api() *api {
	return &api{url: b.URL, token: b.Token, tenant: b.Tenant, run: b.RunID}
}

// stored is a store by what is asked of it.
type stored struct {
	byID   func(ctx context.Context, id string) (msg []byte, partial bool, err error) // nil where it is not there
	window func(ctx context.Context, from, to int64, take func(msg []byte) error) error
	read   func(context.Context, *input.Input, func(assay.Record) error) error
}

func (b *ReadBack) store() (*stored, error) {
	switch b.Store {
	case Tempo:
		t := &tempo{api: b.api()}
		s := &stored{read: readOTLP, byID: t.trace}
		if b.Query != "" {
			s.window = func(ctx context.Context, from, to int64, take func([]byte) error) error {
				return t.window(ctx, b.Query, from, to, 1000, take)
			}
		}
		return s, nil
	case Jaeger:
		j := &jaegerStore{b.api()}
		s := &stored{read: readJaeger, byID: func(ctx context.Context, id string) ([]byte, bool, error) {
			found, err := j.traces(ctx, "/api/traces/"+id, nil)
			if err != nil || len(found) == 0 {
				return nil, false, err
			}
			return found[0], false, nil
		}}
		if len(b.Services) > 0 {
			s.window = func(ctx context.Context, from, to int64, take func([]byte) error) error {
				return j.window(ctx, b.Services, from, to, 1500, take)
			}
		}
		return s, nil
	}
	return nil, fmt.Errorf("read back: store %q: want %s or %s", b.Store, Tempo, Jaeger)
}

// spans counts the spans of a message and emits them, unless emit is nil.
func (s *stored) spans(ctx context.Context, msg []byte, emit func(assay.Record) error) (int64, error) {
	if len(msg) == 0 {
		return 0, nil
	}
	if emit == nil {
		emit = func(assay.Record) error { return nil }
	}
	in := &input.Input{File: input.NewFile("the answer of the store", bytes.NewReader(msg), nil), Tally: &input.Tally{}}
	err := s.read(ctx, in, emit)
	return in.Tally.Kept, err
}
