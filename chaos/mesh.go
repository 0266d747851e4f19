package chaos

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// Mesh is the driver for pods in a cluster that runs Chaos Mesh. It makes one object for each victim, which names the pod and bears a duration: the
// cluster ends what we cannot. What it says of an effect is what the controller says; nothing is measured on the node.
//
// A namespace whose annotation chaos-mesh.org/inject is there and not "enabled" is never hurt; with OptIn it has to be there.
type Mesh struct {
	API        *kube.Client
	Kubeconfig string // absolute path, for an undo to find the cluster again; empty for the default
	Context    string
	Namespace  string
	Pods       string // label selector; nothing else is hurt
	OptIn      bool   // only where the namespace is annotated
	RunID      string
	Say        func(text string) // is told at once what a person must know; may be nil

	Patience time.Duration // how long the controller may take to inject, and to recover; default 30 s
	Select   time.Duration // how long it may take to select; default 15 s
	Flight   time.Duration // how long a request of ours whose answer was not heard may still be carried out; default 1 m
	Poll     time.Duration // between two looks; default 250 ms, and a second while a fault is held
}

var _ Driver = (*Mesh)(nil)

// podsPath is the path of the pods that may be hurt.
func (d *Mesh) podsPath() string {
	return "/api/v1/namespaces/" + url.PathEscape(d.Namespace) + "/pods?labelSelector=" + url.QueryEscape(d.Pods)
}

func (d *Mesh) podPath(name string) string {
	return "/api/v1/namespaces/" + url.PathEscape(d.Namespace) + "/pods/" + url.PathEscape(name)
}

// meshPod is what we read of a pod.
type meshPod struct {
	metadata
	Spec struct {
		HostNetwork bool `json:"hostNetwork"`
	} `json:"spec"`
	Status struct {
		PodIP      string                          `json:"podIP"`
		Conditions []struct{ Type, Status string } `json:"conditions"`
	} `json:"status"`
}

func (p *meshPod) ready() bool {
	if p.Metadata.DeletionTimestamp != nil {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return true
		}
	}
	return false
}

// Victims lists the ready pods by name. A pod on its node's network is not hurt: a fault of its network would be one of the node.
func (d *Mesh) Victims(ctx context.Context, s *Step) ([]Victim, int, error) {
	if err := d.allowed(ctx); err != nil {
		return nil, 0, err
	}
	var list struct {
		Items []meshPod `json:"items"`
	}
	if err := d.API.Get(ctx, d.podsPath(), &list); err != nil {
		return nil, 0, fmt.Errorf("list the pods %s in %s: %w", d.Pods, d.Namespace, err)
	}
	var may []Victim
	ready := 0
	for i := range list.Items {
		p := &list.Items[i]
		if !p.ready() {
			continue
		}
		ready++
		if !p.Spec.HostNetwork {
			may = append(may, Victim{ID: p.Metadata.Name, UID: p.Metadata.UID, Addr: p.Status.PodIP, State: Ready})
		}
	}
	slices.SortFunc(may, func(a, b Victim) int { return cmp.Compare(a.ID, b.ID) })
	if k, _ := findMesh(s.Fault); k.whole {
		return []Victim{{ID: assay.WholeTarget, State: Ready}}, ready, nil
	}
	return may, ready, nil
}

// allowed reports why nothing in the namespace may be hurt.
func (d *Mesh) allowed(ctx context.Context) error {
	var ns metadata
	err := d.API.Get(ctx, "/api/v1/namespaces/"+url.PathEscape(d.Namespace), &ns)
	value, there := ns.Metadata.Annotations[mesh.InjectAnnotation]
	switch {
	case err != nil && d.OptIn:
		return fmt.Errorf("look whether namespace %s takes part: %w", d.Namespace, err)
	case err != nil:
		return nil // to read it is a right that nothing else needs
	case there && value != mesh.Enabled:
		return fmt.Errorf("namespace %s is annotated %s: %s: it does not take part", d.Namespace, mesh.InjectAnnotation, value)
	case !there && d.OptIn:
		return fmt.Errorf("namespace %s is not annotated %s: %s, as optIn demands", d.Namespace, mesh.InjectAnnotation, mesh.Enabled)
	}
	return nil
}

// object makes the object of a step against a victim.
func (d *Mesh) object(s *Step, v Victim) (mesh.Object, error) {
	p := placement{namespace: d.Namespace, name: meshName(d.RunID, v.Fault), pods: []string{v.ID}, labels: d.labels(v)}
	return p.object(s)
}

// labels are what the object of a fault bears.
func (d *Mesh) labels(v Victim) map[string]string {
	return map[string]string{mesh.RunLabel: d.RunID, mesh.FaultLabel: meshLabel(v.Fault)}
}

// Plan makes the action of a step against a victim.
func (d *Mesh) Plan(ctx context.Context, s *Step, v Victim) (*Action, error) {
	o, err := d.object(s, v)
	if err != nil {
		return nil, fmt.Errorf("plan %s of %s: %w", s.Fault, v.ID, err)
	}
	if wrong := mesh.Check(o); len(wrong) > 0 {
		return nil, fmt.Errorf("plan %s of %s: %s", s.Fault, v.ID, wrong[0])
	}
	if s.Fault == "manifest" {
		if err := d.outside(ctx, s, o); err != nil {
			return nil, fmt.Errorf("plan %s of %s: %w", s.Fault, v.ID, err)
		}
	}
	k, _ := findMesh(s.Fault)
	path, patience := mesh.Path(o), orElse(d.Patience, meshPatience)
	l := &meshLife{d: d, step: s, victim: v, object: o, path: path, whole: k.whole, bound: mesh.Bound(o)}
	u := Undo{Kind: UndoKube, Kubeconfig: d.Kubeconfig, Context: d.Context, Method: http.MethodDelete, Path: path, Want: Gone, Text: d.kubectl("delete", o), Labels: d.labels(v)}
	if l.experiment() {
		u.Finalizer = mesh.Finalizer
	}
	for _, m := range mesh.Makes(o) {
		if m.Prefix == "" {
			u.Empty = append(u.Empty, m.Path(d.Namespace))
			continue
		}
		if u.EmptyOf == nil {
			u.EmptyOf = map[string]string{}
		}
		u.EmptyOf[m.Path(d.Namespace)] = m.Prefix
	}
	if s := mesh.Scheduled(o); s != nil {
		patience += mesh.Gap(s.Schedule) // until its first experiment
	}
	if l.bound > 0 {
		annotate(o, mesh.ExpiryAnnotation, time.Now().Add(l.bound).UTC().Format(time.RFC3339))
		u.Expires = time.Now().Add(l.bound).UnixNano()
	}
	if !k.whole {
		u.Pod, u.PodUID = d.podPath(v.ID), v.UID
	}
	l.expires, u.Flight = u.Expires, orElse(d.Flight, defaultFlight)
	touches := fmt.Sprintf("%s %s in %s: %s", mesh.Kind(o), o.GetName(), d.Namespace, k.deed(s))
	if !k.whole {
		touches += " at pod " + v.ID
	}
	return &Action{Kind: s.Fault, Target: v.ID, Touches: []string{touches}, Undo: u, Patience: patience, Basis: assay.EffectTold, Takes: s.Fault == "kill" && s.Container == "",
		Apply: l.apply, Effect: l.effect, During: l.during, Ended: l.over}, nil
}

// kubectl is what a person could type.
func (d *Mesh) kubectl(verb string, o mesh.Object) string {
	words := []string{"kubectl"}
	if d.Kubeconfig != "" {
		words = append(words, "--kubeconfig", d.Kubeconfig)
	}
	if d.Context != "" {
		words = append(words, "--context", d.Context)
	}
	return strings.Join(append(words, "-n", d.Namespace, verb, mesh.Plural(mesh.Kind(o))+".chaos-mesh.org", o.GetName()), " ")
}

func (d *Mesh) say(format string, args ...any) {
	if d.Say != nil {
		d.Say(fmt.Sprintf(format, args...))
	}
}

// experiment reports whether the object is one that the controller marks before it injects.
func (l *meshLife) experiment() bool {
	_, ok := l.object.(v1alpha1.InnerObject)
	return ok
}
