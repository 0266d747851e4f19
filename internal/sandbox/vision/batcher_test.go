package vision

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// passTime is how long the accelerator of these tests takes for a batch.
const passTime = 10 * time.Millisecond

// A bench is a batcher whose forward pass takes time and copies the first value of each image.
type bench struct {
	*batcher
	passes [][]float32 // first values of the images of each pass
}

// newBench returns a bench that runs until the test ends.
func newBench(t *testing.T, maxBatch int, window time.Duration) *bench {
	b := newBenchStopped(maxBatch, window)
	b.start(t)
	return b
}

// newBenchStopped returns a bench that does not run yet: what is submitted to it arrives at one instant.
func newBenchStopped(maxBatch int, window time.Duration) *bench {
	b := &bench{}
	b.batcher = &batcher{maxBatch: maxBatch, maxQueue: 16, window: window, classes: 1, meter: &worker.Meter{}, wake: make(chan struct{}, 1),
		unix: func() int64 { return time.Now().UnixNano() }, observe: func(int) {},
		forward: func(images, out [][]float32) float64 {
			var pass []float32
			for i, img := range images {
				pass = append(pass, img[0])
				out[i][0] = img[0]
			}
			b.passes = append(b.passes, pass)
			time.Sleep(passTime)
			return 0.5
		}}
	return b
}

// start runs the bench until the test ends.
func (b *bench) start(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { b.run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
}

func asking(values ...float32) *request {
	q := &request{}
	for _, v := range values {
		q.images = append(q.images, []float32{v})
	}
	return q
}

func (b *bench) must(t *testing.T, q *request) *request {
	t.Helper()
	if err := b.submit(q); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestBatchWaitsForCompanyWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 4, 5*time.Millisecond)
		one := b.must(t, asking(1))
		time.Sleep(3 * time.Millisecond)
		two := b.must(t, asking(2))
		<-one.done
		<-two.done
		ms := int64(time.Millisecond)
		if diff := cmp.Diff([][]float32{{1, 2}}, b.passes); diff != "" {
			t.Errorf("passes (-want +got):\n%s", diff)
		}
		if one.queued() != 5*ms || two.queued() != 2*ms || one.batch != 2 || one.busy != int64(passTime) || one.last-one.first != int64(passTime) {
			t.Errorf("got %+v and %+v", one, two)
		}
		if n := len(one.segments); n != 1 || one.segments[0].why != waitWindow {
			t.Errorf("got segments %v", one.segments)
		}
	})
}

func TestFullBatchWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2, time.Hour)
		q := b.must(t, asking(1, 2))
		<-q.done
		if q.queued() != 0 || q.outcome != outcomeOK || q.scores[1][0] != 2 {
			t.Errorf("got %+v", q)
		}
	})
}

func TestRequestsSpreadOverPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBenchStopped(2, 0)
		big := asking(1, 2, 3)
		small, late := asking(4), asking(5)
		for _, q := range []*request{big, small, late} {
			b.must(t, q)
		}
		b.start(t)
		for _, q := range []*request{big, small, late} {
			<-q.done
		}
		if diff := cmp.Diff([][]float32{{1, 2}, {3, 4}, {5}}, b.passes); diff != "" {
			t.Errorf("passes (-want +got):\n%s", diff)
		}
		if big.busy != 2*int64(passTime) || small.busy != int64(passTime) || small.queued() != int64(passTime) || late.queued() != 2*int64(passTime) {
			t.Errorf("busy %d and %d, queued %d and %d", big.busy, small.busy, small.queued(), late.queued())
		}
		if late.segments[0].why != waitBatch {
			t.Errorf("late waited for %v, want a full batch", late.segments)
		}
		if w, r := b.waitingN.Load(), b.runningN.Load(); w != 0 || r != 0 {
			t.Errorf("%d wait and %d run after the end", w, r)
		}
	})
}

func TestWaitingForAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 2, 0)
		first := b.must(t, asking(1))
		time.Sleep(4 * time.Millisecond)
		second := b.must(t, asking(2))
		<-second.done
		if want := []segment{{waitStep, second.submitted, first.last}}; !slices.Equal(second.segments, want) {
			t.Errorf("got %v, want %v", second.segments, want)
		}
	})
}

func TestBatcherRefusesCancelsAndAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, 0)
		b.maxQueue = 2
		running := b.must(t, asking(1))
		synctest.Wait()
		waits, gone := b.must(t, asking(2)), b.must(t, asking(3))
		if err := b.submit(asking(4)); !errors.Is(err, errQueueFull) {
			t.Errorf("got %v, want a full queue", err)
		}
		b.cancel(gone)
		<-gone.done
		<-running.done
		if gone.outcome != outcomeCancelled || gone.first != 0 {
			t.Errorf("got %+v", gone)
		}
		<-waits.done
		ctx, cancel := context.WithCancel(context.Background())
		stopped := newBenchStopped(1, 0)
		left := asking(9)
		stopped.must(t, left)
		cancel()
		stopped.run(ctx)
		<-left.done
		if left.outcome != outcomeAborted {
			t.Errorf("got %s, want aborted", left.outcome)
		}
		if err := stopped.submit(asking(1)); !errors.Is(err, errStopped) {
			t.Errorf("got %v, want stopped", err)
		}
		if n := stopped.waitingN.Load(); n != 0 {
			t.Errorf("%d still wait", n)
		}
	})
}
