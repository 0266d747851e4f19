package link

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// The directions.
const (
	toUpstream = iota
	toClient
)

const (
	dialTimeout = 10 * time.Second
	lingerFor   = time.Second // how long an orderly cut waits for the other side to close too
	pieces      = 50          // a rate-limited chunk is sent in pieces of this part of a second
)

// A conn is one connection through the link.
type conn struct {
	l      *Link
	n      uint64 // number of the connection, from 1; seeds its jitter
	client *net.TCPConn
	ctx    context.Context // done when nothing more is forwarded
	stop   context.CancelFunc
	done   <-chan struct{} // of ctx

	mu     sync.Mutex
	up     *net.TCPConn // nil until dialled
	gentle bool         // ended by an orderly cut
	hard   bool         // sockets are closed
}

// serve relays until both directions have ended, and closes both sockets.
func (c *conn) serve() {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer c.kill(false)
	there, back := newQueue(), newQueue()
	wg.Go(func() { c.read(c.client, there, toUpstream) })
	up := c.dial()
	if up == nil {
		if c.gently() { // let the client see the orderly end
			wg.Wait()
		} else {
			c.kill(true)
		}
		return
	}
	wg.Go(func() { c.read(up, back, toClient) })
	var writers sync.WaitGroup
	writers.Go(func() { c.write(up, there, toUpstream) })
	c.write(c.client, back, toClient)
	writers.Wait()
	if c.gently() {
		wg.Wait()
	}
}

// dial connects to the upstream, once nothing is cut. It returns nil when the
// connection cannot or need not be made any more.
func (c *conn) dial() *net.TCPConn {
	for {
		s := c.l.state.Load()
		if s.all.Cut != CutBlackhole {
			break
		}
		select {
		case <-s.changed:
		case <-c.done:
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(c.ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", c.l.upstream)
	if err != nil {
		return nil
	}
	up := nc.(*net.TCPConn)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		up.Close()
		return nil
	}
	c.up = up
	return up
}

// read moves what src sends into q, and its end.
func (c *conn) read(src *net.TCPConn, q *queue, dir int) {
	rng := rand.New(rand.NewPCG(c.n, uint64(dir)))
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if n > 0 {
			if !q.put(chunk{data: append([]byte(nil), buf[:n]...), at: time.Now(), u: 2*rng.Float64() - 1}, c.done) {
				if c.gently() {
					io.Copy(io.Discard, src) // ends with the other side's close, or its deadline
				}
				return
			}
		}
		if err != nil {
			e := reset
			if err == io.EOF {
				e = fin
			}
			q.put(chunk{at: time.Now(), end: e}, c.done)
			return
		}
	}
}

// write sends the chunks of q to dst, each when its time has come, and then its end.
func (c *conn) write(dst *net.TCPConn, q *queue, dir int) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		k, ok := q.take(c.done)
		if !ok {
			return
		}
		held, ok := c.await(k, timer)
		if !ok {
			return
		}
		switch k.end {
		case fin:
			dst.CloseWrite()
			return
		case reset:
			c.kill(true)
			return
		}
		counted := false
		for rest := k.data; len(rest) > 0; {
			n, waited, ok := c.allow(len(rest), dir, timer)
			if !ok {
				return
			}
			if held = held || waited; held && !counted {
				counted = true
				c.l.nDelayed.Add(1)
			}
			n, err := dst.Write(rest[:n])
			c.l.nBytes[dir].Add(int64(n))
			if err != nil {
				if !c.gently() {
					c.kill(true)
				}
				return
			}
			rest = rest[n:]
		}
	}
}

// await waits until k may leave, under whatever conditions hold meanwhile. It
// reports whether it had to wait, and false when the connection is over.
func (c *conn) await(k chunk, timer *time.Timer) (held, ok bool) {
	for {
		s := c.l.state.Load()
		if s.all.Cut == CutBlackhole {
			held = true
			select {
			case <-s.changed:
				continue
			case <-c.done:
				return held, false
			}
		}
		delay := s.all.Delay + time.Duration(k.u*float64(s.all.Jitter))
		if k.end == fin {
			delay += s.all.Linger
		}
		if delay == 0 {
			return held, true
		}
		wait := time.Until(k.at.Add(delay))
		if wait <= 0 {
			return held, true
		}
		held = true
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-s.changed:
		case <-c.done:
			return held, false
		}
	}
}

// allow waits until some of n bytes may pass under the rate, and returns how many.
func (c *conn) allow(n, dir int, timer *time.Timer) (part int, held, ok bool) {
	for {
		s := c.l.state.Load()
		if s.all.Cut == CutBlackhole {
			held = true
			select {
			case <-s.changed:
				continue
			case <-c.done:
				return 0, held, false
			}
		}
		if s.all.Rate == 0 {
			return n, held, true
		}
		part = min(n, int(max(1, s.all.Rate/pieces)))
		now := time.Now()
		wait := c.l.rates[dir].take(part, s.all.Rate, now).Sub(now)
		held = true
		timer.Reset(wait)
		select {
		case <-timer.C:
			return part, held, true
		case <-s.changed:
		case <-c.done:
			return 0, held, false
		}
	}
}

// cut ends the connection as the cut says.
func (c *conn) cut(how string) {
	c.l.nCut.Add(1)
	if how != CutClose {
		c.kill(true)
		return
	}
	// An orderly end: close our half of both sides and go on reading for a
	// while, since closing a socket with unread bytes would reset it.
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hard {
		return
	}
	c.gentle = true
	c.stop()
	limit := time.Now().Add(lingerFor)
	for _, s := range []*net.TCPConn{c.client, c.up} {
		if s != nil {
			s.SetDeadline(limit)
			s.CloseWrite()
		}
	}
}

// kill closes both sockets, by reset if rst. What was already closed stays as it is.
func (c *conn) kill(rst bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop()
	if c.hard {
		return
	}
	c.hard = true
	for _, s := range []*net.TCPConn{c.client, c.up} {
		if s != nil {
			if rst {
				s.SetLinger(0)
			}
			s.Close()
		}
	}
}

func (c *conn) gently() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gentle && !c.hard
}
