package chaos

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/link"
)

// A Server is a Platform of one server process on this machine that assay did not start, named by where it listens or by its
// pid file. There is no link of ours in front of it, and who starts it again when it has ended is its own supervisor. Its one instance is
// the deployment as a whole.
type Server struct {
	Listen  string // host:port; or
	PIDFile string // a file that holds its pid
	Addr    string // host:port where it is asked when it is named by its pid file
}

var _ Platform = (*Server)(nil)

// Instances finds the process: the one that listens, or of those that share the socket the one that the others descend from. None listens while
// it is being started again.
func (s *Server) Instances(context.Context) ([]Victim, error) {
	p, err := s.find()
	if errors.Is(err, errGone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	addr, err := s.ask()
	if err != nil {
		return nil, err
	}
	return []Victim{{ID: assay.WholeTarget, Process: p, Addr: addr, State: Ready, Named: true}}, nil
}

// Victim returns the process and what it was started as, or why it must not be hurt: a plan is refused before the run.
func (s *Server) Victim(ctx context.Context) (p Process, command string, err error) {
	all, err := s.Instances(ctx)
	switch {
	case err != nil:
		return p, "", err
	case len(all) == 0:
		return p, "", fmt.Errorf("no process %s", s.named())
	}
	p = all[0].Process
	if why := refusal(all[0], s.Process()); why != "" {
		return p, "", fmt.Errorf("%v %s: refused: %s", p, s.named(), why)
	}
	return p, p.command(), nil
}

// find returns the process, or errGone if there is none now.
func (s *Server) find() (Process, error) {
	if s.PIDFile != "" {
		b, err := os.ReadFile(s.PIDFile)
		if errors.Is(err, os.ErrNotExist) {
			return Process{}, errGone
		}
		if err != nil {
			return Process{}, err
		}
		pid, err := strconv.Atoi(string(bytes.TrimSpace(b)))
		if err != nil || pid < 1 {
			return Process{}, fmt.Errorf("%s holds %.40q, no pid", s.PIDFile, b)
		}
		return ProcessOf(pid)
	}
	at, err := listenAddr(s.Listen)
	if err != nil {
		return Process{}, err
	}
	return listener(at)
}

// named says how the process is named.
func (s *Server) named() string {
	if s.PIDFile != "" {
		return "of " + s.PIDFile
	}
	return "that listens on " + s.Listen
}

// ask returns where probes are sent.
func (s *Server) ask() (string, error) {
	if s.PIDFile != "" {
		return s.Addr, nil
	}
	at, err := listenAddr(s.Listen)
	if err != nil {
		return "", err
	}
	switch {
	case at.Addr() == netip.IPv6Unspecified():
		at = netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	case at.Addr().IsUnspecified():
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	}
	return at.String(), nil
}

var errNoLink = errors.New("there is no link of ours in front of a process that assay did not start")

// Link returns an error: there is none.
func (s *Server) Link(context.Context, string) (link.Conditions, error) {
	return link.Conditions{}, errNoLink
}

// SetLink returns an error: there is none.
func (s *Server) SetLink(context.Context, string, link.Conditions, func()) error { return errNoLink }

// UndoLink returns an undo of nothing.
func (s *Server) UndoLink(string) Undo { return Undo{Kind: UndoNone} }

// Process returns none: its supervisor is not known.
func (s *Server) Process() Process { return Process{} }

// listenAddr reads host:port, where the host may be localhost or left out.
func listenAddr(text string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address; for example 127.0.0.1:8000", text)
	}
	switch host {
	case "localhost":
		host = "127.0.0.1"
	case "":
		host = "0.0.0.0"
	}
	at, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil || at.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address; for example 127.0.0.1:8000", text)
	}
	return at, nil
}

// A socket is one that listens, as /proc/net/tcp tells.
type socket struct {
	at    netip.AddrPort
	uid   int
	inode string
}

// parseListeners reads /proc/net/tcp or /proc/net/tcp6 and returns the sockets that listen. Addresses stand in words of four
// bytes in the order of the machine, taken to be little endian. Lines that are none are left out.
func parseListeners(b []byte) (list []socket) {
	const listening = "0A"
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 10 || f[3] != listening {
			continue
		}
		addr, port, ok := strings.Cut(f[1], ":")
		raw, err := hex.DecodeString(addr)
		if !ok || err != nil || len(raw) != 4 && len(raw) != 16 {
			continue
		}
		for word := range slices.Chunk(raw, 4) {
			slices.Reverse(word)
		}
		ip, _ := netip.AddrFromSlice(raw)
		n, err := strconv.ParseUint(port, 16, 16)
		uid, bad := strconv.Atoi(f[7])
		if err != nil || bad != nil {
			continue
		}
		list = append(list, socket{netip.AddrPortFrom(ip.Unmap(), uint16(n)), uid, f[9]})
	}
	return list
}

// serves reports whether a socket is the one that is meant: that of the address, or of all addresses.
func (s *socket) serves(at netip.AddrPort) bool {
	return s.at.Port() == at.Port() && (s.at.Addr() == at.Addr() || s.at.Addr().IsUnspecified() || at.Addr().IsUnspecified())
}
