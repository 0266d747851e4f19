package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

func previewHang(s *Step) string {
	return fmt.Sprintf("SIGSTOP to the process of %s, SIGCONT after %v", s.whom(), s.For)
}

// planHang freezes the victim's process. The kernel goes on accepting connections for it, so a
// probe that only connects does not see the hang.
func planHang(_ context.Context, _ *Local, _ *Step, v Victim) (*Action, error) {
	p := v.Process
	return &Action{
		Touches: []string{fmt.Sprintf("%v of %s", p, v.ID)},
		Undo:    Undo{Kind: UndoSignal, Process: &p, Signal: int(sigCont)},
		Apply: func(_ context.Context, stamp func()) error {
			return p.signal(sigStop, stamp)
		},
		Effect: func(ctx context.Context) (string, error) {
			err := until(ctx, time.Millisecond, func() error {
				s, err := p.look()
				if err == nil && !s.stopped() {
					err = fmt.Errorf("%v is in state %c, not stopped", p, s.state)
				}
				return err
			})
			return fmt.Sprintf("pid %d is in state T (stopped)", p.PID), err
		},
		Ended: func() string {
			switch s, err := p.look(); {
			case err != nil:
				return err.Error()
			case !s.stopped():
				return "the process was continued by someone else"
			}
			return ""
		},
	}, nil
}

// The numbers of Linux, so that a journal read on another system names the same signals.
const (
	sigCont = syscall.Signal(18)
	sigStop = syscall.Signal(19)
)
