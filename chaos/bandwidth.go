package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/link"
)

// Limits of a rate: a slower link passes no probe in time, and a faster one cannot be told from none by a probe's head.
const (
	minRate  = 1 << 10
	maxRate  = 256 << 10
	ratePad  = 4 << 10 // bytes that a probe carries to measure a rate, at most
	padWorth = 200 * time.Millisecond
	rateRow  = 3 // looks in a row that must show it: on a busy machine one is slow by chance
)

func checkBandwidth(s *Step) []Wrong {
	if s.Rate < minRate || s.Rate > maxRate {
		return []Wrong{{"rate", fmt.Sprintf("%d bytes/s is out of range; %d to %d, so that the effect can be measured", s.Rate, minRate, maxRate)}}
	}
	return nil
}

func previewBandwidth(s *Step) string {
	return fmt.Sprintf("at most %d bytes/s each way on the link in front of %s, for %v", s.Rate, s.whom(), s.For)
}

// planBandwidth limits what passes the victim's link. The effect is measured by a padded probe against one that goes around the
// link at the same time.
func planBandwidth(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, err := d.planLink(ctx, v, link.Conditions{Rate: s.Rate})
	if err != nil {
		return nil, err
	}
	pad := int(min(ratePad, float64(s.Rate)*padWorth.Seconds()))
	need := time.Duration(float64(pad) / float64(s.Rate) * float64(time.Second))
	look := func(ctx context.Context) (text string, slow bool, err error) {
		direct, through := d.padded(ctx, v, 0, pad, false)
		if direct.end != endAnswer || through.end != endAnswer {
			return "", false, fmt.Errorf("probes saw %s through the link and %s around it", through.end, direct.end)
		}
		return fmt.Sprintf("%d bytes and an answer took %v through the link, %v around it", pad, round(through.first), round(direct.first)),
			through.first-direct.first >= need/2, nil
	}
	a.Effect = func(ctx context.Context) (effect string, err error) {
		row := 0
		err = until(ctx, 10*time.Millisecond, func() error {
			text, slow, err := look(ctx)
			if err == nil && slow {
				row++
			} else {
				row = 0
			}
			if err == nil && row < rateRow {
				err = fmt.Errorf("%s, want %v more %d times in a row", text, need, rateRow)
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
				return fmt.Errorf("%s, as under the limit", text)
			}
			if v.Process.Gone() {
				return nil
			}
			return err
		})
	}
	return a, nil
}
