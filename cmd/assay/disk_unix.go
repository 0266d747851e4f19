//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// freeSpace returns the bytes that we may still write on the disk of path.
func freeSpace(path string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}

// diskSize returns the bytes of the file system of path.
func diskSize(path string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, &os.PathError{Op: "look at the file system of", Path: path, Err: err}
	}
	return int64(st.Blocks) * int64(st.Bsize), nil
}
