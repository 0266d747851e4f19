package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// HealOptions are what a person allows Heal to do beyond undoing.
type HealOptions struct {
	// ForceFinalizers takes an object away whose controller does not recover it. What it did stays, and nobody is left who knows it: the fault is
	// reported as remaining, now and by each Heal to come, until the pod that it lay on is gone.
	ForceFinalizers bool

	Say func(text string) // is told what is waited for; nil for nobody

	LeaveAlive bool // do nothing to a run that is alive: its own guardian cleans up after it
	Ended      bool // the run has said that it ended, so that no fault of it comes into force any more
}

// attrForced marks the note of a fault whose object was forced away.
const attrForced = "forced"

// forceTime is how long the controller is given to drop its finalizer when it is told to, before that is done for it.
const forceTime = 3 * time.Second

// forceable reports whether the undo is of an object whose controller holds it.
func (u *Undo) forceable() bool { return u.Kind == UndoKube && u.Finalizer != "" }

// force takes the object of an undo away without recovering anything.
func (u *Undo) force(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), remoteTimeout)
	defer cancel()
	api, err := clusterOf(u)
	if err != nil {
		return err
	}
	told, cancelTold := context.WithTimeout(ctx, forceTime)
	defer cancelTold()
	err = api.Patch(told, u.Path, map[string]any{"metadata": map[string]any{"annotations": map[string]any{mesh.ForceAnnotation: mesh.Forced}}}, nil)
	if err == nil {
		err = until(told, 200*time.Millisecond, func() error { return u.away(told) })
	}
	if err == nil || kube.NotFound(err) {
		return nil
	}
	err = api.Patch(ctx, u.Path, map[string]any{"metadata": map[string]any{"finalizers": nil}}, nil)
	if err == nil {
		err = until(ctx, 200*time.Millisecond, func() error { return u.away(ctx) })
	}
	if kube.NotFound(err) {
		return nil
	}
	return err
}

// podAway returns nil once the pod that the fault lay on is gone, and whatever lay on it.
func (u *Undo) podAway(ctx context.Context) error {
	if u.Pod == "" {
		return errors.New("what it lay on is not one pod, so that it can end is not seen from here")
	}
	api, err := clusterOf(u)
	if err != nil {
		return err
	}
	var p metadata
	err = api.Get(ctx, u.Pod, &p)
	switch {
	case kube.NotFound(err) || err == nil && p.Metadata.UID != u.PodUID:
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%s is still there", u.Pod)
}

// meshTrouble returns what a controller says keeps an object.
func meshTrouble(raw json.RawMessage) string {
	s, err := mesh.ReadStatus(raw)
	if err != nil {
		return ""
	}
	return s.Trouble
}
