package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/link"
)

func checkSlowClose(s *Step) []Wrong {
	switch {
	case s.Delay <= 0:
		return []Wrong{{"delay", fmt.Sprintf("%v delays nothing; for example 2s", s.Delay)}}
	case s.For > 0 && s.For <= 2*s.Delay:
		return []Wrong{{"for", fmt.Sprintf("%v is too short for a delay of %v to be measured; more than %v", s.For, s.Delay, 2*s.Delay)}}
	}
	return nil
}

func previewSlowClose(s *Step) string {
	return fmt.Sprintf("each end of a connection %v later on the link in front of %s, for %v", s.Delay, s.whom(), s.For)
}

// planSlowClose delays the orderly ends of what passes the victim's link, so that its clients hold connections that are over. It is
// measured by a probe that waits for the end, against one that goes around the link.
func planSlowClose(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, err := d.planLink(ctx, v, link.Conditions{Linger: s.Delay})
	if err != nil {
		return nil, err
	}
	look := func(ctx context.Context) (text string, slow bool, err error) {
		direct, through := d.padded(ctx, v, 0, 0, true)
		if direct.end != endAnswer || through.end != endAnswer {
			return "", false, fmt.Errorf("probes saw %s through the link and %s around it", through.end, direct.end)
		}
		return fmt.Sprintf("the end came %v after the answer through the link, %v around it", round(through.close), round(direct.close)),
			through.close-direct.close >= s.Delay/2, nil
	}
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			text, slow, err := look(ctx)
			if err == nil && !slow {
				err = fmt.Errorf("%s, want %v more", text, s.Delay)
			}
			effect = text
			return err
		})
		return effect, err
	}
	a.Lifted = func(ctx context.Context) error {
		return until(ctx, 10*time.Millisecond, func() error {
			text, slow, err := look(ctx)
			if err == nil && slow {
				return fmt.Errorf("%s, as under the delay", text)
			}
			if v.Process.Gone() {
				return nil
			}
			return err
		})
	}
	return a, nil
}
