package loadgen

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/rusage"
)

// How a calibration goes.
const (
	calibrateTokens  = 16                     // of an answer that comes in one piece
	calibrateStep    = 700 * time.Millisecond // length of a step
	calibrateFrom    = 500                    // requests per second of the first step
	calibrateMost    = 100_000                // and of the highest
	calibrateFactor  = 2                      // between steps; two more then narrow the gap
	calibrateNarrow  = 2
	calibrateTries   = 2                // a rate must be late so often: what else runs for a moment is no limit
	calibrateLate    = time.Millisecond // p99 of the lateness that is still on time
	calibrateFail    = 0.01             // share of the requests that may fail
	calibrateStreams = 100              // per second, of spacedEvents each
)

// cpuTime returns the CPU time this process has used.
var cpuTime = rusage.CPU

// A Calibration says what this machine can send, as it was just now.
type Calibration struct {
	PerRequest time.Duration // CPU time of the client for a request whose answer of 16 tokens comes in one piece; 0 where the system does not tell
	PerEvent   time.Duration // and for each event of an answer that comes one by one
	SafeRate   float64       // highest rate of such requests that was on time, per second; 0 if none was
	LateP50    time.Duration // at that rate
	LateP99    time.Duration
	Beyond     string // why the next higher rate was not on time; "" if none was tried
	Steps      []CalibrationStep
}

// CalibrationStep is what one rate showed.
type CalibrationStep struct {
	Rate    float64       `json:"rate_per_s"`
	Sent    int64         `json:"sent"`
	Failed  int64         `json:"failed"` // not answered, or refused by the cap
	LateP50 time.Duration `json:"lateness_p50_ns"`
	LateP99 time.Duration `json:"lateness_p99_ns"`
	CPU     time.Duration `json:"cpu_ns"`        // of the client
	Why     string        `json:"why,omitempty"` // it was not on time; "" if it was
}

// Calibrate sends to the built-in server at url, see [ServeNoop], and raises the rate up to most, 0 for a very high one, until sends are late at
// p99, some requests fail, or not all leave. It takes at most about fifteen seconds. It needs the machine for itself: what else runs shows as
// lateness, which is the point. The server must run in a process of its own, or its CPU time counts as ours.
func Calibrate(ctx context.Context, url string, most float64) (Calibration, error) {
	if most == 0 {
		most = calibrateMost
	}
	if !(most > 0) || math.IsInf(most, 0) {
		return Calibration{}, fmt.Errorf("calibrate up to %g/s: want more than 0/s", most)
	}
	var c Calibration
	try := func(rate float64) (held bool, err error) {
		var s CalibrationStep
		for range calibrateTries {
			if s, err = calibrateAt(ctx, url, rate, calibrateTokens); err != nil || s.Why == "" {
				break
			}
		}
		if err != nil {
			return false, err
		}
		c.Steps = append(c.Steps, s)
		if s.Why != "" {
			c.Beyond = fmt.Sprintf("at %.0f/s %s", s.Rate, s.Why)
			return false, nil
		}
		c.SafeRate, c.LateP50, c.LateP99 = s.Rate, s.LateP50, s.LateP99
		return true, nil
	}
	rate, late := math.Min(calibrateFrom, most), 0.0
	for {
		held, err := try(rate)
		if err != nil {
			return Calibration{}, err
		}
		if !held {
			late = rate
			break
		}
		if rate >= most {
			break
		}
		rate = math.Min(most, rate*calibrateFactor)
	}
	for range calibrateNarrow {
		if late == 0 || c.SafeRate == 0 {
			break
		}
		rate = math.Sqrt(c.SafeRate * late)
		held, err := try(rate)
		if err != nil {
			return Calibration{}, err
		}
		if !held {
			late = rate
		}
	}
	return c, c.cost(ctx, url)
}

// cost fills in what a request and an event take.
func (c *Calibration) cost(ctx context.Context, url string) error {
	at := math.Min(1000, math.Max(calibrateFrom, c.SafeRate))
	whole, err := calibrateAt(ctx, url, at, calibrateTokens)
	if err != nil {
		return err
	}
	spaced, err := calibrateAt(ctx, url+spacedPath, calibrateStreams, spacedEvents)
	if err != nil {
		return err
	}
	if whole.CPU > 0 && whole.Sent > 0 && spaced.Sent > 0 {
		c.PerRequest = whole.CPU / time.Duration(whole.Sent)
		c.PerEvent = max(0, spaced.CPU/time.Duration(spaced.Sent)-c.PerRequest) / spacedEvents
	}
	return nil
}

// calibrateAt sends for one step.
func calibrateAt(ctx context.Context, url string, rate float64, tokens int) (CalibrationStep, error) {
	clk := clock.New()
	client, err := NewOpenAI(Endpoint{URL: url, Clock: clk})
	if err != nil {
		return CalibrationStep{}, fmt.Errorf("calibrate: %w", err)
	}
	defer client.Close()
	length := max(calibrateStep, time.Duration(100/rate*1e9))
	g, err := New(Config{Clock: clk, Client: client, Model: "none", Stream: true, Deadline: 2 * time.Second, Seed: 1, Phases: []Phase{
		{Name: "calibrate", Arrivals: Even{Profile{Rate: rate}}, For: length, Prompt: Fixed(64), Output: Fixed(tokens)}}})
	if err != nil {
		return CalibrationStep{}, fmt.Errorf("calibrate: %w", err)
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
		return CalibrationStep{}, fmt.Errorf("calibrate: %w", err)
	}
	if ctx.Err() != nil {
		return CalibrationStep{}, fmt.Errorf("calibrate: %w", ctx.Err())
	}
	live := g.Live()
	s := CalibrationStep{Rate: rate, Sent: live.Sent, Failed: live.Done - good.Load(), LateP50: live.LateP50, LateP99: live.LateP99, CPU: used}
	switch due := rate * length.Seconds(); {
	case s.LateP99 > calibrateLate:
		s.Why = fmt.Sprintf("sends were %v late at p99", s.LateP99.Round(time.Microsecond))
	case float64(s.Failed) > calibrateFail*due:
		s.Why = fmt.Sprintf("%d of %.0f requests were not answered", s.Failed, due)
	case float64(s.Sent) < (1-calibrateFail)*due-1:
		s.Why = fmt.Sprintf("%d of %.0f requests were sent", s.Sent, due)
	}
	return s, nil
}
