package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Starts is what a platform says of a delay of starts.
type Starts struct {
	Delay     time.Duration `json:"delay_ns"`
	Holding   int           `json:"holding"`    // held back now
	HoldingNS time.Duration `json:"holding_ns"` // for how long the first of them
	Held      int           `json:"held"`       // let go since the delay was set
	LastNS    time.Duration `json:"last_ns"`    // how long the last of them was held
}

// A Starter can hold instances back before their process is made. Its methods may be called at once.
type Starter interface {
	// Starts returns the delay, and what it has done.
	Starts(ctx context.Context) (Starts, error)
	// SetStarts delays the starts that follow, calling stamp right before.
	SetStarts(ctx context.Context, d time.Duration, stamp func()) error
	// UndoStarts returns the undo that lifts the delay and lets go who is held back.
	UndoStarts() Undo
}

var _ Starter = (*AdminPlatform)(nil)

const startsPath = "/admin/starts"

// Starts returns the delay of starts, and what it has done.
func (p *AdminPlatform) Starts(ctx context.Context) (s Starts, err error) {
	b, err := p.call(ctx, http.MethodGet, startsPath, "", nil)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("GET %s%s: %w", p.URL, startsPath, err)
	}
	return s, nil
}

// SetStarts delays the starts that follow.
func (p *AdminPlatform) SetStarts(ctx context.Context, d time.Duration, stamp func()) error {
	_, err := p.call(ctx, http.MethodPut, startsPath, fmt.Sprintf(`{"delay_ns":%d}`, d), stamp)
	return err
}

// UndoStarts returns the undo that lifts the delay.
func (p *AdminPlatform) UndoStarts() Undo { return p.undo(startsPath, `{"delay_ns":0}`) }

func checkSlowStart(s *Step) []Wrong {
	switch {
	case s.Delay < time.Millisecond || s.Delay > 10*time.Minute:
		return []Wrong{{"delay", fmt.Sprintf("%v is out of range; 1ms to 10m, for example 5s", s.Delay)}}
	case s.For > 0 && s.For <= s.Delay:
		return []Wrong{{"for", fmt.Sprintf("%v is over before a start is %v late; more than that", s.For, s.Delay)}}
	}
	return nil
}

func previewSlowStart(s *Step) string {
	return fmt.Sprintf("each instance that starts is held back by the platform for %v before its process is made, for %v", s.Delay, s.For)
}

// planSlowStart has the platform hold back each instance that starts. It is in effect when one was held back, or has been for half the
// delay, as the platform tells by its own clock: where nothing starts, nothing is slow.
func planSlowStart(ctx context.Context, d *Local, s *Step, _ Victim) (*Action, error) {
	p, ok := d.Platform.(Starter)
	if !ok {
		return nil, errors.New("the platform starts nothing of itself")
	}
	now, err := p.Starts(ctx)
	if err != nil {
		return nil, err
	}
	if now.Delay != 0 {
		return nil, fmt.Errorf("its starts are delayed by %v already, by someone else", now.Delay)
	}
	return &Action{
		Touches: []string{"the starts of all instances of the target, in the platform"},
		Undo:    p.UndoStarts(),
		Holds:   []string{"starts"},
		Look:    max(0, s.For-5*time.Second), // the load may make one start later
		Apply:   func(ctx context.Context, stamp func()) error { return p.SetStarts(ctx, s.Delay, stamp) },
		Effect: func(ctx context.Context) (effect string, err error) {
			err = until(ctx, 20*time.Millisecond, func() error {
				now, err := p.Starts(ctx)
				switch {
				case err != nil:
					return err
				case now.Delay != s.Delay:
					return fmt.Errorf("the platform delays starts by %v, want %v", now.Delay, s.Delay)
				case now.Held > 0 && now.LastNS >= s.Delay:
					effect = fmt.Sprintf("the platform held a start back for %v", round(now.LastNS))
				case now.Holding > 0 && now.HoldingNS >= s.Delay/2:
					effect = fmt.Sprintf("the platform has held a start back for %v of %v so far", round(now.HoldingNS), s.Delay)
				default:
					return fmt.Errorf("starts are delayed by %v, but none was to be made", now.Delay)
				}
				return nil
			})
			return effect, err
		},
		During: func(ctx context.Context) string {
			starts := 0
			look := time.NewTicker(100 * time.Millisecond)
			defer look.Stop()
			for {
				select {
				case <-look.C:
				case <-ctx.Done():
					return fmt.Sprintf("%d starts were held back", starts)
				}
				if now, err := p.Starts(ctx); err == nil {
					starts = max(starts, now.Held+now.Holding)
				}
			}
		},
		Ended: func() string {
			if self := d.Platform.Process(); self.PID > 0 && self.Gone() {
				return "the platform is gone"
			}
			return ""
		},
	}, nil
}
