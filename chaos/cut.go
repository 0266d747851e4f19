package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/link"
)

// cutEnds is how a probe through a link ends under each cut.
var cutEnds = map[string]string{link.CutReset: endReset, link.CutClose: endEOF, link.CutBlackhole: endSilence, link.CutRefuse: endRefused}

// silence is how much longer than the instance itself a cut link must say nothing to be taken for a black hole.
const silence = 300 * time.Millisecond

func (s *Step) mode() string {
	if s.Mode == "" {
		return link.CutReset
	}
	return s.Mode
}

func checkCut(s *Step) []Wrong {
	if !slices.Contains(link.Cuts(), s.mode()) {
		return []Wrong{{"mode", fmt.Sprintf("%q is no way to cut; one of %s", s.Mode, strings.Join(link.Cuts(), ", "))}}
	}
	return nil
}

func previewCut(s *Step) string {
	return fmt.Sprintf("%s on the link in front of %s, for %v", s.mode(), s.whom(), s.For)
}

// planCut cuts the victim's link. It is in effect when a probe through the link ends as the cut says
// while one around it is answered.
func planCut(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, err := d.planLink(ctx, v, link.Conditions{Cut: s.mode()})
	if err != nil {
		return nil, err
	}
	want := cutEnds[s.mode()]
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			direct, through := d.both(ctx, v, silence)
			if direct.end != endAnswer {
				return fmt.Errorf("a probe around the link saw %s", direct.end)
			}
			if through.end != want {
				return fmt.Errorf("a probe through the link saw %s, want %s", through.end, want)
			}
			effect = fmt.Sprintf("%s after %v through the link, %s after %v around it", through.end, round(through.first), direct.end, round(direct.first))
			return nil
		})
		return effect, err
	}
	a.Lifted = func(ctx context.Context) error {
		return until(ctx, 10*time.Millisecond, func() error {
			direct, through := d.both(ctx, v, silence)
			if direct.end == endAnswer && through.end != endAnswer {
				return fmt.Errorf("a probe saw %s through the link of %s and %s around it", through.end, v.ID, direct.end)
			}
			return nil
		})
	}
	return a, nil
}
