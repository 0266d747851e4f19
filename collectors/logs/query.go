package logs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/tail"
)

// The stores that can be followed.
const (
	Loki          = "loki"
	Elasticsearch = "elasticsearch" // and OpenSearch
)

// A Query follows what a store of logs takes in of the lines that a query chooses, from when Run begins, and emits the events of the lives they tell of. A line
// is read when it is Wait old, so that those that come late to the store stand where they belong and each is read once; Last reads the rest after the run.
type Query struct {
	Store    string        // Loki or Elasticsearch
	URL      string        // what stands before /loki, or before the index
	Index    string        // of Elasticsearch: index, alias, data stream or pattern
	Query    string        // LogQL, or a query string; "" for all documents of the index
	Token    string        // shown as a bearer token, or as it is where it names its scheme; "" for none
	Tenant   string        // of a Loki that has several
	Instance string        // "": as the labels or fields of the lines tell
	RunID    string        // sent with each request
	Interval time.Duration // between two looks; 0: 5 s
	Wait     time.Duration // how late a line may come; 0: 10 s
	Clock    collectors.Clock

	by    http.RoundTripper // nil for the default one
	store *store
	tally input.Tally
	in    *lines
	emit  func(assay.Record) error
	begin int64 // Unix ns, to the ms
	done  int64 // Unix ns: what is before was read
	c     cursor
	read  int64 // lines
	ill   error // of the latest look
}

var _ assay.Source = (*Query)(nil)

// lastTries is how long a store that fails is asked again, after what is late has been waited for.
const lastTries = 10 * time.Second

// Run looks again and again until ctx is done. A store that cannot be asked is told of once and asked again.
func (q *Query) Run(ctx context.Context, emit func(assay.Record) error) error {
	// From the run's begin, which may be a moment ago: the load does not wait for us.
	if err := q.open(time.Now().Add(-time.Duration(max(0, q.Clock.Now())))); err != nil {
		return err
	}
	q.emit = tail.Through(emit)
	tick := time.NewTicker(cmp.Or(q.Interval, 5*time.Second))
	defer tick.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := q.look(ctx, time.Now().Add(-q.wait())); err != nil {
			return err
		}
		if q.ill != nil && ctx.Err() == nil && !told {
			told = true
			if err := q.warn("%v; it is asked again", q.ill); err != nil {
				return err
			}
		}
	}
}

// Last waits until what was written before it is called has come, reads the rest, and tells what was not to be had. It is called once, after Run has returned.
func (q *Query) Last(ctx context.Context, emit func(assay.Record) error) error {
	if q.store == nil {
		return nil // Run has said why
	}
	q.emit = tail.Through(emit)
	over := time.Now().Add(q.wait() + lastTries)
	for pause := q.wait(); ; pause = time.Second {
		select {
		case <-ctx.Done():
			return q.warn("%s to the end was not read", q.since())
		case <-time.After(pause):
		}
		if err := q.look(ctx, time.Now()); err != nil {
			return err
		}
		if q.ill == nil || time.Now().After(over) {
			break
		}
	}
	if q.ill != nil {
		return q.warn("%s to the end was not read: %v", q.since(), q.ill)
	}
	if n := q.in.un.left(); n > 0 {
		q.tally.Reject("parts of a line whose end is missing", n)
	}
	return q.told(ctx)
}

// since says from when on lines are missing.
func (q *Query) since() string {
	return "what was written from " + time.Unix(0, max(q.done, nanoseconds(q.c.at))).UTC().Format("15:04:05.000 UTC")
}

// told warns of what is odd about what was read.
func (q *Query) told(ctx context.Context) error {
	n, err := q.count(ctx)
	switch {
	case err == nil && n > q.read:
		if err := q.warn("the store has %d lines of the run and %d were read: the others came more than %v late; want a longer wait", n, q.read, q.wait()); err != nil {
			return err
		}
	case q.read == 0:
		if err := q.warn("it had no line of the run that the query chooses"); err != nil {
			return err
		}
	}
	for _, why := range []string{tooEarly, tooLate, tooMany} {
		if n := q.tally.Rejected[why]; n > 0 {
			if err := q.warn("%d of %d lines were left out: %s", n, q.tally.Read(), why); err != nil {
				return err
			}
		}
	}
	return nil
}

func (q *Query) warn(format string, args ...any) error {
	return q.emit(&assay.Event{Time: cmp.Or(q.Clock.Now(), 1), Kind: assay.EventWarning, Source: "logs", Text: fmt.Sprintf("%s at %s: ", q.Store, ask.Shown(q.URL)) + fmt.Sprintf(format, args...)})
}

func (q *Query) wait() time.Duration { return cmp.Or(q.Wait, 10*time.Second) }

// open makes what asks the store and what takes its lines.
func (q *Query) open(now time.Time) error {
	at, err := ask.Parse(q.URL)
	if err != nil {
		return err
	}
	if q.Store != Loki && q.Store != Elasticsearch {
		return fmt.Errorf("store of logs %q: want %s or %s", q.Store, Loki, Elasticsearch)
	}
	s := openStore(at, q.Token)
	s.tenant, s.run, s.client.Transport = q.Tenant, q.RunID, q.by
	q.begin = now.UnixMilli() * 1e6
	q.done = q.begin
	q.in = &lines{instance: q.Instance}
	q.in.dec = newDecoder(&q.tally, cmp.Or(q.Instance, q.Store), time.UTC, now, func(r assay.Record) error {
		if e, ok := r.(*assay.Event); ok { // instants in its attributes stay in Unix time, as facts read them
			e.Time = q.Clock.FromUnix(e.Time)
		}
		return q.emit(r)
	})
	q.in.dec.fits = fits(q.begin)
	q.store = s
	return nil
}

// errTake marks an error of who takes the records, not of the store.
type errTake struct{ error }

// look reads up to an instant, or as far as it comes: then it goes on from there the next time. Its error is the record's taker's.
func (q *Query) look(ctx context.Context, until time.Time) error {
	to := until.UnixMilli() * 1e6
	if to <= q.done {
		return nil
	}
	q.ill = q.window(ctx, q.store, q.done, to, &q.c, func(line []byte) error {
		q.read++
		if err := q.in.take(line); err != nil {
			return errTake{err}
		}
		return nil
	})
	var mine errTake
	switch {
	case errors.As(q.ill, &mine):
		return mine.error
	case q.ill == nil:
		q.done = to
	}
	return nil
}

// window hands out the lines of a window as recordings hold them.
func (q *Query) window(ctx context.Context, s *store, from, to int64, c *cursor, take func(line []byte) error) error {
	if q.Store == Loki {
		return s.readLoki(ctx, q.Query, from, to, c, func(l *lokiLine) error {
			b, err := json.Marshal(l)
			if err != nil {
				return err
			}
			return take(b)
		})
	}
	return s.readElastic(ctx, q.Index, q.Query, from, to, c, func(source json.RawMessage) error { return take(source) })
}

// count asks how many lines the store has of what was read.
func (q *Query) count(ctx context.Context) (int64, error) {
	if q.Store == Loki {
		return q.store.countLoki(ctx, q.Query, q.begin, q.done)
	}
	return q.store.countElastic(ctx, q.Index, q.Query, q.begin, q.done)
}

// enough ends a look at a store.
var enough = errors.New("enough")

// Look asks the store for at most 1000 lines of the last hour, and says how many there are and how many of them say something that is recorded.
func (q *Query) Look(ctx context.Context) (n, known int64, err error) {
	now := time.Now()
	probe := Query{Store: q.Store, URL: q.URL, Index: q.Index, Query: q.Query, Token: q.Token, Tenant: q.Tenant, RunID: q.RunID, by: q.by}
	if err := probe.open(now); err != nil {
		return 0, 0, err
	}
	probe.in.dec.fits, probe.in.dec.emit = nil, func(assay.Record) error { return nil }
	err = probe.window(ctx, probe.store, probe.begin-int64(time.Hour), probe.begin, &cursor{}, func(line []byte) error {
		if n++; n >= 1000 {
			return enough
		}
		return probe.in.take(line)
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return n, probe.tally.Kept, err
}
