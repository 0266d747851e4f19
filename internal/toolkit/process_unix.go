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

// run runs a program in a process group of its own, without a shell, and ends the group when its time is up. Who is to own
// the group, if anybody, is told before it is waited for.
func run(ctx context.Context, path string, p *Process, own func(pid int) (release func(), err error)) (*Output, error) {
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
	err := cmd.Start()
	if err == nil && own != nil {
		var release func()
		if release, err = own(cmd.Process.Pid); err != nil {
			_ = cmd.Cancel() // it may have ended
			_ = cmd.Wait()
			return nil, err
		}
		defer release()
	}
	if err == nil {
		err = cmd.Wait()
	}
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
