package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/resolver"
)

// dnsMode returns the mode of a step of kind dns.
func (s *Step) dnsMode() string { return cmp.Or(s.Mode, resolver.NXDomain) }

// names returns what the step lays on a name server.
func (s *Step) names() resolver.Conditions {
	c := resolver.Conditions{Mode: s.dnsMode(), Names: s.Names, Delay: s.Delay, Answer: s.Answer, Probability: s.Probability}
	if c.Mode == resolver.Wrong && c.Answer == "" {
		c.Answer = resolver.Nobody
	}
	if c.Probability > 0 {
		c.Seed = s.Seed
	}
	return c
}

func checkDNS(s *Step) []Wrong {
	if !slices.Contains(resolver.Modes(), s.dnsMode()) {
		return []Wrong{{"mode", fmt.Sprintf("%q is no mode of dns; one of %s", s.Mode, strings.Join(resolver.Modes(), ", "))}}
	}
	if err := s.names().Check(); err != nil {
		path, msg, _ := strings.Cut(err.Error(), ": ")
		return []Wrong{{strings.TrimSuffix(path, "_ns"), msg}}
	}
	if s.For > 0 && s.For <= 2*s.Delay {
		return []Wrong{{"for", fmt.Sprintf("%v is too short for a delay of %v to be measured; more than %v", s.For, s.Delay, 2*s.Delay)}}
	}
	return nil
}

// lookups says in words what the step does to which lookups.
func (s *Step) lookups() string {
	c := s.names()
	text := c.Mode
	switch c.Mode {
	case resolver.Delay:
		text = fmt.Sprintf("an answer %v late", c.Delay)
	case resolver.Drop:
		text = "no answer"
	case resolver.Wrong:
		text = "the wrong answer " + c.Answer
	}
	text += " to lookups of " + cmp.Or(strings.Join(c.Names, " and "), "all names")
	if c.Probability > 0 {
		text += fmt.Sprintf(" (each with probability %v)", c.Probability)
	}
	return text
}

func previewDNS(s *Step) string {
	return fmt.Sprintf("%s by the target's name server, for %v; what is connected goes on", s.lookups(), s.For)
}

// planDNS makes lookups of the deployment fail: those of the name server that it asks. A process that asks another one cannot be led to
// it while it runs, so of a platform without a name server of its own this is refused.
func planDNS(ctx context.Context, d *Local, s *Step, _ Victim) (*Action, error) {
	server, ok := d.Platform.(Names)
	if !ok {
		return nil, errors.New("the platform has no name server of its own, and the name server of a running process cannot be changed")
	}
	a, err := misname(ctx, server, s)
	if err != nil {
		return nil, err
	}
	a.Touches = []string{"the name server that the target asks"}
	return a, nil
}

// misname makes the action of a step against a name server. It is in effect when a question of ours to the same server, for a name
// that is meant, gets what the step says instead of what it got before.
func misname(ctx context.Context, server Names, s *Step) (*Action, error) {
	now, err := server.Names(ctx)
	if err != nil {
		return nil, err
	}
	if now.Mode != resolver.None {
		return nil, fmt.Errorf("its name server is under %q already, laid on it by someone else", now.Mode)
	}
	c := s.names()
	name := c.Sample(now.Name)
	if c.Covers(now.Name) {
		name = now.Name
	}
	asking, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	before, err := resolver.Ask(asking, now.Addr, name, true)
	if err != nil {
		return nil, err
	}
	if before.Code != "NOERROR" || len(before.Addrs) == 0 {
		return nil, fmt.Errorf("%s cannot be looked up as it is (%s), so nothing could be measured", name, before.Code)
	}
	return &Action{
		Undo:  server.UndoNames(),
		Apply: func(ctx context.Context, stamp func()) error { return server.SetNames(ctx, c, stamp) },
		Effect: func(ctx context.Context) (effect string, err error) {
			err = until(ctx, 10*time.Millisecond, func() error {
				r, err := server.Names(ctx)
				if err != nil {
					return err
				}
				if !r.Conditions.Equal(c) {
					return fmt.Errorf("the name server is under %q, want %q", r.Mode, c.Mode)
				}
				effect, err = seeNames(ctx, r.Addr, name, c, before)
				return err
			})
			return effect, err
		},
		Lifted: func(ctx context.Context) error {
			return until(ctx, 10*time.Millisecond, func() error {
				r, err := server.Names(ctx)
				if err != nil { // gone with its holder, as the undo has verified
					return nil
				}
				_, err = seeNames(ctx, r.Addr, name, resolver.Conditions{}, before)
				return err
			})
		},
	}, nil
}

// seeNames asks for a name and says what it saw, or what it saw instead of what the conditions say.
func seeNames(ctx context.Context, addr, name string, c resolver.Conditions, before resolver.Answer) (string, error) {
	asking, cancel := context.WithTimeout(ctx, silence+2*c.Delay)
	defer cancel()
	a, err := resolver.Ask(asking, addr, name, true)
	saw := fmt.Sprintf("a lookup of %s got %s %v after %v", name, a.Code, a.Addrs, round(a.Took))
	ok := false
	switch {
	case err != nil:
		saw = fmt.Sprintf("a lookup of %s got no answer within %v", name, silence+2*c.Delay)
		ok = c.Mode == resolver.Drop && errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	case c.Mode == resolver.None:
		ok = a.Code == before.Code && slices.Equal(a.Addrs, before.Addrs)
	case c.Mode == resolver.NXDomain:
		ok = a.Code == "NXDOMAIN"
	case c.Mode == resolver.ServFail:
		ok = a.Code == "SERVFAIL"
	case c.Mode == resolver.Delay:
		ok = a.Code == before.Code && a.Took >= c.Delay
	case c.Mode == resolver.Wrong:
		ok = len(a.Addrs) == 1 && a.Addrs[0].String() == c.Answer
	}
	if !ok {
		return "", errors.New(saw)
	}
	return saw, nil
}
