package loadgen

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// real plays phases against the built-in server with the real clock, sockets and wait.
func real(tb testing.TB, ctx context.Context, deadline time.Duration, phases ...Phase) (*Generator, *tape) {
	tb.Helper()
	server, err := newNoop(context.Background(), 16)
	if err != nil {
		tb.Fatal(err)
	}
	clk := clock.New()
	client, err := NewOpenAI(Endpoint{URL: server.url(), Clock: clk})
	if err != nil {
		tb.Fatal(err)
	}
	g, err := New(Config{Clock: clk, Client: client, Model: "m", Stream: true, Phases: phases, Deadline: deadline, RunID: "r"})
	if err != nil {
		tb.Fatal(err)
	}
	l := &tape{}
	if err := g.Run(ctx, l.emit); err != nil {
		tb.Fatal(err)
	}
	client.Close()
	server.close()
	return g, l
}

func TestRealRun(t *testing.T) {
	before := runtime.NumGoroutine()
	p := Phase{Name: "p", Arrivals: Poisson{Profile{Rate: 200}}, For: time.Second, Prompt: Fixed(64), Output: Fixed(16)}
	g, l := real(t, t.Context(), 10*time.Second, p)
	live := g.Live()
	if int(live.Sent) != g.sched.fixed || live.Done != live.Sent || len(l.requests) != g.sched.fixed {
		t.Errorf("%+v of %d planned: want all sent and done", live, g.sched.fixed)
	}
	if d := l.outcomes(); d[assay.OK] != len(l.requests) {
		t.Errorf("outcomes %v", d)
	}
	for _, r := range l.requests {
		if r.Sent < r.Due || len(r.Arrivals) != 16 || r.TokensOut != 16 || r.TokensIn != 1 {
			t.Fatalf("request %+v", r)
		}
	}
	if live.LateP50 > pacetest.Most(20*time.Millisecond) { // far above what an idle machine does
		t.Errorf("half of the sends are later than %v", live.LateP50)
	}
	t.Logf("late p50 %v, p99 %v, max %v", live.LateP50, live.LateP99, live.LateMax)
	settleGoroutines(t, before)
}

func TestRealCancelLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	g, _ := real(t, ctx, 10*time.Second, Phase{Name: "p", Arrivals: Even{Profile{Rate: 100}}, For: time.Minute}, Phase{Name: "idle", For: time.Hour})
	if took := time.Since(begin); took > pacetest.Most(5*time.Second) || g.Stopped() != "interrupted" {
		t.Errorf("ended after %v, stopped %q", took, g.Stopped())
	}
	settleGoroutines(t, before)
}

// settleGoroutines waits until no more goroutines are left than before.
func settleGoroutines(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(pacetest.Patience); runtime.NumGoroutine() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// others returns the share of the machine that anything but this process took since the last call, the hypervisor
// included; 1 where the system does not tell. A limit on lateness can only be tested where it is small.
func others() func() float64 {
	read := func() (all, idle, own float64) {
		text, _ := os.ReadFile("/proc/stat")
		line, _, _ := strings.Cut(string(text), "\n")
		for i, f := range strings.Fields(line) {
			if v, err := strconv.ParseFloat(f, 64); err == nil {
				if all += v; i == 4 || i == 5 { // idle, waiting for disks
					idle += v
				}
			}
		}
		return all, idle, cpuTime().Seconds() * 100 // ticks of 10 ms
	}
	all, idle, own := read()
	return func() float64 {
		a, i, o := read()
		da, di, do := a-all, i-idle, o-own
		all, idle, own = a, i, o
		if da <= 0 {
			return 1
		}
		return max(0, (da-di-do)/da)
	}
}

// judge fails the test when the best of some tries is above the limit, unless the machine was never quiet.
func judge(t *testing.T, best, most time.Duration, quiet bool) {
	t.Helper()
	switch {
	case best <= most:
	case !quiet:
		t.Skipf("the machine was busy with other things: p99 %v says nothing", best)
	default:
		t.Errorf("p99 is %v, want at most %v", best, most)
	}
}

// TestLateness needs the machine for itself: what it measures is from the due instant to the write of the socket, of
// streams, whose server is in the same process.
func TestLateness(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	for _, c := range []struct {
		rate float64
		most time.Duration
	}{{1000, 150 * time.Microsecond}, {5000, 300 * time.Microsecond}} {
		t.Run(strconv.Itoa(int(c.rate)), func(t *testing.T) {
			best, quiet, busy := time.Hour, false, others()
			for range 5 { // another process may have the machine for a while
				used := cpuTime()
				g, _ := real(t, t.Context(), 10*time.Second, even("p", c.rate, 2*time.Second))
				used = cpuTime() - used
				live := g.Live()
				t.Logf("%g/s: late p50 %v, p99 %v, max %v; %v CPU for each of %d requests", c.rate, live.LateP50, live.LateP99, live.LateMax, used/time.Duration(live.Sent), live.Sent)
				best, quiet = min(best, live.LateP99), quiet || busy() < 0.02
			}
			judge(t, best, c.most, quiet)
		})
	}
}

// TestRates shows what the machine can send, and what a request costs with both sides in one process.
func TestRates(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	for _, rate := range []float64{300, 3000, 6000, 10000} {
		used := cpuTime()
		g, l := real(t, t.Context(), 10*time.Second, even("p", rate, 2*time.Second))
		used = cpuTime() - used
		live := g.Live()
		t.Logf("%g/s: late p50 %v, p99 %v, max %v; %v CPU each; %v", rate, live.LateP50, live.LateP99, live.LateMax, used/time.Duration(live.Sent), l.outcomes())
		if rate <= 3000 && l.outcomes()[assay.OK] != int(2*rate) {
			t.Errorf("%g/s: %v, want all %g answered", rate, l.outcomes(), 2*rate)
		}
	}
}

// TestWaitCost measures the pacing alone: how late each wake-up is and what it costs.
func TestWaitCost(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	clk := clock.New()
	wait, release := precise(clk.Now, nil)
	defer release()
	const most = 150 * time.Microsecond
	best, quiet, busy := time.Hour, false, others()
	for range 5 {
		var late spread
		used, begin := cpuTime(), clk.Now()
		for i := range int64(2000) {
			due := begin + (i+1)*int64(time.Millisecond)
			wait(nil, due)
			late.add(clk.Now() - due)
		}
		share := float64(cpuTime()-used) / float64(clk.Now()-begin)
		t.Logf("1000 waits a second: late p50 %v, p99 %v; %.1f %% of a core", late.quantile(0.5), late.quantile(0.99), 100*share)
		if share > 0.15 {
			t.Errorf("waiting takes %.1f %% of a core, want a few", 100*share)
		}
		best, quiet = min(best, late.quantile(0.99)), quiet || busy() < 0.02
	}
	judge(t, best, most, quiet)
}

// BenchmarkDispatch is the pacing goroutine's own part of a request: handing it to a worker whose client does nothing.
func BenchmarkDispatch(b *testing.B) {
	clk := clock.New()
	g, err := New(Config{Clock: clk, Phases: []Phase{{Name: "p", For: 1}}, Client: clientFunc(func(_ context.Context, _ *assay.Call, r *assay.Request) {
		r.Sent, r.Outcome = 1, assay.OK
	})})
	if err != nil {
		b.Fatal(err)
	}
	g.flight, g.emit = context.Background(), func(assay.Record) error { return nil }
	s := &stretch{phase: &g.sched.phases[0], name: "p", deadline: time.Hour}
	due := clk.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		g.dispatch(job{s: s, id: uint64(i + 1), due: due, r: planned{in: 16, out: 16}})
	}
	b.StopTimer()
	close(g.jobs)
	g.workers.Wait()
}
