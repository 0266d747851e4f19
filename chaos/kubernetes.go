package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/kube"
)

// Kubernetes is the driver for objects of a platform in a cluster: the workload that serves the target, and objects of ours beside it in its namespace.
// Nothing else is changed. A change and the annotation that says how to undo it are one request, made only if the object is as it was when the fault was
// planned; whoever undoes it leaves alone what somebody else has changed meanwhile. Before that, a Job of ours is seen to run in the cluster that
// will undo it too, at a fixed time: see [Expiry].
type Kubernetes struct {
	API       *kube.Client
	Namespace string
	Workload  string        // deployment/NAME, ksvc/NAME or inferenceservice/NAME; "" where only pods are known
	HPA       string        // the HorizontalPodAutoscaler that scales the Deployment; "": none
	Pods      string        // label selector of the pods that serve
	Expiry    *Expiry       // nil: nothing in the cluster ends a fault, and only what ends of itself is done
	RunID     string        // on our objects
	Patience  time.Duration // how long the platform may take to act; default 1 m
	Flight    time.Duration // how long a request of ours whose answer was not heard may still be carried out; default 1 m
	Poll      time.Duration // how often it is looked at; default 500 ms
}

var _ Driver = (*Kubernetes)(nil)

// Victims returns the deployment as a whole, and how many of its pods are ready.
func (d *Kubernetes) Victims(ctx context.Context, _ *Step) ([]Victim, int, error) {
	pods, err := d.pods(ctx)
	if err != nil {
		return nil, 0, err
	}
	ready := 0
	for _, p := range pods {
		if p.ready() {
			ready++
		}
	}
	return []Victim{{ID: assay.WholeTarget, State: Ready}}, ready, nil
}

// Plan makes the action of a step.
func (d *Kubernetes) Plan(ctx context.Context, s *Step, v Victim) (*Action, error) {
	how, ok := deeds()[s.Fault]
	if !ok {
		return nil, fmt.Errorf("plan %s of %s: no fault by kubernetes", s.Fault, v.ID)
	}
	if !how.bounded && d.Expiry == nil {
		return nil, fmt.Errorf("plan %s of %s: nothing in the cluster would end it if we could not: no expiry is set", s.Fault, v.ID)
	}
	a, err := how.plan(ctx, d, s)
	if err != nil {
		return nil, fmt.Errorf("plan %s of %s: %w", s.Fault, v.ID, err)
	}
	a.Kind, a.Target = s.Fault, v.ID
	a.Patience, a.Undo.Flight = orElse(d.Patience, time.Minute), orElse(d.Flight, defaultFlight)
	if effect := a.Effect; s.For > 0 { // an effect that was not seen while the fault was to be held did not come
		a.Effect = func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, s.For)
			defer cancel()
			return effect(ctx)
		}
	}
	return a, nil
}

// planFields makes the action that changes fields of one object, which is as it was just read.
func (d *Kubernetes) planFields(s *Step, o *target, fields ...field) (*Action, error) {
	for i := range fields {
		f := &fields[i]
		if f.Ours == nil && f.Was == nil || f.stands(o.object, f.Ours) {
			return nil, fmt.Errorf("%s of %s is %s already", f.Path, o.name, orNothing(f.Ours))
		}
		for mark, note := range notesOf(o.object) {
			for _, other := range note.Fields {
				if other.Path == f.Path {
					return nil, fmt.Errorf("%s of %s is changed by another fault of ours (annotation %s of run %s); assay heal of that run puts it back, or assay heal --sweep %[4]s", f.Path, o.name, mark, note.Run)
				}
			}
		}
	}
	a := d.action(s, o.name, o.path)
	u := a.Undo.Object
	u.UID, u.Mark, u.Fields = at(o.object, "/metadata/uid"), notePrefix+u.Mark, fields
	a.Touches = []string{fmt.Sprintf("%s in namespace %s: %s", o.name, d.Namespace, strings.Join(paths(fields), ", "))}
	a.Apply = func(ctx context.Context, stamp func()) error {
		if err := d.expire(ctx, s, &a.Undo); err != nil {
			return err
		}
		return d.change(ctx, &a.Undo, stamp)
	}
	d.mind(a)
	return a, nil
}

// planOurs makes the action that puts an object of ours into the namespace.
func (d *Kubernetes) planOurs(s *Step, plural, collection string, manifest map[string]any) *Action {
	a := d.action(s, plural+"/", collection+"/")
	u := a.Undo.Object
	name := "assay-" + u.Mark
	u.Object, u.Path, u.Mark = u.Object+name, u.Path+name, ""
	manifest["metadata"] = map[string]any{"name": name, "labels": d.labels()}
	a.Touches = []string{fmt.Sprintf("%s in namespace %s, an object of ours", u.Object, d.Namespace)}
	a.Apply = func(ctx context.Context, stamp func()) error {
		if err := d.expire(ctx, s, &a.Undo); err != nil {
			return err
		}
		stamp()
		return d.API.Create(ctx, collection, manifest, nil)
	}
	d.mind(a)
	return a
}

// mind makes the action notice when somebody else takes the fault away while it is held: a person, or whatever keeps the cluster as a repository says.
func (d *Kubernetes) mind(a *Action) {
	var ended atomic.Value
	o := a.Undo.Object
	a.During = func(ctx context.Context) string {
		for pause(ctx, 4*orElse(d.Poll, 500*time.Millisecond)) == nil {
			if there, err := o.stands(ctx, d.API); err == nil && !there {
				ended.Store("somebody else changed " + o.Object)
				return ""
			}
		}
		return ""
	}
	a.Ended = func() string {
		why, _ := ended.Load().(string)
		return why
	}
}

// action begins the action that changes an object; the mark in its undo is not yet a name.
func (d *Kubernetes) action(s *Step, object, path string) *Action {
	o := &objectUndo{Namespace: d.Namespace, Object: object, Path: path, Mark: newID()}
	a := &Action{Undo: Undo{Kind: UndoObject, Kubeconfig: d.API.Config, Context: d.API.Context, Object: o}}
	if d.Expiry != nil {
		o.Job = d.batch("jobs") + "/" + expiryPrefix + o.Mark
		a.Undo.Expires = time.Now().Add(d.Expiry.After(s.For)).Truncate(time.Second).UnixNano() // by our clock, until the cluster tells its own
	}
	return a
}

// notePrefix begins the name of the annotation that a changed object bears.
const notePrefix = "assay.dev/undo-"

// A mark is what the annotation holds: enough to undo the change by hand.
type mark struct {
	Run    string    `json:"run"`
	Fields []field   `json:"fields"`
	Ends   time.Time `json:"ends,omitzero"`
}

// notesOf returns the marks of ours that an object bears.
func notesOf(object any) map[string]mark {
	out := map[string]mark{}
	all, _ := lookup(object, "/metadata/annotations")
	annotations, _ := all.(map[string]any)
	for k, v := range annotations {
		text, _ := v.(string)
		var m mark
		if strings.HasPrefix(k, notePrefix) && json.Unmarshal([]byte(text), &m) == nil {
			out[k] = m
		}
	}
	return out
}

// change puts the change of fields in force, together with its mark.
func (d *Kubernetes) change(ctx context.Context, undo *Undo, stamp func()) error {
	u := undo.Object
	var refused error
	version := "" // that the refused request was made for
	for end := time.Now().Add(orElse(d.Patience, time.Minute)); ; {
		object, err := u.read(ctx, d.API)
		switch {
		case err == nil && refused != nil && at(object, "/metadata/resourceVersion") == version:
			return refused // for what it asks, not for when
		case err != nil:
			return err
		case object == nil:
			return fmt.Errorf("%s is gone, or another one has its name", u.Object)
		}
		made := map[string]bool{}
		ops := []operation{{Op: "test", Path: "/metadata/resourceVersion", Value: json.RawMessage(asJSON(at(object, "/metadata/resourceVersion")))}}
		for i := range u.Fields {
			f := &u.Fields[i]
			if !f.stands(object, f.Was) {
				return fmt.Errorf("%s of %s was changed by somebody else since the fault was planned", f.Path, u.Object)
			}
			ops = append(ops, parents(object, f.Path, made)...)
			ops = append(ops, f.put(object, f.Ours))
		}
		ops = append(ops, parents(object, u.markPath(), made)...)
		ops = append(ops, operation{Op: "add", Path: u.markPath(), Value: json.RawMessage(asJSON(asJSON(mark{d.RunID, u.Fields, undo.ends()})))})
		stamp()
		err = d.API.Edit(ctx, u.Path, ops, nil)
		if !stale(err) || time.Now().After(end) {
			return err // else it changed between our look and our request
		}
		refused, version = err, at(object, "/metadata/resourceVersion")
	}
}

func paths(fields []field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Path)
	}
	return out
}

func (d *Kubernetes) labels() map[string]any {
	return map[string]any{"app.kubernetes.io/managed-by": "assay", kube.RunLabel: d.RunID}
}

func (d *Kubernetes) core(plural string) string {
	return "/api/v1/namespaces/" + url.PathEscape(d.Namespace) + "/" + plural
}

func (d *Kubernetes) batch(plural string) string {
	return "/apis/batch/v1/namespaces/" + url.PathEscape(d.Namespace) + "/" + plural
}

// A pod is what we read of one.
type pod struct{ object any }

func (p pod) name() string  { return at(p.object, "/metadata/name") }
func (p pod) uid() string   { return at(p.object, "/metadata/uid") }
func (p pod) leaving() bool { return at(p.object, "/metadata/deletionTimestamp") != "" }

// ready reports whether the pod serves.
func (p pod) ready() bool {
	for _, c := range list(p.object, "/status/conditions") {
		if at(c, "/type") == "Ready" {
			return at(c, "/status") == "True" && !p.leaving()
		}
	}
	return false
}

// waits returns why a container of the pod does not start, "" if none is known.
func (p pod) waits() string {
	for _, l := range []string{"/status/initContainerStatuses", "/status/containerStatuses"} {
		for _, c := range list(p.object, l) {
			if why := at(c, "/state/waiting/reason"); why != "" {
				return why
			}
		}
	}
	return ""
}

// pods lists the pods that the plan names, but for those on their way out.
func (d *Kubernetes) pods(ctx context.Context) ([]pod, error) {
	if d.Pods == "" {
		return nil, errors.New("no pods are named")
	}
	return d.selected(ctx, d.Pods)
}

func (d *Kubernetes) selected(ctx context.Context, selector string) ([]pod, error) {
	var answer any
	if err := d.API.Get(ctx, d.core("pods")+"?labelSelector="+url.QueryEscape(selector), &answer); err != nil {
		return nil, fmt.Errorf("look at the pods %s: %w", selector, err)
	}
	var out []pod
	for _, o := range list(answer, "/items") {
		if p := (pod{o}); !p.leaving() {
			out = append(out, p)
		}
	}
	return out, nil
}

// watch calls look until it returns nil or ctx is done.
func (d *Kubernetes) watch(ctx context.Context, look func() error) error {
	return until(ctx, orElse(d.Poll, 500*time.Millisecond), look)
}
