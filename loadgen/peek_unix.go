//go:build unix

package loadgen

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// peeker returns a func that tells whether nc is open and has nothing to read: an end or stray
// bytes on an idle connection mean that the server has given it up. It is nil where nc is no socket.
func peeker(nc net.Conn) func() bool {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	var quiet bool
	var b [1]byte
	look := func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		quiet = err == unix.EAGAIN
		return true
	}
	return func() bool {
		quiet = false
		return raw.Read(look) == nil && quiet
	}
}
