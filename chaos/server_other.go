//go:build !linux

package chaos

import "net/netip"

func listener(netip.AddrPort) (Process, error) { return Process{}, errNoProc }

func (p Process) command() string { return "" }

func (p Process) stranger() string { return errNoProc.Error() }
