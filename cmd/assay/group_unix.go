//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the command's process into a process group of its own, out of reach of a terminal's Ctrl-C.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the group that a process leads which was not waited for yet.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
