//go:build !linux

package chaos

import (
	"errors"
	"syscall"
)

var errNoProc = errors.New("processes can be told apart on Linux only")

func signalsWork() error { return errNoProc }

func bootID() string { return "" }

func look(int) (stat, error) { return stat{}, errNoProc }

// ProcessOf returns the process that has the pid now.
func ProcessOf(int) (Process, error) { return Process{}, errNoProc }

func (p Process) look() (stat, error) { return stat{}, errNoProc }

// Gone reports whether the process has ended; here it cannot tell.
func (p Process) Gone() bool { return false }

func (p Process) signal(syscall.Signal, func()) error { return errNoProc }

func (p Process) members() ([]int, error) { return nil, errNoProc }

func (p Process) killGroup() error { return errNoProc }

func refusal(Victim, Process) string { return errNoProc.Error() }
