package chaos

import (
	"context"
	"fmt"
	"time"
)

// The resources of a process that can be limited.
const (
	resourceFiles  = "nofile" // numbers of descriptors
	resourceMemory = "as"     // bytes of address space
)

// A limit is what a process may use at most of a resource. It may raise its soft limit up to the hard one.
type limit struct {
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// memory is what a process has of it, in bytes.
type memory struct{ space, resident uint64 }

func previewFiles(s *Step) string {
	return fmt.Sprintf("no new file descriptor for the process of %s, for %v", s.whom(), s.For)
}

func previewMemoryLimit(s *Step) string {
	if s.limitMode() == limitOOM {
		return fmt.Sprintf("%d bytes more of memory at most for the process of %s and its descendants, by a control group of ours, for %v; the kernel kills what takes more", s.Bytes, s.whom(), s.For)
	}
	return fmt.Sprintf("%d bytes more of address space at most for the process of %s, for %v", s.Bytes, s.whom(), s.For)
}

// planFiles takes the victim's process the right to open descriptors: what is open goes on, new connections are accepted by the
// kernel and never answered. It is in effect when the limit stands and a new connection to the instance falls silent.
func planFiles(_ context.Context, d *Local, _ *Step, v Victim) (*Action, error) {
	a, err := planLimit(v, resourceFiles, 0)
	if err != nil {
		return nil, err
	}
	stands := a.Effect
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			text, err := stands(ctx)
			if err != nil {
				return err
			}
			looking, cancel := context.WithTimeout(ctx, silence)
			defer cancel()
			got := d.probe(looking, v.Addr)
			if ctx.Err() != nil || got.end == endAnswer || got.end == endRefused {
				return fmt.Errorf("%s, but a new connection saw %s", text, got.end)
			}
			effect = fmt.Sprintf("%s; a new connection saw %s", text, got.end)
			return nil
		})
		return effect, err
	}
	a.Lifted = func(ctx context.Context) error {
		return until(ctx, 10*time.Millisecond, func() error {
			looking, cancel := context.WithTimeout(ctx, 2*time.Second) // a server that was refused a descriptor waits before it tries again
			defer cancel()
			if got := d.probe(looking, v.Addr); got.end != endAnswer && !v.Process.Gone() {
				return fmt.Errorf("a new connection to %s sees %s", v.ID, got.end)
			}
			return nil
		})
	}
	return a, nil
}

// spaceMargin is how many bytes of address space below its limit a process counts as at it: what is asked for comes in larger pieces.
const spaceMargin = 1 << 20

// planMemoryLimit lets the victim's process have only so many more bytes of address space than it has. It is in effect when the
// process is at the limit, so that what asks for more is told no, or has died; a limit that it does not come to is not felt. Probes see to it that
// it has something to do.
func planMemoryLimit(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	if s.limitMode() == limitOOM {
		return planOOM(ctx, d, s, v)
	}
	now, err := v.Process.memory()
	if err != nil {
		return nil, err
	}
	most := now.space + uint64(s.Bytes)
	a, err := planLimit(v, resourceMemory, most)
	if err != nil {
		return nil, err
	}
	stands := a.Effect
	a.Look = max(0, s.For-5*time.Second) // the load may come to need more later
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			if v.Addr != "" {
				asking, cancel := context.WithTimeout(ctx, silence)
				d.probe(asking, v.Addr)
				cancel()
			}
			now, err := v.Process.memory()
			if v.Process.Gone() {
				effect = fmt.Sprintf("pid %d has died, limited to %d bytes of address space", v.Process.PID, most)
				return nil
			}
			if err != nil {
				return err
			}
			text, err := stands(ctx)
			if err != nil {
				return err
			}
			effect = fmt.Sprintf("%s and has %d bytes", text, now.space)
			if now.space+spaceMargin < most {
				return fmt.Errorf("%s: it did not come to the limit", effect)
			}
			return nil
		})
		return effect, err
	}
	return a, nil
}

// planLimit lowers a soft limit of the victim's process. Its hard limit stays, so no privilege is needed to undo it.
func planLimit(v Victim, resource string, soft uint64) (*Action, error) {
	p := v.Process
	was, err := p.limit(resource)
	if err != nil {
		return nil, err
	}
	if soft >= was.Soft {
		return nil, fmt.Errorf("its limit of %s is %d already", resource, was.Soft)
	}
	return &Action{
		Touches: []string{fmt.Sprintf("the limit of %s of %v of %s: %d instead of %d", resource, p, v.ID, soft, was.Soft)},
		Undo:    Undo{Kind: UndoLimit, Process: &p, Resource: resource, Limit: &was, OurLimit: &limit{soft, was.Hard}},
		Holds:   []string{fmt.Sprintf("limit:%s:%d", resource, p.PID)},
		Apply: func(_ context.Context, stamp func()) error {
			return p.setLimit(resource, limit{soft, was.Hard}, stamp)
		},
		Effect: func(ctx context.Context) (string, error) {
			err := until(ctx, time.Millisecond, func() error {
				now, err := p.limit(resource)
				if err == nil && now.Soft != soft {
					err = fmt.Errorf("the limit of %s of %v is %d, want %d", resource, p, now.Soft, soft)
				}
				return err
			})
			return fmt.Sprintf("pid %d is limited to %d of %s", p.PID, soft, resource), err
		},
		Ended: func() string {
			switch now, err := p.limit(resource); {
			case err != nil:
				return err.Error()
			case now.Soft != soft:
				return "the limit was changed by someone else"
			}
			return ""
		},
	}, nil
}
