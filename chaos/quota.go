package chaos

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func checkQuota(s *Step) []Wrong {
	if s.Quota < 0.01 || s.Quota > float64(runtime.NumCPU()) {
		return []Wrong{{"quota", fmt.Sprintf("%v CPUs is out of range; 0.01 to the %d of this machine", s.Quota, runtime.NumCPU())}}
	}
	return nil
}

func previewQuota(s *Step) string {
	return fmt.Sprintf("%v of CPU time in each %v for the process of %s and its descendants, by a control group of ours, for %v", s.quota(), cpuPeriod, s.whom(), s.For)
}

// quota is the CPU time in each period.
func (s *Step) quota() time.Duration { return time.Duration(s.Quota * float64(cpuPeriod)) }

// planQuota lets the victim's process use only so much CPU time. It is in effect when the kernel has held the process back, of which it keeps
// count: a process that wants less than its quota does not feel it. Probes see to it that it has something to do.
func planQuota(_ context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	a, g, err := planCgroup(v, "cpu", func(g *cgroup) error { return g.setQuota(s.quota()) })
	if err != nil {
		return nil, err
	}
	a.Look = max(0, s.For-5*time.Second) // the load may come to need it later
	a.Effect = func(ctx context.Context) (effect string, err error) {
		begin, used := time.Now(), time.Duration(0)
		if before, err := v.Process.busy(); err == nil {
			used = before
		}
		err = until(ctx, 10*time.Millisecond, func() error {
			asking, cancel := context.WithTimeout(ctx, silence)
			d.probe(asking, v.Addr)
			cancel()
			if in, err := g.holds(v.Process); err != nil {
				return err
			} else if !in {
				return fmt.Errorf("%v is not in the group", v.Process)
			}
			stands, err := g.quota()
			if err != nil {
				return err
			}
			b, err := g.read("cpu.stat")
			if err != nil {
				return err
			}
			now, err := v.Process.busy()
			if err != nil {
				return err
			}
			c := counters(b)
			effect = fmt.Sprintf("%v of each %v; held back in %d of %d periods; pid %d used %v in %v", stands, cpuPeriod, c["nr_throttled"], c["nr_periods"],
				v.Process.PID, round(now-used), round(time.Since(begin)))
			if c["nr_throttled"] == 0 || stands != s.quota().Truncate(time.Microsecond) {
				return fmt.Errorf("%s", effect)
			}
			return nil
		})
		return effect, err
	}
	return a, nil
}

// setQuota sets the CPU time that the group gets in each period.
func (g *cgroup) setQuota(d time.Duration) error {
	quota, period := strconv.FormatInt(d.Microseconds(), 10), strconv.FormatInt(cpuPeriod.Microseconds(), 10)
	if g.v2 {
		return g.write("cpu.max", quota+" "+period)
	}
	if err := g.write("cpu.cfs_period_us", period); err != nil {
		return err
	}
	return g.write("cpu.cfs_quota_us", quota)
}

// quota returns the group's quota, as the kernel says it.
func (g *cgroup) quota() (time.Duration, error) {
	name := "cpu.cfs_quota_us"
	if g.v2 {
		name = "cpu.max"
	}
	b, err := g.read(name)
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), " ")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is %s, no quota", name, b)
	}
	return time.Duration(n) * time.Microsecond, nil
}
