//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// reply is the whole answer to every request: 100 bytes of body.
var reply = []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n" +
	`{"outputs":"` + strings.Repeat("0", 100-len(`{"outputs":""}`)) + `"}`)

// serve answers requests until stdin ends. It is one epoll loop on one thread, so that on a machine of few cores the cost of the server
// does not decide what the clients reach. With a core of its own it polls: then a client does not pay for waking it either, which on a
// virtual machine costs as much as a request.
func serve(j job, stdin io.Reader, stdout io.Writer) error {
	timeout := -1
	if j.Apart {
		timeout = 0
		if err := pin(runtime.NumCPU() - 1); err != nil {
			return err
		}
		runtime.GOMAXPROCS(2) // one for the loop
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	poll, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- loop(poll, timeout) }()
	var held sync.Map // connections: kept from being collected, which would close them
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File() // a descriptor of our own, which the runtime does not watch
			c.Close()
			if err != nil {
				continue
			}
			fd := int(f.Fd())
			_ = unix.SetNonblock(fd, true)
			held.Store(fd, f)
			_ = unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
		}
	}()
	fmt.Fprintf(stdout, "http://%s/\n", l.Addr())
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		close(ended)
	}()
	select {
	case err := <-failed:
		return err
	case <-ended:
		return nil
	}
}

// loop answers each request head that arrives on a connection with the reply. A head comes in one piece: it is small, and
// both clients write it at once.
func loop(poll, timeout int) error {
	runtime.LockOSThread()
	events := make([]unix.EpollEvent, 256)
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.EpollWait(poll, events, timeout)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, e := range events[:max(n, 0)] {
			fd := int(e.Fd)
			n, err := unix.Read(fd, buf)
			if errors.Is(err, unix.EAGAIN) {
				continue
			}
			for range bytes.Count(buf[:max(n, 0)], []byte("\r\n\r\n")) {
				if _, err = unix.Write(fd, reply); err != nil {
					break
				}
			}
			if n <= 0 || err != nil {
				_ = unix.EpollCtl(poll, unix.EPOLL_CTL_DEL, fd, nil)
				_ = unix.Shutdown(fd, unix.SHUT_RDWR)
			}
		}
	}
}
