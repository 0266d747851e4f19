package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A cgroup is a control group of ours, made for one fault, and where the processes in it came from.
type cgroup struct {
	controller string // cpu or memory
	v2         bool
	dir        string // of the group; its name is a mark
	home       string // group that the victim was in
}

var cgroupUndo = undoKind{
	check: func(u *Undo) error {
		if !isCgroup(u.Path) {
			return fmt.Errorf("%q is no control group of ours", u.Path)
		}
		if !filepath.IsAbs(u.Home) || filepath.Clean(u.Home) != u.Home {
			return fmt.Errorf("%q is no group that processes could be moved back to", u.Home)
		}
		return nil
	},
	do:   func(_ context.Context, u *Undo) error { return emptyCgroup(u.Path, u.Home) },
	away: func(_ context.Context, u *Undo) error { return cgroupGone(u.Path) },
	text: func(u *Undo) string {
		return fmt.Sprintf("for p in $(cat %s/cgroup.procs); do echo $p > %s/cgroup.procs; done; rmdir %[1]s", u.Path, u.Home)
	},
}

// isCgroup reports whether a path is of a control group that we made: no other is ever emptied or removed.
func isCgroup(dir string) bool {
	return filepath.IsAbs(dir) && filepath.Clean(dir) == dir && isMark(filepath.Base(dir))
}

// A mount is one line of /proc/PID/mountinfo.
type mount struct {
	root, dir, kind, source string
	options                 []string // of the file system
}

// parseMounts reads /proc/PID/mountinfo. Lines that are none are left out.
func parseMounts(b []byte) (list []mount) {
	for line := range bytes.Lines(b) {
		own, fs, ok := strings.Cut(string(line), " - ")
		f, g := strings.Fields(own), strings.Fields(fs)
		if !ok || len(f) < 6 || len(g) < 2 {
			continue
		}
		m := mount{root: unescape(f[3]), dir: unescape(f[4]), kind: g[0], source: unescape(g[1])}
		if len(g) > 2 {
			m.options = strings.Split(g[2], ",")
		}
		list = append(list, m)
	}
	return list
}

// unescape reads a word in which blanks and backslashes are written in octal.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// cgroupPath returns the path of a process's group in the hierarchy of a controller, from /proc/PID/cgroup; with "" in that of version 2.
func cgroupPath(b []byte, controller string) (string, bool) {
	for line := range bytes.Lines(b) {
		f := strings.SplitN(strings.TrimRight(string(line), "\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		if controller == "" && f[0] == "0" && f[1] == "" || controller != "" && slices.Contains(strings.Split(f[1], ","), controller) {
			return f[2], true
		}
	}
	return "", false
}

// below returns where a path of a hierarchy lies in the file system that has the directory root of it mounted at dir.
func (m *mount) below(p string) (string, error) {
	if p != path.Clean(p) || strings.HasPrefix(p, "/..") {
		return "", fmt.Errorf("its group %s lies outside of what is mounted at %s", p, m.dir)
	}
	if m.root == "/" {
		return filepath.Join(m.dir, p), nil
	}
	if p != m.root && !strings.HasPrefix(p, m.root+"/") {
		return "", fmt.Errorf("its group %s lies outside of %s, which is mounted at %s", p, m.root, m.dir)
	}
	return filepath.Join(m.dir, strings.TrimPrefix(p, m.root)), nil
}

// planCgroup makes the action that puts the victim's process, with those of its descendants that are in the same group, into a
// group of ours under what set writes. The caller adds how to measure it.
func planCgroup(v Victim, controller string, set func(g *cgroup) error) (*Action, *cgroup, error) {
	g, err := newCgroup(v.Process, controller)
	if err != nil {
		return nil, nil, err
	}
	p := v.Process
	return &Action{
		Touches: []string{fmt.Sprintf("%v of %s and its descendants, moved from the group %s to %s", p, v.ID, g.home, g.dir)},
		Undo:    Undo{Kind: UndoCgroup, Path: g.dir, Home: g.home},
		Holds:   []string{g.hold(p)},
		Apply: func(_ context.Context, stamp func()) error {
			if err := g.make(); err != nil {
				return err
			}
			if err := set(g); err != nil {
				return err
			}
			stamp()
			return g.take(p)
		},
		Ended: func() string {
			switch in, err := g.holds(p); {
			case err != nil:
				return err.Error()
			case !in:
				return "the process was moved to another group by someone else"
			}
			return ""
		},
	}, g, nil
}

// hold names the place of a process in a hierarchy of groups: version 2 has one, and version 1 one for each controller.
func (g *cgroup) hold(p Process) string {
	if g.v2 {
		return fmt.Sprintf("cgroup:%d", p.PID)
	}
	return fmt.Sprintf("cgroup:%s:%d", g.controller, p.PID)
}

// notOurs returns an error if the group that a process is in was made by us: another run's fault lies on it, and its undo would move the process away.
func (g *cgroup) notOurs() error {
	for part := range strings.SplitSeq(g.home, "/") {
		if isMark(part) {
			return fmt.Errorf("it is in the control group %s, which another fault of ours holds", g.home)
		}
	}
	return nil
}

// counters reads a file of lines of a name and a number.
func counters(b []byte) map[string]int64 {
	out := map[string]int64{}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) != 2 {
			continue
		}
		if n, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
			out[string(f[0])] = n
		}
	}
	return out
}

// cpuPeriod is the period in which a quota of CPU time is given out.
const cpuPeriod = 100 * time.Millisecond

var errNoCgroups = errors.New("control groups need Linux")
