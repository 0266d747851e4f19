package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

var resources = map[string]int{resourceFiles: unix.RLIMIT_NOFILE, resourceMemory: unix.RLIMIT_AS}

// limitsWork reports why limits of other processes cannot be set here.
func limitsWork() error {
	if err := signalsWork(); err != nil {
		return err
	}
	var now unix.Rlimit
	if err := unix.Prlimit(os.Getpid(), unix.RLIMIT_NOFILE, nil, &now); err != nil {
		return fmt.Errorf("prlimit is needed to set limits of a process: %w", err)
	}
	return nil
}

// limit returns a limit of the process, or errGone if it has ended.
func (p Process) limit(resource string) (limit, error) {
	var now unix.Rlimit
	err := p.prlimit(resource, nil, &now, func() {})
	return limit{now.Cur, now.Max}, err
}

// setLimit sets a limit of the process, calling stamp right before.
func (p Process) setLimit(resource string, l limit, stamp func()) error {
	return p.prlimit(resource, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil, stamp)
}

func (p Process) prlimit(resource string, set, got *unix.Rlimit, stamp func()) error {
	r, ok := resources[resource]
	if !ok {
		return fmt.Errorf("limit of %v: resource %q is not known", p, resource)
	}
	if p.PID <= 1 || p.Start == 0 {
		return fmt.Errorf("limit of %v: not a process that may be limited", p)
	}
	// The call takes a pid, so this look comes right before it: a pid is given to another only after all others were.
	if _, err := p.look(); err != nil {
		return err
	}
	stamp()
	err := unix.Prlimit(p.PID, r, set, got)
	if errors.Is(err, unix.ESRCH) {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("limit %s of %v: %w", resource, p, err)
	}
	return nil
}

// memory returns the memory that the process has.
func (p Process) memory() (m memory, err error) {
	if _, err := p.look(); err != nil {
		return m, err
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/statm")
	if err != nil {
		return m, fmt.Errorf("memory of %v: %w", p, err)
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return m, fmt.Errorf("memory of %v: nothing is told", p)
	}
	for i, to := range []*uint64{&m.space, &m.resident} {
		pages, err := strconv.ParseUint(string(f[i]), 10, 64)
		if err != nil {
			return m, fmt.Errorf("memory of %v: %w", p, err)
		}
		*to = pages * uint64(os.Getpagesize())
	}
	return m, nil
}
