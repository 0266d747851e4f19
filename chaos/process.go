package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// errGone says that a process has ended, or that its pid belongs to another by now.
var errGone = errors.New("the process is gone")

// A Process is a process that cannot be mistaken for another: pids are reused, pairs of pid and
// start time are not, until the machine restarts.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot, field 22 of /proc/PID/stat
}

// String returns the pid and the start time.
func (p Process) String() string { return fmt.Sprintf("pid %d (start %d)", p.PID, p.Start) }

// stat is what /proc/PID/stat says.
type stat struct {
	state           byte // R, S, D, T, t, Z, X, …
	ppid, pgrp, sid int
	tty             int // number of its terminal; 0 for none
	start           uint64
}

// stopped reports whether the process is frozen by a signal or a tracer.
func (s stat) stopped() bool { return s.state == 'T' || s.state == 't' }

// dead reports whether only the entry of the process is left.
func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' || s.state == 'x' }

// parseStat reads a line of /proc/PID/stat. The name in it may hold spaces and brackets, so
// fields are counted from the last bracket.
func parseStat(b []byte) (stat, error) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return stat{}, fmt.Errorf("parse process status %q: no name", b)
	}
	f := bytes.Fields(b[end+1:])
	if len(f) < 20 || len(f[0]) != 1 {
		return stat{}, fmt.Errorf("parse process status: %d fields after the name, want 20 or more", len(f))
	}
	s := stat{state: f[0][0]}
	for i, p := range []*int{&s.ppid, &s.pgrp, &s.sid, &s.tty} {
		n, err := strconv.Atoi(string(f[1+i]))
		if err != nil {
			return stat{}, fmt.Errorf("parse process status: field %d: %w", 4+i, err)
		}
		*p = n
	}
	start, err := strconv.ParseUint(string(f[19]), 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("parse process status: field 22: %w", err)
	}
	s.start = start
	return s, nil
}
