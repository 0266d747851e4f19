package chaos

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Bounds of the shift of a clock. Less than the least cannot be told from the whole seconds that answers are dated in.
const (
	leastShift = 5 * time.Second
	mostShift  = 10 * 365 * 24 * time.Hour
	dateError  = 2 * time.Second
)

// clockLimit bounds how long a process is stopped again and again until none of its threads reads the clock.
const clockLimit = 5 * time.Second

// A patch is bytes of a process's own copy of code and what they are replaced by, in hexadecimal.
type patch struct {
	Addr uint64 `json:"addr"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// maxPatch is the most bytes of one patch.
const maxPatch = 64

func (p *patch) check() error {
	old, err := hex.DecodeString(p.Old)
	fresh, more := hex.DecodeString(p.New)
	if err := errors.Join(err, more); err != nil {
		return fmt.Errorf("patch at %x: %w", p.Addr, err)
	}
	if p.Addr == 0 || len(old) == 0 || len(old) > maxPatch || len(old) != len(fresh) {
		return fmt.Errorf("patch at %x of %d bytes by %d; want as many, 1 to %d", p.Addr, len(old), len(fresh), maxPatch)
	}
	return nil
}

var clockUndo = undoKind{
	check: func(u *Undo) error {
		if len(u.Code) == 0 {
			return errors.New("no code")
		}
		for i := range u.Code {
			if err := u.Code[i].check(); err != nil {
				return err
			}
		}
		return needsProcess(u)
	},
	do: func(ctx context.Context, u *Undo) error { return unlessGone(u.Process.setClock(ctx, u.Code, false)) },
	away: func(_ context.Context, u *Undo) error {
		shifted, err := u.Process.clockShifted(u.Code)
		if err == nil && shifted {
			err = fmt.Errorf("the clock of %v is still shifted", *u.Process)
		}
		if err == nil {
			if s, more := u.Process.look(); more != nil {
				err = more
			} else if s.stopped() { // whoever shifted it died while it was stopped for that
				err = fmt.Errorf("%v is still stopped", *u.Process)
			}
		}
		return unlessGone(err)
	},
	text: func(u *Undo) string { return fmt.Sprintf("restart pid %d", u.Process.PID) },
}

func checkLocalClock(s *Step) []Wrong {
	switch {
	case s.Offset.Abs() < leastShift || s.Offset.Abs() > mostShift:
		return []Wrong{{"offset", fmt.Sprintf("%v is out of range; %v to %v either way, for example -10m", s.Offset, leastShift, mostShift)}}
	case s.Offset%time.Second != 0:
		return []Wrong{{"offset", fmt.Sprintf("%v; want whole seconds", s.Offset)}}
	}
	return nil
}

func previewLocalClock(s *Step) string {
	return fmt.Sprintf("the wall clock that the process of %s sees is %s, for %v; what it starts meanwhile by fork sees it too", s.whom(), apart(s.Offset), s.For)
}

// apart says in words how far a clock is wrong.
func apart(d time.Duration) string {
	if d < 0 {
		return fmt.Sprintf("%v behind", -d)
	}
	return fmt.Sprintf("%v ahead", d)
}

// planClock shifts the wall clock that the victim's process sees, whatever it is written in: in its own copy of the code by which the kernel lets
// programs read the clock (the vDSO) the functions are replaced by ones that ask the kernel and add the shift. Clocks that only run forward are not
// shifted, so timers and the durations of most programs stay right; each reading costs a call of the kernel. It is in effect when the instance dates its
// answers so much earlier or later than it did.
func planClock(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	p := v.Process
	code, err := p.clockCode(s.Offset)
	if err != nil {
		return nil, err
	}
	before, err := d.dated(ctx, v.Addr)
	if err != nil {
		return nil, fmt.Errorf("%w, so nothing could be measured", err)
	}
	if before.Abs() > dateError {
		return nil, fmt.Errorf("its answers are dated %s as it is", apart(before))
	}
	see := func(ctx context.Context, want time.Duration) (effect string, err error) {
		err = until(ctx, 20*time.Millisecond, func() error {
			got, err := d.dated(ctx, v.Addr)
			if err != nil {
				return err
			}
			effect = fmt.Sprintf("its answers are dated %s", apart(got.Round(time.Second)))
			if (got - want).Abs() > dateError {
				return fmt.Errorf("%s, want %s", effect, apart(want))
			}
			return nil
		})
		return effect, err
	}
	return &Action{
		Touches: []string{fmt.Sprintf("%v of %s: its own copy of the code that reads the clock, %d functions", p, v.ID, len(code))},
		Undo:    Undo{Kind: UndoClock, Process: &p, Code: code},
		Holds:   []string{fmt.Sprintf("clock:%d", p.PID), holdStop(p)}, // it is stopped while its code is written
		Apply: func(ctx context.Context, stamp func()) error {
			ctx, cancel := context.WithTimeout(ctx, clockLimit)
			defer cancel()
			stamp()
			return p.setClock(ctx, code, true)
		},
		Effect: func(ctx context.Context) (string, error) { return see(ctx, s.Offset) },
		Lifted: func(ctx context.Context) error {
			_, err := see(ctx, 0)
			if err != nil && p.Gone() {
				return nil
			}
			return err
		},
		Ended: func() string {
			switch shifted, err := p.clockShifted(code); {
			case err != nil:
				return err.Error()
			case !shifted:
				return "its clock was set right by someone else"
			}
			return ""
		},
	}, nil
}

// dated returns by how much an instance dates its answers later than we do.
func (d *Local) dated(ctx context.Context, addr string) (time.Duration, error) {
	path := d.Probe
	if path == "" {
		path = "/health"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "assay")
	if d.RunID != "" {
		req.Header.Set("X-Assay-Run", d.RunID)
	}
	res, err := plainClient.Do(req)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	at, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		return 0, errors.New("the instance does not date its answers")
	}
	return at.Sub(time.Now().Truncate(time.Second)), nil
}

// vdsoRange finds the vDSO among the mappings of /proc/PID/maps.
func vdsoRange(maps string) (lo, hi uint64, err error) {
	for line := range strings.Lines(maps) {
		if strings.HasSuffix(strings.TrimRight(line, "\n"), "[vdso]") {
			if _, err := fmt.Sscanf(line, "%x-%x", &lo, &hi); err != nil || hi <= lo || hi-lo > 1<<20 {
				return 0, 0, fmt.Errorf("read the mapping %q", line)
			}
			return lo, hi, nil
		}
	}
	return 0, 0, errors.New("it has no vDSO")
}
