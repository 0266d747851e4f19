package meshtest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// A Behaviour is how the controller treats an object, from its creation on. The zero value is as it should be.
type Behaviour struct {
	NeverSelects  bool          // it selects nothing, says so, and does not look again
	FailsToInject string        // why each try to inject fails
	Stuck         string        // why each try to recover fails
	Injects       time.Duration // it takes so long to inject
	Finalizes     time.Duration // it sets its finalizer so late
}

// step is how often the controller looks.
const step = 20 * time.Millisecond

// seen is what the controller reads of an object.
type seen struct {
	Metadata struct {
		Finalizers        []string
		DeletionTimestamp *time.Time
		Annotations       map[string]string
	}
	Spec struct {
		Action   string
		Duration string
		Mode     string
		Selector struct{ Pods map[string][]string }
	}
}

// start controls an object until it is gone.
func (c *Cluster) start(path, kind, owner, workflow string, b Behaviour) {
	m := &maker{c: c, path: path, name: path[strings.LastIndex(path, "/")+1:], owner: owner, workflow: workflow, b: b, born: time.Now()}
	c.wg.Go(func() {
		switch kind {
		case v1alpha1.KindWorkflow:
			m.control(m.workflowLook)
		case v1alpha1.KindWorkflowNode:
			m.control(m.nodeLook)
		case v1alpha1.KindSchedule:
			m.control(m.scheduleLook)
		default:
			c.control(path, owner, b)
		}
	})
}

// control takes an experiment through its states until it is gone: finalizer, selection, injection, recovery, end.
func (c *Cluster) control(path, owner string, b Behaviour) {
	ctx := context.Background()
	born := time.Now()
	injected, recovered, orphan, said := false, false, false, ""
	for c.pause(step) {
		orphan = orphan || c.collected(path, owner)
		var o seen
		if err := c.api.Get(ctx, path, &o); kube.NotFound(err) {
			return
		} else if err != nil {
			continue
		}
		deleted := o.Metadata.DeletionTimestamp != nil
		marked := slices.Contains(o.Metadata.Finalizers, mesh.Finalizer)
		switch {
		case o.Metadata.Annotations[mesh.ForceAnnotation] == mesh.Forced && b.Stuck != "ignores force":
			c.patch(path, map[string]any{"metadata": map[string]any{"finalizers": nil}})
		case !marked && !deleted:
			if time.Since(born) >= b.Finalizes {
				c.patch(path, map[string]any{"metadata": map[string]any{"finalizers": []string{mesh.Finalizer}}})
			}
		case b.NeverSelects:
			if deleted {
				c.patch(path, map[string]any{"metadata": map[string]any{"finalizers": nil}})
			} else if said == "" {
				said = "Selected"
				c.status(path, "Run", "", "", cond{"Selected", false}, cond{"AllInjected", false}, cond{"AllRecovered", true})
			}
		case injected && !recovered && (deleted || c.over(path, o.Spec.Duration, born)):
			if b.Stuck != "" {
				if said != "stuck" {
					said = "stuck"
					c.status(path, "Stop", "Recover", b.Stuck, cond{"Selected", true}, cond{"AllInjected", true}, cond{"AllRecovered", false})
				}
				continue
			}
			c.lift(path)
			recovered = true
			c.status(path, "Stop", "", "", cond{"Selected", true}, cond{"AllInjected", false}, cond{"AllRecovered", true})
		case deleted: // recovered, or never injected
			c.patch(path, map[string]any{"metadata": map[string]any{"finalizers": nil}})
		case injected:
		case b.FailsToInject != "":
			if said == "" {
				said = "fails"
				c.status(path, "Run", "Apply", b.FailsToInject, cond{"Selected", true}, cond{"AllInjected", false}, cond{"AllRecovered", false})
			}
		case time.Since(born) >= b.Injects:
			injected = true
			c.lay(path)
			if o.Spec.Action == "pod-kill" {
				for _, name := range o.Spec.Selector.Pods[Namespace] {
					c.Replace(name)
				}
				c.lift(path) // there is nothing to recover
			}
			c.status(path, "Run", "", "", cond{"Selected", true}, cond{"AllInjected", true}, cond{"AllRecovered", false})
		case said == "":
			said = "selected"
			c.status(path, "Run", "", "", cond{"Selected", true}, cond{"AllInjected", false}, cond{"AllRecovered", false})
		}
	}
}

// over reports whether an object's duration, which counts from its creation, is over.
func (c *Cluster) over(path, duration string, born time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, err := time.ParseDuration(duration)
	return c.expire[path] || err == nil && time.Since(born) > d
}

func (c *Cluster) lay(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.force[path] = true
}

func (c *Cluster) lift(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.force, path)
}

type cond struct {
	kind string
	yes  bool
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

// status writes what the controller says of an object: its phase, the action that failed on its record and why, its conditions.
func (c *Cluster) status(path, phase, failed, why string, conds ...cond) {
	var list []any
	selected, injected := false, false
	for _, x := range conds {
		yes := "False"
		if x.yes {
			yes = "True"
		}
		selected = selected || x.kind == "Selected" && x.yes
		injected = injected || x.kind == "AllInjected" && x.yes
		list = append(list, map[string]string{"type": x.kind, "status": yes})
	}
	records := []any{}
	if selected {
		r := map[string]any{"id": Namespace + "/pod", "selectorKey": ".", "phase": "Not Injected", "injectedCount": 0, "recoveredCount": 0}
		if injected {
			r["phase"], r["injectedCount"] = "Injected", 1
		}
		if phase == "Stop" {
			r["injectedCount"] = 1
		}
		if failed != "" {
			r["events"] = []any{map[string]any{"type": "Failed", "operation": failed, "message": why, "timestamp": now()}}
		}
		records = append(records, r)
	}
	c.patch(path, map[string]any{"status": map[string]any{"conditions": list, "experiment": map[string]any{"desiredPhase": phase, "containerRecords": records}}})
}

// patch tries until the object has it, or is gone.
func (c *Cluster) patch(path string, patch map[string]any) {
	for {
		err := c.api.Patch(context.Background(), path, patch, &json.RawMessage{})
		if err == nil || kube.NotFound(err) || !c.pause(step) {
			return
		}
	}
}
