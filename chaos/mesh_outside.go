package chaos

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/assay-dev/assay/internal/mesh"
)

// outside reports why an object from a file may hurt a pod that is none of the target's, or one whose network is its node's. What else a selector may find
// later is looked at again before the object is created.
func (d *Mesh) outside(ctx context.Context, s *Step, o mesh.Object) error {
	if wrong := mesh.Check(o); len(wrong) > 0 {
		return fmt.Errorf("%s: %s", s.Manifest, wrong[0])
	}
	selected := mesh.Selects(o)
	if len(selected) == 0 {
		return nil // a machine of a cloud, by name
	}
	target, err := labels.Parse(d.Pods)
	if err != nil {
		return fmt.Errorf("%q is no label selector: %w", d.Pods, err)
	}
	var list struct {
		Items []meshPod `json:"items"`
	}
	if err := d.API.Get(ctx, "/api/v1/namespaces/"+url.PathEscape(d.Namespace)+"/pods", &list); err != nil {
		return fmt.Errorf("list the pods in %s: %w", d.Namespace, err)
	}
	for _, sel := range selected {
		unknown := sel.Named()
		var others, nodes []string
		for i := range list.Items {
			p := &list.Items[i]
			m := &p.Metadata
			unknown = slices.DeleteFunc(unknown, func(name string) bool { return name == m.Name })
			switch {
			case !sel.Matches(m.Name, m.Labels, m.Annotations):
			case !target.Matches(labels.Set(m.Labels)):
				others = append(others, m.Name)
			case p.Spec.HostNetwork:
				nodes = append(nodes, m.Name)
			}
		}
		slices.Sort(others)
		slices.Sort(nodes)
		switch others = append(others, unknown...); {
		case len(others) > 0:
			return fmt.Errorf("%s: %s may hurt %s in %s, not of the target's pods %s; select none but those", s.Manifest, sel.Path, some(others), d.Namespace, d.Pods)
		case len(nodes) > 0:
			return fmt.Errorf("%s: %s may hurt %s in %s, on its node's network: a fault there would be one of the node; leave it out", s.Manifest, sel.Path, some(nodes), d.Namespace)
		}
	}
	return nil
}

// meshPromise is what the steps never hurt.
func meshPromise(steps []Step) string {
	text := "never: pods that target.deployment.kubernetes.pods does not select, pods on their node's network, namespaces that do not take part"
	files, machines := false, false
	for i := range steps {
		s := &steps[i]
		if s.by() != ByMesh || !s.whole() {
			continue
		}
		files = files || s.Fault == "manifest"
		k, _ := findMesh(s.Fault)
		o, err := k.object(s)
		machines = machines || s.Fault == "cloud" || err == nil && mesh.Machines(o)
	}
	if files {
		text += "; what the selectors of a manifest match is looked at before the run and before it is applied"
	}
	if machines {
		text += ". NOT of a machine of a cloud: whatever runs there is hurt with it"
	}
	return text
}

// whole reports whether Chaos Mesh does the step to the deployment as a whole.
func (s *Step) whole() bool {
	k, ok := findMesh(s.Fault)
	return ok && k.whole && s.by() == ByMesh
}
