package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/assay-dev/assay/internal/mesh"
)

// Allowances for a controller that has to act.
const (
	meshPatience  = 30 * time.Second // longer than elsewhere, for the injection and for the recovery
	meshSelection = 15 * time.Second // until something is selected; the controller does not look again
	meshPad       = 15 * time.Second // between our own end of a fault and the cluster's
)

// bound returns how long after its creation the cluster ends the step's object by itself: the duration counts from there and not from when the
// fault is in effect.
func (s *Step) bound() time.Duration {
	return (s.For + verifyLimit(s) + meshPatience + meshPad).Round(time.Second)
}

// asWorkflow says how a Schedule is applied.
const asWorkflow = "as a Workflow with a deadline, so that the cluster ends it"

// A placement is where and under which name an object is laid.
type placement struct {
	namespace string
	name      string
	labels    map[string]string
	pods      []string              // names of its victims; or
	selector  *v1alpha1.PodSelector // what selects them
}

// object makes the object of a step.
func (p *placement) object(s *Step) (mesh.Object, error) {
	k, ok := findMesh(s.Fault)
	if !ok {
		return nil, errors.New(s.Fault + " is no fault of Chaos Mesh")
	}
	o, err := k.object(s)
	if err != nil {
		return nil, err
	}
	if x, ok := o.(*v1alpha1.Schedule); ok { // of itself it would go on for ever
		if wrong := mesh.Check(x); len(wrong) > 0 {
			return nil, fmt.Errorf("%s: Schedule: %s", s.Manifest, wrong[0])
		}
		o = mesh.Bounded(x, s.bound()+mesh.Gap(x.Spec.Schedule))
	}
	if was := o.GetName(); was != "" && s.Fault == "manifest" {
		annotate(o, "assay.dev/name", was)
	}
	if ns := o.GetNamespace(); ns != "" && p.namespace != "" && ns != p.namespace {
		return nil, fmt.Errorf("%s: metadata.namespace: %q is not %s, the namespace of the target's pods", s.Manifest, ns, p.namespace)
	}
	if p.namespace != "" {
		o.SetNamespace(p.namespace)
	}
	o.SetName(p.name)
	o.SetGenerateName("")
	o.SetOwnerReferences(nil)
	o.SetFinalizers(nil)
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	for k, v := range p.labels {
		labels[k] = v
	}
	o.SetLabels(labels)
	if w, ok := o.(*v1alpha1.Workflow); ok {
		mesh.AdoptSchedules(w)
	}
	if s.Fault == "manifest" { // it says itself whom it hurts and for how long
		return o, nil
	}
	if !k.whole {
		p.choose(o)
	}
	if !mesh.OneShot(o) {
		setDuration(o, s.bound())
	}
	if err := ours(s.Spec, k.whole); err != nil {
		return nil, err
	}
	if err := mesh.Overlay(o, s.Spec); err != nil {
		return nil, err
	}
	if s.For > 0 && mesh.OneShot(o) {
		setDuration(o, 0)
	}
	return o, nil
}

// ours refuses the fields of a spec that we set ourselves.
func ours(spec json.RawMessage, whole bool) error {
	var m map[string]json.RawMessage
	if len(spec) == 0 {
		return nil
	}
	if err := json.Unmarshal(spec, &m); err != nil {
		return errors.New("is no mapping")
	}
	for _, name := range []string{"selector", "mode", "value", "duration", "remoteCluster"} {
		if _, ok := m[name]; ok {
			return fmt.Errorf("%s is set by assay from the plan; leave it out", name)
		}
	}
	if _, ok := m["action"]; ok && !whole {
		return errors.New("action is what the kind of fault says; leave it out")
	}
	return nil
}

// choose sets the selector.
func (p *placement) choose(o mesh.Object) {
	sel := v1alpha1.PodSelector{Mode: v1alpha1.AllMode, Selector: v1alpha1.PodSelectorSpec{Pods: map[string][]string{p.namespace: p.pods}}}
	if p.namespace != "" {
		sel.Selector.Namespaces = []string{p.namespace}
	}
	if p.selector != nil {
		sel = *p.selector
	}
	x, ok := o.(v1alpha1.InnerObjectWithSelector)
	if !ok {
		return
	}
	switch at := x.GetSelectorSpecs()["."].(type) {
	case *v1alpha1.PodSelector:
		*at = sel
	case *v1alpha1.ContainerSelector:
		at.PodSelector = sel
	}
}

// setDuration sets the duration of a spec; 0 takes it away.
func setDuration(o mesh.Object, d time.Duration) {
	f := reflect.ValueOf(o).Elem().FieldByName("Spec").FieldByName("Duration")
	if !f.IsValid() || f.Kind() != reflect.Pointer {
		return
	}
	if d == 0 {
		f.SetZero()
		return
	}
	text := d.String()
	f.Set(reflect.ValueOf(&text))
}

func annotate(o mesh.Object, name, value string) {
	a := o.GetAnnotations()
	if a == nil {
		a = map[string]string{}
	}
	a[name] = value
	o.SetAnnotations(a)
}

// meshName is the name of a fault's object: the fault's id where that is a name, else its end and a hash of the whole, so that no two faults of a run
// have the same. It has at most 51 bytes: what is made of a Schedule adds to it.
func meshName(run, fault string) string {
	const most = 36
	id := strings.ToLower(meshLabel(fault))
	if id != fault || len(id) > most {
		sum := sha256.Sum256([]byte(fault))
		hash := hex.EncodeToString(sum[:5])
		id = strings.Trim(id[max(0, len(id)-most+len(hash)+1):]+"-"+hash, "-.")
	}
	return fmt.Sprintf("assay-%.8s-%s", strings.ToLower(run), id)
}

// meshLabel writes a fault's id as a label's value may be.
func meshLabel(fault string) string {
	fault = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '-'
	}, fault)
	return strings.Trim(fault[max(0, len(fault)-63):], "-.") // its end, where the number stands
}

// selecting returns the selector of a Kubernetes label selector, for so many of the pods that match.
func selecting(namespace, pods string, s *Step) (*v1alpha1.PodSelector, error) {
	terms, err := labels.ParseToRequirements(pods)
	switch {
	case err != nil:
		return nil, fmt.Errorf("target.deployment.kubernetes.pods: %w", err)
	case len(terms) == 0:
		return nil, fmt.Errorf("target.deployment.kubernetes.pods: %q selects every pod of the namespace", pods)
	}
	out := &v1alpha1.PodSelector{Mode: v1alpha1.FixedMode, Value: fmt.Sprint(s.Instances)}
	if s.Share > 0 {
		out.Mode, out.Value = v1alpha1.FixedPercentMode, hundred(s.Share)
	}
	out.Selector.Namespaces = []string{namespace}
	operators := map[selection.Operator]metav1.LabelSelectorOperator{selection.In: metav1.LabelSelectorOpIn, selection.NotIn: metav1.LabelSelectorOpNotIn, selection.NotEquals: metav1.LabelSelectorOpNotIn,
		selection.Exists: metav1.LabelSelectorOpExists, selection.DoesNotExist: metav1.LabelSelectorOpDoesNotExist}
	for _, t := range terms {
		op, values := t.Operator(), t.ValuesUnsorted()
		slices.Sort(values)
		_, second := out.Selector.LabelSelectors[t.Key()]
		switch {
		case (op == selection.Equals || op == selection.DoubleEquals) && !second:
			if out.Selector.LabelSelectors == nil {
				out.Selector.LabelSelectors = map[string]string{}
			}
			out.Selector.LabelSelectors[t.Key()] = values[0]
			continue
		case op == selection.Equals || op == selection.DoubleEquals:
			op = selection.In
		case operators[op] == "":
			return nil, fmt.Errorf("target.deployment.kubernetes.pods: %s is nothing that Chaos Mesh can select by", t.String())
		}
		out.Selector.ExpressionSelectors = append(out.Selector.ExpressionSelectors, metav1.LabelSelectorRequirement{Key: t.Key(), Operator: operators[op], Values: values})
	}
	return out, nil
}

// A Manifest is an object that a step would apply.
type Manifest struct {
	Fault  string // of the step, for example delay-1
	Object mesh.Object
	Note   string // what differs when it is applied
}

// MeshManifests returns what the steps that Chaos Mesh does would apply. Without victims it shows the pods' selector where a run names the pods
// that it has chosen; with them, the objects for the first so many by name.
func MeshManifests(steps []Step, namespace, pods string, victims []Victim) ([]Manifest, error) {
	var out []Manifest
	for i := range steps {
		s := &steps[i]
		if s.by() != ByMesh {
			continue
		}
		k, ok := findMesh(s.Fault)
		if !ok {
			continue
		}
		id := s.id(i)
		p := placement{namespace: namespace, name: meshName("run", id), labels: map[string]string{mesh.RunLabel: "run", mesh.FaultLabel: meshLabel(id)}}
		m := Manifest{Fault: id, Note: "the run puts its id where run stands"}
		if k.whole {
			o, err := p.object(s)
			if err != nil {
				return nil, err
			}
			m.Object = o
			if raw, err := k.object(s); err == nil && mesh.Kind(raw) == v1alpha1.KindSchedule {
				m.Note = "the Schedule, " + asWorkflow + "; " + m.Note
			}
			out = append(out, m)
			continue
		}
		if victims == nil {
			sel, err := selecting(namespace, pods, s)
			if err != nil {
				return nil, err
			}
			p.selector = sel
			m.Note += "; it makes one object for each pod that it has chosen, with the pod's name where the selector stands"
			if m.Object, err = p.object(s); err != nil {
				return nil, err
			}
			out = append(out, m)
			continue
		}
		n := s.count(len(victims))
		for j, v := range victims[:n] {
			m := m
			one := p
			if n > 1 {
				m.Fault = fmt.Sprintf("%s.%d", id, j+1)
				one.name = meshName("run", m.Fault)
				one.labels = map[string]string{mesh.RunLabel: "run", mesh.FaultLabel: meshLabel(m.Fault)}
			}
			m.Note += fmt.Sprintf("; it chooses %d of the %d pods that are ready by its seed", n, len(victims))
			one.pods = []string{v.ID}
			var err error
			if m.Object, err = one.object(s); err != nil {
				return nil, err
			}
			out = append(out, m)
		}
	}
	return out, nil
}
