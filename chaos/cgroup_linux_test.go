package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree makes a directory with files of the given contents.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Where the group of a fault would lie, and with which version, in what systems mount.
func TestPlaceOfCgroup(t *testing.T) {
	two := tree(t, map[string]string{"cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "cpu memory\n", "user/cgroup.subtree_control": "memory\n",
		"user/server/cgroup.subtree_control": "\n"})
	bare := tree(t, map[string]string{"cgroup.controllers": "cpu\n", "cgroup.subtree_control": "\n"})
	v1 := mount{root: "/", dir: "/c/cpu", kind: "cgroup", options: []string{"rw", "cpu", "cpuacct"}}
	v2 := mount{root: "/", dir: two, kind: "cgroup2"}
	for name, tc := range map[string]struct {
		mounts     []mount
		of         string
		controller string
		want       cgroup // dir: its parent
		err        string
	}{
		"version 1, below the process's own":  {[]mount{v2, v1}, "3:cpu,cpuacct:/pod/a\n0::/user/server\n", "cpu", cgroup{"cpu", false, "/c/cpu/pod/a", "/c/cpu/pod/a"}, ""},
		"version 2, nearest that hands it on": {[]mount{v2}, "0::/user/server\n", "memory", cgroup{"memory", true, two + "/user", two + "/user/server"}, ""},
		"version 2, at the top":               {[]mount{v2}, "0::/user/server\n", "cpu", cgroup{"cpu", true, two, two + "/user/server"}, ""},
		"hybrid":                              {[]mount{v1, v2}, "3:cpu,cpuacct:/\n0::/user\n", "memory", cgroup{"memory", true, two + "/user", two + "/user"}, ""},
		"part of a hierarchy":                 {[]mount{{root: "/pod", dir: "/c/cpu", kind: "cgroup", options: []string{"cpu"}}}, "3:cpu:/pod/a\n", "cpu", cgroup{"cpu", false, "/c/cpu/a", "/c/cpu/a"}, ""},
		"outside of the part": {[]mount{{root: "/pod", dir: "/c/cpu", kind: "cgroup", options: []string{"cpu"}}}, "3:cpu:/podium\n", "cpu", cgroup{},
			"its group /podium lies outside of /pod, which is mounted at /c/cpu"},
		"outside of the name space": {[]mount{v1}, "3:cpu,cpuacct:/../a\n", "cpu", cgroup{}, "its group /../a lies outside of what is mounted at /c/cpu"},
		"not handed on":             {[]mount{{root: "/", dir: bare, kind: "cgroup2"}}, "0::/user\n", "cpu", cgroup{}, "no group above " + bare + "/user hands the cpu controller on to groups below it"},
		"none":                      {nil, "0::/\n", "cpu", cgroup{}, "no control groups with the cpu controller are mounted"},
	} {
		got, err := placeCgroup(tc.mounts, []byte(tc.of), tc.controller)
		if err != nil || tc.err != "" {
			if err == nil || err.Error() != tc.err {
				t.Errorf("%s: %v, want %q", name, err, tc.err)
			}
			continue
		}
		if !isCgroup(got.dir) {
			t.Errorf("%s: %s does not bear a mark", name, got.dir)
		}
		got.dir = filepath.Dir(got.dir)
		if diff := cmp.Diff(tc.want, *got, cmp.AllowUnexported(cgroup{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What is written to and read from a group of each version, on plain files.
func TestLimitsOfCgroup(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		files := map[string]string{"cpu.cfs_period_us": "", "cpu.cfs_quota_us": "", "memory.limit_in_bytes": "", "memory.failcnt": "3\n", "memory.oom_control": "oom_kill_disable 0\noom_kill 2\n"}
		want := map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "20000", "memory.limit_in_bytes": "4096"}
		if v2 {
			files = map[string]string{"cpu.max": "", "memory.max": "", "memory.swap.max": "", "memory.events": "low 0\nmax 3\noom_kill 2\n"}
			want = map[string]string{"cpu.max": "20000 100000", "memory.max": "4096", "memory.swap.max": "0"}
		}
		g := cgroup{v2: v2, dir: tree(t, files)}
		if err := g.setQuota(20 * time.Millisecond); err != nil {
			t.Error(err)
		}
		if err := g.setMemory(4096); err != nil { // without a file for swap
			t.Error(err)
		}
		got := map[string]string{}
		for name := range want {
			b, err := g.read(name)
			if err != nil {
				t.Error(err)
			}
			got[name] = string(b)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("version 2 %t (-want +got):\n%s", v2, diff)
		}
		if q, err := g.quota(); q != 20*time.Millisecond || err != nil {
			t.Errorf("quota %v, %v", q, err)
		}
		if hits, kills, err := g.memoryHits(); hits != 3 || kills != 2 || err != nil {
			t.Errorf("%d hits, %d kills, %v", hits, kills, err)
		}
	}
}

// A directory that is no control group is neither emptied nor removed, whatever its name.
func TestUndoOfWhatIsNoCgroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), newMark())
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := emptyCgroup(dir, "/"); err == nil || !strings.Contains(err.Error(), "is no control group") {
		t.Errorf("got %v", err)
	}
	if err := cgroupGone(dir); err == nil {
		t.Error("it was removed")
	}
}

func FuzzMounts(f *testing.F) {
	f.Add([]byte("31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"), "cpu")
	f.Add([]byte("31 23 0:28 /a\\040b /c\\134 rw shared:1 - cgroup cgroup rw,cpu\n3:cpu:/x\n"), "cpu")
	f.Add([]byte("- - -\n\\"), "")
	f.Fuzz(func(t *testing.T, b []byte, controller string) {
		for _, m := range parseMounts(b) {
			if p, ok := cgroupPath(b, controller); ok {
				if dir, err := m.below(p); err == nil && m.root == "/" && filepath.IsAbs(m.dir) && !strings.HasPrefix(dir, filepath.Clean(m.dir)) {
					t.Errorf("%q leaves %q: %q", p, m.dir, dir)
				}
			}
		}
	})
}

// All of a tree goes into the group and comes back, and what it forks meanwhile too.
func TestCgroupOfATree(t *testing.T) {
	skipUnable(t, Step{Fault: "cpu-quota"})
	cmd := role("tree")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	p, err := ProcessOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	var children []int
	if err := until(t.Context(), time.Millisecond, func() error {
		if children, err = offspring(p.PID); err == nil && len(children) != 2 {
			err = fmt.Errorf("%v has the children %v", p, children)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	g, err := newCgroup(p, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	before := groupsOf(p)
	if err := g.make(); err != nil {
		t.Fatal(err)
	}
	u := Undo{Kind: UndoCgroup, Path: g.dir, Home: g.home}
	defer u.Do(t.Context())
	if err := g.take(p); err != nil {
		t.Fatal(err)
	}
	got, err := procs(g.dir)
	want := append(children, p.PID)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("in the group (-want +got):\n%s %v", diff, err)
	}
	for range 2 { // any number of times
		if err := u.Do(t.Context()); err != nil {
			t.Error(err)
		}
		if err := u.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, pid := range want {
		if now := groupsOf(Process{PID: pid, Start: startOf(t, pid)}); now != before {
			t.Errorf("pid %d is in\n%sand was in\n%s", pid, now, before)
		}
	}
}

func startOf(t *testing.T, pid int) uint64 {
	t.Helper()
	p, err := ProcessOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p.Start
}
