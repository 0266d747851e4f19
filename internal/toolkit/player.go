package toolkit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The files of an experiment's directory.
const (
	fileExperiment = "experiment.json"  // as the file had it
	fileResults    = "activities.jsonl" // what was played, a line each
	fileBegun      = "begun.json"       // there from the begin of the method until all rollbacks have succeeded; holds those that have
	fileLock       = "lock"             // held while rollbacks are played
)

// Arrival is how long a request of the method that is under way when the run is stopped is waited for: the server may do what it asks whether or not
// anybody listens, and rolls back for good only after it.
const Arrival = 5 * time.Second

// A Player plays an experiment and keeps what came of it in Dir.
type Player struct {
	Dir        string
	Experiment *Experiment
	Saw        func(Result) // each activity as it ends, from several goroutines; may be nil
	// Own is told of each process of the method, the leader of a group, and returns what is called once it has ended. An error ends it. May be nil.
	Own func(pid int) (release func(), err error)
}

// Prepare makes the directory.
func (p *Player) Prepare() error {
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return fmt.Errorf("make the experiment's directory: %w", err)
	}
	return writeSynced(filepath.Join(p.Dir, fileExperiment), append(p.Experiment.Raw, '\n'))
}

// Steady plays the probes of the hypothesis until one is outside its tolerance, and reports whether none was. An experiment without one is steady.
func (p *Player) Steady(ctx context.Context, stage string) (bool, []Result) {
	var out []Result
	if p.Experiment.Hypothesis == nil {
		return true, nil
	}
	for i := range p.Experiment.Hypothesis.Probes {
		r := p.play(ctx, stage, i, &p.Experiment.Hypothesis.Probes[i])
		if out = append(out, r); r.Tolerance == nil || !*r.Tolerance {
			return false, out
		}
	}
	return true, out
}

// Begin notes that the method goes on, so that whoever is left plays all rollbacks. It waits while they are being played.
func (p *Player) Begin(ctx context.Context) error {
	unlock, err := lock(ctx, p.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	path := filepath.Join(p.Dir, fileBegun)
	if raw, err := os.ReadFile(path); err == nil && string(raw) == noneDone {
		return nil
	}
	return writeSynced(path, []byte(noneDone))
}

// noneDone is what the file of a method whose rollbacks are all to be played holds.
const noneDone = "[]\n"

// Method plays the method in its order. Activities in the background are waited for at its end. A failed one does not end it, as in Chaos Toolkit.
func (p *Player) Method(ctx context.Context) (succeeded, failed int) {
	var behind sync.WaitGroup
	var mu sync.Mutex
	count := func(r Result) {
		mu.Lock()
		defer mu.Unlock()
		if r.Status == Succeeded {
			succeeded++
		} else {
			failed++
		}
	}
	for i := range p.Experiment.Method {
		a := &p.Experiment.Method[i]
		if ctx.Err() != nil {
			break
		}
		if a.Background {
			behind.Go(func() { count(p.act(ctx, i, a)) })
			continue
		}
		count(p.act(ctx, i, a))
	}
	behind.Wait()
	return succeeded, failed
}

// act plays an activity of the method. Rollbacks that somebody played before it was over are played again.
func (p *Player) act(ctx context.Context, i int, a *Activity) Result {
	if err := p.Begin(ctx); err != nil {
		r := Result{Stage: "method", Index: i, Activity: a.Raw, Status: Failed, Start: time.Now().UTC(), End: time.Now().UTC(), Why: "not played: " + err.Error()}
		p.saw(r)
		return r
	}
	r := p.Experiment.Settings.playAs(ctx, a, manner{arrival: Arrival, own: p.Own})
	r.Stage, r.Index = "method", i
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), Arrival+longest(p.Experiment.Rollbacks))
	defer cancel()
	if err := p.Begin(after); err != nil {
		r.Status, r.Why = Failed, "its rollbacks may have been played before it was over: "+err.Error()
	}
	p.saw(r)
	return r
}

func (p *Player) play(ctx context.Context, stage string, i int, a *Activity) Result {
	r := p.Experiment.Settings.Play(ctx, a)
	r.Stage, r.Index = stage, i
	p.saw(r)
	return r
}

// saw keeps and tells what was played.
func (p *Player) saw(r Result) {
	_ = keep(p.Dir, r) // what cannot be kept was still done; the rollbacks matter more
	if p.Saw != nil {
		p.Saw(r)
	}
}

// Rollbacks are the undo of an experiment as data.
type Rollbacks struct {
	Settings   Settings   `json:"settings"`
	Activities []Activity `json:"activities"`
}

// Undo returns what undoes the experiment, wherever whoever does it works: programs named by a relative path are made absolute.
func (x *Experiment) Undo() (Rollbacks, error) {
	b := Rollbacks{Settings: x.Settings, Activities: slices.Clone(x.Rollbacks)}
	for i := range b.Activities {
		p := b.Activities[i].Process
		if p == nil || filepath.IsAbs(p.Path) || !strings.Contains(p.Path, "/") {
			continue
		}
		path, err := filepath.Abs(p.Path)
		if err != nil {
			return b, fmt.Errorf("find %s: %w", p.Path, err)
		}
		moved := *p
		moved.Path = path
		b.Activities[i].Process = &moved
	}
	return b, nil
}

// Longest returns how long the hypothesis or the rollbacks may take, whichever is longer.
func (x *Experiment) Longest() time.Duration {
	back := longest(x.Rollbacks)
	if x.Hypothesis == nil {
		return back
	}
	return max(back, longest(x.Hypothesis.Probes))
}

func longest(list []Activity) time.Duration {
	var d time.Duration
	for i := range list {
		a := &list[i]
		d += a.Before + a.After
		switch {
		case a.HTTP != nil:
			d += a.HTTP.Timeout
		case a.Process != nil:
			d += a.Process.Timeout
		}
	}
	return d
}

// Play plays the rollbacks that have not succeeded yet, if the method in dir has begun. One that fails does not keep the others from being played. It may
// be called any number of times, by anyone: they are never played twice at once.
func (b *Rollbacks) Play(ctx context.Context, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, fileExperiment)); err != nil {
		return fmt.Errorf("look for what the experiment did: %w", err)
	}
	unlock, err := lock(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	done, err := begun(dir)
	if err != nil || done == nil {
		return err
	}
	var errs []error
	for i := range b.Activities {
		if done[i] {
			continue
		}
		a := &b.Activities[i]
		r := b.Settings.Play(ctx, a)
		r.Stage, r.Index = "rollback", i
		_ = keep(dir, r) // it was played all the same
		if r.Status != Succeeded {
			errs = append(errs, fmt.Errorf("rollback %q: %s", a.Name, r.Why))
			continue
		}
		done[i] = true
		var list []int
		for j := range b.Activities {
			if done[j] {
				list = append(list, j)
			}
		}
		raw, _ := json.Marshal(list) // integers
		errs = append(errs, writeSynced(filepath.Join(dir, fileBegun), raw))
	}
	if err := errors.Join(errs...); err != nil {
		pause(ctx, time.Second) // whoever tries again does so at once
		return err
	}
	if err := os.Remove(filepath.Join(dir, fileBegun)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Away returns nil if nothing of the experiment in dir is left to be rolled back.
func Away(dir string) error {
	done, err := begun(dir)
	if err == nil && done != nil {
		err = errors.New("its rollbacks have not all succeeded")
	}
	return err
}

// begun returns the rollbacks that have succeeded; nil if the method has not begun or all is rolled back.
func begun(dir string) (map[int]bool, error) {
	if _, err := os.Stat(filepath.Join(dir, fileExperiment)); err != nil {
		return nil, fmt.Errorf("look for what the experiment did: %w", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, fileBegun))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []int
	_ = json.Unmarshal(raw, &list) // a torn file has none
	done := map[int]bool{}
	for _, i := range list {
		done[i] = true
	}
	return done, nil
}

var keeping sync.Mutex

// keep appends a result to those in dir.
func keep(dir string, r Result) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	keeping.Lock()
	defer keeping.Unlock()
	f, err := os.OpenFile(filepath.Join(dir, fileResults), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// results reads what was played. A torn last line is left out.
func results(dir string) ([]Result, error) {
	f, err := os.Open(filepath.Join(dir, fileResults))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []Result
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var r Result
		if json.Unmarshal(lines.Bytes(), &r) == nil {
			out = append(out, r)
		}
	}
	return out, lines.Err()
}

// writeSynced writes a file whole and returns once it is on disk.
func writeSynced(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // if it is still there
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
