package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/sandbox/compute"
	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// unixClock returns the time in Unix nanoseconds, on the monotonic clock.
func unixClock() func() int64 {
	clk := clock.New()
	return func() int64 { return clk.Epoch() + clk.Now() }
}

func testScheduler(t testing.TB, c Config) *scheduler {
	c.Instance, c.Model = "t", "nano"
	c = c.WithDefaults()
	m := loadTest(t, "nano")
	r := newRunner(m, newKVCache(m.ModelSize, c.KVTokens), compute.NewPool(1), c.StepTokens, c.MaxSeqs)
	return newScheduler(c, r, unixClock(), &worker.Meter{}, newMetrics("t"))
}

func (s *scheduler) mustSubmit(t testing.TB, q *sequence) *sequence {
	t.Helper()
	if err := s.submit(q); err != nil {
		t.Fatal(err)
	}
	return q
}

// alone returns what a sequence generates with the worker to itself.
func alone(t testing.TB, prompt []int32, maxNew int, seed uint64) []int32 {
	s := testScheduler(t, Config{KVTokens: 1024})
	q := s.mustSubmit(t, newSequence(prompt, maxNew, 1, seed, s.unix()))
	for s.step(t.Context()) {
	}
	return q.tokens
}

// checkBlocks checks that each block is free or in exactly one table.
func checkBlocks(t testing.TB, s *scheduler) {
	t.Helper()
	owners := make([]int, s.runner.kv.blocks)
	for _, b := range s.runner.kv.free {
		owners[b]++
	}
	for _, q := range slices.Concat(s.running, s.waiting) {
		for _, b := range q.table {
			owners[b]++
		}
	}
	for _, q := range s.waiting {
		if len(q.table) > 0 {
			t.Fatal("a waiting sequence holds blocks")
		}
	}
	for b, n := range owners {
		if n != 1 {
			t.Fatalf("block %d has %d owners", b, n)
		}
	}
}

// checkStory checks that the segments of an ended sequence follow one another from arrival to end.
func checkStory(t testing.TB, q *sequence) {
	t.Helper()
	at, sum := q.arrived, int64(0)
	for _, g := range q.segments {
		if g.start != at || g.end <= g.start {
			t.Fatalf("segment %+v does not begin at %d or is empty", g, at)
		}
		at = g.end
	}
	for _, ns := range q.total {
		sum += ns
	}
	if at != q.ended || sum != q.ended-q.arrived {
		t.Fatalf("segments end at %d and sum to %d; sequence ended at %d after %d", at, sum, q.ended, q.ended-q.arrived)
	}
	if q.busy > q.ended-q.arrived {
		t.Fatalf("busy for %d of %d ns", q.busy, q.ended-q.arrived)
	}
}

func TestPreemptedSequenceGivesTheSameTokens(t *testing.T) {
	s := testScheduler(t, Config{KVTokens: 10 * blockTokens, MaxSeqs: 4})
	var all []*sequence
	for i := range 4 {
		all = append(all, s.mustSubmit(t, newSequence(testPrompt(30, i, 512), 60, 1, uint64(i), s.unix())))
	}
	for s.step(t.Context()) {
		checkBlocks(t, s)
	}
	thrown := 0
	for i, q := range all {
		if q.outcome != finished {
			t.Fatalf("sequence %d: %v", i, q.outcome)
		}
		checkStory(t, q)
		thrown += q.preemptions
		if want := alone(t, testPrompt(30, i, 512), 60, uint64(i)); !slices.Equal(q.tokens, want) {
			t.Errorf("sequence %d, preempted %d times, gave other tokens than alone", i, q.preemptions)
		}
		if (q.total[preempted] > 0) != (q.preemptions > 0) {
			t.Errorf("sequence %d: preempted %d times for %d ns", i, q.preemptions, q.total[preempted])
		}
	}
	if thrown == 0 || all[0].preemptions > 0 {
		t.Errorf("%d preemptions, %d of them of the oldest; want some, none of the oldest", thrown, all[0].preemptions)
	}
	if got := testutil.ToFloat64(s.metrics.preemptions); got != float64(thrown) {
		t.Errorf("counter says %v preemptions, want %d", got, thrown)
	}
}

func TestRandomSchedulesLeakNothing(t *testing.T) {
	seeds := uint64(8)
	if os.Getenv("ASSAY_FULL") != "" {
		seeds = 200
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := testScheduler(t, Config{KVTokens: blockTokens * (4 + rng.IntN(20)), MaxSeqs: 1 + rng.IntN(6), StepTokens: 8 + rng.IntN(60)})
		var all []*sequence
		for range 120 {
			if rng.IntN(3) == 0 && len(all) < 30 {
				n := 1 + rng.IntN(40)
				all = append(all, s.mustSubmit(t, newSequence(testPrompt(n, len(all), 512), 1+rng.IntN(min(30, s.capacity()-n)), 1, seed, s.unix())))
			}
			if rng.IntN(12) == 0 && len(all) > 0 {
				s.cancel(all[rng.IntN(len(all))])
			}
			s.step(t.Context())
			checkBlocks(t, s)
			if len(s.running) > s.maxSeqs {
				t.Fatalf("%d running, limit %d", len(s.running), s.maxSeqs)
			}
			rows := 0
			for _, c := range s.chunks {
				rows += len(c.tokens)
			}
			if rows > s.stepTokens {
				t.Fatalf("%d rows, limit %d", rows, s.stepTokens)
			}
		}
		for i := 0; s.step(t.Context()); i++ {
			if i > 10000 {
				t.Fatal("no end")
			}
		}
		for i, q := range all {
			checkStory(t, q)
			if q.outcome == finished != (q.generated() == q.maxNew) || q.outcome != finished && !q.gone.Load() {
				t.Fatalf("seed %d, sequence %d: %v with %d of %d tokens", seed, i, q.outcome, q.generated(), q.maxNew)
			}
			if got := len(q.out); got != q.generated() {
				t.Fatalf("%d tokens on the channel, %d generated", got, q.generated())
			}
			want := alone(t, q.tokens[:q.prompt], q.maxNew, seed)
			if !slices.Equal(q.tokens, want[:len(q.tokens)]) {
				t.Fatalf("seed %d, sequence %d (preempted %d times) differs from alone", seed, i, q.preemptions)
			}
		}
		if used := s.runner.kv.used(); used != 0 || s.queuedN.Load() != 0 || s.runningN.Load() != 0 || s.kvUsed.Load() != 0 {
			t.Fatalf("seed %d: %d blocks used, gauges %d %d %d, want all 0", seed, used, s.queuedN.Load(), s.runningN.Load(), s.kvUsed.Load())
		}
	}
}

// With host time as the only cost (a pass takes no time on the bubble's clock), times are exact: a wider batch serves more.
func TestStepOverheadMakesConcurrencyTheLimit(t *testing.T) {
	took := func(maxSeqs int) (d time.Duration, waits map[string]time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			s := testScheduler(t, Config{MaxSeqs: maxSeqs, StepOverhead: 10 * time.Millisecond})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			start := time.Now()
			var all []*sequence
			for i := range 4 {
				all = append(all, s.mustSubmit(t, newSequence(testPrompt(10, i, 512), 5, 1, 1, s.unix())))
			}
			go func() { s.run(ctx); close(done) }()
			for _, q := range all {
				for range q.out {
				}
			}
			d = time.Since(start)
			waits = map[string]time.Duration{}
			for _, q := range all {
				for _, w := range []state{waitStep, waitSeqs, waitKV} {
					if q.total[w] > 0 {
						waits[w.reason()] += time.Duration(q.total[w])
					}
				}
				if q.busy != 0 || q.total[prefill] != int64(10*time.Millisecond) || q.total[decode] != int64(40*time.Millisecond) {
					t.Errorf("busy %d, prefill %d, decode %d", q.busy, q.total[prefill], q.total[decode])
				}
			}
			cancel()
			<-done
		})
		return d, waits
	}
	ms := time.Millisecond
	type result struct {
		Took  time.Duration
		Waits map[string]time.Duration
	}
	for seqs, want := range map[int]result{
		1: {200 * ms, map[string]time.Duration{"max_seqs": (50 + 100 + 150) * ms}},
		2: {100 * ms, map[string]time.Duration{"max_seqs": 2 * 50 * ms}},
		4: {50 * ms, map[string]time.Duration{}},
	} {
		d, waits := took(seqs)
		if diff := cmp.Diff(want, result{d, waits}); diff != "" {
			t.Errorf("max_seqs %d (-want +got):\n%s", seqs, diff)
		}
	}
}

func TestWaitingForKVSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testScheduler(t, Config{KVTokens: 2 * blockTokens, StepOverhead: time.Millisecond})
		a := s.mustSubmit(t, newSequence(testPrompt(20, 1, 512), 4, 1, 1, s.unix()))
		b := s.mustSubmit(t, newSequence(testPrompt(20, 2, 512), 4, 1, 1, s.unix()))
		for s.step(t.Context()) {
		}
		if a.queued() != 0 || b.total[waitKV] != int64(4*time.Millisecond) || b.queued() != b.total[waitKV] {
			t.Errorf("first waited %d, second %d for the KV cache and %d in all", a.queued(), b.total[waitKV], b.queued())
		}
	})
}

// What arrives during a step waits for its end.
func TestArrivalDuringAStepWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testScheduler(t, Config{StepOverhead: 10 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.run(ctx)
		s.mustSubmit(t, newSequence(testPrompt(10, 1, 512), 5, 1, 1, s.unix()))
		time.Sleep(3 * time.Millisecond)
		b := s.mustSubmit(t, newSequence(testPrompt(10, 2, 512), 2, 1, 1, s.unix()))
		for range b.out {
		}
		want := []segment{
			{waitStep, b.arrived, b.arrived + 7e6},
			{prefill, b.arrived + 7e6, b.arrived + 17e6},
			{decode, b.arrived + 17e6, b.arrived + 27e6}}
		if diff := cmp.Diff(want, b.segments, cmp.AllowUnexported(segment{})); diff != "" {
			t.Errorf("segments (-want +got):\n%s", diff)
		}
		cancel()
		synctest.Wait()
	})
}

func TestCancelAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := testScheduler(t, Config{MaxSeqs: 1, MaxQueue: 2, StepOverhead: 10 * time.Millisecond})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.run(ctx); close(done) }()
		submit := func() *sequence { return newSequence(testPrompt(10, 1, 512), 100, 1, 1, s.unix()) }
		first := s.mustSubmit(t, submit())
		time.Sleep(15 * time.Millisecond)
		second, third := s.mustSubmit(t, submit()), s.mustSubmit(t, submit())
		if err := s.submit(submit()); !errors.Is(err, errQueueFull) {
			t.Errorf("third in a queue of two: %v", err)
		}
		s.cancel(first)
		s.cancel(third)
		for range third.out {
		}
		for range first.out {
		}
		time.Sleep(100 * time.Millisecond)
		cancel()
		<-done
		for range second.out {
		}
		if first.outcome != cancelled || third.outcome != cancelled || second.outcome != aborted || third.generated() != 0 || second.generated() == 0 {
			t.Errorf("outcomes %v, %v, %v", first.outcome, second.outcome, third.outcome)
		}
		if s.runner.kv.used() != 0 {
			t.Errorf("%d blocks in use after the end", s.runner.kv.used())
		}
		if err := s.submit(submit()); !errors.Is(err, errStopped) {
			t.Errorf("after the end: %v", err)
		}
	})
}
