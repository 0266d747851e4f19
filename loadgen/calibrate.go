package loadgen

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/rusage"
)

const (
	calibrateFor    = time.Second
	calibrateTokens = 16
)

// cpuTime returns the CPU time this process has used.
var cpuTime = rusage.CPU

// A Calibration says what this machine can send, as it was just now.
type Calibration struct {
	Rate     float64 // requests per second that were tried
	Sent     int64
	Failed   int64 // not answered, or refused by the cap
	LateP50  time.Duration
	LateP99  time.Duration
	CPU      time.Duration // per request, both sides of a built-in server included: an upper bound; 0 where the system does not tell
	SafeRate float64       // requests per second that leave half of the machine free; 0 where CPU is unknown
}

// Calibrate sends to a built-in server on loopback for at most a second, at one and a half times the asked rate, and
// reports how late the sends were and what one costs. The server answers with 16 tokens at once. It needs the machine for
// itself: what else runs shows as lateness, which is the point.
func Calibrate(ctx context.Context, rate float64) (Calibration, error) {
	if !(rate > 0) {
		return Calibration{}, fmt.Errorf("calibrate at %g/s: want more than 0/s", rate)
	}
	rate *= 1.5
	length := min(calibrateFor, time.Duration(20_000/rate*1e9))
	server, err := newNoop(ctx, calibrateTokens)
	if err != nil {
		return Calibration{}, fmt.Errorf("calibrate: %w", err)
	}
	defer server.close()
	clk := clock.New()
	client, err := NewOpenAI(Endpoint{URL: server.url(), Clock: clk})
	if err != nil {
		return Calibration{}, fmt.Errorf("calibrate: %w", err)
	}
	defer client.Close()
	g, err := New(Config{Clock: clk, Client: client, Model: "none", Stream: true, Deadline: 2 * time.Second, Seed: 1, Phases: []Phase{
		{Name: "calibrate", Arrivals: Even{Profile{Rate: rate}}, For: length, Prompt: Fixed(64), Output: Fixed(calibrateTokens)}}})
	if err != nil {
		return Calibration{}, fmt.Errorf("calibrate: %w", err)
	}
	var good atomic.Int64
	before := cpuTime()
	err = g.Run(ctx, func(rec assay.Record) error {
		if r, ok := rec.(*assay.Request); ok && r.Outcome == assay.OK {
			good.Add(1)
		}
		return nil
	})
	used := cpuTime() - before
	if err != nil {
		return Calibration{}, fmt.Errorf("calibrate: %w", err)
	}
	if ctx.Err() != nil {
		return Calibration{}, fmt.Errorf("calibrate: %w", ctx.Err())
	}
	live := g.Live()
	c := Calibration{Rate: rate, Sent: live.Sent, Failed: live.Done - good.Load(), LateP50: live.LateP50, LateP99: live.LateP99}
	if used > 0 && live.Sent > 0 {
		c.CPU = used / time.Duration(live.Sent)
		c.SafeRate = 0.5 * float64(runtime.GOMAXPROCS(0)) / c.CPU.Seconds()
	}
	return c, nil
}
