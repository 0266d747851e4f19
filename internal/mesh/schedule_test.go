package mesh

import (
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/google/go-cmp/cmp"
)

// A Schedule becomes a Workflow that the cluster ends and that holds all that stood in it.
func TestBounded(t *testing.T) {
	o, err := Parse([]byte(`apiVersion: chaos-mesh.org/v1alpha1
kind: Schedule
metadata: {name: often, namespace: serving, labels: {team: a}, annotations: {why: drill}}
spec: {schedule: '@every 10s', startingDeadlineSeconds: 9, historyLimit: 2, type: PodChaos, podChaos: {action: pod-failure, duration: 5s, ` + on + `}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if w := Check(o); len(w) > 0 {
		t.Fatal(w)
	}
	w := Bounded(o.(*v1alpha1.Schedule), time.Minute)
	AdoptSchedules(w)
	raw, err := YAML(w)
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: chaos-mesh.org/v1alpha1
kind: Workflow
metadata:
  annotations:
    why: drill
  labels:
    team: a
  name: often
  namespace: serving
spec:
  entry: often.s1
  templates:
  - deadline: 1m0s
    name: often.s1
    schedule:
      concurrencyPolicy: Forbid
      historyLimit: 2
      podChaos:
        action: pod-failure
        duration: 5s
        mode: all
        selector:
          pods:
            serving:
            - a
      schedule: '@every 10s'
      startingDeadlineSeconds: 9
      type: PodChaos
    templateType: Schedule
`
	if d := cmp.Diff(want, string(raw)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := Check(w); len(got) > 0 || Bound(w) != time.Minute || Scheduled(w) == nil {
		t.Errorf("wrong %v, bound %v, scheduled %v", got, Bound(w), Scheduled(w))
	}
	made := []Made{{Kind: "WorkflowNode", Label: "chaos-mesh.org/workflow=often"}, {Kind: "Schedule", Label: "chaos-mesh.org/workflow=often"}, {Kind: "PodChaos", Label: "managed-by", Prefix: "often.s"}}
	if d := cmp.Diff(made, Makes(w)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got, want := made[0].Path("a"), "/apis/chaos-mesh.org/v1alpha1/namespaces/a/workflownodes?labelSelector=chaos-mesh.org%2Fworkflow%3Doften"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	o.SetAnnotations(map[string]string{"experiment.chaos-mesh.org/pause": "true", "my-chaos-mesh.org/x": ""})
	wrong := []Wrong{{"metadata.annotations[experiment.chaos-mesh.org/pause]", "cannot be carried by the Workflow that a Schedule is applied as, so that the cluster ends it; leave it out"}}
	if d := cmp.Diff(wrong, Check(o)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Each Schedule in a Workflow is named after it, wherever it is referred to; the other templates keep their names.
func TestAdoptSchedules(t *testing.T) {
	w := &v1alpha1.Workflow{Spec: v1alpha1.WorkflowSpec{Entry: "all", Templates: []v1alpha1.Template{
		{Name: "all", Type: v1alpha1.TypeSerial, Children: []string{"often", "one", "often"}},
		{Name: "often", Type: v1alpha1.TypeSchedule, Schedule: &v1alpha1.ChaosOnlyScheduleSpec{ConcurrencyPolicy: v1alpha1.AllowConcurrent}},
		{Name: "one", Type: v1alpha1.TypeTask, ConditionalBranches: []v1alpha1.ConditionalBranch{{Target: "often"}, {Target: "all"}}},
	}}}
	w.Name = "x"
	AdoptSchedules(w)
	want := v1alpha1.WorkflowSpec{Entry: "all", Templates: []v1alpha1.Template{
		{Name: "all", Type: v1alpha1.TypeSerial, Children: []string{"x.s2", "one", "x.s2"}},
		{Name: "x.s2", Type: v1alpha1.TypeSchedule, Schedule: &v1alpha1.ChaosOnlyScheduleSpec{ConcurrencyPolicy: v1alpha1.AllowConcurrent}},
		{Name: "one", Type: v1alpha1.TypeTask, ConditionalBranches: []v1alpha1.ConditionalBranch{{Target: "x.s2"}, {Target: "all"}}},
	}}
	if d := cmp.Diff(want, w.Spec); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if Scheduled(w) != nil {
		t.Error("begins with no Schedule")
	}
}
