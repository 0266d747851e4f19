package chaos

import (
	"context"
	"fmt"
	"net/url"
)

// planColdPods deletes all pods that serve, and whoever owns them makes new ones, which begin cold. There is nothing to undo.
func planColdPods(ctx context.Context, d *Kubernetes, _ *Step) (*Action, error) {
	before, err := d.pods(ctx)
	if err != nil {
		return nil, err
	}
	if len(before) == 0 {
		return nil, fmt.Errorf("there are no pods %s: it is cold already", d.Pods)
	}
	old := map[string]bool{}
	a := &Action{Undo: Undo{Kind: UndoNone}, Touches: []string{fmt.Sprintf("%d pods %s in namespace %s", len(before), d.Pods, d.Namespace)}}
	for _, p := range before {
		old[p.uid()] = true
		a.Touches = append(a.Touches, "pod "+p.name())
	}
	a.Apply = func(ctx context.Context, stamp func()) error {
		stamp()
		return d.API.Delete(ctx, d.core("pods")+"?labelSelector="+url.QueryEscape(d.Pods))
	}
	a.Effect = func(ctx context.Context) (effect string, err error) {
		err = d.watch(ctx, func() error {
			now, err := d.pods(ctx)
			if err != nil {
				return err
			}
			for _, p := range now {
				if old[p.uid()] {
					return fmt.Errorf("pod %s still serves", p.name())
				}
			}
			effect = fmt.Sprintf("none of the %d pods serves any more; %d new ones are there", len(old), len(now))
			return nil
		})
		return effect, err
	}
	return a, nil
}

func coldRights(*Kubernetes, *Step) []right { return []right{{"deletecollection", "", "pods", ""}} }
