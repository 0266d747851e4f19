package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The ways to limit memory.
const (
	limitSpace = "address-space" // of the process: what asks for more is told no
	limitOOM   = "oom"           // of a control group: the kernel kills what takes more
)

func (s *Step) limitMode() string {
	if s.Mode == "" {
		return limitSpace
	}
	return s.Mode
}

func checkMemoryLimit(s *Step) (w []Wrong) {
	if modes := []string{limitSpace, limitOOM}; !slices.Contains(modes, s.limitMode()) {
		w = append(w, Wrong{"mode", fmt.Sprintf("%q is no way to limit memory; one of %s", s.Mode, strings.Join(modes, ", "))})
	}
	if s.limitMode() == limitOOM {
		if err := cgroupsWork("memory")(); err != nil {
			w = append(w, Wrong{"mode", fmt.Sprintf("oom cannot be done here: %v", err)})
		}
	}
	if s.Bytes < 0 {
		w = append(w, Wrong{"bytes", fmt.Sprintf("%d is negative; 0 or more", s.Bytes)})
	}
	return w
}

// planOOM lets the victim's process take only so many more bytes of memory before the kernel kills it. What it has stays charged to the group
// that it was in. It is in effect when the kernel says that the limit was hit, or the process has died; a limit that is never
// hit is not felt. Probes see to it that the process has something to do.
func planOOM(_ context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, g, err := planCgroup(v, "memory", func(g *cgroup) error { return g.setMemory(s.Bytes) })
	if err != nil {
		return nil, err
	}
	a.Ends = true
	a.Look = max(0, s.For-5*time.Second) // the load may come to need more later
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			asking, cancel := context.WithTimeout(ctx, silence)
			d.probe(asking, v.Addr)
			cancel()
			hits, kills, err := g.memoryHits()
			if err != nil {
				return err
			}
			end := "lives"
			if v.Process.Gone() {
				end = "was killed"
			}
			effect = fmt.Sprintf("%d bytes more at most; the limit was hit %d times and %d processes were killed for it; pid %d %s", s.Bytes, hits, kills, v.Process.PID, end)
			if hits+kills == 0 {
				return fmt.Errorf("%s", effect)
			}
			return nil
		})
		return effect, err
	}
	return a, nil
}

// setMemory sets the bytes of memory that the group gets, swap included.
func (g *cgroup) setMemory(n int64) error {
	most := strconv.FormatInt(n, 10)
	limits := [][2]string{{"memory.limit_in_bytes", most}, {"memory.memsw.limit_in_bytes", most}}
	if g.v2 {
		limits = [][2]string{{"memory.max", most}, {"memory.swap.max", "0"}}
	}
	if err := g.write(limits[0][0], limits[0][1]); err != nil {
		return err
	}
	if err := g.write(limits[1][0], limits[1][1]); err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without swap has none
		return err
	}
	return nil
}

// memoryHits returns how often the group's limit of memory was hit, and how many processes were killed for it.
func (g *cgroup) memoryHits() (hits, kills int64, err error) {
	if g.v2 {
		b, err := g.read("memory.events")
		c := counters(b)
		return c["max"], c["oom_kill"], err
	}
	for _, name := range []string{"memory.failcnt", "memory.memsw.failcnt"} { // with swap counted in, its limit is the one that is looked at first
		b, err := g.read(name)
		if errors.Is(err, fs.ErrNotExist) && name != "memory.failcnt" {
			continue
		} else if err != nil {
			return 0, 0, err
		}
		n, err := strconv.ParseInt(string(b), 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("%s is %s, no number", name, b)
		}
		hits += n
	}
	b, err := g.read("memory.oom_control")
	return hits, counters(b)["oom_kill"], err
}
