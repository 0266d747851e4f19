package chaos

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/assay-dev/assay/internal/link"
)

// A Victim is one instance that a fault may be laid on.
type Victim struct {
	ID      string // the platform's name of it
	Process Process
	Addr    string // where it listens itself
	Link    string // where it is reached through its link
	State   string // starting, ready, ejected, draining, exited
	Named   bool   // it is the process that the plan names
	UID     string // of a pod: no other ever has it
	Fault   string // id of the fault that is planned against it; set by the runner
}

// Ready is the state of an instance that serves.
const Ready = "ready"

// starting is the state of an instance that has not been ready yet.
const starting = "starting"

// A Platform is a deployment on this machine that lists its instances and has a link in front
// of each. Its methods may be called at once.
type Platform interface {
	// Instances lists all instances, whatever their state.
	Instances(ctx context.Context) ([]Victim, error)
	// Link returns the conditions laid on an instance's link, on top of its own; zero is none.
	Link(ctx context.Context, id string) (link.Conditions, error)
	// SetLink lays conditions on it, live connections included, calling stamp right before.
	SetLink(ctx context.Context, id string, c link.Conditions, stamp func()) error
	// UndoLink returns the undo that takes what is laid on an instance's link away.
	UndoLink(id string) Undo
	// Process is the platform's own process; zero if it is not known.
	Process() Process
}

// Local is the driver for a platform on this machine: signals to the processes of its instances, and
// conditions on the links in front of them. It needs no privileges.
type Local struct {
	Platform Platform
	Probe    string   // path asked for to measure a fault; any answer will do. Default /health
	Exe      string   // our binary, which burners run; default that of this process
	Weights  string   // directory that the platform reads its models from; empty where it is not known
	Spare    []string // paths that no file system may be mounted over: what the run itself needs
	RunID    string   // sent with each probe, so that the target can tell ours from its users'
}

var _ Driver = (*Local)(nil)

// Victims lists the ready instances that may be hurt, by id. For a step at scale-from-zero those that start are as good: none is ready then.
func (d *Local) Victims(ctx context.Context, s *Step) ([]Victim, int, error) {
	all, err := d.Platform.Instances(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("list instances: %w", err)
	}
	var may []Victim
	ready := 0
	for _, v := range all {
		if v.Process.PID > 0 && v.Process.Gone() {
			continue // the platform is about to see it
		}
		if v.State != Ready && !(v.State == starting && s.cold() && v.Link != "") {
			continue
		}
		ready++
		if refusal(v, d.Platform.Process()) == "" {
			may = append(may, v)
		}
	}
	slices.SortFunc(may, func(a, b Victim) int { return cmp.Compare(a.ID, b.ID) })
	return may, ready, nil
}

// Plan makes the action of a step against a victim, or says why the victim is refused.
func (d *Local) Plan(ctx context.Context, s *Step, v Victim) (*Action, error) {
	k, ok := find(s.Fault)
	if !ok || k.local == nil {
		return nil, fmt.Errorf("plan %s of %s: no fault of the local driver", s.Fault, v.ID)
	}
	if one := k.one(); one != "" {
		v.ID = one
	} else if why := refusal(v, d.Platform.Process()); why != "" {
		return nil, fmt.Errorf("plan %s of %s (%v): refused: %s", s.Fault, v.ID, v.Process, why)
	}
	a, err := k.local(ctx, d, s, v)
	if err != nil {
		return nil, fmt.Errorf("plan %s of %s: %w", s.Fault, v.ID, err)
	}
	a.Kind, a.Target = s.Fault, v.ID
	return a, nil
}

// binary returns the path of our own binary.
func (d *Local) binary() (string, error) {
	if d.Exe == "" {
		return os.Executable()
	}
	return filepath.Abs(d.Exe)
}

// planLink makes the action that lays conditions on the victim's link. The caller adds how to measure it.
func (d *Local) planLink(ctx context.Context, v Victim, c link.Conditions) (*Action, error) {
	if v.Link == "" {
		return nil, fmt.Errorf("the platform has no link in front of it")
	}
	now, err := d.Platform.Link(ctx, v.ID)
	if err != nil {
		return nil, err
	}
	if !now.IsZero() {
		return nil, fmt.Errorf("its link is under %+v already, laid on it by someone else", now)
	}
	return &Action{
		Touches: []string{fmt.Sprintf("the link %s in front of %s", v.Link, v.ID)},
		Undo:    d.Platform.UndoLink(v.ID),
		Apply: func(ctx context.Context, stamp func()) error {
			return d.Platform.SetLink(ctx, v.ID, c, stamp)
		},
		Ended: func() string {
			if v.Process.Gone() {
				return "the instance is gone, and its link with it"
			}
			return ""
		},
	}, nil
}
