//go:build unix

package gpu

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a command, and all that it starts, into a process group of its own.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the group of a command that was not waited for yet.
func killGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
