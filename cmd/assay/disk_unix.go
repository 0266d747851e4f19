//go:build unix

package main

import "golang.org/x/sys/unix"

// freeSpace returns the bytes that we may still write on the disk of path.
func freeSpace(path string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}
