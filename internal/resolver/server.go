package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Limits of the server.
const (
	maxQuestion = 4096             // bytes of a question
	maxPending  = 256              // questions that wait for their answer; more are dropped, as a busy server does
	othersLimit = 10 * time.Second // how long Others may take
)

// Options of a server. The zero value knows no name.
type Options struct {
	Name string                                                       // that its users ask for, for reports
	Zone map[string]netip.Addr                                        // names that it knows itself
	Find func(ctx context.Context, name string) ([]netip.Addr, error) // finds the others; nil: they do not exist
}

// Others finds a name as this machine does: its files and its own name server.
func Others(ctx context.Context, name string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
}

// A Server answers questions about names. All methods may be called at once.
type Server struct {
	opt     Options
	zone    map[string]netip.Addr
	conn    net.PacketConn
	ctx     context.Context
	stop    context.CancelFunc
	pending chan struct{}
	wg      sync.WaitGroup
	state   atomic.Pointer[state]
}

// state is what lies on the server now.
type state struct {
	Conditions
	asked, struck atomic.Int64
	changed       chan struct{} // closed when other conditions follow
}

// Listen opens a server on a free UDP port of 127.0.0.1.
func Listen(opt Options) (*Server, error) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a name server: %w", err)
	}
	s := &Server{opt: opt, zone: map[string]netip.Addr{}, conn: conn, pending: make(chan struct{}, maxPending)}
	for name, addr := range opt.Zone {
		s.zone[canonical(name)] = addr
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.state.Store(&state{changed: make(chan struct{})})
	s.wg.Go(s.read)
	return s, nil
}

// Addr returns where the server is asked.
func (s *Server) Addr() string { return s.conn.LocalAddr().String() }

// Set replaces the conditions for the questions that come from now on; answers that are held back are let go. Conditions that do
// not pass Check are a bug of the caller, and panic.
func (s *Server) Set(c Conditions) {
	if err := c.Check(); err != nil {
		panic(err)
	}
	old := s.state.Swap(&state{Conditions: c, changed: make(chan struct{})})
	close(old.changed)
}

// Report returns what lies on the server and what it did.
func (s *Server) Report() Report {
	now := s.state.Load()
	return Report{now.Conditions, s.Addr(), s.opt.Name, now.asked.Load(), now.struck.Load()}
}

// Close ends the server.
func (s *Server) Close() error {
	s.stop()
	err := s.conn.Close()
	s.wg.Wait()
	return err
}

func (s *Server) read() {
	buf := make([]byte, maxQuestion)
	for {
		n, from, err := s.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // told of one client that is gone
		}
		select {
		case s.pending <- struct{}{}:
		default:
			continue
		}
		question := slices.Clone(buf[:n])
		s.wg.Go(func() {
			defer func() { <-s.pending }()
			if answer := s.answer(question); answer != nil {
				_, _ = s.conn.WriteTo(answer, from) // whoever asked asks again
			}
		})
	}
}

// answer returns the answer to one message; nil for none.
func (s *Server) answer(message []byte) []byte {
	q, err := parse(message)
	if err != nil {
		return nil // what is no question is not worth an answer
	}
	now := s.state.Load()
	if !s.struck(now, q) {
		return s.truth(q)
	}
	switch now.Mode {
	case NXDomain:
		return q.answer(dnsmessage.RCodeNameError, nil)
	case ServFail:
		return q.answer(dnsmessage.RCodeServerFailure, nil)
	case Wrong:
		return q.answer(dnsmessage.RCodeSuccess, []netip.Addr{netip.MustParseAddr(now.Answer)})
	case Delay:
		wait := time.NewTimer(now.Delay)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-now.changed:
		case <-s.ctx.Done():
			return nil
		}
		return s.truth(q)
	}
	return nil
}

// struck counts the question and reports whether it is hurt.
func (s *Server) struck(now *state, q question) bool {
	if now.Mode == None || !now.Covers(q.name()) {
		return false
	}
	if q.probe {
		return true
	}
	if !now.strikes(now.asked.Add(1)) {
		return false
	}
	now.struck.Add(1)
	return true
}

// truth is the answer without a fault.
func (s *Server) truth(q question) []byte {
	if addr, ok := s.zone[canonical(q.name())]; ok {
		return q.answer(dnsmessage.RCodeSuccess, []netip.Addr{addr})
	}
	if s.opt.Find == nil {
		return q.answer(dnsmessage.RCodeNameError, nil)
	}
	ctx, cancel := context.WithTimeout(s.ctx, othersLimit)
	defer cancel()
	addrs, err := s.opt.Find(ctx, canonical(q.name()))
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return q.answer(dnsmessage.RCodeNameError, nil)
	case err != nil:
		return q.answer(dnsmessage.RCodeServerFailure, nil)
	}
	return q.answer(dnsmessage.RCodeSuccess, addrs)
}
