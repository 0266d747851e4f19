package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Change is what a step by kubernetes or lambda changes of the platform. Each kind knows some of its settings.
type Change struct {
	Where    string        `json:"where,omitempty"`    // what is changed, for people: deployment/llm in namespace models
	Workload string        `json:"workload,omitempty"` // its kind alone: deployment, ksvc, inferenceservice
	Ends     time.Duration `json:"ends_ns,omitempty"`  // how long after it began the platform itself ends it at the latest; 0: it does not
	Ender    string        `json:"ender,omitempty"`    // what does, or does not

	Replicas    *int              `json:"replicas,omitempty"`    // scale: at most so many
	Annotations map[string]string `json:"annotations,omitempty"` // annotate
	Labels      map[string]string `json:"labels,omitempty"`      // annotate
	On          string            `json:"on,omitempty"`          // annotate: pods or workload; pods where empty
	Image       string            `json:"image,omitempty"`       // image: one that does not exist where empty
	Container   string            `json:"container,omitempty"`   // image, access: the first where empty
	Pods        *int              `json:"pods,omitempty"`        // quota: how many the namespace may have; 0 where nil
	Variable    string            `json:"variable,omitempty"`    // access: the variable that is hidden; or
	Secret      string            `json:"secret,omitempty"`      // the secret that is not found; or
	Egress      []string          `json:"egress,omitempty"`      // the networks that are not reached
	Concurrency *int              `json:"concurrency,omitempty"` // concurrency
}

// noImage is an image that nobody can pull: no name under invalid is ever resolved (RFC 6761).
const noImage = "assay.invalid/no-such-image:fault"

// platformKinds are the kinds of fault that change the platform, by kubernetes or lambda.
func platformKinds() []Kind {
	return []Kind{
		{Name: "scale", Help: "Caps the replicas of a workload, down to none; undone by putting back what it had.", Lasting: true, Available: always},
		{Name: "cold", Help: "Takes away whatever could serve the next request, so that it begins cold: pods are deleted, execution environments are not used again.", Available: always},
		{Name: "annotate", Help: "Sets annotations and labels on a workload or its pods, for example to change how it is scaled; undone by putting back what it had.", Lasting: true, Available: always},
		{Name: "image", Help: "Rolls out an image that cannot be pulled; undone by putting back the one before.", Lasting: true, Available: always},
		{Name: "quota", Help: "Lets a namespace have no more pods: those there are go on, no new one is made; undone by removing our quota.", Lasting: true, Available: always},
		{Name: "access", Help: "Denies new instances their configuration or weights: a variable is hidden, a secret is not found, or networks are not reached; undone by putting it back.", Lasting: true, Available: always},
		{Name: "concurrency", Help: "Limits how many requests are served at once; undone by putting back the limit before.", Lasting: true, Available: always},
		{Name: "throttle", Help: "Has the platform refuse every request; undone by putting back the limit before.", Lasting: true, Available: always},
	}
}

// settings returns the names of the settings that are set.
func (c *Change) settings() []string {
	if c == nil {
		return nil
	}
	var names []string
	for _, x := range []struct {
		name string
		set  bool
	}{
		{"replicas", c.Replicas != nil}, {"annotations", c.Annotations != nil}, {"labels", c.Labels != nil}, {"on", c.On != ""}, {"image", c.Image != ""},
		{"container", c.Container != ""}, {"pods", c.Pods != nil}, {"variable", c.Variable != ""}, {"secret", c.Secret != ""}, {"egress", c.Egress != nil},
		{"concurrency", c.Concurrency != nil},
	} {
		if x.set {
			names = append(names, x.name)
		}
	}
	return names
}

// change returns the step's change, which is never nil.
func (s *Step) change() *Change {
	if s.Change == nil {
		return &Change{}
	}
	return s.Change
}

// whole is the check that a step does not choose among instances.
func whole(s *Step) []Wrong {
	if s.Share != 0 || s.Instances > 1 {
		return []Wrong{{"instances", s.Fault + " hurts the deployment as a whole, not so many instances; leave it out"}}
	}
	return nil
}

func checkScale(s *Step) []Wrong {
	w, c := whole(s), s.change()
	switch {
	case c.Replicas == nil:
		w = append(w, Wrong{"replicas", "is missing: how many the workload may have; for example 0"})
	case *c.Replicas < 0 || *c.Replicas > MaxInstances:
		w = append(w, Wrong{"replicas", fmt.Sprintf("%d is out of range; 0 to %d", *c.Replicas, MaxInstances)})
	case *c.Replicas == 0 && (c.Workload == onKnative || c.Workload == onKServe):
		w = append(w, Wrong{"replicas", c.Workload + " takes a limit of 0 for no limit; 1 or more"})
	}
	return w
}

func checkAnnotate(s *Step) []Wrong {
	w, c := whole(s), s.change()
	if len(c.Annotations)+len(c.Labels) == 0 {
		w = append(w, Wrong{"annotations", "is missing: what is set; for example {autoscaling.knative.dev/target-burst-capacity: \"0\"}"})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Annotations)) {
		w = append(w, checkNote("annotations", name)...)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		w = append(w, checkNote("labels", name)...)
	}
	if c.On != "" && c.On != onPods && c.On != onWorkload {
		w = append(w, Wrong{"on", fmt.Sprintf("%q is unknown; %s or %s", c.On, onPods, onWorkload)})
	}
	return w
}

func checkNote(setting, name string) []Wrong {
	switch {
	case name == "" || len(name) > 317 || strings.ContainsAny(name, " \t\n"):
		return []Wrong{{setting, fmt.Sprintf("%q is no name of one", name)}}
	case strings.HasPrefix(name, "assay.dev/"):
		return []Wrong{{setting, fmt.Sprintf("%s is ours: it holds what is to be undone", name)}}
	}
	return nil
}

func checkImage(s *Step) []Wrong {
	w, c := whole(s), s.change()
	if strings.ContainsAny(c.Image, " \t\n") {
		w = append(w, Wrong{"image", fmt.Sprintf("%q is no image", c.Image)})
	}
	return w
}

func checkPodQuota(s *Step) []Wrong {
	w, c := whole(s), s.change()
	if c.Pods != nil && (*c.Pods < 0 || *c.Pods > 100_000) {
		w = append(w, Wrong{"pods", fmt.Sprintf("%d is out of range; 0 to 100000", *c.Pods)})
	}
	return w
}

func checkAccess(s *Step) []Wrong {
	w, c := whole(s), s.change()
	ways := 0
	for _, given := range []bool{c.Variable != "", c.Secret != "", len(c.Egress) > 0} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		w = append(w, Wrong{"variable", "exactly one of variable, secret and egress says what access is denied to"})
	}
	if c.Variable != "" && strings.ContainsAny(c.Variable, " =\t\n") {
		w = append(w, Wrong{"variable", fmt.Sprintf("%q is no name of a variable", c.Variable)})
	}
	for i, network := range c.Egress {
		if _, err := netip.ParsePrefix(network); err != nil {
			w = append(w, Wrong{fmt.Sprintf("egress[%d]", i), fmt.Sprintf("%q is no network; for example 10.20.0.0/16", network)})
		}
	}
	if c.Container != "" && len(c.Egress) > 0 {
		w = append(w, Wrong{"container", "does not go with egress, which holds for pods"})
	}
	return w
}

func checkConcurrency(s *Step) []Wrong {
	w, c := whole(s), s.change()
	least := 1 // 0 is no limit to Knative
	switch {
	case s.by() == ByLambda:
		least = 0
	case c.Workload == onDeployment:
		w = append(w, Wrong{"by", "a Deployment has no limit of concurrency; want a workload ksvc/NAME or inferenceservice/NAME"})
	}
	switch {
	case c.Concurrency == nil:
		w = append(w, Wrong{"concurrency", "is missing: how many requests at once; for example 1"})
	case *c.Concurrency < least || *c.Concurrency > 10_000:
		w = append(w, Wrong{"concurrency", fmt.Sprintf("%d is out of range; %d to 10000", *c.Concurrency, least)})
	}
	return w
}

// changing is the preview of a change: the deed, in which %s is what is changed, how long, and who ends it if we do not.
func (s *Step) changing(deed string) string {
	c := s.change()
	text := strings.Replace(deed, "%s", cmp.Or(c.Where, "the target"), 1)
	switch {
	case s.For == 0:
		return text
	case c.Ends > 0:
		return fmt.Sprintf("%s, for %v; if we cannot end it, %s does within %v of its beginning", text, s.For, c.Ender, c.Ends)
	}
	return fmt.Sprintf("%s, for %v; %s would end it if we could not, but assay heal does", text, s.For, cmp.Or(c.Ender, "nothing"))
}

func previewScale(s *Step) string {
	return s.changing(fmt.Sprintf("%%s is capped at %s", count(value(s.change().Replicas), "replica")))
}

func previewAnnotate(s *Step) string {
	c := s.change()
	var set []string
	for _, m := range []map[string]string{c.Annotations, c.Labels} {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			set = append(set, k+"="+m[k])
		}
	}
	on := "the pods of %s get "
	if c.On == onWorkload {
		on = "%s gets "
	}
	return s.changing(on + strings.Join(set, ", "))
}

func previewImage(s *Step) string {
	return s.changing("%s is given the image " + cmp.Or(s.change().Image, noImage))
}

func previewPodQuota(s *Step) string {
	return s.changing(fmt.Sprintf("%%s may have only %s: no workload in it, whichever, gets one more", count(value(s.change().Pods), "pod")))
}

func previewAccess(s *Step) string {
	c := s.change()
	switch {
	case c.Variable != "":
		return s.changing("the variable " + c.Variable + " is hidden from new instances of %s")
	case c.Secret != "":
		return s.changing("the secret " + c.Secret + " is not found by new instances of %s")
	}
	return s.changing("%s cannot reach " + strings.Join(c.Egress, ", "))
}

func previewConcurrency(s *Step) string {
	each := ""
	if s.by() == ByKubernetes {
		each = "each instance of "
	}
	return s.changing(fmt.Sprintf("%s%%s takes at most %s at once", each, count(value(s.change().Concurrency), "request")))
}

func previewCold(s *Step) string {
	if s.by() == ByLambda {
		return s.changing("no execution environment of %s is used again: a variable of ours is set and taken away")
	}
	return s.changing("all %s are deleted")
}

func previewThrottle(s *Step) string { return s.changing("every request to %s is refused") }

// count says how many of a thing.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprint(n, " ", thing)
}

func value(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
