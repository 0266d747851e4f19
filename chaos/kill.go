package chaos

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

func previewKill(s *Step) string { return fmt.Sprintf("SIGKILL to the process of %s", s.whom()) }

// planKill ends the victim's process at once. There is nothing to undo: to replace it is what the
// platform is for.
func planKill(_ context.Context, _ *Local, _ *Step, v Victim) (*Action, error) {
	return &Action{
		Touches: []string{fmt.Sprintf("%v of %s", v.Process, v.ID)},
		Undo:    Undo{Kind: UndoNone},
		Apply: func(_ context.Context, stamp func()) error {
			return v.Process.signal(syscall.SIGKILL, stamp)
		},
		Effect: func(ctx context.Context) (string, error) {
			err := until(ctx, time.Millisecond, func() error {
				switch _, err := v.Process.look(); {
				case err == nil:
					return fmt.Errorf("%v still lives", v.Process)
				case !errors.Is(err, errGone):
					return err
				}
				return nil
			})
			return fmt.Sprintf("pid %d is gone", v.Process.PID), err
		},
	}, nil
}
