package loadgen

import (
	"context"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// heap returns the live heap and what the process has from the system, in MiB.
func heap() (live, total float64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20), float64(m.Sys) / (1 << 20)
}

// TestScheduleNeedsNoMemory: a schedule of three million requests holds none of them.
func TestScheduleNeedsNoMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("draws three million requests")
	}
	p := Phase{Name: "p", Arrivals: Poisson{Profile{Rate: 5000}}, For: time.Minute, Prompt: Fixed(64), Output: Fixed(32)}
	if os.Getenv("ASSAY_FULL") != "" {
		p.For = 10 * time.Minute
	}
	before, _ := heap()
	begin := time.Now()
	s := mustSchedule(t, 1, p)
	took := time.Since(begin)
	after, total := heap()
	t.Logf("%d requests drawn in %v; live heap grew by %.1f MiB; %.0f MiB from the system", s.fixed, took, after-before, total)
	if after-before > 2 {
		t.Errorf("the schedule of %d requests holds %.1f MiB, want less than 2", s.fixed, after-before)
	}
	runtime.KeepAlive(s)
}

// TestRunNeedsConstantMemory sends 5,000/s in real time to a client that answers at once: ten minutes in the full tier.
func TestRunNeedsConstantMemory(t *testing.T) {
	if os.Getenv("ASSAY_FULL") == "" {
		t.Skip("full tier: set ASSAY_FULL=1")
	}
	length := 10 * time.Minute
	if d, err := time.ParseDuration(os.Getenv("ASSAY_MEMORY_FOR")); err == nil {
		length = d
	}
	clk := clock.New()
	g, err := New(Config{Clock: clk, Phases: []Phase{{Name: "p", Arrivals: Poisson{Profile{Rate: 5000}}, For: length, Prompt: Fixed(64), Output: Fixed(32)}},
		Client: clientFunc(func(_ context.Context, _ *assay.Call, r *assay.Request) {
			r.Sent = clk.Now()
			r.Outcome, r.End = assay.OK, r.Sent+1
		})})
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	if err := g.Run(t.Context(), func(assay.Record) error { n.Add(1); return nil }); err != nil {
		t.Fatal(err)
	}
	live, total := heap()
	t.Logf("%d records; live heap %.1f MiB; %.0f MiB from the system; lateness p99 %v", n.Load(), live, total, g.Live().LateP99)
	if total > 200 {
		t.Errorf("the process has %.0f MiB, want at most 200", total)
	}
}

func BenchmarkSchedule(b *testing.B) {
	p := Phase{Name: "p", Arrivals: Poisson{Profile{Rate: 5000}}, For: 20 * time.Second, Prompt: Lognormal{Mean: 100, SD: 50}, Output: Fixed(32)}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		s, err := NewSchedule([]Phase{p}, 1)
		if err != nil {
			b.Fatal(err)
		}
		n += s.fixed
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/request")
}
