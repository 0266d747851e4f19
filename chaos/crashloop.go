package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

func previewCrashLoop(s *Step) string {
	return fmt.Sprintf("SIGKILL to the process of %s, and to each that takes its place as soon as it is ready, for %v", s.whom(), s.For)
}

// planCrashLoop kills the victim's process and then, for as long as the fault is held, each instance that becomes ready
// and was not there before. There is nothing to undo: the loop ends with us.
func planCrashLoop(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, err := planKill(ctx, d, s, v)
	if err != nil {
		return nil, err
	}
	before, err := d.Platform.Instances(ctx)
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	spared := map[Process]bool{v.Process: true}
	for _, o := range before {
		spared[o.Process] = true
	}
	a.Touches = append(a.Touches, "the process of each instance that is ready and was not there before")
	a.During = func(ctx context.Context) string {
		kills := 1
		look := time.NewTicker(20 * time.Millisecond)
		defer look.Stop()
		for {
			select {
			case <-look.C:
			case <-ctx.Done():
				return fmt.Sprintf("killed %d times", kills)
			}
			fresh, _, err := d.Victims(ctx, s)
			if err != nil {
				continue // the next look may succeed
			}
			for _, n := range fresh {
				if spared[n.Process] {
					continue
				}
				spared[n.Process] = true
				if ctx.Err() == nil && n.Process.signal(syscall.SIGKILL, func() {}) == nil {
					kills++
				}
			}
		}
	}
	return a, nil
}
