package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assay-dev/assay"
)

// A Hypothesis is one thing that holds while all is well with the deployment.
type Hypothesis struct {
	Name  string
	Text  string        // what is looked at, in words, for the preview
	After time.Duration // how long after a fault is clear it must hold again; default 15 s
	Asks  bool          // a look asks the target or another program, so that it is looked at only where that counts
	// Look looks once. It returns when ctx is done at the latest.
	Look func(ctx context.Context) Look
}

// A Look is what one look at a hypothesis saw.
type Look struct {
	Holds Truth
	Value string // for people; may be empty
	Text  string // what was seen, and of how much, in words
}

// Truth is true, false or unknown, as events say it.
type Truth string

// The truths.
const (
	Holds   Truth = "true"
	Broken  Truth = "false"
	Unknown Truth = "unknown" // no data, or too little
)

// Stages of a look.
const (
	stageBefore = "before" // the first fault
	stageDuring = "during" // a fault, and until it is looked at after it
	stageAfter  = "after"  // a fault
)

// How often and how long hypotheses are looked at.
const (
	lookPeriod  = 500 * time.Millisecond
	askPeriod   = time.Second
	lookLimit   = time.Minute // longest look
	beforeLimit = 10 * time.Second
	afterLooks  = 15 * time.Second
)

// steady is the state of a run's hypotheses.
type steady struct {
	gate   sync.Mutex // held while it is looked at before the first fault
	looked bool
	first  string // why there is no steady state before the first fault; ""

	mu     sync.Mutex
	broken string // why no further fault is injected; ""
	last   map[string]lastLook
	hurt   []*injection // faults that were in force
}

type lastLook struct {
	Look
	at int64
}

// steadyState returns why a fault must not be injected now, or "". The first time it looks at each hypothesis and waits a while for all to hold.
func (r *Runner) steadyState(ctx context.Context) string {
	if len(r.Hypotheses) == 0 {
		return ""
	}
	r.steady.gate.Lock()
	defer r.steady.gate.Unlock()
	if !r.steady.looked {
		r.steady.first = r.lookBefore(ctx)
		r.steady.looked = ctx.Err() == nil
	}
	if r.steady.first != "" {
		return r.steady.first
	}
	r.steady.mu.Lock()
	defer r.steady.mu.Unlock()
	return r.steady.broken
}

// lookBefore looks until all holds, at most for beforeLimit.
func (r *Runner) lookBefore(ctx context.Context) (why string) {
	limit, cancel := context.WithTimeout(ctx, beforeLimit)
	defer cancel()
	looks := make([]Look, len(r.Hypotheses))
	err := until(limit, lookPeriod, func() error {
		var wg sync.WaitGroup
		for i := range r.Hypotheses {
			wg.Go(func() { looks[i] = r.known(limit, &r.Hypotheses[i]) })
		}
		wg.Wait()
		for i, l := range looks {
			switch l.Holds {
			case Broken:
				return fmt.Errorf("the steady state did not hold before: %s: %s", r.Hypotheses[i].Name, l.Text)
			case Unknown:
				return fmt.Errorf("whether the steady state held before is not known: %s: %s", r.Hypotheses[i].Name, l.Text)
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return cause(ctx)
	}
	for i, l := range looks {
		r.sayLook(&r.Hypotheses[i], stageBefore, nil, l)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// known looks at h, and goes by the last look that told something where this one does not: a target that nobody asks anything is as it was.
func (r *Runner) known(ctx context.Context, h *Hypothesis) Look {
	l := r.look(ctx, h)
	if l.Holds != Unknown {
		return l
	}
	r.steady.mu.Lock()
	defer r.steady.mu.Unlock()
	old, ok := r.steady.last[h.Name]
	if !ok {
		return l
	}
	old.Text = fmt.Sprintf("%s %v before; since then %s", old.Text, time.Duration(r.Clock.Now()-old.at).Round(time.Second), l.Text)
	return old.Look
}

func (r *Runner) look(ctx context.Context, h *Hypothesis) Look {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	return h.Look(ctx)
}

// follow keeps the last look of each hypothesis that costs nobody anything, until the first fault.
func (r *Runner) follow(ctx context.Context) {
	tick := time.NewTicker(askPeriod)
	defer tick.Stop()
	for {
		for i := range r.Hypotheses {
			h := &r.Hypotheses[i]
			if h.Asks {
				continue
			}
			if l := r.look(ctx, h); l.Holds != Unknown {
				r.steady.mu.Lock()
				if r.steady.last == nil {
					r.steady.last = map[string]lastLook{}
				}
				r.steady.last[h.Name] = lastLook{l, r.Clock.Now()}
				r.steady.mu.Unlock()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watch looks at each hypothesis from when the fault was applied until it must hold again.
func (r *Runner) watch(ctx context.Context, f *injection) {
	if len(r.Hypotheses) == 0 {
		return
	}
	r.steady.mu.Lock()
	r.steady.hurt = append(r.steady.hurt, f)
	r.steady.mu.Unlock()
	var wg sync.WaitGroup
	for i := range r.Hypotheses {
		wg.Go(func() { r.around(ctx, &r.Hypotheses[i], f) })
	}
	wg.Wait()
}

// around looks at one hypothesis around one fault.
func (r *Runner) around(ctx context.Context, h *Hypothesis, f *injection) {
	period := lookPeriod
	if h.Asks {
		period = askPeriod
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	over := f.over
	var due <-chan time.Time
	var held, deviated bool // seen at least once
	var lastBad int64
	other := "" // the fault that came meanwhile, for which it is looked at later than it was due
	for {
		select {
		case <-ctx.Done():
			if f.void.Load() {
				return
			}
			if !deviated {
				r.sayLook(h, stageDuring, f, Look{Holds: truth(held, Holds), Text: "it was seen to hold at each look that told something"})
			}
			why := cause(ctx)
			if over == nil {
				why = fmt.Sprintf("%s %v after it was clear; it is to hold again %v after", why, time.Duration(r.Clock.Now()-f.cleared).Round(100*time.Millisecond), h.after())
			}
			r.sayLook(h, stageAfter, f, Look{Holds: Unknown, Text: why})
			return
		case <-over:
			if f.void.Load() {
				return
			}
			over = nil
			t := time.NewTimer(time.Duration(f.cleared + int64(h.after()) - r.Clock.Now()))
			defer t.Stop()
			due = t.C
		case <-tick.C:
			switch l := r.look(ctx, h); l.Holds {
			case Holds:
				held = true
			case Broken:
				lastBad = r.Clock.Now()
				if !deviated && !f.void.Load() {
					deviated = true
					l.Text += fmt.Sprintf("; first seen %v after it struck", time.Duration(lastBad-f.applied).Round(100*time.Millisecond))
					r.sayLook(h, stageDuring, f, l)
				}
			}
		case <-due:
			l := r.look(ctx, h)
			held = held || l.Holds == Holds
			if l.Holds == Broken {
				if !deviated {
					deviated = true
					r.sayLook(h, stageDuring, f, l)
				}
				if now := r.meanwhile(h, f); now != "" {
					other = now
					due = time.After(period)
					continue
				}
			}
			if !deviated {
				r.sayLook(h, stageDuring, f, Look{Holds: truth(held, Holds), Text: "no look showed it broken"})
			}
			r.settle(h, f, l, lastBad, other)
			return
		}
	}
}

// settle records the last look at h after f. other is the fault that came meanwhile, or "".
func (r *Runner) settle(h *Hypothesis, f *injection, l Look, lastBad int64, other string) {
	switch {
	case f.stays:
		l.Holds, l.Text = Unknown, "the fault may still be in force; "+l.Text
	case l.Holds == Holds && other != "":
		l.Text += "; looked at when users had had their time after " + other + " too"
	case l.Holds == Holds && lastBad > f.cleared:
		l.Text += fmt.Sprintf("; last seen broken %v after it was clear", time.Duration(lastBad-f.cleared).Round(100*time.Millisecond))
	case l.Holds == Broken && other != "":
		l.Holds, l.Text = Unknown, fmt.Sprintf("%s, which may be due to %s, that came meanwhile", l.Text, other)
	}
	r.sayLook(h, stageAfter, f, l)
	if l.Holds != Broken {
		return
	}
	r.steady.mu.Lock()
	defer r.steady.mu.Unlock()
	if r.steady.broken == "" {
		r.steady.broken = fmt.Sprintf("the steady state did not hold again after %s: %s: %s", f.ID, h.Name, l.Text)
	}
}

// meanwhile returns the id of another fault that users may not have recovered from yet, so that h says nothing of f; "" for none.
func (r *Runner) meanwhile(h *Hypothesis, f *injection) string {
	r.steady.mu.Lock()
	defer r.steady.mu.Unlock()
	now := r.Clock.Now()
	for _, g := range r.steady.hurt {
		if g == f || g.void.Load() {
			continue
		}
		select {
		case <-g.over:
			if g.cleared+int64(h.after()) > now {
				return g.ID
			}
		default:
			return g.ID
		}
	}
	return ""
}

// sayLook records a look; f is nil before the first fault.
func (r *Runner) sayLook(h *Hypothesis, stage string, f *injection, l Look) {
	e := &assay.Event{Kind: assay.EventHypothesis, Text: l.Text, Attrs: map[string]string{"stage": stage, "name": h.Name, "ok": string(l.Holds)}}
	if l.Value != "" {
		e.Attrs["value"] = l.Value
	}
	if f != nil {
		e.Fault, e.Instance = f.ID, f.Target
	}
	r.say(e)
}

func (h *Hypothesis) after() time.Duration { return orElse(h.After, afterLooks) }

func truth(known bool, t Truth) Truth {
	if known {
		return t
	}
	return Unknown
}

func (r *Runner) checkHypotheses() error {
	for _, h := range r.Hypotheses {
		if h.Name == "" || h.Look == nil {
			return errors.New("run faults: a hypothesis needs a name and a look")
		}
	}
	return nil
}
