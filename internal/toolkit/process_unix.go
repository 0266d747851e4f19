//go:build unix

package toolkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// run runs a program in a process group of its own, without a shell, and ends the group when its time is up.
func run(ctx context.Context, path string, p *Process) (*Output, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	runtime.LockOSThread() // it is to die with us, and to Linux that is this thread
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, path, p.Args...)
	var out, errs limited
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = withParent(&syscall.SysProcAttr{Setpgid: true})
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild may hold its output open
	err := cmd.Run()
	o := &Output{Stdout: out.String(), Stderr: errs.String(), process: true}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return o, fmt.Errorf("took longer than its time-out or what was left, %v at most, and was killed", p.Timeout)
	case errors.As(err, &exit):
		o.Status = exit.ExitCode()
		return o, nil
	case errors.Is(err, exec.ErrWaitDelay):
		return o, nil
	case err != nil:
		return nil, err
	}
	return o, nil
}

// limited keeps the first bytes that are written to it.
type limited struct{ bytes.Buffer }

// Write never fails, so that the program goes on.
func (l *limited) Write(b []byte) (int, error) {
	if room := maxOutput - l.Len(); room > 0 {
		l.Buffer.Write(b[:min(room, len(b))])
	}
	return len(b), nil
}
