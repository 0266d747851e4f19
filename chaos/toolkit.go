package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/toolkit"
)

// ByToolkit plays experiments of Chaos Toolkit.
const ByToolkit = "toolkit"

// Toolkit is the driver that plays the experiment that a step names: its probes, its actions, and as the undo its rollbacks. What it does to whom is the
// experiment's affair; the driver knows the target as a whole.
type Toolkit struct {
	Dir string             // where what is played is kept, in a directory for each; absolute
	Say func(*assay.Event) // takes what was seen of the hypothesis; may be nil
	// Playing is told when an experiment begins to be played and when its method and what follows it are over. May be nil.
	Playing func(bool)
	// Own and Release hand the group of each process of a method to whoever kills it when the run is stopped and hangs, or dies. May be nil.
	Own, Release func(context.Context, Process) error
}

var _ Driver = (*Toolkit)(nil)

// Victims returns the target as a whole.
func (d *Toolkit) Victims(context.Context, *Step) ([]Victim, int, error) {
	return []Victim{{ID: assay.WholeTarget, State: Ready}}, 1, nil
}

// toolkitDriver is what the driver does.
func toolkitDriver() driverTable {
	return driverTable{ByToolkit, map[string]does{"experiment": {settings: []string{"experiment"}, check: checkExperiment, preview: previewExperiment}}}
}

func checkExperiment(s *Step) []Wrong {
	if s.Experiment == "" {
		return []Wrong{{"experiment", "is missing: the file of an experiment of Chaos Toolkit"}}
	}
	x, err := toolkit.Read(s.Experiment)
	if err == nil {
		err = x.Check()
	}
	if err != nil {
		return []Wrong{{"experiment", err.Error()}}
	}
	return nil
}

func previewExperiment(s *Step) string {
	x, err := toolkit.Read(s.Experiment)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the experiment %q: %s", x.Title, strings.Join(parts(x), "; "))
}

// parts says what an experiment does, one activity each.
func parts(x *toolkit.Experiment) []string {
	var out []string
	add := func(what string, list []toolkit.Activity) {
		for i := range list {
			out = append(out, fmt.Sprintf("%s %s: %s", what, list[i].Name, &list[i]))
		}
	}
	if x.Hypothesis != nil {
		add("hypothesis", x.Hypothesis.Probes)
	}
	add("method", x.Method)
	add("rollback", x.Rollbacks)
	return append(out, x.Doubts...)
}

// Plan reads the experiment and makes the directory for what will be played.
func (d *Toolkit) Plan(_ context.Context, s *Step, v Victim) (*Action, error) {
	x, err := toolkit.Read(s.Experiment)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("plan experiment: %w", err)
	}
	dir, err := os.MkdirTemp(d.Dir, "experiment-*")
	if err != nil {
		return nil, fmt.Errorf("plan experiment: %w", err)
	}
	p := &toolkit.Player{Dir: dir, Experiment: x}
	if err := p.Prepare(); err != nil {
		return nil, fmt.Errorf("plan experiment: %w", err)
	}
	undo := Undo{Kind: UndoNone}
	back, err := x.Undo()
	if err != nil {
		return nil, fmt.Errorf("plan experiment: %w", err)
	}
	if len(back.Activities) > 0 {
		raw, err := json.Marshal(back)
		if err != nil {
			return nil, fmt.Errorf("plan experiment: %w", err)
		}
		undo = Undo{Kind: UndoRollbacks, Path: dir, Body: string(raw)}
	}
	one := &played{driver: d, player: p, step: s}
	p.Saw = one.saw
	if d.Own != nil {
		p.Own = d.own
	}
	return &Action{Kind: s.Fault, Target: v.ID, Touches: parts(x), Undo: undo, Patience: min(x.Longest(), 10*time.Minute), Apply: one.apply, Effect: one.effect}, nil
}

// played is one experiment on its way.
type played struct {
	driver            *Toolkit
	player            *toolkit.Player
	step              *Step
	succeeded, failed int
}

// own has a process of a method owned until it has ended.
func (d *Toolkit) own(pid int) (release func(), err error) {
	p, err := ProcessOf(pid)
	if errors.Is(err, errGone) {
		return func() {}, nil
	}
	if err == nil {
		err = d.Own(context.Background(), p) // bounded by the guardian
	}
	return func() { _ = d.Release(context.Background(), p) }, err // a guardian that is gone kills nothing
}

// saw warns of what may still come into force after the rollbacks.
func (p *played) saw(r toolkit.Result) {
	if r.Lost && p.driver.Say != nil {
		p.driver.Say(&assay.Event{Kind: assay.EventWarning, Source: "toolkit",
			Text: fmt.Sprintf("action %q of the experiment was given up without an answer: the server may still do it, after the rollbacks", p.player.Experiment.Method[r.Index].Name)})
	}
}

// apply checks that the state is steady and then plays the method to its end. Where the state is not steady nothing is done.
func (p *played) apply(ctx context.Context, stamp func()) error {
	if p.driver.Playing != nil {
		p.driver.Playing(true)
		defer p.driver.Playing(false)
	}
	if steady, seen := p.look(ctx, "before"); !steady {
		return fmt.Errorf("the state was not steady before: %s", worst(seen))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.player.Begin(ctx); err != nil {
		return fmt.Errorf("note that the method begins: %w", err)
	}
	stamp()
	p.succeeded, p.failed = p.player.Method(ctx)
	return ctx.Err()
}

// effect says what came of the method, and looks at the hypothesis before anything is rolled back.
func (p *played) effect(ctx context.Context) (string, error) {
	all := p.succeeded + p.failed
	text := fmt.Sprintf("%d of %d activities of the method succeeded", p.succeeded, all)
	if p.succeeded == 0 {
		return "", errors.New(text)
	}
	if p.player.Experiment.Hypothesis == nil {
		return text, nil
	}
	steady, seen := p.look(ctx, "after")
	if steady {
		return text + "; the state was steady after it", nil
	}
	return text + "; the state DEVIATED after it: " + worst(seen), nil
}

// look plays the hypothesis and tells what it saw.
func (p *played) look(ctx context.Context, stage string) (bool, []toolkit.Result) {
	steady, seen := p.player.Steady(ctx, stage)
	if p.driver.Say == nil {
		return steady, seen
	}
	for i := range seen {
		ok := "true"
		if seen[i].Tolerance == nil || !*seen[i].Tolerance {
			ok = "false"
		}
		p.driver.Say(&assay.Event{Kind: assay.EventHypothesis, Source: "toolkit", Text: seen[i].Why,
			Attrs: map[string]string{"stage": stage, "name": p.player.Experiment.Hypothesis.Probes[seen[i].Index].Name, "ok": ok}})
	}
	return steady, seen
}

// worst is what the last probe saw, after which none was played.
func worst(seen []toolkit.Result) string {
	if len(seen) == 0 {
		return "nothing was seen"
	}
	return seen[len(seen)-1].Why
}

// UndoRollbacks is the kind of undo that plays the rollbacks in Body of the experiment whose record is in the directory Path.
const UndoRollbacks = "rollbacks"

// rollbacksUndo plays the rollbacks of an experiment once its method has begun.
var rollbacksUndo = undoKind{
	remote: true,
	last:   true,
	check: func(u *Undo) error {
		b, err := rollbacks(u)
		switch {
		case err != nil:
			return err
		case len(b.Activities) == 0:
			return errors.New("no rollbacks")
		case !filepath.IsAbs(u.Path) || !strings.HasPrefix(filepath.Base(u.Path), "experiment-"):
			return fmt.Errorf("%q is no directory of an experiment", u.Path)
		}
		return nil
	},
	do: func(ctx context.Context, u *Undo) error {
		b, err := rollbacks(u)
		if err != nil {
			return err
		}
		return b.Play(ctx, u.Path)
	},
	away: func(_ context.Context, u *Undo) error { return toolkit.Away(u.Path) },
	text: func(u *Undo) string {
		b, err := rollbacks(u)
		if err != nil {
			return "nothing that is known"
		}
		var out []string
		for i := range b.Activities {
			out = append(out, b.Activities[i].String())
		}
		return strings.Join(out, "; ")
	},
}

func rollbacks(u *Undo) (*toolkit.Rollbacks, error) {
	var b toolkit.Rollbacks
	if err := json.Unmarshal([]byte(u.Body), &b); err != nil {
		return nil, fmt.Errorf("its rollbacks: %w", err)
	}
	return &b, nil
}
