//go:build unix

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// openFiles returns how many files this process may have open.
func openFiles() (uint64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("look at the limit of open files: %w", err)
	}
	return uint64(l.Cur), nil
}

// writable reports why nothing can be made in a directory.
func writable(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	return nil
}
