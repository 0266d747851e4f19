package worker

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Renice lowers the priority of the whole process. On Linux a priority belongs to a thread, and
// new threads take that of the thread that makes them; so all present threads are set, again
// until a pass finds none that was missing.
func Renice(nice int) error {
	done := map[int]bool{}
	for {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list own threads: %w", err)
		}
		found := false
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || done[tid] {
				continue
			}
			done[tid], found = true, true
			if err := unix.Setpriority(unix.PRIO_PROCESS, tid, nice); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("set priority %d: %w", nice, err)
			}
		}
		if !found {
			return nil
		}
	}
}
