package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
	"github.com/assay-dev/assay/internal/webhook"
)

// lastWord is how long the end of a run waits for what was told to be delivered.
const lastWord = 3 * time.Second

// told are the events that others are told of, and in what words.
var told = map[string]string{
	assay.EventFaultApplied:   "a fault is in force",
	assay.EventFaultVoid:      "a fault had no effect",
	assay.EventFaultClear:     "a fault is verified to be away",
	assay.EventFaultRemaining: "a fault MAY REMAIN",
	assay.EventGuardBreach:    "a guard is breached: the load stops and all faults are reverted",
	assay.EventStop:           "the run is stopped early",
}

// makeHooks makes the webhooks of the plan.
func (s *session) makeHooks() error {
	for i, w := range s.plan.Notify {
		h := &webhook.Hook{URL: w.URL, Run: s.manifest.ID, Failed: func(why string) {
			if s.sealed.Load() { // too late for the run's own record
				fmt.Fprintf(s.io.err, "assay: notify: %s\n", why)
				return
			}
			s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Source: "notify", Text: why})
		}}
		if w.Token != nil {
			src, err := tokenSource(fmt.Sprintf("notify[%d].token", i), plan.Auth{Env: w.Token.Env, File: s.plan.Path(w.Token.File)})
			if err != nil {
				return err
			}
			h.Token = func(ctx context.Context) (string, error) {
				v, err := src.Fetch(ctx)
				return v.Token, err
			}
		}
		s.hooks = append(s.hooks, h)
	}
	return nil
}

// startHooks begins to tell.
func (s *session) startHooks() {
	for _, h := range s.hooks {
		h.Start()
	}
	s.notify("run.begin", fmt.Sprintf("%s begins: %d faults on %s", s.plan.Name, len(s.plan.Chaos), s.manifest.Target.Name), func(*webhook.Notice) {})
}

// tell passes an event on to those who are told of its kind. It does not wait.
func (s *session) tell(e *assay.Event) {
	text, ok := told[e.Kind]
	if !ok || len(s.hooks) == 0 {
		return
	}
	victim := cmp.Or(e.Attrs["target"], e.Instance)
	if kind := e.Attrs["kind"]; kind != "" {
		text += ": " + kind + " of " + victim
	}
	if e.Text != "" {
		text += ": " + e.Text
	}
	s.notify(e.Kind, text, func(n *webhook.Notice) { n.Fault, n.Victim = e.Fault, victim })
}

func (s *session) notify(kind, text string, more func(*webhook.Notice)) {
	n := webhook.Notice{Schema: webhook.Schema, Run: s.manifest.ID, Name: s.plan.Name, Target: s.manifest.Target.Name, Kind: kind, At: time.Now().UTC(), Text: text}
	more(&n)
	for _, h := range s.hooks {
		h.Tell(n)
	}
}

// lastNotice tells how the run ended and gives what is still on its way a moment.
func (s *session) lastNotice(r *assay.Report, exit int) {
	text, decision := "the run ended without a report", assay.Decision("")
	if r != nil {
		text, decision = fmt.Sprintf("%s: %s", r.Decision, r.Why), r.Decision
	}
	s.notify("run.end", text, func(n *webhook.Notice) { n.Decision, n.Exit = string(decision), &exit })
	s.closeHooks()
}

// closeHooks ends all hooks at once.
func (s *session) closeHooks() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWord)
	defer cancel()
	var wg sync.WaitGroup
	for _, h := range s.hooks {
		wg.Go(func() { h.Close(ctx) })
	}
	wg.Wait()
}
