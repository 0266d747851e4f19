package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/assay-dev/assay/internal/gpu"
)

// The settings of a GPU that are changed.
const (
	gpuPower  = "power"  // its limit in W
	gpuClocks = "clocks" // the lock of its cores' clock in MHz
)

// maxGPU is the highest index of a GPU that a step may name.
const maxGPU = 63

// mayTune reports why this process may not change GPUs.
var mayTune = func() error {
	if os.Geteuid() != 0 {
		return errors.New("root is needed to change the settings of a GPU")
	}
	return nil
}

// listGPUs reports why there is no GPU to be hurt here.
func listGPUs() error {
	_, err := gpu.List(context.Background())
	return err
}

func gpuMemoryWorks() error {
	if err := listGPUs(); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err == nil {
		_, err = gpu.Find(exe)
	}
	return err
}

func gpuClocksWork() error {
	if err := listGPUs(); err != nil {
		return err
	}
	return mayTune()
}

func checkGPU(s *Step) (w []Wrong) {
	if s.GPU < 0 || s.GPU > maxGPU {
		w = append(w, Wrong{"gpu", fmt.Sprintf("%d is out of range; 0 to %d", s.GPU, maxGPU)})
	}
	return w
}

func checkGPUMemory(s *Step) []Wrong { return append(checkMemory(s), checkGPU(s)...) }

func checkGPUClocks(s *Step) []Wrong {
	w := checkGPU(s)
	switch {
	case (s.MHz == 0) == (s.Watts == 0):
		w = append(w, Wrong{"mhz", "needs exactly one of mhz, which locks the clock of the cores, and watts, which limits the power"})
	case s.MHz < 0 || s.MHz > 10_000:
		w = append(w, Wrong{"mhz", fmt.Sprintf("%d is out of range; 1 to 10000", s.MHz)})
	case s.Watts < 0 || s.Watts > 10_000:
		w = append(w, Wrong{"watts", fmt.Sprintf("%d is out of range; 1 to 10000", s.Watts)})
	}
	return w
}

func previewGPUMemory(s *Step) string {
	return fmt.Sprintf("%d bytes of the memory of GPU %d held by a process of ours, for %v", s.Bytes, s.GPU, s.For)
}

func previewGPUClocks(s *Step) string {
	if s.Watts != 0 {
		return fmt.Sprintf("GPU %d limited to %d W, for %v", s.GPU, s.Watts, s.For)
	}
	return fmt.Sprintf("the cores of GPU %d locked to %d MHz, for %v; a lock that someone else has set is lost", s.GPU, s.MHz, s.For)
}

// planGPUMemory takes memory of a GPU from everything that uses it. It is in effect when the driver tells the process that holds it so much less
// free memory than before; what nvidia-smi sees it hold is said beside that.
func planGPUMemory(ctx context.Context, d *Local, s *Step, _ Victim) (*Action, error) {
	g, err := gpu.At(ctx, s.GPU)
	if err != nil {
		return nil, err
	}
	exe, err := d.binary()
	if err != nil {
		return nil, err
	}
	holder, err := gpu.Find(exe)
	if err != nil {
		return nil, err
	}
	mark := newMark()
	said := make(chan gpu.Held, 1)
	var pid int
	return &Action{
		Touches:  []string{fmt.Sprintf("this machine: memory of GPU %d (%s), by a process of ours", g.Index, g.Name)},
		Undo:     Undo{Kind: UndoMarked, Mark: mark},
		Patience: 20 * time.Second, // a driver that is not kept loaded takes seconds
		Apply: func(_ context.Context, stamp func()) error {
			cmd := exec.Command(holder, mark, asJSON(gpu.Hold{For: s.For, Bytes: s.Bytes}))
			cmd.Dir = "/"
			cmd.Env = append(os.Environ(), "CUDA_VISIBLE_DEVICES="+g.UUID)
			_, err := cmd.StdinPipe() // closed with us, and the holder ends
			out, more := cmd.StdoutPipe()
			if err := errors.Join(err, more); err != nil {
				return fmt.Errorf("start %s: %w", filepath.Base(holder), err)
			}
			stamp()
			if err := cmd.Start(); err != nil {
				return fmt.Errorf("start %s: %w", filepath.Base(holder), err)
			}
			pid = cmd.Process.Pid
			go func() { // ends with the holder, which the undo ends
				h := gpu.Held{Error: "it ended without a word"}
				if line, err := bufio.NewReader(out).ReadBytes('\n'); err == nil {
					h = gpu.Held{}
					if err := json.Unmarshal(line, &h); err != nil {
						h.Error = err.Error()
					}
				}
				said <- h
				cmd.Wait()
			}()
			return nil
		},
		Effect: func(ctx context.Context) (string, error) {
			var h gpu.Held
			select {
			case h = <-said:
			case <-ctx.Done():
				return "", errors.New("nothing is held yet")
			}
			if h.Error != "" {
				return "", errors.New(h.Error)
			}
			effect := fmt.Sprintf("pid %d holds %d bytes of GPU %d: the driver tells %d free of %d, and %d before", pid, h.Bytes, g.Index, h.After, h.Total, h.Before)
			if h.Before-h.After < s.Bytes*9/10 { // others use the GPU too
				return "", fmt.Errorf("%s; want %d less", effect, s.Bytes)
			}
			if apps, err := gpu.Apps(ctx, g.UUID); err == nil && apps[pid] > 0 { // in a container it knows other pids
				effect += fmt.Sprintf("; nvidia-smi sees it hold %d", apps[pid])
			}
			return effect, nil
		},
		Ended: func() string {
			if list, err := marked(mark); err == nil && len(list) == 0 {
				return "the process that held the memory is gone"
			}
			return ""
		},
	}, nil
}

// planGPUClocks slows a GPU down, by its power limit or by a lock of its clock. A power limit is in effect when it is read back; a lock when the clock is
// seen to be at it, or to have come down to it: an idle card that is below it already shows nothing.
func planGPUClocks(ctx context.Context, _ *Local, s *Step, _ Victim) (*Action, error) {
	g, err := gpu.At(ctx, s.GPU)
	if err != nil {
		return nil, err
	}
	look := func(ctx context.Context, ok func(now gpu.GPU) (string, bool)) (effect string, err error) {
		err = until(ctx, 200*time.Millisecond, func() error {
			now, err := gpu.Of(ctx, g.UUID)
			if err != nil {
				return err
			}
			var seen bool
			if effect, seen = ok(now); !seen {
				return errors.New(effect)
			}
			return nil
		})
		return effect, err
	}
	a := &Action{Patience: 20 * time.Second, Holds: []string{"gpu:" + g.UUID + ":" + gpuClocks}}
	if s.Watts == 0 {
		limit := float64(s.MHz)
		if math.IsNaN(g.Clock) || limit >= g.ClockMax {
			return nil, fmt.Errorf("GPU %d (%s) has a clock of %v MHz and at most %v; want a lock below", g.Index, g.Name, g.Clock, g.ClockMax)
		}
		a.Touches = []string{fmt.Sprintf("this machine: the clock of GPU %d (%s), locked to %d MHz; a lock that someone else has set is lost, since nvidia-smi tells none", g.Index, g.Name, s.MHz)}
		a.Undo = Undo{Kind: UndoGPU, GPU: g.UUID, Resource: gpuClocks, Value: limit}
		a.Apply = func(ctx context.Context, stamp func()) error {
			stamp()
			return gpu.Lock(ctx, g.UUID, s.MHz)
		}
		a.Effect = func(ctx context.Context) (string, error) {
			return look(ctx, func(now gpu.GPU) (string, bool) {
				at := math.Abs(now.Clock-limit) <= clockStep
				return fmt.Sprintf("the cores of GPU %d run at %v MHz, and at %v before; locked to %d", g.Index, now.Clock, g.Clock, s.MHz),
					at || now.Clock < limit && g.Clock > limit
			})
		}
		return a, nil
	}
	limit := float64(s.Watts)
	switch {
	case math.IsNaN(g.Power):
		return nil, fmt.Errorf("GPU %d (%s) tells no power limit", g.Index, g.Name)
	case limit >= g.Power:
		return nil, fmt.Errorf("GPU %d (%s) is limited to %v W already", g.Index, g.Name, g.Power)
	case limit < g.PowerMin:
		return nil, fmt.Errorf("GPU %d (%s) can be limited to %v W at least, not to %d", g.Index, g.Name, g.PowerMin, s.Watts)
	}
	a.Touches = []string{fmt.Sprintf("this machine: the power limit of GPU %d (%s), %d W instead of %v", g.Index, g.Name, s.Watts, g.Power)}
	a.Undo = Undo{Kind: UndoGPU, GPU: g.UUID, Resource: gpuPower, Value: g.Power, Ours: limit}
	a.Holds = []string{"gpu:" + g.UUID + ":" + gpuPower}
	a.Apply = func(ctx context.Context, stamp func()) error {
		stamp()
		return gpu.Power(ctx, g.UUID, limit)
	}
	a.Effect = func(ctx context.Context) (string, error) {
		return look(ctx, func(now gpu.GPU) (string, bool) {
			return fmt.Sprintf("the power limit of GPU %d is %v W, and was %v", g.Index, now.Power, g.Power), math.Abs(now.Power-limit) < 1
		})
	}
	return a, nil
}

// clockStep is by how many MHz a clock may miss its lock: cards have steps of 15.
const clockStep = 15

// gpuUndo gives a GPU its power limit back, or takes the lock of its clock away. It is done by a program of the driver, which may take seconds.
var gpuUndo = undoKind{
	remote: true,                                                  // not beyond this machine, but as slow
	blind:  func(u *Undo) bool { return u.Resource == gpuClocks }, // no query tells of a lock
	check: func(u *Undo) error {
		switch {
		case !gpu.IsUUID(u.GPU):
			return fmt.Errorf("%q is no GPU", u.GPU)
		case u.Resource != gpuPower && u.Resource != gpuClocks || !(u.Value > 0):
			return fmt.Errorf("%q %v is no setting of a GPU", u.Resource, u.Value)
		}
		return nil
	},
	do: func(ctx context.Context, u *Undo) error {
		if u.Resource == gpuPower {
			now, err := gpu.Of(ctx, u.GPU)
			switch {
			case err == nil && math.Abs(now.Power-u.Value) < 1:
				return nil // it was never changed, perhaps for want of the right to
			case err == nil && u.Ours > 0 && math.Abs(now.Power-u.Ours) >= 1:
				return fmt.Errorf("the power limit of %s is %v W now, was %v before the fault and %v in it: somebody else changed it meanwhile, so it is left as it is",
					u.GPU, now.Power, u.Value, u.Ours)
			}
			return gpu.Power(ctx, u.GPU, u.Value)
		}
		return gpu.Lock(ctx, u.GPU, 0)
	},
	away: func(ctx context.Context, u *Undo) error {
		now, err := gpu.Of(ctx, u.GPU)
		switch {
		case err != nil:
			return err
		case u.Resource == gpuPower && !(math.Abs(now.Power-u.Value) < 1):
			return fmt.Errorf("the power limit of %s is %v W, want %v", u.GPU, now.Power, u.Value)
		case u.Resource == gpuClocks && !(now.Clock > u.Value+clockStep):
			// An idle card does not show that its lock is gone, and no query tells of one. That nvidia-smi takes it away once more is all there is.
			return gpu.Lock(ctx, u.GPU, 0)
		}
		return nil
	},
	text: func(u *Undo) string {
		if u.Resource == gpuPower {
			return fmt.Sprintf("nvidia-smi --id=%s --power-limit=%v", u.GPU, u.Value)
		}
		return fmt.Sprintf("nvidia-smi --id=%s --reset-gpu-clocks", u.GPU)
	},
}
