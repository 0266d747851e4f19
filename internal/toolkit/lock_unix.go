//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package toolkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lock takes the experiment in dir, so that nobody plays its rollbacks or begins an activity meanwhile, in whatever process. It waits for whoever has
// it until ctx is done, and ends with its holder. Where the file system has no locks it goes on without: the rollbacks matter more.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, fileLock), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return func() {}, nil
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return func() { f.Close() }, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("somebody else plays its rollbacks: %w", context.Cause(ctx))
		}
	}
}
