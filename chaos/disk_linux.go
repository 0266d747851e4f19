package chaos

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// disksWork reports why disks cannot be filled here.
func disksWork() error { return nil }

// freeBytes returns what a user may still write to the file system of a directory.
func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// heldBytes returns what a file takes of its disk.
func heldBytes(path string) (int64, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return 0, fmt.Errorf("look at %s: %w", path, err)
	}
	return st.Blocks * 512, nil
}

// allocate gives a file its space at once, without writing it.
func allocate(f *os.File, n int64) error {
	if err := unix.Fallocate(int(f.Fd()), 0, 0, n); err != nil {
		return fmt.Errorf("allocate %d bytes for %s: %w", n, f.Name(), err)
	}
	return nil
}

// sameDisk reports whether two paths lie on one file system.
func sameDisk(a, b string) (bool, error) {
	var of [2]unix.Stat_t
	for i, path := range []string{a, b} {
		if err := unix.Stat(path, &of[i]); err != nil {
			return false, fmt.Errorf("look at %s: %w", path, err)
		}
	}
	return of[0].Dev == of[1].Dev, nil
}
