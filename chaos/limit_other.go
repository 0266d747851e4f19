//go:build !linux

package chaos

import "errors"

var errNoLimits = errors.New("limits of other processes need Linux")

func limitsWork() error { return errNoLimits }

func (p Process) limit(string) (limit, error)          { return limit{}, errNoLimits }
func (p Process) setLimit(string, limit, func()) error { return errNoLimits }
func (p Process) memory() (memory, error)              { return memory{}, errNoLimits }
