package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay/internal/faultproxy"
)

// A Detour can lead the requests to an instance through a fault proxy. Its methods may be called at once.
type Detour interface {
	// Fault returns what lies on the requests, and where the proxy is.
	Fault(ctx context.Context, id string) (faultproxy.Report, error)
	// SetFault lays a fault on the requests that follow, calling stamp right before.
	SetFault(ctx context.Context, id string, c faultproxy.Conditions, stamp func()) error
	// UndoFault returns the undo that takes it away.
	UndoFault(id string) Undo
}

// requestMode returns the mode of a step of kind http or stream.
func (s *Step) requestMode() string {
	switch {
	case s.Mode != "":
		return s.Mode
	case s.Fault == "stream":
		return faultproxy.FIN
	}
	return faultproxy.Status
}

// conditions returns what the step lays on the requests.
func (s *Step) conditions() faultproxy.Conditions {
	c := faultproxy.Conditions{Mode: s.requestMode(), Status: s.Status, RetryAfter: s.RetryAfter, Delay: s.Delay, Tokens: s.Tokens,
		After: s.After, First: s.First, Every: s.Every, Probability: s.Probability}
	if c.Probability > 0 {
		c.Seed = s.Seed
	}
	return c
}

func checkHTTP(s *Step) []Wrong   { return checkRequest(s, faultproxy.RequestModes()) }
func checkStream(s *Step) []Wrong { return checkRequest(s, faultproxy.StreamModes()) }

func checkRequest(s *Step, modes []string) []Wrong {
	if !slices.Contains(modes, s.requestMode()) {
		return []Wrong{{"mode", fmt.Sprintf("%q is no mode of %s; one of %s", s.Mode, s.Fault, strings.Join(modes, ", "))}}
	}
	if err := s.conditions().Check(); err != nil {
		path, msg, _ := strings.Cut(err.Error(), ": ")
		path, _, _ = strings.Cut(path, ",")
		path = strings.Replace(strings.TrimSuffix(path, "_ns"), "retry_after", "retryAfter", 1)
		return []Wrong{{path, msg}}
	}
	if s.For > 0 && s.For <= 2*s.Delay {
		return []Wrong{{"for", fmt.Sprintf("%v is too short for a delay of %v to be measured; more than %v", s.For, s.Delay, 2*s.Delay)}}
	}
	return nil
}

func previewRequest(s *Step) string {
	return fmt.Sprintf("%s on the requests to %s, for %v", s.deed(), s.whom(), s.For)
}

// deed says in words what the step does to which requests.
func (s *Step) deed() string {
	var text string
	switch mode := s.requestMode(); mode {
	case faultproxy.Status:
		text = fmt.Sprintf("status %d", s.Status)
		if s.RetryAfter > 0 {
			text += fmt.Sprintf(" with Retry-After %v", s.RetryAfter)
		}
	case faultproxy.Latency, faultproxy.Slow:
		text = fmt.Sprintf("%s by %v", mode, s.Delay)
	case faultproxy.FIN, faultproxy.RST, faultproxy.Stall:
		text = fmt.Sprintf("%s after %d tokens", mode, s.Tokens)
	case faultproxy.Corrupt:
		text = fmt.Sprintf("corrupt token %d", s.Tokens)
	default:
		text = mode
	}
	var which []string
	if s.After > 0 {
		which = append(which, fmt.Sprintf("after %d", s.After))
	}
	if s.First > 0 {
		which = append(which, fmt.Sprintf("%d only", s.First))
	}
	if s.Every > 0 {
		which = append(which, fmt.Sprintf("one in %d", s.Every))
	}
	if s.Probability > 0 {
		which = append(which, fmt.Sprintf("each with probability %v", s.Probability))
	}
	if len(which) > 0 {
		text += " (" + strings.Join(which, ", ") + ")"
	}
	return text
}

// planRequest leads the requests to the victim through a fault proxy.
func planRequest(ctx context.Context, d *Local, s *Step, v Victim) (*Action, error) {
	via, ok := d.Platform.(Detour)
	if !ok {
		return nil, fmt.Errorf("the platform cannot lead requests through a fault proxy")
	}
	a, err := detour(ctx, via, s, v.ID, d.RunID)
	if err != nil {
		return nil, err
	}
	a.Touches = []string{fmt.Sprintf("the requests to %s", v.ID)}
	a.Ended = func() string {
		if v.Process.Gone() {
			return "the instance is gone, and its requests with it"
		}
		return ""
	}
	return a, nil
}

// detour makes the action of a step against the requests to id. It is in effect when a probe that the proxy
// answers itself is hurt as the step says.
func detour(ctx context.Context, via Detour, s *Step, id, run string) (*Action, error) {
	now, err := via.Fault(ctx, id)
	if err != nil {
		return nil, err
	}
	if !now.IsZero() {
		return nil, fmt.Errorf("its requests are under %q already, laid on them by someone else", now.Mode)
	}
	c := s.conditions()
	return &Action{
		Undo:  via.UndoFault(id),
		Apply: func(ctx context.Context, stamp func()) error { return via.SetFault(ctx, id, c, stamp) },
		Effect: func(ctx context.Context) (effect string, err error) {
			err = until(ctx, 10*time.Millisecond, func() error {
				r, err := via.Fault(ctx, id)
				if err != nil {
					return err
				}
				if r.Conditions != c {
					return fmt.Errorf("the requests are under %q, want %q", r.Mode, c.Mode)
				}
				effect, err = seeFault(ctx, r.URL, c, run)
				return err
			})
			return effect, err
		},
		Lifted: func(ctx context.Context) error {
			return until(ctx, 10*time.Millisecond, func() error {
				r, err := via.Fault(ctx, id)
				if err != nil || r.URL == "" { // the proxy is out of the way, or gone with its holder, as the undo has verified
					return nil
				}
				_, err = seeFault(ctx, r.URL, faultproxy.Conditions{}, run)
				return err
			})
		},
	}, nil
}
