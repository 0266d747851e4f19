package faultproxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// plain is the least upstream there can be: it answers each head that it reads, without a look at it.
func plain(b *testing.B) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 300\r\n\r\n" + strings.Repeat("x", 300))
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				for {
					if _, err := c.Read(buf); err != nil { // a head arrives in one piece here
						return
					}
					c.Write(answer)
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// drive sends b.N requests over the connections and reports rate and median.
func drive(b *testing.B, addr string, conns int) {
	// The time of the cores says what an otherwise idle machine could do, whoever else uses this one.
	busy := func() (t time.Duration) {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := busy()
	took := make([][]time.Duration, conns)
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range conns {
		wg.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			r := bufio.NewReader(c)
			for range b.N/conns + 1 {
				begin := time.Now()
				io.WriteString(c, "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
				for body := false; !body; { // to the end of the head
					line, err := r.ReadSlice('\n')
					if err != nil {
						b.Error(err)
						return
					}
					body = len(line) == 2
				}
				if _, err := r.Discard(300); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(begin))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64((busy()-before).Nanoseconds())/1e3/float64(len(all)), "cpu-µs/req")
	b.ReportMetric(0, "ns/op")
}

// What the benchmark's comment promises, on an otherwise idle machine.
func TestProxyIsFast(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("set ASSAY_FULL=1: it needs an otherwise idle machine")
	}
	measure := func(conns int, through bool) map[string]float64 {
		return testing.Benchmark(func(b *testing.B) {
			addr := plain(b)
			if through {
				addr = strings.TrimPrefix(listen(b, "http://"+addr, Options{}).URL(), "http://")
			}
			drive(b, addr, conns)
		}).Extra
	}
	direct, one := measure(1, false)["p50-µs"], measure(1, true)["p50-µs"]
	got := measure(16, true)
	many, cpu := got["req/s"], got["cpu-µs/req"]
	t.Logf("p50 %.1f µs direct and %.1f µs through; %.0f requests a second at %.1f µs of the cores each", direct, one, many, cpu)
	if direct == 0 || one-direct > 60 {
		t.Errorf("adds %.1f µs to the median of %.1f µs, want at most 60", one-direct, direct)
	}
	if cores := 2e6 / cpu; max(many, cores) < 20_000 { // what two cores could do, whoever else uses them now
		t.Errorf("passes %.0f requests a second, and %.0f on two cores of its own; want 20000", many, cores)
	}
}

// The proxy must add at most 60 µs to the median of an idle request (conns=1) and pass 20 000 requests a second on two
// cores (conns=16), those of the client and the upstream included.
func BenchmarkProxy(b *testing.B) {
	for _, conns := range []int{1, 16} {
		addr := plain(b)
		b.Run(fmt.Sprintf("direct/conns=%d", conns), func(b *testing.B) { drive(b, addr, conns) })
		p := listen(b, "http://"+addr, Options{})
		b.Run(fmt.Sprintf("through/conns=%d", conns), func(b *testing.B) { drive(b, strings.TrimPrefix(p.URL(), "http://"), conns) })
	}
}
