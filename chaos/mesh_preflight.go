package chaos

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// Preflight reports why the steps that Chaos Mesh does cannot be done: the API server does not answer, the kinds are not there, a right is missing,
// no pod matches. It only reads, and asks for rights without using them. It returns what other runs have left in the namespace, in lines for
// people; that is removed by nobody but assay heal of those runs.
func (d *Mesh) Preflight(ctx context.Context, steps []Step) (left []string, err error) {
	var kinds, made []string
	asked := false
	for i := range steps {
		s := &steps[i]
		if s.by() != ByMesh {
			continue
		}
		asked = true
		o, err := d.object(s, Victim{ID: "pod", Fault: "check"})
		if err != nil {
			return nil, err
		}
		if k := mesh.Kind(o); !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
		for _, m := range mesh.Makes(o) {
			if !slices.Contains(made, m.Kind) {
				made = append(made, m.Kind)
			}
		}
	}
	if !asked {
		return nil, nil
	}
	sort.Strings(kinds)
	sort.Strings(made)
	var served struct {
		Resources []struct{ Name, Kind string } `json:"resources"`
	}
	switch err := d.API.Get(ctx, "/apis/"+mesh.Group, &served); {
	case kube.NotFound(err):
		return nil, fmt.Errorf("the cluster at %s has no Chaos Mesh: it does not serve %s", d.API.Server, mesh.Group)
	case err != nil:
		return nil, fmt.Errorf("ask the API server %s: %w", d.API.Server, err)
	}
	there := map[string]bool{}
	for _, r := range served.Resources {
		there[r.Kind] = true
	}
	for _, k := range slices.Concat(kinds, made) {
		if !there[k] {
			return nil, fmt.Errorf("the cluster's Chaos Mesh has no %s", k)
		}
	}
	if err := d.rights(ctx, kinds, made); err != nil {
		return nil, err
	}
	victims, ready, err := d.Victims(ctx, &Step{Fault: "kill", By: ByMesh})
	if err != nil {
		return nil, err
	}
	if len(victims) == 0 {
		return nil, fmt.Errorf("no pod %s in %s can be hurt (%d ready)", d.Pods, d.Namespace, ready)
	}
	for i := range steps {
		if s := &steps[i]; s.by() == ByMesh && s.Fault == "manifest" {
			o, err := d.object(s, Victim{ID: "pod", Fault: "check"})
			if err == nil {
				err = d.outside(ctx, s, o)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return d.left(ctx, there)
}

// rights asks whether we may do what a run does with the kinds, and see what they make. A cluster that does not answer that is not asked further.
func (d *Mesh) rights(ctx context.Context, kinds, made []string) error {
	type attributes struct {
		Namespace string `json:"namespace"`
		Verb      string `json:"verb"`
		Group     string `json:"group,omitempty"`
		Resource  string `json:"resource"`
	}
	need := []attributes{{d.Namespace, "list", "", "pods"}}
	for _, k := range kinds {
		for _, verb := range []string{"create", "get", "delete"} {
			need = append(need, attributes{d.Namespace, verb, "chaos-mesh.org", mesh.Plural(k)})
		}
	}
	for _, k := range made {
		need = append(need, attributes{d.Namespace, "list", "chaos-mesh.org", mesh.Plural(k)})
	}
	var lacks []string
	for _, a := range need {
		var review struct {
			Status struct{ Allowed bool } `json:"status"`
		}
		err := d.API.Create(ctx, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", map[string]any{"apiVersion": "authorization.k8s.io/v1",
			"kind": "SelfSubjectAccessReview", "spec": map[string]any{"resourceAttributes": a}}, &review)
		if err != nil {
			return fmt.Errorf("ask for our rights: %w", err)
		}
		if !review.Status.Allowed {
			lacks = append(lacks, a.Verb+" "+a.Resource)
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf("the credential for %s may not, in namespace %s: %s", d.API.Server, d.Namespace, strings.Join(lacks, ", "))
	}
	return nil
}

// left lists the objects of other runs.
func (d *Mesh) left(ctx context.Context, there map[string]bool) ([]string, error) {
	var left []string
	for _, k := range mesh.Kinds() {
		if !there[k] {
			continue
		}
		var list struct {
			Items []metadata `json:"items"`
		}
		err := d.API.Get(ctx, mesh.Collection(d.Namespace, k)+"?labelSelector="+mesh.RunLabel, &list)
		if err != nil {
			continue // to list a kind that the plan does not use is a right that nothing else needs
		}
		for _, o := range list.Items {
			m := o.Metadata
			if m.Labels[mesh.RunLabel] == d.RunID {
				continue
			}
			text := fmt.Sprintf("%s %s in %s was left by run %s", k, m.Name, d.Namespace, m.Labels[mesh.RunLabel])
			if at := m.Annotations[mesh.ExpiryAnnotation]; at != "" {
				text += ", ended by the cluster at " + at
			}
			if m.DeletionTimestamp != nil {
				text += "; it was deleted and is held by its finalizers " + strings.Join(m.Finalizers, ", ")
			}
			left = append(left, text+"; assay heal of that run removes it, or assay heal --sweep "+m.Labels[mesh.RunLabel])
		}
	}
	return left, nil
}
