//go:build unix

package rusage

import (
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the CPU time that this process has used so far.
func CPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
