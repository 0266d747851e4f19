package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// OpenCommand is the hidden subcommand that runs [OpenMain]: its arguments are a control group and a device.
const OpenCommand = "x-open"

// opened is what an opener says when it could open the device.
const opened = "opened"

// gpuNode returns the device file of a GPU.
var gpuNode = func(index int) string { return fmt.Sprintf("/dev/nvidia%d", index) }

func gpuLostWorks() error {
	if _, err := os.Stat(gpuNode(0)); err != nil {
		return fmt.Errorf("there is no GPU: %w", err)
	}
	if err := cgroupsWork("devices")(); err != nil {
		return fmt.Errorf("devices can be refused by control groups of version 1 only; in version 2 that takes a BPF program, which we do not load: %w", err)
	}
	return nil
}

func previewGPULost(s *Step) string {
	return fmt.Sprintf("%s can no more be opened by the process of %s and its descendants, for %v; what they have open goes on", gpuNode(s.GPU), s.whom(), s.For)
}

// planGPULost lets the victim's process lose a GPU as it would see it that opens it anew: the kernel refuses it the device. What it has open stays
// open. It is in effect when a process of ours that joins its group is refused, and one in the group that it came from is not.
func planGPULost(_ context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	node := gpuNode(s.GPU)
	device, err := deviceOf(node)
	if err != nil {
		return nil, err
	}
	exe, err := d.binary()
	if err != nil {
		return nil, err
	}
	a, g, err := planCgroup(v, "devices", func(g *cgroup) error { return g.write("devices.deny", device+" rwm") })
	if err != nil {
		return nil, err
	}
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = until(ctx, 10*time.Millisecond, func() error {
			if in, err := g.holds(v.Process); err != nil {
				return err
			} else if !in {
				return fmt.Errorf("%v is not in the group", v.Process)
			}
			within, err := tryOpen(ctx, exe, g.dir, node)
			if err != nil {
				return err
			}
			beside, err := tryOpen(ctx, exe, g.home, node)
			if err != nil {
				return err
			}
			effect = fmt.Sprintf("opening %s: %s for a process in the group of pid %d; %s for one in the group that it came from", node, within, v.Process.PID, beside)
			if within == opened || beside != opened {
				return errors.New(effect)
			}
			return nil
		})
		return effect, err
	}
	return a, nil
}

// tryOpen starts a process of ours that joins a control group and opens a device, and returns what it says.
func tryOpen(ctx context.Context, exe, group, device string) (string, error) {
	cmd := exec.CommandContext(ctx, exe, OpenCommand, group, device)
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("open %s in %s: %w", device, group, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// OpenMain is an opener: a process that joins a control group, opens a device and says how that went.
func OpenMain(stdout io.Writer, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("open: %q; want a control group and a device", args)
	}
	if err := joinCgroup(args[0]); err != nil {
		return fmt.Errorf("join %s: %w", args[0], err)
	}
	f, err := os.OpenFile(args[1], os.O_RDWR, 0)
	said := opened
	var path *os.PathError
	if errors.As(err, &path) {
		said = path.Err.Error()
	} else if err != nil {
		said = err.Error()
	}
	if err == nil {
		f.Close()
	}
	_, err = fmt.Fprintln(stdout, said)
	return err
}
