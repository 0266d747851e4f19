package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
)

// A gameDay asks a person before each fault and takes notes. One fault is asked for at a time, and the next not before the last is over and its
// recovery was seen. The load goes on meanwhile: the clock of a load phase stands still while a fault of it waits to be answered, so that what the
// plan leaves after the fault is left whenever the answer comes.
type gameDay struct {
	s       *session
	console *console  // nil: nobody is asked, everything is injected
	out     io.Writer // what is shown

	turn chan struct{} // holds a token while no fault is asked for, in force or recovering

	mu       sync.Mutex
	asked    int
	question chan string       // takes the answer; nil while nothing is asked
	gone     bool              // the terminal is
	now      *effect           // of the fault that was injected last, until it is over
	believed map[string]string // hypotheses by name, as they were seen last

	side sync.WaitGroup
}

// modeGameDay is the mode of a plan.
const modeGameDay = "gameday"

// The answers.
const (
	answerYes   = "yes"
	answerNo    = "no"
	answerAbort = "abort"
	answerGone  = "gone"
)

// gameDay opens the console of a game day, or refuses it. It is nil for any other run.
func (s *session) openGameDay() error {
	if s.plan.Mode != modeGameDay {
		return nil
	}
	g := &gameDay{s: s, out: s.io.err, turn: make(chan struct{}, 1), believed: map[string]string{}}
	g.turn <- struct{}{}
	if !s.opt.yes {
		var err error
		if g.console, err = openConsole(s.io.in, s.io.err); err != nil {
			return &status{assay.ExitUsage, err}
		}
		g.out = g.console
	}
	s.day = g
	return nil
}

// close gives the terminal back. It may be called on nil.
func (g *gameDay) close() {
	if g != nil {
		g.console.Close()
		g.side.Wait()
	}
}

// begin shows what goes on and listens to the person until ctx is done.
func (g *gameDay) begin(ctx context.Context) {
	if g == nil {
		return
	}
	g.side.Go(func() { g.show(ctx) })
	if g.console != nil {
		fmt.Fprintln(g.out, "game day: each fault is asked for; what else is typed is a note in the record; Ctrl-C stops the load and reverts everything")
		g.console.listen()
		g.side.Go(g.listen)
	}
}

// askFirst lets a person be asked before the driver's faults are injected, on a game day.
func (s *session) askFirst(d chaos.Driver) chaos.Driver {
	if s.day == nil {
		return d
	}
	return asking{d, s.day}
}

// listen takes what the person types until the terminal is gone.
func (g *gameDay) listen() {
	for line := range g.console.lines {
		line = strings.TrimSpace(line)
		g.mu.Lock()
		question := g.question
		g.mu.Unlock()
		if question != nil {
			if a := answerIn(line); a != "" {
				g.reply(a)
				continue
			}
		}
		if line = strings.TrimSpace(strings.TrimPrefix(line, "note ")); line != "" {
			g.note(line, "person", nil)
		}
	}
	g.mu.Lock()
	g.gone = true
	g.mu.Unlock()
	g.reply(answerGone)
}

// reply answers the open question, if there is one.
func (g *gameDay) reply(a string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.question != nil {
		g.question <- a // holds one
		g.question = nil
	}
}

// answerIn returns the answer that a line is, or "".
func answerIn(line string) string {
	switch strings.ToLower(line) {
	case "y", "yes":
		return answerYes
	case "n", "no", "s", "skip":
		return answerNo
	case "a", "abort":
		return answerAbort
	}
	return ""
}

// note records what was said. It belongs to the fault that is in force.
func (g *gameDay) note(text, by string, more map[string]string) {
	e := &assay.Event{Time: g.s.clock.Now(), Kind: assay.EventAnnotation, Source: "operator", Text: text, Attrs: map[string]string{"by": by}}
	for k, v := range more {
		e.Attrs[k] = v
	}
	if f := g.s.window.State(e.Time).Faults; len(f) > 0 {
		e.Fault = f[0].ID
	}
	_ = g.s.emit(e) // what the store could not take it has counted
}

// asking is a driver whose actions a person is asked for. It touches nothing itself.
type asking struct {
	chaos.Driver
	day *gameDay
}

// Plan makes the action and asks. Who says no makes it an error, which is how a fault comes to be void. Where the victim has gone while the
// question was open, another takes its place.
func (d asking) Plan(ctx context.Context, s *chaos.Step, v chaos.Victim) (*chaos.Action, error) {
	g := d.day
	g.s.pauses.pause()
	defer g.s.pauses.resume()
	select {
	case <-g.turn:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	a, err := d.ask(ctx, s, v)
	if err != nil {
		g.turn <- struct{}{}
		return nil, err
	}
	g.watch(a)
	return a, nil
}

// ask asks until the answer is about a victim that is still there.
func (d asking) ask(ctx context.Context, s *chaos.Step, v chaos.Victim) (*chaos.Action, error) {
	a, err := d.Driver.Plan(ctx, s, v)
	for range 10 {
		if err != nil {
			return nil, err
		}
		if err := d.day.decide(ctx, s, a); err != nil {
			return nil, err
		}
		if a, err = d.Driver.Plan(ctx, s, v); err == nil {
			return a, nil
		}
		fmt.Fprintf(d.day.out, "%s is no longer there: %v\n", v.ID, err)
		other, none := d.day.s.faults.Instead(ctx, s, v)
		if none != nil {
			return nil, errors.Join(err, none)
		}
		v = other
		a, err = d.Driver.Plan(ctx, s, v)
	}
	return nil, errors.New("its victims went away ten times while the question was open")
}

// decide shows what is to be done and returns nil if it shall be.
func (g *gameDay) decide(ctx context.Context, s *chaos.Step, a *chaos.Action) error {
	what := fmt.Sprintf("%s on %s", a.Kind, a.Target)
	g.mu.Lock()
	g.asked++
	n := g.asked
	g.mu.Unlock()
	st := g.s.window.State(g.s.clock.Now())
	var b strings.Builder
	fmt.Fprintf(&b, "\nfault %d: %s\n", n, what)
	if lines := chaos.Preview([]chaos.Step{*s}); len(lines) > 0 {
		_, does, _ := strings.Cut(lines[0], ": ")
		fmt.Fprintf(&b, "  does     %s\n", does)
	}
	for _, t := range a.Touches {
		fmt.Fprintf(&b, "  touches  %s\n", t)
	}
	fmt.Fprintf(&b, "  undo     %s\n  now      %s\n", &a.Undo, st.Steady())
	for _, line := range g.beliefs() {
		fmt.Fprintf(&b, "           %s\n", line)
	}
	_, _ = io.WriteString(g.out, b.String()) // in one piece, so that nothing comes between
	answer, by := answerYes, "flag"
	if g.console != nil {
		answer, by = g.answer(ctx, what), "person"
	}
	if answer == "" {
		return context.Cause(ctx)
	}
	g.note(fmt.Sprintf("inject %s: %s", what, answer), by, map[string]string{"answer": answer, "target": a.Target, "kind": a.Kind})
	switch answer {
	case answerYes:
		return nil
	case answerAbort:
		g.s.stopLoad(&ending{status: assay.EndInterrupted, reason: "aborted by the operator"})
		return errors.New("aborted by the operator")
	case answerGone:
		return errors.New("nobody was left to be asked: the terminal is gone")
	}
	return errors.New("skipped by the operator")
}

// answer waits for the person; "" where ctx is done first.
func (g *gameDay) answer(ctx context.Context, what string) string {
	answer := make(chan string, 1)
	g.mu.Lock()
	if g.gone {
		g.mu.Unlock()
		return answerGone
	}
	g.question = answer
	g.mu.Unlock()
	g.console.prompt(fmt.Sprintf("inject %s? [y]es, [n]o (skip), [a]bort, or a note: ", what))
	defer g.console.prompt(calm)
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
		g.mu.Lock()
		g.question = nil
		g.mu.Unlock()
		return ""
	}
}
