package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent makes the kernel kill the command's process when the thread that starts it ends.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// ownGroup puts the command's process into a new process group of its own.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// reniceThread sets the priority of the calling thread, which what it starts inherits.
func reniceThread(nice int) {
	if nice > 0 {
		syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), nice) // a lower priority is always allowed
	}
}

// reniceProcess sets the priority of all threads of this process. Threads made later inherit it; one made
// by a thread not yet reached is caught by the second round.
func reniceProcess(nice int) {
	if nice <= 0 {
		return
	}
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return
		}
		for _, task := range tasks {
			if tid, err := strconv.Atoi(task.Name()); err == nil {
				syscall.Setpriority(syscall.PRIO_PROCESS, tid, nice)
			}
		}
	}
}

// StartTicks returns when a process started, in clock ticks since the machine's boot. Together
// with the pid it names a process for good, since pids are used again.
func StartTicks(pid int) (uint64, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("read the start of process %d: %w", pid, err)
	}
	// The command's name stands in parentheses and may hold anything; field 3 follows the last one.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("read the start of process %d: %d fields after the name, want at least 20", pid, len(fields))
	}
	ticks, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the start of process %d: %w", pid, err)
	}
	return ticks, nil
}

// killGroup kills the process group led by pid.
func killGroup(pid int) error {
	if err := syscall.Kill(-pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", pid, err)
	}
	return nil
}

// awaitLeader returns when the leader of a process group has ended but, not being reaped, still holds the group's
// number, so that the rest of the group can be killed without hitting another one.
func awaitLeader(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// exitCause returns how a process ended: its exit code or the name of the signal.
func exitCause(st *os.ProcessState) (code, signal string) {
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return "", unix.SignalName(ws.Signal())
	}
	return strconv.Itoa(st.ExitCode()), ""
}
