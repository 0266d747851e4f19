//go:build !linux

package worker

// renice does nothing where priorities cannot be set in a portable way.
func renice(int) error { return nil }
