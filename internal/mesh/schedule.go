package mesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
)

// MaxGap is the longest time that may lie between two experiments of a Schedule: a run waits as long for the first.
const MaxGap = 10 * time.Minute

// notCarried are the kinds of experiment that Chaos Mesh leaves out of the Schedule of a template when it makes its node, without a word.
var notCarried = []v1alpha1.ScheduleTemplateType{v1alpha1.ScheduleTypeAzureChaos, v1alpha1.ScheduleTypeBlockChaos}

// schedule demands that each of the experiments that it makes is bounded, and that a Workflow can carry it: it is applied as [Bounded] makes it.
func (c *checker) schedule(s *v1alpha1.Schedule) {
	const not = "cannot be carried by the Workflow that a Schedule is applied as, so that the cluster ends it; "
	if s.Spec.Type == v1alpha1.ScheduleTypeWorkflow || s.Spec.Workflow != nil {
		c.bad("spec.workflow", not+"write a Workflow, or a Schedule of an experiment")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Annotations)) {
		if domain, _, _ := strings.Cut(name, "/"); domain == "chaos-mesh.org" || strings.HasSuffix(domain, ".chaos-mesh.org") {
			c.bad("metadata.annotations["+name+"]", not+"leave it out")
		}
	}
	c.scheduled("spec", string(s.Spec.Type), &s.Spec.EmbedChaos)
	c.often("spec.schedule", s.Spec.Schedule)
}

// scheduled checks what a Schedule makes.
func (c *checker) scheduled(path, kind string, e *v1alpha1.EmbedChaos) {
	if slices.Contains(notCarried, v1alpha1.ScheduleTemplateType(kind)) {
		c.bad(path+".type", "%s cannot be scheduled within a Workflow: Chaos Mesh drops it there", kind)
		return
	}
	if at := c.embedded(path, kind, e); at != nil {
		c.duration(at.path+".duration", at.o)
		c.experiment(at.path, at.o)
	}
}

// often demands that a run need not wait long for the next experiment.
func (c *checker) often(path, schedule string) {
	if _, err := gap(schedule); err != nil {
		c.bad(path, "%v", err)
	}
}

// Bounded returns the Workflow that a Schedule is applied as, so that the cluster ends it: one template of type Schedule with a deadline, under the
// Schedule's name, labels and annotations. Whatever of the Schedule [Check] accepts stands in it.
func Bounded(s *v1alpha1.Schedule, deadline time.Duration) *v1alpha1.Workflow {
	w := New(v1alpha1.KindWorkflow).(*v1alpha1.Workflow)
	w.Name, w.Namespace, w.Labels, w.Annotations = s.Name, s.Namespace, maps.Clone(s.Labels), maps.Clone(s.Annotations)
	spec, text := s.Spec.DeepCopy(), deadline.String()
	const name = "schedule"
	w.Spec = v1alpha1.WorkflowSpec{Entry: name, Templates: []v1alpha1.Template{{Name: name, Type: v1alpha1.TypeSchedule, Deadline: &text,
		Schedule: &v1alpha1.ChaosOnlyScheduleSpec{Schedule: spec.Schedule, StartingDeadlineSeconds: spec.StartingDeadlineSeconds,
			ConcurrencyPolicy: spec.ConcurrencyPolicy, HistoryLimit: spec.HistoryLimit, Type: spec.Type, EmbedChaos: spec.EmbedChaos}}}}
	return w
}

// Scheduled returns the Schedule that a Workflow begins with, or nil.
func Scheduled(o Object) *v1alpha1.ChaosOnlyScheduleSpec {
	if w, ok := o.(*v1alpha1.Workflow); ok {
		for i := range w.Spec.Templates {
			if t := &w.Spec.Templates[i]; t.Name == w.Spec.Entry && t.Type == v1alpha1.TypeSchedule {
				return t.Schedule
			}
		}
	}
	return nil
}

// Gap returns the longest time between two experiments of a schedule that [Check] has accepted.
func Gap(schedule string) time.Duration {
	d, _ := gap(schedule)
	return d
}

func gap(schedule string) (time.Duration, error) {
	if strings.Contains(schedule, "TZ=") && !strings.Contains(schedule, " ") {
		return 0, fmt.Errorf("%q is no schedule", schedule) // at which the parser panics
	}
	cron, err := v1alpha1.StandardCronParser.Parse(schedule)
	if err != nil {
		return 0, fmt.Errorf("%q is no schedule: %w; for example @every 30s", schedule, err)
	}
	const many = 2000 // of one by the minute, more than a day
	var longest time.Duration
	last := cron.Next(time.Unix(0, 0).UTC()) // any day does: what is accepted strikes within minutes
	for range many {
		next := cron.Next(last)
		if last.IsZero() || next.IsZero() {
			return 0, fmt.Errorf("%q never comes", schedule)
		}
		if longest = max(longest, next.Sub(last)); longest > MaxGap {
			return 0, fmt.Errorf("%q pauses for %v; at most %v, which a run waits for the first experiment", schedule, longest, MaxGap)
		}
		last = next
	}
	return longest, nil
}

// AdoptSchedules names the templates of type Schedule of a Workflow after it, with all that refers to them, and gives their Schedules the policy that
// the API has for one without. What a Schedule makes bears no label of the Workflow, but a name that begins with that of its template.
func AdoptSchedules(w *v1alpha1.Workflow) {
	names := map[string]string{}
	for i := range w.Spec.Templates {
		if t := &w.Spec.Templates[i]; t.Type == v1alpha1.TypeSchedule {
			names[t.Name] = fmt.Sprintf("%s%d", adopted(w), i+1)
			if t.Schedule != nil {
				t.Schedule.ConcurrencyPolicy.Default() // an empty one is refused, and a template has no default
			}
		}
	}
	rename := func(name *string) {
		if to, ok := names[*name]; ok {
			*name = to
		}
	}
	rename(&w.Spec.Entry)
	for i := range w.Spec.Templates {
		t := &w.Spec.Templates[i]
		rename(&t.Name)
		for j := range t.Children {
			rename(&t.Children[j])
		}
		for j := range t.ConditionalBranches {
			rename(&t.ConditionalBranches[j].Target)
		}
	}
}

// adopted is how the names of what a Workflow's Schedules make begin.
func adopted(o Object) string { return o.GetName() + ".s" }
