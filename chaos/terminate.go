package chaos

import (
	"context"
	"fmt"
	"syscall"
)

func previewTerminate(s *Step) string {
	return fmt.Sprintf("SIGTERM to the process of %s", s.whom())
}

// planTerminate asks the victim's process to end, as a node that is drained does. It is in effect when the process is
// gone; one that takes longer to drain than the effect is looked for makes the fault void.
func planTerminate(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, err := planKill(ctx, d, s, v)
	if err != nil {
		return nil, err
	}
	a.Apply = func(_ context.Context, stamp func()) error { return v.Process.signal(syscall.SIGTERM, stamp) }
	return a, nil
}
