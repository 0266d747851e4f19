package link

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/pacetest"
)

// echo is an upstream that sends back what it gets, and reports how each connection ended.
type echo struct {
	addr string
	ends chan error
}

func newEcho(t testing.TB) *echo {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{addr: ln.Addr().String(), ends: make(chan error, 64)}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, err := io.Copy(c, c)
				e.ends <- err
			}()
		}
	}()
	return e
}

func newLink(t testing.TB, upstream string, base Conditions) *Link {
	l, err := Listen("127.0.0.1:0", upstream, base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func dial(t testing.TB, addr string) *net.TCPConn {
	c, err := net.DialTimeout("tcp", addr, pacetest.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(pacetest.Patience))
	return c.(*net.TCPConn)
}

// turn sends one byte and returns how long its echo took.
func turn(t testing.TB, c net.Conn) time.Duration {
	t.Helper()
	d, err := tryTurn(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func tryTurn(c net.Conn) (time.Duration, error) {
	start := time.Now()
	if _, err := c.Write([]byte{1}); err != nil {
		return 0, err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return time.Since(start), err
}

func TestForward(t *testing.T) {
	e := newEcho(t)
	l := newLink(t, e.addr, Conditions{})
	c := dial(t, l.Addr())
	want := make([]byte, 3<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range want {
		want[i] = byte(rng.Uint32())
	}
	go func() {
		c.Write(want)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if sha256.Sum256(got) != sha256.Sum256(want) {
		t.Errorf("echo of %d bytes gave %d others", len(want), len(got))
	}
	if err := <-e.ends; err != nil {
		t.Errorf("upstream ended with %v, want an orderly end", err)
	}
	s := l.Stats()
	s.Live = 0
	if diff := cmp.Diff(Stats{Conns: 1, Up: 3 << 20, Down: 3 << 20}, s); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestDelayOnLiveConnection(t *testing.T) {
	l := newLink(t, newEcho(t).addr, Conditions{})
	c := dial(t, l.Addr())
	if d := turn(t, c); d > pacetest.Most(100*time.Millisecond) {
		t.Errorf("round trip without delay took %v", d)
	}
	l.Set(Conditions{Delay: 60 * time.Millisecond})
	if d := turn(t, c); d < 120*time.Millisecond || d > pacetest.Most(time.Second) {
		t.Errorf("round trip with a delay of 60ms each way took %v", d)
	}
	if got := l.Stats().Delayed; got != 2 {
		t.Errorf("%d chunks delayed, want 2", got)
	}
	l.Reset()
	if d := turn(t, c); d > pacetest.Most(100*time.Millisecond) {
		t.Errorf("round trip after the delay took %v", d)
	}
}

func TestLiftingDelayReleasesWhatItHeld(t *testing.T) {
	l := newLink(t, newEcho(t).addr, Conditions{Delay: time.Hour})
	c := dial(t, l.Addr())
	l2 := newLink(t, newEcho(t).addr, Conditions{})
	l2.Set(Conditions{Delay: time.Hour})
	c2 := dial(t, l2.Addr())
	c2.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	for _, c := range []net.Conn{c, c2} {
		if _, err := tryTurn(c); !isTimeout(err) {
			t.Fatalf("within an hour's delay: %v, want a deadline", err)
		}
	}
	l2.Reset()
	c2.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(c2, make([]byte, 1)); err != nil {
		t.Errorf("after the delay was lifted: %v", err)
	}
}

func TestBaseAndFaultAddUp(t *testing.T) {
	got := Conditions{Delay: 3, Jitter: 1, Rate: 50, Cut: CutReset}.over(Conditions{Delay: 4, Rate: 100, Cut: CutClose})
	if diff := cmp.Diff(Conditions{Delay: 7, Jitter: 1, Rate: 50, Cut: CutReset}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	base := Conditions{Delay: 20 * time.Millisecond}
	l := newLink(t, newEcho(t).addr, base)
	c := dial(t, l.Addr())
	if d := turn(t, c); d < 40*time.Millisecond {
		t.Errorf("round trip under base conditions took %v", d)
	}
	set := Conditions{Delay: 30 * time.Millisecond}
	l.Set(set)
	if d := turn(t, c); d < 100*time.Millisecond {
		t.Errorf("round trip under both took %v", d)
	}
	if l.Conditions() != set || l.Effective().Delay != 50*time.Millisecond {
		t.Errorf("conditions %v, effective %v", l.Conditions(), l.Effective())
	}
	l.Reset()
	if !l.Conditions().IsZero() || l.Effective() != base {
		t.Errorf("after reset: %v, effective %v", l.Conditions(), l.Effective())
	}
}

func TestJitterKeepsOrder(t *testing.T) {
	l := newLink(t, newEcho(t).addr, Conditions{Delay: 5 * time.Millisecond, Jitter: 5 * time.Millisecond})
	c := dial(t, l.Addr())
	go func() {
		for i := range 100 {
			fmt.Fprintf(c, "%d\n", i)
			time.Sleep(200 * time.Microsecond) // so that the lines are chunks of their own
		}
		c.CloseWrite()
	}()
	sc := bufio.NewScanner(c)
	n := 0
	for ; sc.Scan(); n++ {
		if sc.Text() != fmt.Sprint(n) {
			t.Fatalf("line %d is %q", n, sc.Text())
		}
	}
	if n != 100 {
		t.Errorf("%d lines, want 100: %v", n, sc.Err())
	}
}

func TestRate(t *testing.T) {
	l := newLink(t, newEcho(t).addr, Conditions{})
	l.Set(Conditions{Rate: 200_000})
	c := dial(t, l.Addr())
	start := time.Now()
	go func() {
		c.Write(make([]byte, 60_000))
		c.CloseWrite()
	}()
	n, err := io.Copy(io.Discard, c)
	took := time.Since(start)
	if err != nil || n != 60_000 {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if took < 300*time.Millisecond || took > pacetest.Most(2*time.Second) {
		t.Errorf("60 kB at 200 kB/s took %v", took)
	}
	// The rate is the link's: two connections share it.
	start = time.Now()
	done := make(chan int64, 2)
	for range 2 {
		c := dial(t, l.Addr())
		go func() {
			go func() {
				c.Write(make([]byte, 30_000))
				c.CloseWrite()
			}()
			n, _ := io.Copy(io.Discard, c)
			done <- n
		}()
	}
	if n := <-done + <-done; n != 60_000 {
		t.Errorf("%d bytes", n)
	}
	if took := time.Since(start); took < 290*time.Millisecond {
		t.Errorf("two times 30 kB at 200 kB/s took %v", took)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// how names the way a connection ended for its client.
func how(err error) string {
	switch {
	case err == nil:
		return "data"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "eof"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case isTimeout(err):
		return "stall"
	}
	return err.Error()
}

// until returns how long to wait for an end: for silence, a while that shows it.
func until(end string) time.Duration {
	if end == "stall" {
		return 200 * time.Millisecond
	}
	return pacetest.Patience
}

func TestCuts(t *testing.T) {
	for _, tc := range []struct{ cut, live, fresh string }{
		{CutReset, "reset", "reset"},
		{CutClose, "eof", "eof"},
		{CutBlackhole, "stall", "stall"},
		{CutRefuse, "data", "refused"},
	} {
		t.Run(tc.cut, func(t *testing.T) {
			e := newEcho(t)
			l := newLink(t, e.addr, Conditions{})
			c := dial(t, l.Addr())
			turn(t, c) // mid-stream
			l.Set(Conditions{Cut: tc.cut})
			c.SetReadDeadline(time.Now().Add(until(tc.live)))
			if tc.cut == CutReset || tc.cut == CutClose { // seen without a further write
				_, err := c.Read(make([]byte, 1))
				if got := how(err); got != tc.live {
					t.Errorf("live connection: %s, want %s", got, tc.live)
				}
				select {
				case <-e.ends:
				case <-time.After(pacetest.Patience):
					t.Error("the upstream's connection was left open")
				}
			} else if _, err := tryTurn(c); how(err) != tc.live {
				t.Errorf("live connection: %s, want %s", how(err), tc.live)
			}
			fresh, err := net.Dial("tcp", l.Addr())
			if err == nil {
				defer fresh.Close()
				fresh.SetDeadline(time.Now().Add(until(tc.fresh)))
				_, err = tryTurn(fresh)
			}
			if got := how(err); got != tc.fresh {
				t.Errorf("new connection: %s, want %s", got, tc.fresh)
			}
			l.Reset()
			turn(t, dial(t, l.Addr()))
			if tc.cut == CutBlackhole { // what was held arrives
				c.SetDeadline(time.Now().Add(pacetest.Patience))
				if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
					t.Errorf("held byte: %v", err)
				}
			}
		})
	}
}

func TestEndsTravel(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan *net.TCPConn, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			accepted <- c.(*net.TCPConn)
		}
	}()
	l := newLink(t, ln.Addr().String(), Conditions{})
	for _, want := range []string{"reset", "eof"} {
		c := dial(t, l.Addr())
		up := <-accepted
		fmt.Fprint(up, "x")
		if want == "reset" {
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			up.SetLinger(0)
		}
		up.Close()
		b, err := io.ReadAll(c)
		if err == nil {
			err = io.EOF
			if string(b) != "x" {
				t.Errorf("before the end: %q, want x", b)
			}
		}
		if how(err) != want {
			t.Errorf("the upstream's %s arrived as %s", want, how(err))
		}
	}
	// A client that goes away is felt upstream.
	c := dial(t, l.Addr())
	up := <-accepted
	c.SetLinger(0)
	c.Close()
	up.SetReadDeadline(time.Now().Add(pacetest.Patience))
	if _, err := up.Read(make([]byte, 1)); how(err) != "reset" {
		t.Errorf("the client's reset arrived as %s", how(err))
	}
	ln.Close()
	// The reset may come as early as in the connect.
	late, err := net.DialTimeout("tcp", l.Addr(), pacetest.Patience)
	if err == nil {
		defer late.Close()
		late.SetDeadline(time.Now().Add(pacetest.Patience))
		_, err = tryTurn(late)
	}
	if how(err) != "reset" {
		t.Errorf("with no upstream: %s, want reset", how(err))
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	e := newEcho(t)
	for _, c := range []Conditions{{}, {Delay: time.Hour}, {Rate: 1}, {Cut: CutBlackhole}, {Cut: CutRefuse}, {Cut: CutClose}} {
		l, err := Listen("127.0.0.1:0", e.addr, Conditions{})
		if err != nil {
			t.Fatal(err)
		}
		live := dial(t, l.Addr())
		turn(t, live)
		l.Set(c)
		live.Write(make([]byte, 1000))
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		l.Close()
		l.Set(Conditions{Delay: 1}) // harmless
		if _, err := net.Dial("tcp", l.Addr()); how(err) != "refused" {
			t.Errorf("after Close under %+v: %v", c, err)
		}
		if n := l.Stats().Live; n != 0 {
			t.Errorf("%d live connections after Close", n)
		}
	}
	deadline := time.Now().Add(pacetest.Patience)
	for runtime.NumGoroutine() > before+1 { // the echo's acceptor stays
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("goroutines left:\n%s", buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestChangesUnderLoad(t *testing.T) {
	l := newLink(t, newEcho(t).addr, Conditions{})
	stop := make(chan struct{})
	done := make(chan int, 4)
	for range 4 {
		go func() {
			n := 0
			defer func() { done <- n }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := net.Dial("tcp", l.Addr())
				if err != nil {
					continue
				}
				c.SetDeadline(time.Now().Add(50 * time.Millisecond))
				for {
					if _, err := tryTurn(c); err != nil {
						break
					}
					n++
				}
				c.Close()
			}
		}()
	}
	all := []Conditions{{}, {Delay: time.Millisecond}, {Cut: CutReset}, {}, {Cut: CutRefuse}, {Rate: 1000}, {Cut: CutClose}, {Cut: CutBlackhole}}
	for i := range 160 {
		l.Set(all[i%len(all)])
		time.Sleep(2 * time.Millisecond)
	}
	l.Reset()
	turn(t, dial(t, l.Addr()))
	close(stop)
	for range 4 {
		if n := <-done; n == 0 {
			t.Error("a client never got through")
		}
	}
}

// An orderly end is passed on later, and at once when that is lifted; what was sent before it is not held.
func TestLinger(t *testing.T) {
	e := newEcho(t)
	l := newLink(t, e.addr, Conditions{})
	for _, lift := range []bool{false, true} {
		wait := 60 * time.Millisecond
		if lift {
			wait = time.Hour
		}
		l.Set(Conditions{Linger: wait})
		c := dial(t, l.Addr())
		turn(t, c)
		begin := time.Now()
		c.CloseWrite()
		if lift {
			l.Reset()
		}
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("%d bytes, %v, want an orderly end", len(b), err)
		}
		if took := time.Since(begin); !lift && took < 2*wait { // each way
			t.Errorf("the end came back after %v, want %v", took, 2*wait)
		}
	}
}

func TestConditionsJSON(t *testing.T) {
	want := Conditions{Delay: time.Second, Jitter: time.Millisecond, Rate: 5, Linger: 7, Cut: CutClose}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if s := `{"delay_ns":1000000000,"jitter_ns":1000000,"rate":5,"linger_ns":7,"cut":"close"}`; string(b) != s {
		t.Errorf("got %s want %s", b, s)
	}
	var got Conditions
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	for c, want := range map[Conditions]string{{Delay: -1}: "delay_ns", {Jitter: -1}: "jitter_ns", {Linger: -1}: "linger_ns", {Rate: -1}: "rate", {Cut: "x"}: "cut"} {
		if err := c.Check(); err == nil || !strings.HasPrefix(err.Error(), want+":") {
			t.Errorf("%+v: %v", c, err)
		}
		if _, err := Listen("127.0.0.1:0", "127.0.0.1:1", c); err == nil {
			t.Errorf("listened under %+v", c)
		}
	}
	busy := newEcho(t)
	if _, err := Listen(busy.addr, "127.0.0.1:1", Conditions{}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("on a port in use: %v", err)
	}
}

func BenchmarkTurn(b *testing.B) {
	e := newEcho(b)
	l := newLink(b, e.addr, Conditions{})
	for _, tc := range []struct{ name, addr string }{{"direct", e.addr}, {"link", l.Addr()}} {
		b.Run(tc.name, func(b *testing.B) {
			c := dial(b, tc.addr)
			c.SetDeadline(time.Time{})
			b.ReportAllocs()
			buf := bytes.Repeat([]byte("x"), 300)
			for b.Loop() {
				c.Write(buf)
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
