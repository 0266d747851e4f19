package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/link"
)

func checkDelay(s *Step) []Wrong {
	switch {
	case s.Delay <= 0:
		return []Wrong{{"delay", fmt.Sprintf("%v delays nothing; for example 200ms", s.Delay)}}
	case s.Jitter < 0 || s.Jitter > s.Delay:
		return []Wrong{{"jitter", fmt.Sprintf("%v is out of range; at most the delay, %v", s.Jitter, s.Delay)}}
	case s.For > 0 && s.For <= 2*(s.Delay+s.Jitter):
		return []Wrong{{"for", fmt.Sprintf("%v is no longer than one delayed round trip, so the effect cannot be measured; more than %v", s.For, 2*(s.Delay+s.Jitter))}}
	}
	return nil
}

func previewDelay(s *Step) string {
	text := fmt.Sprintf("%v", s.Delay)
	if s.Jitter > 0 {
		text += fmt.Sprintf(" ± %v", s.Jitter)
	}
	return fmt.Sprintf("%s each way on the link in front of %s, for %v", text, s.whom(), s.For)
}

// planDelay delays what passes the victim's link. The effect is measured against a probe that goes
// around the link at the same time, so that a busy instance is not taken for a slow network.
func planDelay(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, err := d.planLink(ctx, v, link.Conditions{Delay: s.Delay, Jitter: s.Jitter})
	if err != nil {
		return nil, err
	}
	// Two passes take twice the delay, less the jitter of each. By chance a jitter as large as
	// the delay may take nothing; then a later probe shows it.
	need := max(2*(s.Delay-s.Jitter), s.Delay)
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			direct, through := d.both(ctx, v, 0)
			if direct.end != endAnswer || through.end != endAnswer {
				return fmt.Errorf("probes saw %s through the link and %s around it", through.end, direct.end)
			}
			if through.first < need || through.first-direct.first < need/2 {
				return fmt.Errorf("first byte after %v through the link and %v around it, want %v more", round(through.first), round(direct.first), need)
			}
			effect = fmt.Sprintf("first byte after %v through the link, %v around it", round(through.first), round(direct.first))
			return nil
		})
		return effect, err
	}
	a.Lifted = func(ctx context.Context) error {
		return until(ctx, 10*time.Millisecond, func() error {
			direct, through := d.both(ctx, v, 0)
			if direct.end != endAnswer { // the instance has troubles of its own, which say nothing about its link
				return nil
			}
			if through.end != endAnswer || through.first-direct.first >= need/2 {
				return fmt.Errorf("a probe saw %s after %v through the link of %s and %v around it", through.end, round(through.first), v.ID, round(direct.first))
			}
			return nil
		})
	}
	return a, nil
}

// round shortens a duration for people.
func round(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
