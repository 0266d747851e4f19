//go:build !linux

package chaos

import (
	"context"
	"errors"
	"io"
)

var errNoFUSE = errors.New("to serve files badly needs Linux")

func fuseWorks() error { return errNoFUSE }

// ReadsMain cannot be done here.
func ReadsMain(context.Context, io.Reader, []string) error { return errNoFUSE }

func covered(string) (string, error) { return "", errNoFUSE }

func failedRead(error) bool { return false }

func mounted(string, string) (bool, error) { return false, errNoFUSE }

func unmount(string, string) error { return errNoFUSE }

func liftReads(string) error { return errNoFUSE }

func readsAreLifted(string) error { return errNoFUSE }
