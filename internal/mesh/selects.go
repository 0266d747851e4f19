package mesh

import (
	"maps"
	"slices"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A Selected is one selector of what an object hurts.
type Selected struct {
	Path string // of the field
	spec *v1alpha1.PodSelectorSpec
}

// Selects returns the selectors of the pods that an object, and what it makes in its turn, may hurt. The pods that are only the other end of a network
// fault are not among them.
func Selects(o Object) []Selected { return check(o).selected }

// Machines reports whether an object, or what it makes, hurts machines of a cloud.
func Machines(o Object) bool { return check(o).machines }

// spared reports whether what an experiment selects there is only looked up: rules lie on those that send to it.
func spared(o any, where string) bool {
	n, ok := o.(*v1alpha1.NetworkChaos)
	return ok && where == ".Target" && (n.Spec.Direction == "" || n.Spec.Direction == v1alpha1.To)
}

// Named returns the names of the pods that are selected by name. Where there are any, Chaos Mesh looks at nothing else.
func (s *Selected) Named() []string {
	var names []string
	for _, list := range s.spec.Pods {
		names = append(names, list...)
	}
	slices.Sort(names)
	return names
}

// Matches reports whether a pod in the namespace may be selected. Fields and phases, which change while a pod lives, are taken to match.
func (s *Selected) Matches(name string, marks, notes map[string]string) bool {
	if names := s.Named(); len(names) > 0 {
		return slices.Contains(names, name)
	}
	by, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchLabels: s.spec.LabelSelectors, MatchExpressions: s.spec.ExpressionSelectors})
	if err == nil && !by.Matches(labels.Set(marks)) {
		return false
	}
	for k, v := range maps.All(s.spec.AnnotationSelectors) {
		if got, ok := notes[k]; !ok || got != v {
			return false
		}
	}
	return true
}
