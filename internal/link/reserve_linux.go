package link

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// reserve binds addr without listening on it and returns the bound address. While it is held, a
// connect is refused and the port is given to no one else, yet a listener with
// address reuse (as Go's are) may come and go: a refused link finds its port
// again, even when it is in the range of ephemeral ports.
func reserve(addr string) (string, func(), error) {
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return addr, nil, err
	}
	ap := tcp.AddrPort()
	ip := ap.Addr().Unmap()
	if !ip.IsValid() {
		ip = netip.IPv4Unspecified()
	}
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(ap.Port()), Addr: [4]byte{}})
	if ip.Is4() {
		sa = &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ip.As4()}
	} else {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ip.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return addr, nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		unix.Close(fd)
		return addr, nil, err
	}
	if err := unix.Bind(fd, sa); err != nil {
		unix.Close(fd)
		return addr, nil, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return addr, nil, err
	}
	port := ap.Port()
	switch b := bound.(type) {
	case *unix.SockaddrInet4:
		port = uint16(b.Port)
	case *unix.SockaddrInet6:
		port = uint16(b.Port)
	}
	return netip.AddrPortFrom(ip, port).String(), func() { unix.Close(fd) }, nil
}
