package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/alertmanager"
)

// silenceMargin is how long after the planned end of a run its silence ends by itself.
const silenceMargin = 5 * time.Minute

// silenceTime is how the ends of silences are written.
const silenceTime = "15:04:05 MST"

// unsilenceLimit is how long the end of a run tries to end its silence; then the guardian tries on, and Alertmanager ends it in any case.
const unsilenceLimit = 10 * time.Second

// silenceFlight is how long a silence may still be made after it was asked for and the answer lost.
const silenceFlight = 10 * time.Second

// hush silences the alerts. As with a fault, its undo is on disk and with the guardian first.
func (s *session) hush(ctx context.Context, planned time.Duration) error {
	a := s.alarm
	if a == nil || !a.plan.Silence.On {
		return nil
	}
	length := a.plan.Silence.For
	if length == 0 {
		length = planned + silenceMargin
	}
	u := chaos.Undo{ID: "silence-1", Kind: chaos.UndoSilence, URL: a.plan.Alertmanager, Mark: s.manifest.ID, Flight: silenceFlight}
	if t := a.plan.Token; t != nil {
		u.TokenEnv = t.Env
		if t.File != "" {
			file, err := filepath.Abs(s.plan.Path(t.File))
			if err != nil {
				return fmt.Errorf("alerts.token.file: %w", err)
			}
			u.TokenFile = file
		}
	}
	e := chaos.ArmedEvent(u, "silence", a.plan.Alertmanager)
	e.Time = s.clock.Now()
	if err := s.store.EmitSync(e); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	err := s.guardian.Arm(ctx, u)
	if err != nil {
		s.unarm(ctx, &u, "no silence was asked for")
		return err
	}
	now := time.Now()
	ends := now.Add(length).UTC()
	quick, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	a.silence = alertmanager.Silence{Matchers: a.matchers(), StartsAt: now.UTC(), EndsAt: ends, CreatedBy: chaos.SilencedBy, Comment: chaos.SilenceComment(s.plan.Name, s.manifest.ID)}
	if a.silence.ID, err = a.am.Silence(quick, a.silence); err != nil {
		if alertmanager.NotDone(err) { // else it may be there, or come yet, and the guardian waits for it
			s.unarm(ctx, &u, "the silence was not made")
		}
		return fmt.Errorf("silence the alerts: %w", err)
	}
	u.Flight = 0
	_ = s.guardian.Arm(ctx, u) // else it waits for one that has come
	a.undo = &u
	text := fmt.Sprintf("silenced until %s at most: %s (silence %s at %s)", ends.Format(silenceTime), selector(a.matchers()), a.silence.ID, a.plan.Alertmanager)
	fmt.Fprintln(s.io.err, text)
	s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventAnnotation, Source: "alerts", Text: text})
	return nil
}

// silenceStep is how much later than it does a silence should end before it is made longer: well within its margin.
const silenceStep = 2 * time.Minute

// errSilenceOver says that a silence has ended before its time.
var errSilenceOver = errors.New("somebody else has ended it")

// keepSilent makes the silence longer while the run waits for what the plan does not know the length of, people first of all, until ctx is done. A plan
// that says for how long to be silent is taken at its word.
func (s *session) keepSilent(ctx context.Context) {
	if a := s.alarm; a.undo != nil && a.plan.Silence.For == 0 && s.pauses != nil {
		a.keepSilent(ctx, s.pauses.total, func(kind, text string) {
			if kind == assay.EventWarning {
				fmt.Fprintf(s.io.err, "assay: %s\n", text)
			}
			s.emit(&assay.Event{Time: s.clock.Now(), Kind: kind, Source: "alerts", Text: text})
		})
	}
}

// keepSilent makes the silence end later by what waited returns, in steps.
func (a *alarm) keepSilent(ctx context.Context, waited func() time.Duration, say func(kind, text string)) {
	planned, warned := a.silence.EndsAt, false
	tick := time.NewTicker(lookPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		until := planned.Add(waited())
		if until.Sub(a.silence.EndsAt) < silenceStep {
			continue
		}
		switch err := a.lengthen(ctx, until); {
		case ctx.Err() != nil:
			return
		case err == nil:
			say(assay.EventAnnotation, fmt.Sprintf("silenced until %s at most, since the run has waited for %v (silence %s)", until.Format(silenceTime), until.Sub(planned).Round(time.Second), a.silence.ID))
		case errors.Is(err, errSilenceOver):
			say(assay.EventWarning, fmt.Sprintf("the alerts are sent: silence %s is over: %v", a.silence.ID, err))
			return
		case !warned && time.Until(a.silence.EndsAt) < silenceStep: // before, there is time to try again
			warned = true
			say(assay.EventWarning, fmt.Sprintf("the alerts may be sent from %s on: silence %s is not made longer: %v", a.silence.EndsAt.Format(silenceTime), a.silence.ID, err))
		}
	}
}

// lengthen makes the silence last until an instant. One that somebody has ended stays so.
func (a *alarm) lengthen(ctx context.Context, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	list, err := a.am.Silences(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(x alertmanager.Silence) bool { return x.ID == a.silence.ID })
	if i < 0 || list[i].Over() {
		return errSilenceOver
	}
	next := list[i] // with its beginning as Alertmanager has it: given another, it would make a new silence
	next.EndsAt, next.Status = until.UTC(), nil
	id, err := a.am.Silence(ctx, next)
	if err == nil {
		next.ID = id
		a.silence = next
	}
	return err
}

// unhush ends the silence.
func (s *session) unhush() {
	if s.alarm == nil || s.alarm.undo == nil {
		return
	}
	u := s.alarm.undo
	ctx, cancel := context.WithTimeout(context.Background(), unsilenceLimit)
	defer cancel()
	err := u.Do(ctx)
	if err == nil {
		err = u.Verify(ctx)
	}
	if err != nil {
		s.emit(&assay.Event{Time: s.clock.Now(), Kind: assay.EventWarning, Source: "alerts", Text: fmt.Sprintf("the silence may last until its own end: %v; by hand: %s", err, u)})
		return // the guardian tries on
	}
	s.unarm(ctx, u, "the silence is ended")
}

// unarm says that what was armed is away.
func (s *session) unarm(ctx context.Context, u *chaos.Undo, text string) {
	clear := &assay.Event{Time: s.clock.Now(), Kind: assay.EventUndoClear, Source: "chaos", Fault: u.ID, Text: text}
	if s.store.EmitSync(clear) != nil {
		s.emit(clear)
	}
	_ = s.guardian.Disarm(ctx, u.ID) // else it does so once more, which harms nothing
}
