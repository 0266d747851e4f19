package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay/chaos"
)

// Below these a run goes on, but what it measures is doubted.
const (
	leastMemory = 512 << 20
	leastFiles  = 4096
	slowClock   = time.Microsecond // what reading the clock may cost
)

func examineMachine(_ context.Context, p *patient) {
	h := host()
	text := fmt.Sprintf("%s/%s", h.OS, h.Arch)
	if h.Kernel != "" {
		text += ", kernel " + h.Kernel
	}
	p.ok("%s, %s, assay %s", text, h.Go, version())
	load, err := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(load), " ")
	busy, _ := strconv.ParseFloat(first, 64)
	switch {
	case err != nil:
		p.ok("%d CPUs", h.CPUs)
	case busy > float64(h.CPUs)/2:
		p.add(doubt, "let other work end first: it makes our own sends late", "%d CPUs, load %.2f", h.CPUs, busy)
	default:
		p.ok("%d CPUs, load %.2f", h.CPUs, busy)
	}
	total, free, err := memory()
	switch {
	case err != nil:
		p.ok("memory is not told here")
	case free < leastMemory:
		p.add(doubt, "free some: a run that is killed for memory keeps what it saw, but no more", "%s of memory, %s available", gib(total), gib(free))
	default:
		p.ok("%s of memory, %s available", gib(total), gib(free))
	}
}

// memory returns the bytes of memory and those available.
func memory() (total, available uint64, err error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0, err
	}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseUint(f[1], 10, 64)
		switch f[0] {
		case "MemTotal:":
			total = kib << 10
		case "MemAvailable:":
			available = kib << 10
		}
	}
	return total, available, nil
}

func gib(n uint64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }

// examineClock reads the clock, as each request does several times.
func examineClock(_ context.Context, p *patient) {
	const n = 20_000
	begin := time.Now()
	last, step := begin, time.Duration(0)
	for range n {
		now := time.Now()
		if d := now.Sub(last); d > 0 && (step == 0 || d < step) {
			step = d
		}
		last = now
	}
	cost := time.Since(begin) / n
	source, _ := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	name := strings.TrimSpace(string(source))
	if name == "" {
		name = "of the system"
	}
	if cost > slowClock {
		p.add(doubt, "a clock source that programs can read without the kernel, such as tsc or kvm-clock, is cheaper", "clock source %s: reading it costs %v, its step is %v", name, cost, step)
		return
	}
	p.ok("clock source %s: reading it costs %v, its step is %v", name, cost, step)
}

func examineFiles(_ context.Context, p *patient) {
	n, err := openFiles()
	switch {
	case err != nil:
		p.add(doubt, "", "%v", err)
	case n < leastFiles:
		p.add(doubt, fmt.Sprintf("ulimit -n %d: each connection takes one", 4*leastFiles), "this process may open %d files", n)
	default:
		p.ok("this process may open %d files", n)
	}
}

func examineDisk(_ context.Context, p *patient) {
	dir := nearest(filepath.Dir(p.dir))
	free, err := freeSpace(dir)
	if err == nil && free < leastSpace {
		err = fmt.Errorf("the disk of %s has %d MiB free; a run needs at least %d MiB", dir, free>>20, leastSpace>>20)
	}
	p.try(err, wrong, "free some, or give --dir another disk", "%s free on the disk of %s, where runs are kept", gib(free), dir)
	if err := writable(dir); err != nil {
		p.add(wrong, "give --dir a directory that you may write to", "%v", err)
	}
}

func examineRights(_ context.Context, p *patient) {
	if os.Geteuid() == 0 {
		p.ok("root")
	} else {
		p.ok("user %d, not root: what needs root says so among the faults", os.Geteuid())
	}
	for _, c := range []struct{ controller, faults string }{{"cpu", "cpu-quota"}, {"memory", "memory-limit with mode oom"}, {"devices", "gpu-lost"}} {
		p.try(chaos.CgroupsWork(c.controller), doubt, "", "control groups with the %s controller (for %s)", c.controller, c.faults)
	}
}

func examineCalibration(_ context.Context, p *patient) {
	c := calibrated()
	if c == nil {
		p.add(doubt, "assay calibrate, on an otherwise idle machine", "how much this machine can send on time is not known")
		return
	}
	p.ok("calibrated %s: on time up to %.0f requests/s", c.Date, c.SafeRate)
	if p.plan == nil || p.refused != nil {
		return
	}
	if o, err := outlook(p.plan); err == nil {
		for _, text := range o.calibrationDoubts(c) {
			p.add(doubt, "lower the rate, or send from a larger machine", "%s", text)
		}
	}
}

// examineGuardian starts a guardian and lets it end.
func examineGuardian(ctx context.Context, p *patient) {
	exe, err := os.Executable()
	begin := time.Now()
	if err == nil {
		err = func() error {
			dir, err := os.MkdirTemp("", "assay-doctor")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			g, err := chaos.StartGuardian(ctx, exe, dir)
			if err != nil {
				return err
			}
			return g.Close()
		}()
	}
	p.try(err, wrong, "", "the guardian, which cleans up after a run that was killed, starts and ends in %v", time.Since(begin).Round(time.Millisecond))
}

// examinePorts opens the ports that traces are taken in at and closes them again.
func examinePorts(_ context.Context, p *patient) {
	bad, addrs := doubt, []string{"127.0.0.1:4317", "127.0.0.1:4318"}
	if p.plan != nil {
		if p.plan.Collect.OTLP == nil {
			return // a free port is taken where one is needed
		}
		bad, addrs = wrong, []string{or(p.plan.Collect.OTLP.GRPC, addrs[0]), or(p.plan.Collect.OTLP.HTTP, addrs[1])}
	}
	for _, addr := range addrs {
		ln, err := net.Listen("tcp", addr)
		if err == nil {
			err = ln.Close()
		}
		p.try(err, bad, "end what listens there, or give collect.otlp other addresses", "%s is free for traces", addr)
	}
}

// examineFaults says of each kind, or of each fault of the plan, whether it can be done.
func examineFaults(_ context.Context, p *patient) {
	if p.path != "" && p.plan == nil {
		return
	}
	if p.plan != nil {
		for i, s := range steps(p.plan) {
			for _, k := range chaos.Kinds() {
				if k.Name != s.Fault {
					continue
				}
				var err error
				if s.By == chaos.ByLocal || s.By == "" {
					err = k.Available()
				}
				if err != nil {
					err = fmt.Errorf("chaos[%d]: %s cannot be done here: %w", i, s.Fault, err)
				}
				text := fmt.Sprintf("chaos[%d]: %s by %s", i, s.Fault, or(s.By, chaos.ByLocal))
				if k.Simulated {
					text += ", simulated"
				}
				p.try(err, wrong, "", "%s", text)
			}
		}
		return
	}
	var works, far, played []string
	for _, k := range chaos.Kinds() {
		if by := k.By(); !slices.Contains(by, chaos.ByLocal) {
			if slices.Contains(by, chaos.ByToolkit) { // it needs its file, and no deployment
				played = append(played, k.Name)
				continue
			}
			far = append(far, k.Name)
			continue
		}
		if err := k.Available(); err != nil {
			p.add(doubt, "", "%s: %v", k.Name, err)
			continue
		}
		works = append(works, k.Name)
	}
	p.ok("%s", strings.Join(works, ", "))
	if len(played) > 0 {
		p.ok("tried with a plan that names the file of an experiment: %s", strings.Join(played, ", "))
	}
	if len(far) > 0 {
		p.ok("tried with a plan that says target.deployment: %s", strings.Join(far, ", "))
	}
}
