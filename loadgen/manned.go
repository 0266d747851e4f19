package loadgen

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"
)

// maxLaunch bounds a request that is written by a goroutine which has no time to wait: so much fits into the send buffer of a
// connection on which everything before was answered.
const maxLaunch = 8 << 10

// A post makes a connection manned: it has a goroutine that waits for what comes in, also while the connection is idle. So a request
// can be written by someone else, who goes on at once, and a server that gives an idle connection up is noticed.
//
// What the goroutine reads with (rbuf, pos, end, readAt) is its own at all times, and what is written with (wbuf, werr) belongs to whoever holds writing. All
// else on the conn belongs to whoever launches a request, from the moment that takes the connection out of the pool until turn is
// unlocked, and to the goroutine otherwise. turn is unlocked before the write: an answer often comes before the write returns, and waking a goroutine that waits
// for a lock costs as much as the read.
type post struct {
	manned   bool
	left     chan struct{} // closed when the goroutine has ended
	turn     sync.Mutex
	writing  sync.Mutex
	werr     error         // of the last write
	out      outing        // the request that is out
	until    time.Time     // its deadline
	armed    time.Time     // the read deadline that is set; zero: none
	patience time.Duration // for the rest of the answer, from the next read on; 0: until
	watched  context.Context
	unwatch  func() bool
	clean    bool // the answer was read to its end

	home  *wire // of a polled connection: see poller
	first int64 // when the first read of the answer returned
	need  int   // bytes of the answer, once known
}

// An outing is a request that was launched.
type outing struct {
	trip   *trip
	reader reader
	flight *flight
}

// launch writes a request to an idle manned connection; false where there is none, or the request is too long.
func (w *wire) launch(t *trip, rd reader, f *flight) bool {
	if len(t.q.body) > maxLaunch/2 {
		return false
	}
	if t.q.single && f.poll != nil {
		return w.launchPolled(t, rd, f)
	}
	w.mu.Lock()
	n := len(w.manned)
	if n == 0 {
		w.mu.Unlock()
		return false
	}
	c := w.manned[n-1]
	w.manned = w.manned[:n-1]
	c.turn.Lock()
	w.mu.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	c.wbuf = w.write(c.wbuf[:0], &t.q)
	if len(c.wbuf) > maxLaunch || w.site.now()-c.idleAt >= int64(idleFor) {
		c.turn.Unlock()
		c.Close() // its goroutine sees that
		return false
	}
	if c.watched != f.Context { // the requests of a run have it in common
		c.forget()
		c.watched, c.unwatch = f.Context, context.AfterFunc(f.Context, c.interrupt)
	}
	c.until, c.patience = f.deadline, 0
	if c.armed.IsZero() || c.until.Before(c.armed) {
		c.arm()
	}
	c.got, c.heard, c.fields, c.clean = false, false, t.q.fields, false
	c.out = outing{t, rd, f}
	c.wroteAt = w.site.now()
	stamp(&t.r.Sent, c.wroteAt)
	c.turn.Unlock() // from here on the trip is not ours
	_, c.werr = c.Write(c.wbuf)
	return true
}

// forget ends the watch over a context.
func (c *conn) forget() {
	if c.unwatch != nil {
		c.unwatch()
	}
	c.watched, c.unwatch = nil, nil
}

// arm sets the read deadline to that of the request which is out. It is done when an earlier one has passed or comes too late, and not for each
// request, since hardly any needs its deadline.
func (c *conn) arm() {
	c.armed = c.until
	_ = c.SetReadDeadline(c.until)
	if c.watched != nil && c.watched.Err() != nil {
		c.interrupt() // again: it may just have been undone
	}
}

// hasten makes the patience with the rest of an answer count, now that it has to be read from the socket.
func (c *conn) hasten() {
	if c.patience > 0 {
		if end := time.Now().Add(c.patience); end.Before(c.until) {
			c.until = end
		}
		c.patience = 0
		c.arm()
	}
}

// early reports whether err is the passing of a deadline that a former request left behind; then that of this one is set.
func (c *conn) early(err error) bool {
	if !c.manned || !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(c.until) || c.watched.Err() != nil {
		return false
	}
	c.arm()
	return true
}

// man gives a connection, idle and known to nobody else, its goroutine, and puts it into the pool.
func (w *wire) man(c *conn) {
	c.manned, c.left = true, make(chan struct{})
	c.answer.finish = func(clean bool) { c.clean = clean }
	c.answer.wait = func(d time.Duration) { c.patience = d }
	if w.offer(c) {
		go w.attend(c)
	} else {
		c.Close()
	}
}

// offer puts a manned connection into the pool; false if that is full.
func (w *wire) offer(c *conn) bool {
	c.idleAt = w.site.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.manned) >= maxIdle {
		return false
	}
	w.manned = append(w.manned, c)
	return true
}

// withdraw takes a connection out of the pool; false if it is not there.
func (w *wire) withdraw(c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.manned, c)
	if i >= 0 {
		w.manned = slices.Delete(w.manned, i, i+1)
	}
	return i >= 0
}

// attend waits for answers on a manned connection until it ends.
func (w *wire) attend(c *conn) {
	defer close(c.left)
	defer c.Close()
	for {
		n, err := c.Conn.Read(c.rbuf)
		at := w.site.now()
		o, open := w.claim(c, err)
		if !open {
			c.forget()
			return
		}
		if o.trip == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			at = c.wroteAt // a deadline of an earlier request: it says nothing of the server
		}
		if c.pos, c.end = 0, n; n > 0 {
			c.readAt, c.heard = at, true
		}
		if !w.bring(c, o, at) {
			return
		}
	}
}

// claim takes over the request that is out after a read that ended with err. It is false when the server gave the connection up while there was none,
// and gives none when a deadline passed meanwhile.
func (w *wire) claim(c *conn, err error) (outing, bool) {
	c.turn.Lock()
	if c.out.trip == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.turn.Unlock()
		if w.withdraw(c) {
			return outing{}, false
		}
		c.turn.Lock() // someone took it out of the pool: has launched by now, or has let go of it
		if c.out.trip == nil {
			c.turn.Unlock()
			return outing{}, false
		}
	}
	defer c.turn.Unlock()
	o := c.out
	c.out = outing{}
	if o.trip == nil {
		c.armed = time.Time{}
		_ = c.SetReadDeadline(c.armed)
	}
	return o, true
}

// bring ends a request that was launched, after a first read that returned at an instant, and reports whether its connection is in the pool again.
func (w *wire) bring(c *conn, o outing, at int64) bool {
	t := o.trip
	if at < c.wroteAt { // what came was no answer: the server had given the connection up when the request was written
		c.forget()
		c.Close()
		w.again(o)
		return false
	}
	a, err := w.hear(c, &t.q, t.r)
	if err != nil {
		c.writing.Lock()
		err = cause(err, c.werr, c)
		c.writing.Unlock()
	}
	if err != nil && c.wasStale(err) && o.flight.Err() == nil {
		c.forget()
		c.Close()
		w.again(o)
		return false
	}
	t.land(o.reader, a, err)
	kept := err == nil && c.clean && c.spent()
	if !kept {
		c.forget()
		c.Close()
	}
	o.flight.land()
	return kept && w.offer(c)
}

// again sends a request on a fresh connection, since the one that it was launched on was stale.
func (w *wire) again(o outing) {
	ctx, cancel := context.WithDeadline(o.flight.Context, o.flight.deadline)
	defer cancel()
	a, err := w.fresh(ctx, &o.trip.q, o.trip.r)
	o.trip.land(o.reader, a, err)
	o.flight.land()
}
