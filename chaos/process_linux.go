package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalsWork reports why faults by signal cannot be done here.
func signalsWork() error {
	if _, err := look(os.Getpid()); err != nil {
		return fmt.Errorf("/proc is needed to tell processes apart: %w", err)
	}
	return nil
}

// bootID names this boot of the machine.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(bytes.TrimSpace(b))
}

// look returns the status of a pid, or errGone.
func look(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return stat{}, errGone
	}
	if err != nil {
		return stat{}, err
	}
	return parseStat(b)
}

// ProcessOf returns the process that has the pid now.
func ProcessOf(pid int) (Process, error) {
	s, err := look(pid)
	if err != nil {
		return Process{}, fmt.Errorf("look at pid %d: %w", pid, err)
	}
	return Process{pid, s.start}, nil
}

// look returns the process's status, or errGone if it has ended.
func (p Process) look() (stat, error) {
	s, err := look(p.PID)
	if err == nil && (s.start != p.Start || s.dead()) {
		err = errGone
	}
	return s, err
}

// Gone reports whether the process has ended.
func (p Process) Gone() bool {
	_, err := p.look()
	return errors.Is(err, errGone)
}

// signal sends sig to the process and to no other, calling stamp right before. It
// returns errGone if the process has ended.
func (p Process) signal(sig syscall.Signal, stamp func()) error {
	if p.PID <= 1 || p.Start == 0 {
		return fmt.Errorf("signal %v: not a process that may be signalled", p)
	}
	// The descriptor pins the process; if its start time is right afterwards, it is the one we mean.
	fd, err := unix.PidfdOpen(p.PID, 0)
	switch {
	case err == nil:
		defer unix.Close(fd)
	case errors.Is(err, unix.ESRCH):
		return errGone
	case !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM):
		return fmt.Errorf("open %v: %w", p, err)
	default:
		fd = -1
	}
	if _, err := p.look(); err != nil {
		return err
	}
	stamp()
	if fd >= 0 {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	} else {
		err = unix.Kill(p.PID, sig)
	}
	if errors.Is(err, unix.ESRCH) {
		return errGone
	}
	if err != nil {
		return fmt.Errorf("send %v to %v: %w", sig, p, err)
	}
	return nil
}

// members lists the living processes of the group that p leads or led. A group
// whose number was taken over by a later process has none.
func (p Process) members() ([]int, error) {
	if s, err := look(p.PID); err == nil && s.start != p.Start {
		return nil, nil
	}
	if err := unix.Kill(-p.PID, 0); errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		// A member started before its leader is none of ours: the number was reused.
		if s, err := look(pid); err == nil && s.pgrp == p.PID && !s.dead() && s.start >= p.Start {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// killGroup sends SIGKILL to the group that p leads or led, if any of it lives.
func (p Process) killGroup() error {
	if p.PID <= 1 || p.Start == 0 || p.PID == unix.Getpgrp() {
		return fmt.Errorf("kill group of %v: not a group that may be killed", p)
	}
	pids, err := p.members()
	if err != nil || len(pids) == 0 {
		return err
	}
	// While the group has members, its number cannot be given to another.
	if err := unix.Kill(-p.PID, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill group of %v: %w", p, err)
	}
	return nil
}

// refusal says why the process of a victim must not be hurt, or "". Of processes that a plan names also those that lead a session may be hurt, as
// services do, unless it is that of a terminal.
func refusal(v Victim, platform Process) string {
	p := v.Process
	if p.PID <= 1 {
		return "it is the first process of the machine"
	}
	s, err := p.look()
	switch {
	case err != nil:
		return err.Error()
	case p.PID == platform.PID:
		return "it is the platform itself"
	}
	for pid := os.Getpid(); pid > 1; {
		if pid == p.PID {
			return "it is this process or an ancestor of it"
		}
		a, err := look(pid)
		if err != nil {
			break
		}
		pid = a.ppid
	}
	switch {
	case s.sid == p.PID && !v.Named:
		return "it leads a session"
	case s.sid == p.PID && s.tty != 0:
		return "it leads the session of a terminal"
	case v.Named:
		return p.stranger()
	}
	if platform.PID > 0 && kin(p.PID, platform.PID) {
		return "it belongs to this run and is no instance of the platform"
	}
	return ""
}

// kin reports whether a process descends from this one other than by way of the platform: then it helps the run.
func kin(pid, platform int) bool {
	for pid > 1 && pid != platform {
		a, err := look(pid)
		if err != nil {
			return false
		}
		if pid = a.ppid; pid == os.Getpid() {
			return pid != platform
		}
	}
	return false
}
