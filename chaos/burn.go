package chaos

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// BurnCommand is the hidden subcommand that runs [BurnMain]: its arguments are the mark and the settings.
const BurnCommand = "x-burn"

// burnSlack is how much longer than its fault a burner may live by itself.
const burnSlack = 10 * time.Second

// burn is what a burner is told.
type burn struct {
	For   time.Duration `json:"for_ns"`
	CPUs  int           `json:"cpus,omitempty"`
	Bytes int64         `json:"bytes,omitempty"`
}

// BurnMain is a burner: a process that uses up CPU time or memory until its stdin ends, which it does with whoever started
// it, or until its time is over. It gives way to all others: it is nice, and the first to go when memory runs out.
func BurnMain(ctx context.Context, stdin io.Reader, args []string) error {
	var b burn
	if len(args) != 2 || json.Unmarshal([]byte(args[1]), &b) != nil || b.For <= 0 || b.For > MaxFor || b.CPUs < 0 || b.Bytes < 0 {
		return fmt.Errorf("burn: %q; want a mark and settings", args)
	}
	ctx, cancel := context.WithTimeout(ctx, b.For+burnSlack)
	defer cancel()
	go func() {
		io.Copy(io.Discard, stdin)
		cancel()
	}()
	giveWay()
	held := make([]byte, b.Bytes)
	for i := 0; i < len(held) && ctx.Err() == nil; i += os.Getpagesize() {
		held[i] = 1
	}
	runtime.GOMAXPROCS(b.CPUs + 1)
	for range b.CPUs {
		go func() {
			for ctx.Err() == nil { // the look itself is the work
			}
		}()
	}
	<-ctx.Done()
	runtime.KeepAlive(held)
	return nil
}

func checkCPU(s *Step) []Wrong {
	if most := 4 * runtime.NumCPU(); s.CPUs < 1 || s.CPUs > most {
		return []Wrong{{"cpus", fmt.Sprintf("%d is out of range; 1 to %d, four for each CPU of this machine", s.CPUs, most)}}
	}
	return nil
}

func checkMemory(s *Step) []Wrong {
	if s.Bytes < 1<<20 {
		return []Wrong{{"bytes", fmt.Sprintf("%d is out of range; 1MiB or more", s.Bytes)}}
	}
	return nil
}

// checkFree is checkMemory for this machine's memory: more than half of what is available now will hardly be there then, when it is looked at again.
func checkFree(s *Step) []Wrong {
	w := checkMemory(s)
	if free, err := availableMemory(); w == nil && err == nil && s.Bytes > free/2 {
		w = []Wrong{{"bytes", fmt.Sprintf("%d is more than half of the %d available now", s.Bytes, free)}}
	}
	return w
}

func previewCPU(s *Step) string {
	return fmt.Sprintf("%d busy threads on this machine in a nice process of ours, for %v", s.CPUs, s.For)
}

func previewMemory(s *Step) string {
	return fmt.Sprintf("%d bytes of this machine's memory held by a process of ours, for %v", s.Bytes, s.For)
}

// planCPU takes CPU time from everything on the machine. It is in effect when the burner is seen to use at least a tenth of what
// it could, since it gives way to the others.
func planCPU(_ context.Context, d *Local, s *Step, _ Victim) (*Action, error) {
	a, lookup := d.planBurn(burn{For: s.For, CPUs: s.CPUs})
	cpus := min(s.CPUs, runtime.NumCPU())
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			p, err := lookup()
			if err != nil {
				return err
			}
			before, err := p.busy()
			if err != nil {
				return err
			}
			begin := time.Now()
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
			after, err := p.busy()
			if err != nil {
				return err
			}
			used, could := after-before, time.Duration(cpus)*time.Since(begin)
			effect = fmt.Sprintf("pid %d used %v of the %v that %d threads could", p.PID, round(used), round(could), s.CPUs)
			if used < could/10 {
				return fmt.Errorf("%s", effect)
			}
			return nil
		})
		return effect, err
	}
	return a, nil
}

// planMemory takes memory from everything on the machine, but never more than half of what is available. It is in effect when
// the burner is seen to hold it.
func planMemory(_ context.Context, d *Local, s *Step, _ Victim) (*Action, error) {
	free, err := availableMemory()
	if err != nil {
		return nil, err
	}
	if s.Bytes > free/2 {
		return nil, fmt.Errorf("%d bytes are more than half of the %d available", s.Bytes, free)
	}
	a, lookup := d.planBurn(burn{For: s.For, Bytes: s.Bytes})
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			p, err := lookup()
			if err != nil {
				return err
			}
			m, err := p.memory()
			if err != nil {
				return err
			}
			effect = fmt.Sprintf("pid %d holds %d bytes", p.PID, m.resident)
			if m.resident < uint64(s.Bytes) {
				return fmt.Errorf("%s, want %d", effect, s.Bytes)
			}
			return nil
		})
		return effect, err
	}
	return a, nil
}

// planBurn makes the action that starts a burner, and what finds it. Its mark is known before it is started, so
// that its undo can be armed: whatever has the mark among its arguments is killed.
func (d *Local) planBurn(b burn) (*Action, func() (Process, error)) {
	mark := newMark()
	lookup := func() (Process, error) {
		list, err := marked(mark)
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("the burner is gone")
		}
		if err != nil {
			return Process{}, err
		}
		return list[0], nil
	}
	var began bool
	return &Action{
		Touches: []string{"this machine, by a process of ours"},
		Undo:    Undo{Kind: UndoMarked, Mark: mark},
		Apply: func(_ context.Context, stamp func()) error {
			if err := d.spawn(BurnCommand, mark, b, stamp); err != nil {
				return err
			}
			began = true
			return nil
		},
		Ended: func() string {
			if _, err := lookup(); began && err != nil {
				return err.Error()
			}
			return ""
		},
	}, lookup
}

// newMark returns a word that no other process has among its arguments.
func newMark() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return markPrefix + hex.EncodeToString(b)
}

const markPrefix = "assay-mark-"

// isMark reports whether a word was made by newMark: nothing else is ever looked for in order to be killed or removed.
func isMark(word string) bool {
	b, err := hex.DecodeString(cutPrefix(word, markPrefix))
	return err == nil && len(b) == 16
}

func cutPrefix(s, prefix string) string {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return "-"
	}
	return s[len(prefix):]
}
