package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A filter drops packets at random: a table of ours in the kernel's packet filter, named by a mark, with one rule for each direction.
type filter struct {
	mark string
	at   netip.AddrPort // of the server; all addresses if it is unspecified
	loss float64
}

// sieved is what a filter has seen and dropped, in packets.
type sieved struct{ seen, dropped uint64 }

func checkLoss(s *Step) []Wrong {
	if !(s.Probability >= 0.001 && s.Probability <= 1) {
		return []Wrong{{"probability", fmt.Sprintf("%g%% is out of range; 0.1%% to 100%%", 100*s.Probability)}}
	}
	return nil
}

func previewLoss(s *Step) string {
	return fmt.Sprintf("%g%% of the packets each way lost on the way to %s, by rules in this machine's packet filter, for %v", 100*s.Probability, s.whom(), s.For)
}

// planLoss has the kernel drop packets to and from the port that the victim is reached at: of the link in front of it, or without one its own. It
// is in effect when the rules have dropped some, of which the kernel keeps count. Probes see to it that there are packets.
func planLoss(_ context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	addr, where := v.Link, "the link in front of "+v.ID
	if addr == "" {
		addr, where = v.Addr, v.ID
	}
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q of %s: %w", addr, v.ID, err)
	}
	f := filter{mark: newMark(), at: at, loss: s.Probability}
	return &Action{
		Touches: []string{fmt.Sprintf("packets to and from %v, where %s is reached, by the table inet %s of this machine's packet filter", at, where, f.mark)},
		Undo:    Undo{Kind: UndoRule, Mark: f.mark},
		Apply:   func(_ context.Context, stamp func()) error { return f.add(stamp) },
		Effect: func(ctx context.Context) (effect string, err error) {
			err = until(ctx, 5*time.Millisecond, func() error {
				asking, cancel := context.WithTimeout(ctx, silence)
				d.probe(asking, addr)
				cancel()
				got, err := f.count()
				if err != nil {
					return err
				}
				effect = fmt.Sprintf("%d of %d packets were dropped (%.3g%%, want %.3g%%)", got.dropped, got.seen, 100*float64(got.dropped)/float64(max(got.seen, 1)), 100*s.Probability)
				if got.dropped == 0 {
					return errors.New(effect)
				}
				return nil
			})
			return effect, err
		},
		Ended: func() string {
			if v.Process.Gone() {
				return "the instance is gone, and its port may be another's"
			}
			if _, err := f.count(); err != nil {
				return err.Error()
			}
			return ""
		},
	}, nil
}

var ruleUndo = undoKind{
	check: func(u *Undo) error {
		if !isMark(u.Mark) {
			return fmt.Errorf("%q is no mark of ours", u.Mark)
		}
		return nil
	},
	do: func(_ context.Context, u *Undo) error { return dropTable(u.Mark) },
	away: func(_ context.Context, u *Undo) error {
		on, err := hasTable(u.Mark)
		if err == nil && on {
			err = fmt.Errorf("the table inet %s is still there", u.Mark)
		}
		return err
	},
	text: func(u *Undo) string { return "nft delete table inet " + u.Mark },
}
