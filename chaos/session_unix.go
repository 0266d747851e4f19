//go:build unix

package chaos

import "syscall"

// ownSession makes a child the leader of a new session, out of reach of the signals that a
// terminal sends to ours.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
