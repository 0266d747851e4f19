package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// cgroupsWork returns a look at why no process can be put into a group of ours under a controller: our own process stands for that of a victim.
func cgroupsWork(controller string) func() error {
	return func() error {
		self, err := ProcessOf(os.Getpid())
		if err != nil {
			return err
		}
		g, err := newCgroup(self, controller)
		if err != nil {
			return err
		}
		for _, dir := range []string{filepath.Dir(g.dir), filepath.Join(g.home, "cgroup.procs")} {
			if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS); err != nil {
				return fmt.Errorf("the right to write to %s is needed (root, or a group that was delegated): %w", dir, err)
			}
		}
		return nil
	}
}

// newCgroup returns the group that would be made for a process. It touches nothing.
//
// In version 1 it lies below the group that the process is in, so that the limits of that group go on to hold. In version 2 a group
// that has processes cannot have groups with limits below it, so ours lies below the nearest group above that hands the controller on: the limits
// between there and the process's own group do not hold meanwhile.
func newCgroup(p Process, controller string) (*cgroup, error) {
	if _, err := p.look(); err != nil {
		return nil, err
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	of, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/cgroup")
	if err != nil {
		return nil, fmt.Errorf("look at the groups of %v: %w", p, err)
	}
	g, err := placeCgroup(parseMounts(b), of, controller)
	if err == nil {
		err = g.notOurs()
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// placeCgroup is newCgroup for a process that is in the groups that /proc/PID/cgroup tells.
func placeCgroup(mounts []mount, of []byte, controller string) (*cgroup, error) {
	for _, m := range mounts {
		if m.kind != "cgroup" || !slices.Contains(m.options, controller) {
			continue
		}
		in, ok := cgroupPath(of, controller)
		if !ok {
			continue
		}
		home, err := m.below(in)
		if err != nil {
			return nil, err
		}
		return &cgroup{controller, false, filepath.Join(home, newMark()), home}, nil
	}
	for _, m := range mounts {
		if m.kind != "cgroup2" || !hasWord(filepath.Join(m.dir, "cgroup.controllers"), controller) {
			continue
		}
		in, ok := cgroupPath(of, "")
		if !ok {
			continue
		}
		home, err := m.below(in)
		if err != nil {
			return nil, err
		}
		for dir := home; ; dir = filepath.Dir(dir) {
			if hasWord(filepath.Join(dir, "cgroup.subtree_control"), controller) {
				return &cgroup{controller, true, filepath.Join(dir, newMark()), home}, nil
			}
			if dir == m.dir || dir == "/" {
				return nil, fmt.Errorf("no group above %s hands the %s controller on to groups below it", home, controller)
			}
		}
	}
	return nil, fmt.Errorf("no control groups with the %s controller are mounted", controller)
}

// hasWord reports whether a file has a word.
func hasWord(file, word string) bool {
	b, err := os.ReadFile(file)
	return err == nil && slices.Contains(strings.Fields(string(b)), word)
}

// make makes the group.
func (g *cgroup) make() error {
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return fmt.Errorf("make a control group: %w", err)
	}
	return nil
}

// write sets one of the group's settings.
func (g *cgroup) write(name, value string) error {
	f, err := os.OpenFile(filepath.Join(g.dir, name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Errorf("set %s of a control group to %s: %w", name, value, err)
	}
	return nil
}

// read returns one of the group's settings or counters.
func (g *cgroup) read(name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(g.dir, name))
	return bytes.TrimSpace(b), err
}

// take moves a process, all its threads with it, and those of its descendants that are in the same group as it was.
func (g *cgroup) take(p Process) error {
	if _, err := p.look(); err != nil {
		return err
	}
	if err := move(p.PID, g.dir); err != nil {
		return fmt.Errorf("move %v to a control group: %w", p, err)
	}
	// Who is forked by a process that was moved is in its group; who was forked by one before it was moved shows up in the next round.
	for range 10 {
		here, err := procs(g.home)
		if err != nil {
			return err
		}
		children, err := offspring(p.PID)
		if err != nil {
			return err
		}
		moved := 0
		for _, pid := range children {
			if !slices.Contains(here, pid) {
				continue
			}
			if err := move(pid, g.dir); err != nil && !errors.Is(err, errGone) {
				return fmt.Errorf("move pid %d to a control group: %w", pid, err)
			}
			moved++
		}
		if moved == 0 {
			break
		}
	}
	return nil
}

// holds reports whether a process is in the group.
func (g *cgroup) holds(p Process) (bool, error) {
	if _, err := p.look(); err != nil {
		return false, err
	}
	pids, err := procs(g.dir)
	return slices.Contains(pids, p.PID), err
}

// move puts a process into a group. It returns errGone if the process has ended.
func move(pid int, dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	f.Close()
	if errors.Is(err, syscall.ESRCH) {
		return errGone
	}
	return err
}

// procs returns the processes in a group.
func procs(dir string) ([]int, error) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, word := range bytes.Fields(b) {
		pid, err := strconv.Atoi(string(word))
		if err != nil {
			return nil, fmt.Errorf("read the processes of %s: %w", dir, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// offspring returns the living descendants of a process.
func offspring(pid int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	of := map[int][]int{}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := look(child); err == nil && !s.dead() {
			of[s.ppid] = append(of[s.ppid], child)
		}
	}
	list := slices.Clone(of[pid])
	for i := 0; i < len(list) && i < 1<<16; i++ {
		list = append(list, of[list[i]]...)
	}
	return list, nil
}

// emptyCgroup moves all processes of a group of ours back and removes it.
func emptyCgroup(dir, home string) error {
	var st unix.Statfs_t
	switch err := unix.Statfs(dir, &st); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Type != unix.CGROUP_SUPER_MAGIC && st.Type != unix.CGROUP2_SUPER_MAGIC:
		return fmt.Errorf("%s is no control group", dir)
	}
	var err error
	for range 20 { // a process that forks while it is moved leaves a child behind
		var pids []int
		if pids, err = procs(dir); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
			return nil
		} else if err != nil {
			return err
		}
		for _, pid := range pids {
			if err := move(pid, home); err != nil && !errors.Is(err, errGone) {
				return fmt.Errorf("move pid %d back to %s: %w", pid, home, err)
			}
		}
		if err = os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return err
}

// cgroupGone returns nil if the group is gone.
func cgroupGone(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s is still there", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
