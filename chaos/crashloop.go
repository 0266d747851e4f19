package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

func previewCrashLoop(s *Step) string {
	return fmt.Sprintf("SIGKILL to the process of %s, and for %v, once for each such end, to that of the newest instance that has come up since, as soon as it is ready", s.whom(), s.For)
}

// planCrashLoop kills the victim's process and then, for as long as the fault is held, the newest instance that became ready and was not there when
// the last victim was killed, once for each end of a victim: those that start for other reasons are spared, as is one that another fault lies
// on or that the limits do not allow. There is nothing to undo: the loop ends with us.
func planCrashLoop(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, err := planKill(ctx, d, s, v)
	if err != nil {
		return nil, err
	}
	before, err := d.Platform.Instances(ctx)
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	last, spared := v.Process, processes(before)
	a.Touches = append(a.Touches, "after each end of a victim, the process of the newest instance that is ready and was not there then")
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
			if !last.Gone() {
				continue
			}
			all, err := d.Platform.Instances(ctx)
			if err != nil {
				continue // the next look may succeed
			}
			ready, n, err := d.Victims(ctx, s)
			if err != nil {
				continue
			}
			next, ok := newest(ready, spared)
			if !ok || ctx.Err() != nil || a.May != nil && a.May(next, ready, n) != nil {
				continue
			}
			if next.Process.signal(syscall.SIGKILL, func() {}) == nil {
				kills++
			}
			last, spared = next.Process, processes(all)
			spared[last] = true
		}
	}
	return a, nil
}

// newest returns the victim that started last of those that are not spared.
func newest(list []Victim, spared map[Process]bool) (last Victim, ok bool) {
	for _, v := range list {
		if !spared[v.Process] && (!ok || v.Process.Start > last.Process.Start) {
			last, ok = v, true
		}
	}
	return last, ok
}

func processes(list []Victim) map[Process]bool {
	set := map[Process]bool{}
	for _, v := range list {
		set[v.Process] = true
	}
	return set
}
