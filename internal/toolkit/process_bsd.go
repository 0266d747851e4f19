//go:build unix && !linux

package toolkit

import "syscall"

func withParent(a *syscall.SysProcAttr) *syscall.SysProcAttr { return a }
