package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Stats counts what a link has done since it was made.
type Stats struct {
	Conns   int64 `json:"conns"`   // accepted
	Live    int64 `json:"live"`    // open now
	Cut     int64 `json:"cut"`     // connections ended by a cut, new ones included
	Up      int64 `json:"up"`      // bytes forwarded to the upstream
	Down    int64 `json:"down"`    // bytes forwarded to clients
	Delayed int64 `json:"delayed"` // chunks held back by a delay, a rate or a cut
}

// A Link relays TCP connections to one upstream under conditions that may
// change at any time. All methods may be called at once.
type Link struct {
	upstream string
	base     Conditions
	addr     string
	hold     func() // gives the reserved port back
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	state atomic.Pointer[state]
	rates [2]limiter

	mu     sync.Mutex // orders changes; guards what follows
	ln     net.Listener
	conns  map[*conn]struct{}
	opened uint64
	closed bool

	nConns, nCut, nDelayed atomic.Int64
	nBytes                 [2]atomic.Int64
}

// state is what lies on the link now. Whoever waits under it also waits for changed.
type state struct {
	set, all Conditions
	changed  chan struct{}
}

// Listen opens a link on addr (port 0 picks one) to upstream under the base conditions. The upstream
// need not listen yet: it is dialled for each connection.
func Listen(addr, upstream string, base Conditions) (*Link, error) {
	if err := base.Check(); err != nil {
		return nil, fmt.Errorf("open link to %s: %w", upstream, err)
	}
	addr, hold, err := reserve(addr)
	if err != nil {
		return nil, fmt.Errorf("open link to %s: reserve %s: %w", upstream, addr, err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		hold()
		return nil, fmt.Errorf("open link to %s: %w", upstream, err)
	}
	l := &Link{upstream: upstream, base: base, addr: ln.Addr().String(), hold: hold, conns: map[*conn]struct{}{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.state.Store(&state{all: base, changed: make(chan struct{})})
	if base.Cut == CutRefuse {
		ln.Close()
		return l, nil
	}
	l.listen(ln)
	return l, nil
}

// listen starts to accept on ln. The caller holds mu, or is alone.
func (l *Link) listen(ln net.Listener) {
	l.ln = ln
	l.wg.Go(func() { l.accept(ln) })
}

// Addr returns the address on which clients reach the upstream through the link.
func (l *Link) Addr() string { return l.addr }

// Conditions returns what the last Set laid on top of the base conditions; zero after Reset.
func (l *Link) Conditions() Conditions { return l.state.Load().set }

// Effective returns what lies on the link in all: base conditions and those of Set.
func (l *Link) Effective() Conditions { return l.state.Load().all }

// Reset takes away what Set laid on the link.
func (l *Link) Reset() { l.Set(Conditions{}) }

// Set replaces what lies on top of the base conditions, for live and new connections. A cut
// that ends connections has ended them when Set returns. Conditions that do
// not pass Check are a bug of the caller, and panic.
func (l *Link) Set(c Conditions) {
	if err := c.Check(); err != nil {
		panic(err)
	}
	all := c.over(l.base)
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	old := l.state.Swap(&state{set: c, all: all, changed: make(chan struct{})})
	for i := range l.rates {
		l.rates[i].reset()
	}
	var ended []*conn
	if all.Cut == CutReset || all.Cut == CutClose {
		for conn := range l.conns {
			ended = append(ended, conn)
		}
	}
	if all.Cut == CutRefuse {
		if l.ln != nil {
			l.ln.Close()
			l.ln = nil
		}
	} else if l.ln == nil {
		// The port is reserved, so this succeeds unless the machine is out of files; then the
		// link goes on refusing, which a probe through it shows, and the next Set tries again.
		if ln, err := net.Listen("tcp", l.addr); err == nil {
			l.listen(ln)
		}
	}
	l.mu.Unlock()
	close(old.changed)
	for _, conn := range ended {
		conn.cut(all.Cut)
	}
}

// Stats returns the counts so far.
func (l *Link) Stats() Stats {
	l.mu.Lock()
	live := len(l.conns)
	l.mu.Unlock()
	return Stats{Conns: l.nConns.Load(), Live: int64(live), Cut: l.nCut.Load(), Up: l.nBytes[toUpstream].Load(),
		Down: l.nBytes[toClient].Load(), Delayed: l.nDelayed.Load()}
}

// Close ends all connections, stops listening and waits until nothing of the link runs. It may be called again.
func (l *Link) Close() error {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	if l.ln != nil {
		l.ln.Close()
		l.ln = nil
	}
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	l.cancel()
	for _, c := range conns {
		c.kill(false)
	}
	l.wg.Wait()
	if first {
		l.hold()
	}
	return nil
}

func (l *Link) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of files, most likely: connections wait in the kernel until some are free.
			select {
			case <-time.After(10 * time.Millisecond):
				continue
			case <-l.ctx.Done():
				return
			}
		}
		l.nConns.Add(1)
		l.admit(c.(*net.TCPConn))
	}
}

// admit registers a connection under the conditions in force. It decides under the lock that
// orders changes, so that no connection slips past a cut.
func (l *Link) admit(client *net.TCPConn) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		client.Close()
		return
	}
	cut := l.state.Load().all.Cut
	l.opened++
	c := &conn{l: l, n: l.opened, client: client}
	c.ctx, c.stop = context.WithCancel(l.ctx)
	c.done = c.ctx.Done()
	l.conns[c] = struct{}{}
	l.wg.Add(1)
	l.mu.Unlock()
	if cut == CutReset || cut == CutClose || cut == CutRefuse {
		c.cut(cut) // before anything is relayed
	}
	go func() {
		defer l.wg.Done()
		c.serve()
		l.mu.Lock()
		delete(l.conns, c)
		l.mu.Unlock()
	}()
}
