//go:build !unix

package chaos

import "syscall"

func ownSession() *syscall.SysProcAttr { return nil }
