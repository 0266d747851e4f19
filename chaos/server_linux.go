package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// listener returns the process that listens at an address, or errGone.
func listener(at netip.AddrPort) (Process, error) {
	var sockets []socket
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // without IPv6 there is no second one
			return Process{}, err
		}
		for _, s := range parseListeners(b) {
			if s.serves(at) {
				sockets = append(sockets, s)
			}
		}
	}
	// One that is bound to the very address gets what is sent there, not one that is bound to all.
	if slices.ContainsFunc(sockets, func(s socket) bool { return s.at == at }) {
		sockets = slices.DeleteFunc(sockets, func(s socket) bool { return s.at != at })
	}
	if len(sockets) == 0 {
		return Process{}, errGone
	}
	holders, err := holding(sockets)
	if err != nil {
		return Process{}, err
	}
	var roots []int
	for pid, s := range holders {
		if _, child := holders[s.ppid]; !child {
			roots = append(roots, pid)
		}
	}
	slices.Sort(roots)
	switch len(roots) {
	case 1:
		return Process{roots[0], holders[roots[0]].start}, nil
	case 0:
		return Process{}, fmt.Errorf("who listens on %v is not seen: it is of user %d, and we are user %d", at, sockets[0].uid, os.Geteuid())
	}
	return Process{}, fmt.Errorf("%d processes listen on %v, each by itself: %v", len(roots), at, roots)
}

// holding returns the processes that have one of the sockets open, as far as we may look.
func holding(sockets []socket) (map[int]stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, s := range sockets {
		wanted["socket:["+s.inode+"]"] = true
	}
	out := map[int]stat{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := "/proc/" + e.Name() + "/fd"
		fds, err := os.ReadDir(dir)
		if err != nil { // it has ended, or is another user's
			continue
		}
		for _, fd := range fds {
			if to, err := os.Readlink(dir + "/" + fd.Name()); err == nil && wanted[to] {
				if s, err := look(pid); err == nil && !s.dead() {
					out[pid] = s
				}
				break
			}
		}
	}
	return out, nil
}

// command returns what the process was started as, shortened.
func (p Process) command() string {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cmdline")
	text := string(bytes.TrimSpace(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
	if len(text) > 80 {
		text = text[:77] + "…"
	}
	return text
}

// stranger says why a process is not ours to hurt although a plan names it, or "".
func (p Process) stranger() string {
	st, err := os.Stat("/proc/" + strconv.Itoa(p.PID))
	if err != nil {
		return errGone.Error()
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && int(sys.Uid) != os.Geteuid() {
		return fmt.Sprintf("it belongs to user %d, and we are user %d", sys.Uid, os.Geteuid())
	}
	return ""
}
