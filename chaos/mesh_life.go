package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// A meshLife is one object from its creation to its end.
type meshLife struct {
	d       *Mesh
	step    *Step
	victim  Victim
	object  mesh.Object
	path    string
	whole   bool
	bound   time.Duration // after its creation, the cluster ends it; 0: it does not
	expires int64         // Unix ns, as long as it was created at once

	created time.Time // just before
	known   time.Time // when the server had taken it

	mu   sync.Mutex
	ends string // why it is over although we did not end it
}

// apply creates the object. What a server dropped of it, because its Chaos Mesh is older than the field, would hurt otherwise than the plan says.
func (l *meshLife) apply(ctx context.Context, stamp func()) error {
	body, err := mesh.JSON(l.object)
	if err != nil {
		return err
	}
	stamp()
	l.created = time.Now()
	var answer, want map[string]any
	if err := l.d.API.Create(ctx, mesh.Collection(l.d.Namespace, mesh.Kind(l.object)), body, &answer); err != nil {
		return fmt.Errorf("create %s: %w", l.path, err)
	}
	l.known = time.Now()
	if err := json.Unmarshal(body, &want); err != nil {
		return err
	}
	if lost := missing("spec", answer["spec"], want["spec"]); lost != "" {
		return fmt.Errorf("the cluster's Chaos Mesh does not know %s of %s: it would do something else", lost, mesh.Kind(l.object))
	}
	return nil
}

// missing returns the path of a member of want that got lacks; "" if it has all.
func missing(path string, got, want any) string {
	w, ok := want.(map[string]any)
	if !ok {
		return ""
	}
	g, _ := got.(map[string]any)
	for k, v := range w {
		if _, there := g[k]; !there {
			return path + "." + k
		}
		if lost := missing(path+"."+k, g[k], v); lost != "" {
			return lost
		}
	}
	return ""
}

// look reads the object's status.
func (l *meshLife) look(ctx context.Context) (mesh.Status, error) {
	var raw json.RawMessage
	if err := l.d.API.Get(ctx, l.path, &raw); err != nil {
		return mesh.Status{}, err
	}
	return mesh.ReadStatus(raw)
}

// effect waits until the controller says that all is injected. It does not select a second time, so what has selected nothing is given up.
func (l *meshLife) effect(ctx context.Context) (string, error) {
	limit := orElse(l.d.Select, meshSelection)
	text := ""
	var final error
	err := until(ctx, orElse(l.d.Poll, 250*time.Millisecond), func() error {
		s, err := l.look(ctx)
		took := time.Since(l.created)
		switch {
		case kube.NotFound(err):
			final = errors.New("its object was deleted by someone else")
			return nil
		case err != nil:
			return err
		case s.Deleted:
			final = errors.New("its object is being deleted by someone else")
			return nil
		case mesh.Scheduled(l.object) != nil:
			text, err = l.scheduled(ctx)
			return err
		case !l.experiment():
			if s.Begun || s.Done {
				text = fmt.Sprintf("Chaos Mesh says that the %s has begun, %v after it was created; told by its controller, not measured", mesh.Kind(l.object), round(took))
				return nil
			}
			return fmt.Errorf("Chaos Mesh has not taken up the %s", mesh.Kind(l.object)) //nolint:staticcheck // a name
		case s.Selected != "True" && time.Since(l.known) > limit:
			final = fmt.Errorf("Chaos Mesh selected nothing within %v%s", limit, l.hint(ctx)) //nolint:staticcheck // a name
			return nil
		case s.Selected != "True":
			return errors.New("Chaos Mesh has selected nothing") //nolint:staticcheck // a name
		case !s.Injected && s.Trouble != "":
			return fmt.Errorf("Chaos Mesh says: %s", s.Trouble)
		case !s.Injected:
			return errors.New("Chaos Mesh says that it is not injected") //nolint:staticcheck // a name
		}
		text = fmt.Sprintf("Chaos Mesh says that it is injected, %v after its object was created; told by its controller, not measured", round(took))
		return l.killed(ctx, &text)
	})
	if final != nil {
		err = final
	}
	return text, err
}

// scheduled reports whether the Schedule of a Workflow has done something: its node and the Schedule are there, and an experiment of its was injected.
func (l *meshLife) scheduled(ctx context.Context) (string, error) {
	why := ""
	for _, m := range mesh.Makes(l.object) {
		made, err := listed(ctx, l.d.API, m.Path(l.d.Namespace), m.Prefix)
		if err != nil {
			return "", err
		}
		if len(made) == 0 {
			return "", fmt.Errorf("Chaos Mesh has made no %s of it", m.Kind) //nolint:staticcheck // a name
		}
		if m.Prefix == "" {
			continue
		}
		for _, x := range made {
			s, err := mesh.ReadStatus(x.raw)
			switch {
			case err != nil:
				return "", err
			case s.Injected || s.Times > 0:
				return fmt.Sprintf("Chaos Mesh says that %s of the Schedule was injected, %v after the Workflow was created; told by its controller, not measured", x.name, round(time.Since(l.created))), nil
			case s.Trouble != "":
				why = "; Chaos Mesh says: " + s.Trouble
			}
		}
	}
	return "", fmt.Errorf("Chaos Mesh has injected no experiment of the Schedule%s", why) //nolint:staticcheck // a name
}

// hint says why nothing may have been selected.
func (l *meshLife) hint(ctx context.Context) string {
	var ns metadata
	if l.d.API.Get(ctx, "/api/v1/namespaces/"+url.PathEscape(l.d.Namespace), &ns) == nil && ns.Metadata.Annotations[mesh.InjectAnnotation] != mesh.Enabled {
		return fmt.Sprintf("; a cluster that filters namespaces wants %s annotated %s: %s", l.d.Namespace, mesh.InjectAnnotation, mesh.Enabled)
	}
	return "; its controller may not run, or refuse the pod"
}

// killed adds to the effect of a pod that was deleted that the API server says so too.
func (l *meshLife) killed(ctx context.Context, text *string) error {
	if l.step.Fault != "kill" || l.step.Container != "" {
		return nil
	}
	gone, err := l.podGone(ctx)
	if err != nil {
		return err
	}
	if !gone {
		return fmt.Errorf("pod %s is still there", l.victim.ID)
	}
	*text = fmt.Sprintf("the API server says that pod %s is gone, %v after the object was created", l.victim.ID, round(time.Since(l.created)))
	return nil
}

// podGone reports whether the victim is away or on its way, or another has its name.
func (l *meshLife) podGone(ctx context.Context) (bool, error) {
	var p meshPod
	err := l.d.API.Get(ctx, l.d.podPath(l.victim.ID), &p)
	if kube.NotFound(err) {
		return true, nil
	}
	return err == nil && (p.Metadata.UID != l.victim.UID || p.Metadata.DeletionTimestamp != nil), err
}

// linkLost is how long the API server may be silent before that is said.
const linkLost = 3 * time.Second

// during watches the object while the fault is held: for its end before ours, and for the loss of the link to the cluster.
func (l *meshLife) during(ctx context.Context) string {
	tick := time.NewTicker(orElse(l.d.Poll, time.Second))
	defer tick.Stop()
	heard, said := time.Now(), false
	for {
		select {
		case <-ctx.Done():
			return ""
		case <-tick.C:
		}
		looking, cancel := context.WithTimeout(ctx, linkLost)
		s, err := l.look(looking)
		gone := false
		if err == nil && !l.whole {
			gone, _ = l.podGone(looking)
		}
		cancel()
		switch {
		case ctx.Err() != nil:
			return ""
		case kube.NotFound(err):
			l.end("its object was deleted by someone else")
		case err != nil:
			if !said && time.Since(heard) > linkLost {
				said = true
				l.d.say("%s: the API server does not answer: %v; the fault %s", l.victim.Fault, err, l.remains())
			}
			continue
		case s.Done:
			l.end("the workflow is over")
		case l.experiment() && s.Recovered && !mesh.OneShot(l.object):
			l.end("Chaos Mesh says that it is recovered: its duration is over, or someone has paused it")
		case gone && !mesh.OneShot(l.object):
			l.end("pod " + l.victim.ID + " is gone, and the fault with it")
		}
		if said {
			l.d.say("%s: the API server answers again", l.victim.Fault)
		}
		heard, said = time.Now(), false
	}
}

// remains says for how long the fault stays if nobody can end it.
func (l *meshLife) remains() string {
	if l.expires == 0 {
		return "may remain until it is deleted" // one that strikes once
	}
	return "may remain until the cluster ends it at " + time.Unix(0, l.expires).UTC().Format(time.TimeOnly+" UTC")
}

func (l *meshLife) end(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends == "" {
		l.ends = why
	}
}

// over implements Ended.
func (l *meshLife) over() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ends
}
