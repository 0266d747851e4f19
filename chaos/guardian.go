package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/assay-dev/assay"
)

// How long the guardian gives what it does once the run is dead. Together they are less than a
// second, which is what a run promises.
const (
	undoBudget  = 350 * time.Millisecond // all undos
	groupBudget = 300 * time.Millisecond // until the groups are seen to be gone
	againBudget = 150 * time.Millisecond // second look at undos that hung on the groups
)

// remoteBudget is how long the guardian tries, after all that, to undo what lies beyond this machine.
const remoteBudget = 25 * time.Second

// GuardianOptions are for hosts other than the hidden subcommand.
type GuardianOptions struct {
	KeepFiles   bool // do not close inherited files: the caller is no process of its own
	KeepSignals bool // do not ignore signals
}

// A message is one line to the guardian: what to do, numbered. Exactly one of the others is set.
type message struct {
	Seq     uint64   `json:"seq"`
	Dir     string   `json:"dir,omitempty"` // the run's directory, for notes
	Run     *Process `json:"run,omitempty"` // with Dir: the process that is guarded
	Arm     *Undo    `json:"arm,omitempty"`
	Disarm  string   `json:"disarm,omitempty"`
	Own     *Process `json:"own,omitempty"` // leader of a group
	Release *Process `json:"release,omitempty"`
}

// An answer is one line back: the number, what was done, or why not.
type answer struct {
	Seq   uint64 `json:"seq"`
	Armed string `json:"armed,omitempty"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// GuardianMain is the guardian process: it reads messages from stdin, answers each on
// stdout, and when stdin ends, however the run ended, it does what is still armed, last
// first, kills the process groups it still owns, and notes what it did in the
// run's directory. With nothing armed and nothing owned it ends without a trace. It
// must run in a session of its own, so that what kills the run does not kill it too.
func GuardianMain(ctx context.Context, stdin io.Reader, stdout io.Writer, opt GuardianOptions) error {
	if !opt.KeepSignals {
		// A broken pipe included: the run may die between a message and its answer.
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	}
	if !opt.KeepFiles {
		closeInherited()
	}
	g := &guard{notes: notebook{source: "guardian"}}
	lines := bufio.NewReaderSize(stdin, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // a torn last line was never answered, so nothing was done that it should undo
			break
		}
		b, err := json.Marshal(g.handle(line))
		if err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		if _, err := stdout.Write(append(b, '\n')); err != nil {
			break // nobody is left to hear it
		}
	}
	return g.end(context.WithoutCancel(ctx))
}

// guard is the state of the guardian process.
type guard struct {
	notes notebook
	run   Process
	armed []Undo
	owned []Process
}

func (g *guard) handle(line []byte) answer {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return answer{Error: "read message: " + err.Error()}
	}
	a := answer{Seq: m.Seq}
	fail := func(err error) answer { a.Error = err.Error(); return a }
	switch {
	case m.Arm != nil:
		if err := m.Arm.check(); err != nil {
			return fail(err)
		}
		g.disarm(m.Arm.ID)
		g.armed = append(g.armed, *m.Arm)
		a.Armed = m.Arm.ID
	case m.Disarm != "":
		g.disarm(m.Disarm)
	case m.Own != nil:
		if m.Own.PID <= 1 || m.Own.Start == 0 {
			return fail(fmt.Errorf("own group of %v: no process", *m.Own))
		}
		g.owned = append(g.owned, *m.Own)
		if err := g.notes.write(ownership(attrOwn, *m.Own, g.run)); err != nil {
			return fail(err)
		}
	case m.Release != nil:
		g.owned = slices.DeleteFunc(g.owned, func(p Process) bool { return p == *m.Release })
		if err := g.notes.write(ownership(attrRelease, *m.Release, g.run)); err != nil {
			return fail(err)
		}
	case m.Dir != "":
		g.notes.dir = m.Dir
		if m.Run != nil {
			g.run = *m.Run
		}
	default:
		return fail(fmt.Errorf("message %s asks for nothing", line))
	}
	a.OK = true
	return a
}

func (g *guard) disarm(id string) {
	g.armed = slices.DeleteFunc(g.armed, func(u Undo) bool { return u.ID == id })
}

// end does what is left to be done. It acts first and writes afterwards, so that a slow disk cannot
// keep a fault in force.
func (g *guard) end(ctx context.Context) error {
	var log []assay.Event
	add := func(e assay.Event) {
		e.Time = time.Now().UnixNano()
		log = append(log, e)
	}
	say := func(kind, fault, text string) { add(assay.Event{Kind: kind, Fault: fault, Text: text}) }
	var local, remote []Undo
	for _, u := range g.armed {
		if u.remote() {
			remote = append(remote, u)
		} else {
			local = append(local, u)
		}
	}
	far := make(chan []assay.Event, 1)
	go func() { far <- undoFar(ctx, remote) }()
	undoing, cancel := context.WithTimeout(ctx, undoBudget)
	defer cancel()
	var doubtful []Undo
	for i, u := range slices.Backward(local) {
		// What is left of the time is shared by the undos that are left, so that one that hangs cannot starve the rest.
		deadline, _ := undoing.Deadline()
		each, cancel := context.WithTimeout(undoing, time.Until(deadline)/time.Duration(i+1))
		if err := u.Do(each); err == nil {
			say(assay.EventFaultReverted, u.ID, "")
			if u.Verify(each) == nil {
				say(assay.EventFaultClear, u.ID, "")
				cancel()
				continue
			}
		}
		cancel()
		doubtful = append(doubtful, u)
	}
	for _, p := range slices.Backward(g.owned) {
		if err := p.killGroup(); err != nil {
			say(assay.EventWarning, "", err.Error())
		}
	}
	g.await(ctx, add)
	again, cancel := context.WithTimeout(ctx, againBudget)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, u := range doubtful { // a fault held by a process that has just been killed went with it
		wg.Go(func() {
			err := u.Do(again)
			if e := u.Verify(again); err == nil || e == nil {
				err = e
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				say(assay.EventFaultRemaining, u.ID, err.Error())
				return
			}
			say(assay.EventFaultReverted, u.ID, "")
			say(assay.EventFaultClear, u.ID, "")
		})
	}
	wg.Wait()
	err := g.notes.write(log...)
	return errors.Join(err, g.notes.write(<-far...))
}

// undoFar undoes what lies beyond this machine, all at once, and returns what became of each.
func undoFar(ctx context.Context, undos []Undo) []assay.Event {
	ctx, cancel := context.WithTimeout(ctx, remoteBudget)
	defer cancel()
	var mu sync.Mutex
	var log []assay.Event
	say := func(kind, fault, text string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, assay.Event{Kind: kind, Fault: fault, Text: text, Time: time.Now().UnixNano()})
	}
	var wg sync.WaitGroup
	for _, u := range slices.Backward(undos) {
		wg.Go(func() {
			err := until(ctx, 500*time.Millisecond, func() error { return u.Do(ctx) })
			if err == nil {
				say(assay.EventFaultReverted, u.ID, "")
				err = u.Verify(ctx)
			}
			if err != nil {
				say(assay.EventFaultRemaining, u.ID, err.Error())
				return
			}
			say(assay.EventFaultClear, u.ID, "")
		})
	}
	wg.Wait()
	return log
}

// await waits until the owned groups are gone and notes what became of each.
func (g *guard) await(ctx context.Context, add func(assay.Event)) {
	waiting, cancel := context.WithTimeout(ctx, groupBudget)
	defer cancel()
	for _, p := range g.owned {
		u := Undo{Kind: UndoGroup, Process: &p}
		err := until(waiting, 5*time.Millisecond, func() error {
			err := u.away(waiting)
			if err != nil {
				p.killGroup() // a process forked while its group was killed may have been missed
			}
			return err
		})
		if err != nil {
			add(assay.Event{Kind: assay.EventWarning, Text: err.Error()})
			continue
		}
		e := ownership(attrRelease, p, g.run)
		e.Text = fmt.Sprintf("process group %d is gone", p.PID)
		add(e)
	}
}
