//go:build !linux

package chaos

import (
	"errors"
	"os"
)

var errNoDisks = errors.New("to fill a disk needs Linux")

func disksWork() error { return errNoDisks }

func freeBytes(string) (int64, error) { return 0, errNoDisks }

func heldBytes(string) (int64, error) { return 0, errNoDisks }

func allocate(*os.File, int64) error { return errNoDisks }

func sameDisk(string, string) (bool, error) { return false, errNoDisks }
