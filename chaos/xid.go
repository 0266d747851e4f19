package chaos

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/gpu"
)

// xidTexts are what the driver says of some errors.
var xidTexts = map[int]string{
	13: "Graphics Exception", 31: "MMU Fault", 43: "Reset Channel Verif Error", 45: "Preemptive Removal", 48: "DBE (double bit error) ECC Error",
	63: "Row Remapper: New row marked for remapping", 64: "Row Remapper: Failed to remap row", 74: "NVLink: fatal error detected", 79: "GPU has fallen off the bus.",
	94: "Contained ECC error", 95: "Uncontained ECC error", 119: "Timeout waiting for RPC from GSP", 120: "GSP task exception",
}

// defaultXID is of a GPU that has fallen off the bus.
const defaultXID = 79

// maxXID bounds the numbers of errors; those in use end below.
const maxXID = 255

func (s *Step) xid() int {
	if s.XID == 0 {
		return defaultXID
	}
	return s.XID
}

func checkXID(s *Step) []Wrong {
	w := checkGPU(s)
	if s.xid() < 1 || s.xid() > maxXID {
		w = append(w, Wrong{"xid", fmt.Sprintf("%d is out of range; 1 to %d", s.XID, maxXID)})
	}
	return w
}

func previewXID(s *Step) string {
	return fmt.Sprintf("SIMULATED: a line of Xid %d of GPU %d in the kernel log of this machine; no GPU is hurt, and the line stays", s.xid(), s.GPU)
}

// planXID writes a line into the kernel log as the driver does when a GPU fails, for those who watch the log. No GPU fails: the line says that it is
// simulated. It is in effect when it is read back from the log. A line of the log cannot be taken back, and nothing is written that would pretend so.
func planXID(ctx context.Context, _ *Local, s *Step, _ Victim) (*Action, error) {
	bus := "0000:00:00" // where there is no such GPU, no bus has that address either
	if g, err := gpu.At(ctx, s.GPU); err == nil {
		bus = shortBus(g.Bus)
	}
	mark := newMark()
	line := xidLine(bus, s.xid(), mark)
	log := &kernelLog{}
	return &Action{
		Touches: []string{"this machine: its kernel log, by one simulated line: " + line},
		Undo:    Undo{Kind: UndoNone},
		Apply: func(_ context.Context, stamp func()) error {
			if err := log.open(); err != nil {
				return err
			}
			stamp()
			return log.write(line)
		},
		Effect: func(ctx context.Context) (effect string, err error) {
			defer log.close()
			err = until(ctx, 5*time.Millisecond, func() error {
				got, err := log.find(mark)
				effect = fmt.Sprintf("simulated: the kernel log has %q; no GPU was hurt", got)
				return err
			})
			return effect, err
		},
	}, nil
}

// xidLine is a line as the driver writes it, but for its end.
func xidLine(bus string, code int, mark string) string {
	text, ok := xidTexts[code]
	if !ok {
		text = "made up"
	}
	return fmt.Sprintf("NVRM: Xid (PCI:%s): %d, pid='<unknown>', name=<unknown>, %s (simulated by assay, %s)", bus, code, text, mark)
}

// shortBus turns the address of nvidia-smi, 00000000:3B:00.0, into that of the log, 0000:3b:00.
func shortBus(bus string) string {
	bus, _, _ = strings.Cut(strings.ToLower(bus), ".")
	if domain, rest, ok := strings.Cut(bus, ":"); ok && len(domain) > 4 {
		bus = domain[len(domain)-4:] + ":" + rest
	}
	return bus
}
