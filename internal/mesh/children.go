package mesh

import (
	"net/url"
	"slices"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
)

// A Made is a list in which an object's children, and theirs, are found.
type Made struct {
	Kind   string
	Label  string // selector
	Prefix string // with which their names begin; "" where the label says enough
}

// Path returns the path of the list in a namespace.
func (m *Made) Path(namespace string) string {
	return Collection(namespace, m.Kind) + "?labelSelector=" + url.QueryEscape(m.Label)
}

// Makes returns where to find what a Workflow makes in its turn, and what that makes; none for an experiment. An experiment of a Schedule in a Workflow
// is found by its name: see [AdoptSchedules].
func Makes(o Object) []Made {
	w, ok := o.(*v1alpha1.Workflow)
	if !ok {
		return nil
	}
	label := v1alpha1.LabelWorkflow + "=" + o.GetName()
	list := []Made{{Kind: v1alpha1.KindWorkflowNode, Label: label}}
	add := func(m Made) {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	for _, t := range w.Spec.Templates {
		if New(string(t.Type)) != nil {
			add(Made{Kind: string(t.Type), Label: label})
		}
		if t.Type == v1alpha1.TypeSchedule && t.Schedule != nil {
			add(Made{Kind: string(t.Schedule.Type), Label: v1alpha1.LabelManagedBy, Prefix: adopted(w)})
		}
	}
	return list
}
