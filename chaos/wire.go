package chaos

import (
	"context"
	"fmt"

	"github.com/assay-dev/assay"
)

// WireID is the name that the one victim of Wire goes by.
const WireID = assay.WholeWire

// Wire is the driver for a target of which nothing is known but where it answers: a fault proxy of ours stands between
// the load and it. What it does happens on our side of the wire: the target itself is not hurt, and sees only the requests
// that pass.
type Wire struct {
	Admin *AdminPlatform // serves the fault proxy as that of an instance named WireID
	RunID string         // sent with each probe
}

var _ Driver = (*Wire)(nil)

// Victims returns the wire, which is always ready.
func (d *Wire) Victims(context.Context, *Step) ([]Victim, int, error) {
	return []Victim{{ID: WireID, State: Ready}}, 1, nil
}

// Plan makes the action of a step.
func (d *Wire) Plan(ctx context.Context, s *Step, v Victim) (*Action, error) {
	if k, ok := find(s.Fault); !ok || !k.Wire {
		return nil, fmt.Errorf("plan %s of the target: it can only be hurt by what lies between the load and it", s.Fault)
	}
	var a *Action
	var err error
	touches := "our own requests, in a proxy between the load and the target"
	if s.Fault == "dns" {
		a, err = misname(ctx, d.Admin, s)
		touches = "our own lookups of names, at a name server between the load and that of this machine"
	} else {
		a, err = detour(ctx, d.Admin, s, v.ID, d.RunID)
	}
	if err != nil {
		return nil, fmt.Errorf("plan %s of the target: %w", s.Fault, err)
	}
	a.Kind, a.Target = s.Fault, v.ID
	a.Touches = []string{touches}
	return a, nil
}

func previewWire(s *Step) string {
	if s.Fault == "dns" {
		return fmt.Sprintf("%s by a name server of ours between the load and this machine's, for %v; what is connected goes on", s.lookups(), s.For)
	}
	return fmt.Sprintf("%s on our requests to the target, for %v", s.deed(), s.For)
}
