package mesh

import (
	"slices"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
)

// Makes returns the kinds of the objects that a Schedule or Workflow makes in its turn; none for an experiment.
func Makes(o Object) []string {
	switch x := o.(type) {
	case *v1alpha1.Schedule:
		return []string{string(x.Spec.Type)}
	case *v1alpha1.Workflow:
		var kinds []string
		for _, t := range x.Spec.Templates {
			if New(string(t.Type)) != nil && !slices.Contains(kinds, string(t.Type)) {
				kinds = append(kinds, string(t.Type))
			}
		}
		return kinds
	}
	return nil
}

// MadeBy returns the label selector of what an object has made.
func MadeBy(o Object) string {
	if Kind(o) == v1alpha1.KindSchedule {
		return v1alpha1.LabelManagedBy + "=" + o.GetName()
	}
	return v1alpha1.LabelWorkflow + "=" + o.GetName()
}
