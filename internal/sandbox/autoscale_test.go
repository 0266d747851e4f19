package sandbox

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The loop in its own time: what is wanted when, from the load that a gateway would see.
func TestAutoscalerLoop(t *testing.T) {
	type change struct {
		At     time.Duration
		Want   int
		Reason string
	}
	run := func(t *testing.T, cfg Config, until time.Duration, script func(p *pool, a *autoscaler, at func(time.Duration))) []change {
		var got []change
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			p := newPool(cfg, 2*cfg.StableWindow, func() {})
			a := newAutoscaler(cfg, p, newEventLog(), func(want int, reason string) {
				got = append(got, change{time.Since(start), want, reason})
			})
			ctx, cancel := context.WithTimeout(t.Context(), until)
			defer cancel()
			go a.run(ctx)
			script(p, a, func(d time.Duration) {
				time.Sleep(time.Until(start.Add(d)))
				synctest.Wait()
			})
			<-ctx.Done()
			synctest.Wait()
		})
		return got
	}
	base := Defaults() // tick 500 ms, stable 6 s, panic 1 s, grace 2 s, at 2.8 requests an instance
	base.ActivationScale = 1
	ms := time.Millisecond
	// load puts n requests on the platform that nobody takes.
	load := func(p *pool, n int64) {
		p.mu.Lock()
		p.load.add(time.Now(), n)
		p.mu.Unlock()
	}
	ready := func(p *pool, ids ...string) {
		for _, id := range ids {
			b := &backend{id: id}
			p.add(b)
			p.admit(b, func(time.Time, bool) {})
		}
	}

	t.Run("from zero and back", func(t *testing.T) {
		got := run(t, base, 20*time.Second, func(p *pool, a *autoscaler, at func(time.Duration)) {
			at(1100 * ms)
			load(p, 1)
			a.wake() // at once, not at the tick
			at(1700 * ms)
			ready(p, "w-1")
			at(2100 * ms)
			load(p, -1)
		})
		// The stable window is without load from 8.1 s on, which the tick at 8.5 s sees; then comes the grace.
		want := []change{{1100 * ms, 1, startFromZero}, {10500 * ms, 0, "scale_to_zero"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("load within the grace", func(t *testing.T) {
		got := run(t, base, 22*time.Second, func(p *pool, a *autoscaler, at func(time.Duration)) {
			load(p, 1)
			a.wake()
			ready(p, "w-1")
			at(2100 * ms)
			load(p, -1)
			at(9 * time.Second)
			load(p, 1)
			at(9100 * ms)
			load(p, -1)
		})
		// Its last trace leaves the window at 15.1 s.
		want := []change{{0, 1, startFromZero}, {17500 * ms, 0, "scale_to_zero"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("out in a panic, in after it, within bounds", func(t *testing.T) {
		cfg := base
		cfg.MaxScale = 3
		got := run(t, cfg, 12*time.Second, func(p *pool, a *autoscaler, at func(time.Duration)) {
			load(p, 1)
			a.wake()
			ready(p, "w-1")
			at(2100 * ms)
			load(p, 49) // far more than three can take
			at(2700 * ms)
			ready(p, "w-2", "w-3")
			at(3100 * ms)
			load(p, -49) // one remains
		})
		// The threshold is last crossed at 3.5 s, when the panic window still holds most of the surge. The panic ends
		// more than a stable window later; by then the stable average is that of one request.
		want := []change{{0, 1, startFromZero}, {2500 * ms, 3, startOut}, {10 * time.Second, 1, exitScaleIn}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("activation scale", func(t *testing.T) {
		cfg := base
		cfg.ActivationScale = 2
		got := run(t, cfg, 3*time.Second, func(p *pool, a *autoscaler, at func(time.Duration)) {
			load(p, 1)
			a.wake()
		})
		if diff := cmp.Diff([]change{{0, 2, startFromZero}}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("initial scale, unused", func(t *testing.T) {
		cfg := base
		cfg.MaxScale, cfg.InitialScale = 4, 4
		got := run(t, cfg, 14*time.Second, func(p *pool, a *autoscaler, at func(time.Duration)) {
			at(2600 * ms) // until then it is held, however long the starts take
			ready(p, "w-1", "w-2", "w-3", "w-4")
			for _, d := range []time.Duration{3600 * ms, 4100 * ms} { // what was decided is done
				at(d)
				p.mu.Lock()
				p.backends = p.backends[:len(p.backends)/2]
				p.mu.Unlock()
			}
		})
		// Found reached at 3 s. The last goes after a stable window of being active, and the grace.
		want := []change{{0, 4, startInitial}, {3500 * ms, 2, exitScaleIn}, {4 * time.Second, 1, exitScaleIn}, {11 * time.Second, 0, "scale_to_zero"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("bounds and kept ones", func(t *testing.T) {
		cfg := base
		cfg.MinScale, cfg.MaxScale = 2, 2
		if diff := cmp.Diff([]change{{0, 2, startInitial}}, run(t, cfg, 30*time.Second, func(p *pool, _ *autoscaler, at func(time.Duration)) {
			at(100 * ms)
			ready(p, "w-1", "w-2")
		})); diff != "" {
			t.Errorf("min scale (-want +got):\n%s", diff)
		}
		cfg = base
		cfg.KeepLast, cfg.InitialScale = true, 1
		if diff := cmp.Diff([]change{{0, 1, startInitial}}, run(t, cfg, 30*time.Second, func(p *pool, _ *autoscaler, at func(time.Duration)) {
			at(100 * ms)
			ready(p, "w-1")
		})); diff != "" {
			t.Errorf("keep last (-want +got):\n%s", diff)
		}
	})
}
