package meshtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// collects is how much later than its owner what it owns is deleted.
const collects = 10 * step

// A maker is one object that makes others: a Workflow its nodes, a node its children or an experiment or a Schedule, that its experiments.
type maker struct {
	c        *Cluster
	path     string // of the object
	name     string
	owner    string // path of what made it; "" where we did
	workflow string // path of the Workflow that it belongs to
	b        Behaviour
	born     time.Time
	made     []string // paths
	next     time.Time
}

// control takes the object through its states until it is gone.
func (m *maker) control(look func(raw []byte) error) {
	for m.c.pause(step) {
		var raw json.RawMessage
		switch err := m.c.api.Get(context.Background(), m.path, &raw); {
		case kube.NotFound(err):
			m.c.lift(m.path)
			return
		case err == nil && !m.c.collected(m.path, m.owner):
			_ = look(raw) // what did not work is tried again
		}
	}
}

// collected deletes an object whose owner is gone, somewhat later, as the cluster's garbage collector does.
func (c *Cluster) collected(path, owner string) bool {
	if owner == "" || !kube.NotFound(c.api.Get(context.Background(), owner, nil)) {
		return false
	}
	if c.pause(collects) {
		_ = c.api.Delete(context.Background(), path)
	}
	return true
}

// looks at a Workflow: makes its entry node, and says when that is over.
func (m *maker) workflowLook(raw []byte) error {
	var w v1alpha1.Workflow
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if len(m.made) == 0 {
		if err := m.node(&w, w.Spec.Entry, w.Name); err != nil {
			return err
		}
		m.c.lay(m.path)
		m.c.patch(m.path, map[string]any{"status": map[string]any{"entryNode": m.made[0], "startTime": now()}})
	}
	var entry v1alpha1.WorkflowNode
	if err := m.c.api.Get(context.Background(), m.made[0], &entry); err != nil {
		return err
	}
	if w.Status.EndTime == nil && finished(&entry) {
		m.c.lift(m.path)
		m.c.patch(m.path, map[string]any{"status": map[string]any{"endTime": now()}})
	}
	return nil
}

// finished reports whether a node is over.
func finished(n *v1alpha1.WorkflowNode) bool {
	return slices.ContainsFunc(n.Status.Conditions, func(x v1alpha1.WorkflowNodeCondition) bool {
		return x.Status == "True" && (x.Type == v1alpha1.ConditionAccomplished || x.Type == v1alpha1.ConditionDeadlineExceed)
	})
}

// end marks a node as over.
func (c *Cluster) end(path string, why v1alpha1.WorkflowNodeConditionType) {
	c.patch(path, map[string]any{"status": map[string]any{"conditions": []any{map[string]string{"type": string(why), "status": "True", "reason": "x"}}}})
}

// nodeLook looks at a node. Its deadline ends it, and its children with it; a node that is over deletes what it has made but nodes.
func (m *maker) nodeLook(raw []byte) error {
	var n v1alpha1.WorkflowNode
	if err := json.Unmarshal(raw, &n); err != nil {
		return err
	}
	ctx, over := context.Background(), finished(&n)
	nodes := n.Spec.Type == v1alpha1.TypeSerial || n.Spec.Type == v1alpha1.TypeParallel
	if !over && n.Spec.Deadline != nil && (time.Now().After(n.Spec.Deadline.Time) || m.c.over(m.workflow, "", m.born)) {
		over = true
		m.c.end(m.path, v1alpha1.ConditionDeadlineExceed)
		for _, child := range m.made {
			if nodes {
				m.c.end(child, v1alpha1.ConditionDeadlineExceed)
			}
		}
	}
	switch {
	case over && !nodes:
		for _, path := range m.made {
			if err := m.c.api.Delete(ctx, path); err != nil && !kube.NotFound(err) {
				return err
			}
		}
		return nil
	case over || n.Spec.Type == v1alpha1.TypeSuspend:
		return nil
	case nodes:
		return m.children(&n)
	case len(m.made) > 0:
		return nil
	}
	labels := map[string]string{v1alpha1.LabelControlledBy: n.Name, v1alpha1.LabelWorkflow: n.Spec.WorkflowName}
	if n.Spec.Type == v1alpha1.TypeSchedule {
		return m.make(&v1alpha1.Schedule{Spec: *n.Spec.Schedule}, v1alpha1.KindSchedule, labels)
	}
	o, err := n.Spec.EmbedChaos.SpawnNewObject(n.Spec.Type)
	if err != nil {
		return err
	}
	return m.make(o.(mesh.Object), string(n.Spec.Type), labels)
}

// children makes the nodes of a node: one when that before it is over, or all at once.
func (m *maker) children(n *v1alpha1.WorkflowNode) error {
	for _, path := range m.made {
		var child v1alpha1.WorkflowNode
		if err := m.c.api.Get(context.Background(), path, &child); err != nil {
			return err
		}
		if !finished(&child) && (n.Spec.Type == v1alpha1.TypeSerial || len(m.made) == len(n.Spec.Children)) {
			return nil
		}
	}
	if len(m.made) == len(n.Spec.Children) {
		m.c.end(m.path, v1alpha1.ConditionAccomplished)
		return nil
	}
	var w v1alpha1.Workflow
	if err := m.c.api.Get(context.Background(), m.workflow, &w); err != nil {
		return err
	}
	return m.node(&w, n.Spec.Children[len(m.made)], n.Name)
}

// scheduleLook looks at a Schedule: makes an experiment whenever it is due, unless the one before may still be on.
func (m *maker) scheduleLook(raw []byte) error {
	var s v1alpha1.Schedule
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	cron, err := v1alpha1.StandardCronParser.Parse(s.Spec.Schedule)
	if err != nil {
		return err
	}
	m.c.lay(m.path)
	if m.next.IsZero() {
		m.next = cron.Next(s.CreationTimestamp.Time)
	}
	if time.Now().Before(m.next) || s.DeletionTimestamp != nil {
		return nil
	}
	m.next = cron.Next(time.Now())
	if n := len(m.made); n > 0 && s.Spec.ConcurrencyPolicy.IsForbid() {
		var before json.RawMessage
		if err := m.c.api.Get(context.Background(), m.made[n-1], &before); err != nil && !kube.NotFound(err) {
			return err
		} else if was, err := mesh.ReadStatus(before); err == nil && was.Phase != "Stop" {
			return nil
		}
	}
	o, err := s.Spec.ScheduleItem.SpawnNewObject(s.Spec.Type)
	if err != nil {
		return err
	}
	if err := m.make(o.(mesh.Object), string(s.Spec.Type), map[string]string{v1alpha1.LabelManagedBy: s.Name}); err != nil {
		return err
	}
	m.c.patch(m.path, map[string]any{"status": map[string]any{"time": now()}})
	return nil
}

// node makes the node of a template. Like the real one it leaves some kinds out of a Schedule.
func (m *maker) node(w *v1alpha1.Workflow, template, by string) error {
	i := slices.IndexFunc(w.Spec.Templates, func(t v1alpha1.Template) bool { return t.Name == template })
	if i < 0 {
		return errors.New("no template " + template)
	}
	t, start := &w.Spec.Templates[i], metav1.Now()
	n := &v1alpha1.WorkflowNode{Spec: v1alpha1.WorkflowNodeSpec{TemplateName: t.Name, WorkflowName: w.Name, Type: t.Type, StartTime: &start, Children: t.Children, EmbedChaos: t.EmbedChaos}}
	if t.Deadline != nil {
		d, err := time.ParseDuration(*t.Deadline)
		if err != nil {
			return err
		}
		n.Spec.Deadline = &metav1.Time{Time: start.Add(d)}
	}
	if s := t.Schedule; s != nil {
		e := s.EmbedChaos
		e.AzureChaos, e.BlockChaos = nil, nil
		n.Spec.Schedule = &v1alpha1.ScheduleSpec{Schedule: s.Schedule, StartingDeadlineSeconds: s.StartingDeadlineSeconds, ConcurrencyPolicy: s.ConcurrencyPolicy,
			HistoryLimit: s.HistoryLimit, Type: s.Type, ScheduleItem: v1alpha1.ScheduleItem{EmbedChaos: e}}
	}
	n.Name = template // what its name begins with
	return m.make(n, v1alpha1.KindWorkflowNode, map[string]string{v1alpha1.LabelControlledBy: by, v1alpha1.LabelWorkflow: w.Name})
}

// make creates an object under a name that begins with its own, or the maker's, and controls it.
func (m *maker) make(o mesh.Object, kind string, labels map[string]string) error {
	base := m.name
	if o.GetName() != "" {
		base = o.GetName()
	}
	m.c.mu.Lock()
	m.c.named++
	base += "-"
	name := fmt.Sprintf("%s%05d", base[:min(len(base), 58)], m.c.named) // cut as the API server cuts it
	m.c.mu.Unlock()
	o.GetObjectKind().SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	o.SetName(name)
	o.SetNamespace(Namespace)
	o.SetLabels(labels)
	raw, err := mesh.JSON(o)
	if err != nil {
		return err
	}
	at := mesh.Collection(Namespace, kind)
	if err := m.c.api.Create(context.Background(), at, raw, nil); err != nil {
		return err
	}
	at += "/" + url.PathEscape(name)
	m.made = append(m.made, at)
	m.c.start(at, kind, m.path, orElse(m.workflow, m.path), m.b)
	return nil
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
