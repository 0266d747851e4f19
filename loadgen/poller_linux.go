package loadgen

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A poller reads, on the thread of the pacing goroutine, the answers that need no goroutine of their own because they are one
// piece: all of it is in the buffer before any of it is parsed. The thread waits for answers and for the next send in one
// system call, so that a request wakes no other thread. Its connections are taken from the runtime's poller, which would wake one.
//
// Its methods are for the pacing goroutine, and adopt for any.
type poller struct {
	now    func() int64
	fd     int
	events [32]unix.EpollEvent
	out    int   // requests that wait for their answer
	swept  int64 // when deadlines were last looked at

	mu    sync.Mutex
	conns map[int32]*conn
}

// sweepEvery is how often deadlines are looked at, and so how late one may be noticed.
const sweepEvery = int64(10 * time.Millisecond)

// peekAfter is how long a connection may have been idle to be used without a look at it.
const peekAfter = int64(time.Millisecond)

// newPoller returns nil where the kernel has none that is precise enough.
func newPoller(now func() int64) *poller {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	p := &poller{now: now, fd: fd, conns: map[int32]*conn{}}
	if _, err := p.pwait(0); err != nil { // before Linux 5.11
		unix.Close(fd)
		return nil
	}
	return p
}

// pwait waits for events for at most d.
func (p *poller) pwait(d time.Duration) (int, error) {
	ts := unix.NsecToTimespec(int64(d))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return 0, errno
	}
	if errno == unix.EINTR {
		return 0, nil
	}
	return int(n), nil
}

// waiting reports whether any request waits for its answer. A nil poller has none.
func (p *poller) waiting() bool { return p != nil && p.out > 0 }

// look reads what has come, waiting for it for at most d, and reports whether anything has.
func (p *poller) look(d time.Duration) bool {
	n, err := p.pwait(d)
	if err != nil {
		time.Sleep(d) // does not happen; and if it does, the load goes on
	}
	for _, e := range p.events[:n] {
		p.mu.Lock()
		c := p.conns[e.Fd]
		p.mu.Unlock()
		if c != nil {
			p.read(c)
		}
	}
	if now := p.now(); now-p.swept >= sweepEvery {
		p.swept = now
		p.sweep()
	}
	return n > 0
}

// sweep ends the requests whose deadline has passed or whose run has ended.
func (p *poller) sweep() {
	var over []*conn
	now := time.Now()
	p.mu.Lock()
	for _, c := range p.conns {
		if f := c.out.flight; f != nil && (!now.Before(f.deadline) || f.Context.Err() != nil) {
			over = append(over, c)
		}
	}
	p.mu.Unlock()
	for _, c := range over {
		c.Conn.(*rawConn).final = os.ErrDeadlineExceeded
		p.bring(c)
	}
}

// finish waits for the requests that are still out.
func (p *poller) finish() {
	for p.waiting() {
		p.look(5 * time.Millisecond)
	}
}

// close closes all connections.
func (p *poller) close() {
	if p == nil {
		return
	}
	for _, c := range p.conns {
		p.drop(c)
	}
	unix.Close(p.fd)
}

// A rawConn is a socket that the runtime does not watch.
type rawConn struct {
	net.Conn // nil: what of it is not here is not used
	fd       int
	final    error // what reads give when the buffer is used up; nil: ask the socket
}

func (r *rawConn) Read(b []byte) (int, error) {
	if r.final != nil {
		return 0, r.final
	}
	n, err := unix.Read(r.fd, b)
	switch {
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (r *rawConn) Close() error                    { return unix.Close(r.fd) }
func (r *rawConn) SetReadDeadline(time.Time) error { return nil }

// adopt takes over an idle connection that nobody else knows; false if it cannot.
func (p *poller) adopt(w *wire, c *conn) bool {
	tc, ok := c.Conn.(*net.TCPConn)
	w.mu.Lock()
	full := len(w.polled) >= maxIdle
	w.mu.Unlock()
	if !ok || full {
		return false
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return false
	}
	fd := -1
	err = raw.Control(func(own uintptr) { fd, _ = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err != nil || fd < 0 {
		return false
	}
	tc.Close() // the socket stays open by its other descriptor
	c.Conn, c.peek = &rawConn{fd: fd}, nil
	c.home = w
	c.answer.finish = func(clean bool) { c.clean = clean }
	c.answer.wait = func(time.Duration) {}
	c.idleAt = p.now()
	p.mu.Lock()
	p.conns[int32(fd)] = c
	p.mu.Unlock()
	w.mu.Lock() // until it is in the pool: an end that comes at once makes drop wait, and find it there
	err = unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)})
	if err == nil {
		w.polled = append(w.polled, c)
	}
	w.mu.Unlock()
	if err != nil {
		p.drop(c)
	}
	return true
}

// drop closes a connection.
func (p *poller) drop(c *conn) {
	w := c.home
	w.mu.Lock()
	for i := range w.polled {
		if w.polled[i] == c {
			w.polled = append(w.polled[:i], w.polled[i+1:]...)
			break
		}
	}
	w.mu.Unlock()
	p.mu.Lock()
	delete(p.conns, int32(c.Conn.(*rawConn).fd))
	p.mu.Unlock()
	c.Close()
}

// launchPolled writes a request to an idle connection of the flight's poller; false where there is none, or the request is too long.
func (w *wire) launchPolled(t *trip, rd reader, f *flight) bool {
	p := f.poll
	for {
		w.mu.Lock()
		n := len(w.polled)
		if n == 0 {
			w.mu.Unlock()
			return false
		}
		c := w.polled[n-1]
		w.polled = w.polled[:n-1]
		w.mu.Unlock()
		now, fd := w.site.now(), c.Conn.(*rawConn).fd
		if idle := now - c.idleAt; idle >= int64(idleFor) || idle > peekAfter && !silent(fd) {
			p.drop(c)
			continue
		}
		c.wbuf = w.write(c.wbuf[:0], &t.q)
		if len(c.wbuf) > maxLaunch {
			w.mu.Lock()
			w.polled = append(w.polled, c)
			w.mu.Unlock()
			return false
		}
		c.got, c.heard, c.fields, c.clean, c.werr, c.first, c.need = false, false, t.q.fields, false, nil, 0, 0
		c.pos, c.end = 0, 0
		c.out = outing{t, rd, f}
		p.out++
		c.wroteAt = w.site.now()
		stamp(&t.r.Sent, c.wroteAt)
		n, err := unix.Write(fd, c.wbuf)
		if err == nil && n < len(c.wbuf) {
			err = syscall.EMSGSIZE // does not happen: so much fits
		}
		if err != nil {
			c.werr = os.NewSyscallError("write", err)
			_ = unix.Shutdown(fd, unix.SHUT_RDWR) // the end of the connection is what is read next
		}
		return true
	}
}

// silent reports whether an idle connection is open and has nothing to read.
func silent(fd int) bool {
	var b [1]byte
	_, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == unix.EAGAIN
}

// read reads once from a connection, and ends its request when the answer is whole.
func (p *poller) read(c *conn) {
	if c.end == len(c.rbuf) {
		c.rbuf = append(c.rbuf, make([]byte, len(c.rbuf))...)
	}
	n, err := c.Conn.Read(c.rbuf[c.end:])
	at := p.now()
	switch raw := c.Conn.(*rawConn); {
	case c.out.trip == nil: // an end, or stray bytes
		p.drop(c)
		return
	case n > 0:
		if c.first == 0 {
			c.first = at
		}
		c.readAt, c.heard = at, true
		if c.end += n; !c.whole() && c.end < maxBody {
			return
		}
	case errIsAgain(err):
		return
	default:
		raw.final = err
	}
	p.bring(c)
}

func errIsAgain(err error) bool {
	e, ok := err.(*os.SyscallError)
	return ok && (e.Err == unix.EAGAIN || e.Err == unix.EINTR)
}

// bring ends the request of a connection with what is in the buffer.
func (p *poller) bring(c *conn) {
	w, o := c.home, c.out
	c.out = outing{}
	p.out--
	t := o.trip
	a, err := w.hear(c, &t.q, t.r)
	if err != nil {
		if err = cause(err, c.werr, c); c.wasStale(err) && o.flight.Err() == nil {
			p.drop(c)
			go w.again(o) // whoever waits for the flight waits for this
			return
		}
	}
	t.land(o.reader, a, err)
	keep := err == nil && c.clean && c.spent()
	o.flight.land()
	if !keep {
		p.drop(c)
		return
	}
	if len(c.rbuf) > 1<<20 {
		c.rbuf = make([]byte, 16<<10)
	}
	c.idleAt = p.now()
	w.mu.Lock()
	w.polled = append(w.polled, c)
	w.mu.Unlock()
}
