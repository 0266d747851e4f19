package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// giveWay makes this process the last to be served and the first to go.
func giveWay() {
	unix.Setpriority(unix.PRIO_PROCESS, 0, 10)
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // as good as it gets
}

// marked returns the living processes that have the mark among their arguments.
func marked(mark string) ([]Process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil || pid <= 1 || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile("/proc/" + n + "/cmdline")
		if err != nil {
			continue
		}
		for arg := range bytes.SplitSeq(line, []byte{0}) {
			if string(arg) != mark {
				continue
			}
			if s, err := look(pid); err == nil && !s.dead() {
				list = append(list, Process{pid, s.start})
			}
			break
		}
	}
	return list, nil
}

// busy returns the CPU time that the process has used.
func (p Process) busy() (time.Duration, error) {
	if _, err := p.look(); err != nil {
		return 0, err
	}
	var n int64
	b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("CPU time of %v: %w", p, err)
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return 0, fmt.Errorf("CPU time of %v: nothing is told", p)
	}
	for _, x := range f[11:13] { // utime and stime, in ticks, of which Linux tells 100 a second
		v, err := strconv.ParseInt(string(x), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU time of %v: %w", p, err)
		}
		n += v
	}
	return time.Duration(n) * (time.Second / 100), nil
}

// availableMemory returns the bytes of memory that can be had without swapping.
func availableMemory() (int64, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("MemAvailable:")); ok {
			kb, err := strconv.ParseInt(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/meminfo tells no MemAvailable")
}
