package resolver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A client's patience, as that of the usual stub resolvers.
const (
	attempts = 2
	patience = 5 * time.Second
)

// An Answer is what one question got.
type Answer struct {
	Code  string // NOERROR, NXDOMAIN, SERVFAIL or the number of another
	Addrs []netip.Addr
	Took  time.Duration
}

// Ask asks the server at addr once for the IPv4 addresses of a name and waits until ctx is done. A probe is always
// struck by the server's conditions and not counted.
func Ask(ctx context.Context, addr, name string, probe bool) (Answer, error) {
	return one(ctx, addr, name, dnsmessage.TypeA, probe)
}

func one(ctx context.Context, addr, name string, kind dnsmessage.Type, probe bool) (a Answer, err error) {
	fail := func(err error) (Answer, error) { return a, fmt.Errorf("ask %s for %s: %w", addr, name, err) }
	id := uint16(rand.Uint32())
	q, err := ask(id, name, kind, probe)
	if err != nil {
		return fail(err)
	}
	begin := time.Now()
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", addr)
	if err != nil {
		return fail(err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	if _, err := c.Write(q); err != nil {
		return fail(err)
	}
	buf := make([]byte, maxQuestion)
	for {
		n, err := c.Read(buf)
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return fail(err)
		}
		if a, err := read(buf[:n], id); err == nil {
			a.Took = time.Since(begin)
			return a, nil
		}
	}
}

// read reads the answer to question id.
func read(b []byte, id uint16) (a Answer, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil {
		return a, err
	}
	if h.ID != id || !h.Response {
		return a, errors.New("not the answer")
	}
	switch h.RCode {
	case dnsmessage.RCodeSuccess:
		a.Code = "NOERROR"
	case dnsmessage.RCodeNameError:
		a.Code = "NXDOMAIN"
	case dnsmessage.RCodeServerFailure:
		a.Code = "SERVFAIL"
	default:
		a.Code = fmt.Sprint("RCODE ", uint16(h.RCode))
	}
	if err := p.SkipAllQuestions(); err != nil {
		return a, err
	}
	for {
		r, err := p.Answer()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return a, nil
		}
		if err != nil {
			return a, err
		}
		switch v := r.Body.(type) {
		case *dnsmessage.AResource:
			a.Addrs = append(a.Addrs, netip.AddrFrom4(v.A))
		case *dnsmessage.AAAAResource:
			a.Addrs = append(a.Addrs, netip.AddrFrom16(v.AAAA))
		}
	}
}

// Lookup finds the addresses of a name as a stub resolver does: two attempts of five seconds; IPv6 where there is no IPv4.
func Lookup(ctx context.Context, addr, name string) ([]netip.Addr, error) {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("look up %s: %w", name, &net.DNSError{Err: fmt.Sprintf(format, args...), Name: name, Server: addr, IsNotFound: format == noSuchHost})
	}
	var err error
	for range attempts {
		var a Answer
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			waiting, cancel := context.WithTimeout(ctx, patience)
			a, err = one(waiting, addr, name, kind, false)
			cancel()
			if err != nil || a.Code != "NOERROR" || len(a.Addrs) > 0 {
				break
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("look up %s: %w", name, ctx.Err())
		case err != nil:
			err = fail("no answer within %v", patience)
		case a.Code == "NXDOMAIN":
			return nil, fail(noSuchHost)
		case a.Code != "NOERROR":
			err = fail("%s", a.Code)
		case len(a.Addrs) == 0:
			return nil, fail("it has no address")
		default:
			return a.Addrs, nil
		}
	}
	return nil, err
}

const noSuchHost = "no such host"

// A Dialer opens connections to hosts that it looks up at a server of this package.
type Dialer struct {
	Addr string // of the server
	net.Dialer
}

// DialContext opens a connection to host:port, trying one address of the host after another.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return d.Dialer.DialContext(ctx, network, address)
	}
	addrs, err := Lookup(ctx, d.Addr, host)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, a := range addrs {
		c, err := d.Dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
