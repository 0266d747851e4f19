package toolkit

import "syscall"

// withParent lets a process die with the thread that started it.
func withParent(a *syscall.SysProcAttr) *syscall.SysProcAttr {
	a.Pdeathsig = syscall.SIGKILL
	return a
}
