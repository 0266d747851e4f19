package chaos

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
)

func previewHang(s *Step) string {
	return fmt.Sprintf("SIGSTOP to the process of %s, SIGCONT after %v", s.whom(), s.For)
}

// planHang freezes the victim's process. It is in effect when the process is stopped, a connect to it still succeeds, since the
// kernel goes on accepting for it, and a request on a new connection is not answered: the hang that a probe by TCP does not see.
func planHang(_ context.Context, d *Local, _ *Step, v Victim) (*Action, error) {
	p := v.Process
	return &Action{
		Touches: []string{fmt.Sprintf("%v of %s", p, v.ID)},
		Holds:   []string{holdStop(p)},
		Undo:    Undo{Kind: UndoSignal, Process: &p, Signal: int(sigCont)},
		Apply: func(_ context.Context, stamp func()) error {
			return p.signal(sigStop, stamp)
		},
		Effect: func(ctx context.Context) (effect string, err error) {
			err = until(ctx, time.Millisecond, func() error {
				s, err := p.look()
				if err == nil && !s.stopped() {
					err = fmt.Errorf("%v is in state %c, not stopped", p, s.state)
				}
				if err != nil {
					return err
				}
				effect, err = d.deaf(ctx, v)
				effect = fmt.Sprintf("pid %d is in state T (stopped); %s", p.PID, effect)
				return err
			})
			return effect, err
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

// deaf returns nil if a connect to the victim succeeds while a request gets no answer, and what was seen.
func (d *Local) deaf(ctx context.Context, v Victim) (string, error) {
	begin := time.Now()
	dialing, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	c, err := new(net.Dialer).DialContext(dialing, "tcp", v.Addr)
	if err != nil {
		return "", fmt.Errorf("connect to %s: %w", v.ID, err)
	}
	took := time.Since(begin)
	c.Close()
	asking, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	got := d.probe(asking, v.Addr)
	if ctx.Err() != nil {
		return "", fmt.Errorf("a probe saw %s", endStopped)
	}
	if got.end != endSilence {
		return "", fmt.Errorf("a probe saw %s", got.end)
	}
	return fmt.Sprintf("a TCP connect took %v, an HTTP request got no answer for %v", round(took), silence), nil
}

// The numbers of Linux, so that a journal read on another system names the same signals.
const (
	sigCont = syscall.Signal(18)
	sigStop = syscall.Signal(19)
)
