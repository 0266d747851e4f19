//go:build !linux

package worker

// Renice does nothing where priorities cannot be set in a portable way.
func Renice(int) error { return nil }
