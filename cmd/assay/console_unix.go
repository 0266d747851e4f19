//go:build linux || darwin

package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// takeTerminal makes the terminal hand over each key as it is typed, without echo. Signals and the form of output stay as they are. restore puts it back.
func takeTerminal(in io.Reader, out io.Writer, quit <-chan struct{}) (rw io.ReadWriter, restore func(), size func() (int, int), err error) {
	i, ok := in.(*os.File)
	o, also := out.(*os.File)
	if !ok || !also || !term.IsTerminal(int(i.Fd())) || !term.IsTerminal(int(o.Fd())) {
		return nil, nil, nil, errNoTerminal
	}
	fd := int(i.Fd())
	was, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, nil, nil, os.NewSyscallError("read the settings of the terminal", err)
	}
	now := *was
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Iflag &^= unix.ICRNL
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, setTermios, &now); err != nil {
		return nil, nil, nil, os.NewSyscallError("set the terminal", err)
	}
	restore = func() { _ = unix.IoctlSetTermios(fd, setTermios, was) }
	size = func() (int, int) {
		w, h, err := term.GetSize(int(o.Fd()))
		if err != nil {
			return 0, 0
		}
		return w, h
	}
	return &tty{fd: fd, out: o, quit: quit}, restore, size, nil
}

// tty reads what is typed until quit is closed.
type tty struct {
	fd   int
	out  *os.File
	quit <-chan struct{}
}

// Read waits for keys. It looks up ten times a second, since a read of a terminal cannot be called off.
func (t *tty) Read(b []byte) (int, error) {
	for {
		select {
		case <-t.quit:
			return 0, io.EOF
		default:
		}
		p := []unix.PollFd{{Fd: int32(t.fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 100)
		switch {
		case err == unix.EINTR || err == nil && n == 0:
			continue
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case p[0].Revents&unix.POLLIN == 0:
			return 0, io.EOF // hung up
		}
		n, err = unix.Read(t.fd, b)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
			continue
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (t *tty) Write(b []byte) (int, error) { return t.out.Write(b) }
