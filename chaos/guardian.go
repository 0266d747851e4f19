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

// lastBudget is how long the guardian goes on with what did not work within that second: a kernel that is busy may take its time to let go.
const lastBudget = 5 * time.Second

// remoteBudget is how long the guardian tries, after all that, to undo what lies beyond this machine, unless an undo names longer.
const remoteBudget = 25 * time.Second

// GuardianOptions are for hosts other than the hidden subcommand.
type GuardianOptions struct {
	KeepFiles   bool // do not close inherited files: the caller is no process of its own
	KeepSignals bool // do not ignore signals
}

// A message is one line to the guardian: what to do, numbered. Exactly one of the others is set.
type message struct {
	Seq     uint64       `json:"seq"`
	Dir     string       `json:"dir,omitempty"` // the run's directory, for notes
	Run     *Process     `json:"run,omitempty"` // with Dir: the process that is guarded
	Arm     *Undo        `json:"arm,omitempty"`
	Disarm  string       `json:"disarm,omitempty"`
	Ended   string       `json:"ended,omitempty"` // asks whether the guardian ended this fault itself
	Own     *Process     `json:"own,omitempty"`   // leader of a group
	Release *Process     `json:"release,omitempty"`
	Load    bool         `json:"load,omitempty"` // with Own: the group makes load
	Stop    *StopOptions `json:"stop,omitempty"`
	Heard   bool         `json:"heard,omitempty"` // the run knows that it is to stop
}

// An answer is one line back: the number, what was done, or why not.
type answer struct {
	Seq   uint64 `json:"seq"`
	Armed string `json:"armed,omitempty"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
	Addr  string `json:"addr,omitempty"`   // where a stop is listened for
	Ago   int64  `json:"ago_ns,omitempty"` // how long the fault has been over that the guardian ended; 0 if it did not
	Stop  string `json:"stop,omitempty"`   // answers nothing: the run is to stop, and why
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
	over, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	g := &guard{notes: notebook{source: "guardian"}, out: stdout, over: over, stopped: make(chan struct{}), heard: make(chan struct{}), deaf: make(chan struct{})}
	lines := bufio.NewReaderSize(stdin, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // a torn last line was never answered, so nothing was done that it should undo
			break
		}
		a, note := g.handle(line)
		if note == nil {
			if err := g.answer(a); err != nil {
				break // nobody is left to hear it
			}
			continue
		}
		g.pending.Go(func() { // a disk that hangs must not keep the end of the run from being seen
			if err := g.note(*note); err != nil {
				a.OK, a.Error = false, err.Error()
			}
			_ = g.answer(a) // if nobody is left to hear it, the next line is the end
		})
	}
	return g.end(context.WithoutCancel(ctx))
}

// guard is the state of the guardian process.
type guard struct {
	over context.Context // done when the guardian has ended

	answering sync.Mutex // one answer at a time
	out       io.Writer

	noting  sync.Mutex // one batch of notes at a time, apart from answers since a disk may hang
	notes   notebook
	pending sync.WaitGroup // answers that wait for their note

	mu    sync.Mutex // guards what follows
	run   Process
	armed []Undo
	terms map[string]*term // of those armed that have one
	owned []Process
	load  []Process // of owned, those that make load
	why   string    // the run was asked to stop

	report  stopReport
	stopped chan struct{} // closed once report stands
	hearing sync.Once
	heard   chan struct{} // closed once the run knows that it is to stop
	deaf    chan struct{} // closed once it is known not to answer, and what made load for it is killed
}

// answer writes one line to the run.
func (g *guard) answer(a answer) error {
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	g.answering.Lock()
	defer g.answering.Unlock()
	_, err = g.out.Write(append(b, '\n'))
	return err
}

// note writes notes into the run's directory.
func (g *guard) note(events ...assay.Event) error {
	g.noting.Lock()
	defer g.noting.Unlock()
	return g.notes.write(events...)
}

// handle does what a message asks for. The answer holds once the note, if there is one, is written.
func (g *guard) handle(line []byte) (a answer, note *assay.Event) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return answer{Error: "read message: " + err.Error()}, nil
	}
	a = answer{Seq: m.Seq}
	var err error
	switch {
	case m.Arm != nil:
		if err = g.arm(*m.Arm); err == nil {
			a.Armed = m.Arm.ID
		}
	case m.Disarm != "":
		g.change(func() { g.disarm(m.Disarm) })
	case m.Ended != "":
		a.Ago = g.ended(m.Ended)
	case m.Own != nil:
		note, err = g.own(*m.Own, m.Load)
	case m.Release != nil:
		note = g.release(*m.Release)
	case m.Dir != "":
		g.notes.dir = m.Dir // the first message: nobody else is here yet
		if m.Run != nil {
			g.change(func() { g.run = *m.Run })
			e := guards(*m.Run)
			note = &e
		}
	case m.Stop != nil:
		a.Addr, err = g.watch(*m.Stop)
	case m.Heard:
		g.hearing.Do(func() { close(g.heard) })
	default:
		err = fmt.Errorf("message %s asks for nothing", line)
	}
	if err != nil {
		a.Error = err.Error()
		return a, nil
	}
	a.OK = true
	return a, note
}

// change makes a change to what several look at.
func (g *guard) change(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
}

func (g *guard) arm(u Undo) error {
	if err := u.check(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.why != "" {
		return errors.New(g.why)
	}
	g.disarm(u.ID)
	g.armed = append(g.armed, u)
	g.begin(u)
	return nil
}

// disarm forgets an undo. The lock is held.
func (g *guard) disarm(id string) {
	if t := g.terms[id]; t != nil {
		t.end()
		delete(g.terms, id)
	}
	g.armed = slices.DeleteFunc(slices.Clone(g.armed), func(u Undo) bool { return u.ID == id })
}

func (g *guard) own(p Process, load bool) (*assay.Event, error) {
	if p.PID <= 1 || p.Start == 0 {
		return nil, fmt.Errorf("own group of %v: no process", p)
	}
	var run Process
	g.change(func() {
		run = g.run
		g.owned = append(g.owned, p)
		if load {
			g.load = append(g.load, p)
		}
	})
	e := ownership(attrOwn, p, run)
	return &e, nil
}

func (g *guard) release(p Process) *assay.Event {
	var run Process
	g.change(func() {
		run = g.run
		is := func(o Process) bool { return o == p }
		g.owned, g.load = slices.DeleteFunc(slices.Clone(g.owned), is), slices.DeleteFunc(slices.Clone(g.load), is)
	})
	e := ownership(attrRelease, p, run)
	return &e
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
	g.mu.Lock()
	local, remote := split(g.armed)
	owned := g.owned
	g.mu.Unlock()
	remote, last := splitLast(remote)
	far := make(chan []assay.Event, 2)
	go func() { far <- undoFar(ctx, remote) }()
	undoing, cancel := context.WithTimeout(ctx, undoBudget)
	defer cancel()
	doubtful := undoNear(undoing, local, add)
	for _, p := range slices.Backward(owned) {
		if err := p.killGroup(); err != nil {
			say(assay.EventWarning, "", err.Error())
		}
	}
	go func() { far <- undoFar(ctx, last) }() // once what did it is killed
	left := g.await(ctx, owned, groupBudget, add)
	late := make(chan []assay.Event, 1)
	go func() { late <- undoLate(ctx, doubtful) }()
	ended := make(chan []assay.Event, 1)
	go func() {
		var log []assay.Event
		later := func(e assay.Event) {
			e.Time = time.Now().UnixNano()
			log = append(log, e)
		}
		for _, p := range g.await(ctx, left, lastBudget, later) {
			later(assay.Event{Kind: assay.EventWarning, Text: fmt.Sprintf("process group %d is not seen to be gone", p.PID)})
		}
		ended <- log
	}()
	g.pending.Wait()
	err := g.note(log...)
	return errors.Join(err, g.note(<-late...), g.note(<-ended...), g.note(<-far...), g.note(<-far...))
}

// undoLate undoes what was not seen to be away at first, again and again, and returns what became of each. A fault held by a process that has just
// been killed went with it, and a control group can be removed once those that were killed in it are gone.
func undoLate(ctx context.Context, undos []Undo) []assay.Event {
	ctx, cancel := context.WithTimeout(ctx, lastBudget)
	defer cancel()
	return undoAll(undos, func(u *Undo, _ func()) error {
		return until(ctx, 10*time.Millisecond, func() error {
			try, cancel := context.WithTimeout(ctx, againBudget)
			defer cancel()
			if u.Do(try) == nil {
				return u.Verify(try)
			}
			look, cancel := context.WithTimeout(ctx, againBudget) // what could not be done may have been done by someone else
			defer cancel()
			return u.away(look)
		})
	})
}

// undoNear undoes what lies on this machine, last first, and returns what it did not see to be away. The deadline of ctx is shared by the undos
// that are left, so that one that hangs cannot starve the rest.
func undoNear(ctx context.Context, undos []Undo, add func(assay.Event)) (doubtful []Undo) {
	for i, u := range slices.Backward(undos) {
		deadline, _ := ctx.Deadline()
		each, cancel := context.WithTimeout(ctx, time.Until(deadline)/time.Duration(i+1))
		err := u.Do(each)
		if err == nil {
			add(assay.Event{Kind: assay.EventFaultReverted, Fault: u.ID})
			err = u.Verify(each)
		}
		cancel()
		if err != nil {
			doubtful = append(doubtful, u)
			continue
		}
		add(assay.Event{Kind: assay.EventFaultClear, Fault: u.ID})
	}
	return doubtful
}

// undoFar undoes what lies beyond this machine, all at once, and returns what became of each.
func undoFar(ctx context.Context, undos []Undo) []assay.Event {
	return undoAll(undos, func(u *Undo, did func()) error {
		ctx, cancel := context.WithTimeout(ctx, u.within(remoteBudget))
		defer cancel()
		err := until(ctx, 500*time.Millisecond, func() error { return u.Do(ctx) })
		if err == nil {
			did()
			err = u.Verify(ctx)
		}
		return err
	})
}

// undoAll does the undos all at once, each by undo, which calls did if the undo is done before it is known to have worked, and returns what became of each.
func undoAll(undos []Undo, undo func(u *Undo, did func()) error) []assay.Event {
	var mu sync.Mutex
	var log []assay.Event
	var wg sync.WaitGroup
	for _, u := range slices.Backward(undos) {
		wg.Go(func() {
			done := false
			say := func(kind, text string) {
				mu.Lock()
				defer mu.Unlock()
				log = append(log, assay.Event{Kind: kind, Fault: u.ID, Text: text, Time: time.Now().UnixNano()})
			}
			did := func() {
				done = true
				say(assay.EventFaultReverted, "")
			}
			if err := undo(&u, did); err != nil {
				say(assay.EventFaultRemaining, err.Error())
				return
			}
			if !done {
				did()
			}
			say(assay.EventFaultClear, "")
		})
	}
	wg.Wait()
	return log
}

// await waits until the owned groups are gone, notes each that is, and returns those that are left when the budget is spent.
func (g *guard) await(ctx context.Context, owned []Process, budget time.Duration, add func(assay.Event)) (left []Process) {
	waiting, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	for _, p := range owned {
		u := Undo{Kind: UndoGroup, Process: &p}
		err := until(waiting, 5*time.Millisecond, func() error {
			err := u.away(waiting)
			if err != nil {
				p.killGroup() // a process forked while its group was killed may have been missed
			}
			return err
		})
		if err != nil {
			left = append(left, p)
			continue
		}
		e := ownership(attrRelease, p, g.run)
		e.Text = fmt.Sprintf("process group %d is gone", p.PID)
		add(e)
	}
	return left
}
