package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"
)

// PlatformChild is a process started by [Start]: it reads the settings from stdin, runs the platform, and ends it
// without delay when stdin ends, since that means that the parent is gone. An error is also
// told to the parent on stdout.
func PlatformChild(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	err := platformChild(ctx, stdin, stdout, stderr)
	if err != nil && !errors.Is(err, ErrParentGone) {
		json.NewEncoder(stdout).Encode(announcement{Error: err.Error()})
	}
	return err
}

func platformChild(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	var cfg Config
	dec := json.NewDecoder(stdin)
	if err := dec.Decode(&cfg); err != nil {
		return fmt.Errorf("read the settings of the platform: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with stdin, thus at the latest with the process
		io.Copy(io.Discard, stdin)
		cancel(ErrParentGone)
	}()
	return PlatformMain(ctx, cfg, stdout, stderr)
}

// StartOptions says how to start a platform.
type StartOptions struct {
	Config Config
	Exe    string    // binary that knows the hidden subcommands; empty: this one
	Env    []string  // added to the environment
	Stderr io.Writer // of the platform; nil discards it

	// Own is called right after the spawn, before anything else is waited for, with the pid of the platform, which
	// is also the number of its process group, and its start in clock ticks. An error kills the platform.
	Own func(pid int, startTicks uint64) error
}

// A Platform is a platform process that this process started.
type Platform struct {
	URL        string // of the gateway
	AdminURL   string
	PID        int // also its process group
	StartTicks uint64

	stdin  io.Closer
	done   chan struct{} // closed when it has ended and been reaped
	err    error         // set before done is closed
	asked  sync.Once
	client *http.Client
}

// Start starts a platform in a process group of its own and returns when it serves. If it does not come to that,
// the error says why and no process is left. ctx bounds the start only.
func Start(ctx context.Context, opt StartOptions) (*Platform, error) {
	if err := opt.Config.Validate(); err != nil {
		return nil, fmt.Errorf("configure the sandbox: %w", err)
	}
	exe := opt.Exe
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the binary of the platform: %w", err)
		}
	}
	settings, err := json.Marshal(opt.Config)
	if err != nil {
		return nil, fmt.Errorf("write the settings of the platform: %w", err)
	}
	cmd := exec.Command(exe, PlatformCommand)
	cmd.Env = append(os.Environ(), opt.Env...)
	cmd.Stderr = opt.Stderr
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open the input of the platform: %w", err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("open the output of the platform: %w", err)
	}
	cmd.Stdout = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("start the platform: %w", err)
	}
	p := &Platform{PID: cmd.Process.Pid, stdin: stdin, done: make(chan struct{}), client: &http.Client{Transport: newTransport()}}
	p.StartTicks, _ = StartTicks(p.PID) // 0 where unknown
	if opt.Own != nil {
		if err := opt.Own(p.PID, p.StartTicks); err != nil {
			p.end()
			p.reap(cmd, out)
			return nil, fmt.Errorf("hand over the platform's process group: %w", err)
		}
	}
	go p.reap(cmd, out)

	first := make(chan announcement, 1)
	go func() { // ends with the platform's output; a platform's later output is nobody's
		lines := bufio.NewReader(out)
		line, _ := lines.ReadBytes('\n')
		var a announcement
		if json.Unmarshal(bytes.TrimSpace(line), &a) != nil {
			a = announcement{Error: fmt.Sprintf("it said %q", bytes.TrimSpace(line))}
		}
		first <- a
		io.Copy(io.Discard, lines)
	}()
	if _, err = stdin.Write(append(settings, '\n')); err == nil {
		select {
		case a := <-first:
			if a.Error == "" {
				p.URL, p.AdminURL = a.URL, a.Admin
				return p, nil
			}
			err = errors.New(a.Error)
		case <-ctx.Done():
			err = fmt.Errorf("it did not serve in time: %w", context.Cause(ctx))
		}
	}
	p.end()
	<-p.done
	return nil, fmt.Errorf("start the sandbox: %w", err)
}

// reap waits for the platform to end. Before its pid is free for others, the rest of its group is killed.
func (p *Platform) reap(cmd *exec.Cmd, out io.Closer) {
	awaitLeader(p.PID)
	sweep := killGroup(p.PID)
	p.err = cmd.Wait()
	if p.err == nil {
		p.err = sweep
	}
	out.Close()
	p.client.CloseIdleConnections()
	close(p.done)
}

// Done is closed when the platform has ended.
func (p *Platform) Done() <-chan struct{} { return p.done }

// Wait waits for the platform to end and returns how: nil after an orderly shutdown.
func (p *Platform) Wait() error {
	<-p.done
	return p.err
}

// end makes the platform end at once: its input ends, and its group is killed.
func (p *Platform) end() {
	p.asked.Do(func() {
		select {
		case <-p.done:
		default:
			killGroup(p.PID)
		}
		p.stdin.Close()
	})
}

// Stop shuts the platform down: it drains, stops its workers and sends its last spans. When ctx is done
// before that, its process group is killed. Stop returns when no process is left; it may be called again.
func (p *Platform) Stop(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.AdminURL+"/admin/shutdown", nil)
	if err != nil {
		return fmt.Errorf("stop the sandbox: %w", err)
	}
	res, err := p.client.Do(req)
	if err == nil {
		res.Body.Close()
	}
	if err != nil && ctx.Err() == nil {
		// It does not answer: it has ended already, or never will by itself.
		select {
		case <-p.done:
		case <-time.After(time.Second):
			p.end()
		}
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		p.end()
		<-p.done
		return fmt.Errorf("stop the sandbox: it was killed, since it did not end in time: %w", context.Cause(ctx))
	}
}
