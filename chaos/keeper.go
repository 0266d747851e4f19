package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// answerTimeout bounds how long a message to the guardian waits for its answer.
const answerTimeout = 3 * time.Second

var errGuardianLost = errors.New("the guardian is gone")

// A Guardian is the run's end of the pipe to its guardian process. Its methods may be
// called at once.
type Guardian struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
	lost chan struct{} // closed when the process has ended
	err  error         // of the process; read after lost

	writing sync.Mutex // one line at a time
	mu      sync.Mutex
	far     map[string]time.Duration // armed undos beyond this machine, and how long each may take
	seq     uint64
	waiting map[uint64]chan answer
	stopped func(why string) // told once that the run is to stop
}

// StartGuardian starts exe as the guardian (hidden subcommand x-guardian) of this
// process, in a session of its own. What it does is noted in dir.
func StartGuardian(ctx context.Context, exe, dir string) (*Guardian, error) {
	// The guardian leaves our directory, which may be on a file system that is to be unmounted.
	exe, err := filepath.Abs(exe)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	cmd := exec.Command(exe, "x-guardian")
	cmd.SysProcAttr = ownSession()
	cmd.Dir = "/"
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	g := &Guardian{cmd: cmd, pipe: in, lost: make(chan struct{}), waiting: map[uint64]chan answer{}, far: map[string]time.Duration{}}
	go g.listen(out)
	run, err := ProcessOf(os.Getpid())
	if err == nil {
		err = g.ask(ctx, message{Dir: dir, Run: &run})
	}
	if err != nil {
		g.Close()
		return nil, fmt.Errorf("start guardian: %w", err)
	}
	return g, nil
}

// PID returns the guardian's process id.
func (g *Guardian) PID() int { return g.cmd.Process.Pid }

// Lost returns a channel that is closed once the guardian process has ended.
func (g *Guardian) Lost() <-chan struct{} { return g.lost }

// Arm hands the guardian an undo. When it returns nil, the undo will be done even if this process dies.
func (g *Guardian) Arm(ctx context.Context, u Undo) error {
	if err := g.ask(ctx, message{Arm: &u}); err != nil {
		return fmt.Errorf("arm %s with the guardian: %w", u.ID, err)
	}
	if u.remote() {
		g.mu.Lock()
		g.far[u.ID] = u.within(remoteBudget)
		g.mu.Unlock()
	}
	return nil
}

// Disarm takes back the undo with the id.
func (g *Guardian) Disarm(ctx context.Context, id string) error {
	if err := g.ask(ctx, message{Disarm: id}); err != nil {
		return fmt.Errorf("disarm %s: %w", id, err)
	}
	g.mu.Lock()
	delete(g.far, id)
	g.mu.Unlock()
	return nil
}

// Own makes the guardian kill the process group led by p when this process dies or the guardian is closed.
func (g *Guardian) Own(ctx context.Context, p Process) error {
	if err := g.ask(ctx, message{Own: &p}); err != nil {
		return fmt.Errorf("hand group of %v to the guardian: %w", p, err)
	}
	return nil
}

// OwnLoad is Own for a group that makes load: the guardian also kills it when the run is stopped and does not answer.
func (g *Guardian) OwnLoad(ctx context.Context, p Process) error {
	if err := g.ask(ctx, message{Own: &p, Load: true}); err != nil {
		return fmt.Errorf("hand group of %v to the guardian: %w", p, err)
	}
	return nil
}

// Release takes a process group back.
func (g *Guardian) Release(ctx context.Context, p Process) error {
	if err := g.ask(ctx, message{Release: &p}); err != nil {
		return fmt.Errorf("take group of %v from the guardian: %w", p, err)
	}
	return nil
}

// Close lets the guardian end and waits for it. What is still armed is undone and what is still
// owned is killed first.
func (g *Guardian) Close() error {
	g.writing.Lock()
	g.pipe.Close()
	g.writing.Unlock()
	select {
	case <-g.lost:
	case <-time.After(g.patience()):
		g.cmd.Process.Kill()
		<-g.lost
	}
	if g.err != nil {
		return fmt.Errorf("close guardian: %w", g.err)
	}
	return nil
}

// patience returns how long the guardian's end is waited for.
func (g *Guardian) patience() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return lastBudget + 5*time.Second + slices.Max(append(slices.Collect(maps.Values(g.far)), 0)) // they are undone at once
}

// ask sends m and waits until it is done.
func (g *Guardian) ask(ctx context.Context, m message) error {
	_, err := g.asked(ctx, m)
	return err
}

// asked sends m and waits for its answer.
func (g *Guardian) asked(ctx context.Context, m message) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	got := make(chan answer, 1)
	g.mu.Lock()
	g.seq++
	m.Seq = g.seq
	g.waiting[m.Seq] = got
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		delete(g.waiting, m.Seq)
		g.mu.Unlock()
	}()
	b, err := json.Marshal(m)
	if err != nil {
		return answer{}, err
	}
	// The pipe holds many messages, so this does not wait for the guardian unless it hangs.
	g.writing.Lock()
	_, err = g.pipe.Write(append(b, '\n'))
	g.writing.Unlock()
	if err != nil {
		return answer{}, fmt.Errorf("%w: %w", errGuardianLost, err)
	}
	select {
	case a := <-got:
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-g.lost:
		return answer{}, errGuardianLost
	case <-ctx.Done():
		return answer{}, fmt.Errorf("no answer: %w", ctx.Err())
	}
}

// listen hands out the answers until the guardian has ended.
func (g *Guardian) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var a answer
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			continue
		}
		if a.Stop != "" {
			g.hear(a.Stop)
			continue
		}
		g.mu.Lock()
		got := g.waiting[a.Seq]
		g.mu.Unlock()
		if got != nil {
			got <- a
		}
	}
	g.err = g.cmd.Wait()
	close(g.lost)
}
