//go:build !(linux && amd64)

package chaos

import (
	"context"
	"errors"
	"time"
)

var errNoClocks = errors.New("clocks of other processes can be shifted on Linux for amd64 only")

func clockWorks() error { return errNoClocks }

func (p Process) clockCode(time.Duration) ([]patch, error) { return nil, errNoClocks }

func (p Process) clockShifted([]patch) (bool, error) { return false, errNoClocks }

func (p Process) setClock(context.Context, []patch, bool) error { return errNoClocks }
