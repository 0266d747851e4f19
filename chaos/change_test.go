package chaos

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What is wrong with a step is said with its field; what it will do, with its object.
func TestChange(t *testing.T) {
	in := func(by, fault string, c Change) Step {
		s := Step{Fault: fault, By: by, Instances: 1, For: 30 * time.Second, Change: &c}
		if fault == "cold" {
			s.For = 0
		}
		if c.Where == "" {
			c.Where = "deployment/llm in namespace models"
		}
		return s
	}
	k := func(fault string, c Change) Step { return in(ByKubernetes, fault, c) }
	l := func(fault string, c Change) Step { return in(ByLambda, fault, c) }
	many := k("scale", Change{Replicas: intp(1)})
	many.Instances = 3
	for _, tc := range []struct {
		step  Step
		wrong string
	}{
		{k("scale", Change{}), "chaos[0].replicas: is missing: how many the workload may have; for example 0"},
		{k("scale", Change{Replicas: intp(-1)}), "chaos[0].replicas: -1 is out of range; 0 to 1000"},
		{k("scale", Change{Workload: onKnative, Replicas: intp(0)}), "chaos[0].replicas: ksvc takes a limit of 0 for no limit; 1 or more"},
		{many, "chaos[0].instances: scale hurts the deployment as a whole, not so many instances; leave it out"},
		{k("scale", Change{Replicas: intp(0), Image: "x"}), "chaos[0].image: belongs to image, not scale"},
		{k("annotate", Change{}), `chaos[0].annotations: is missing: what is set; for example {autoscaling.knative.dev/target-burst-capacity: "0"}`},
		{k("annotate", Change{Annotations: map[string]string{"assay.dev/undo-1": ""}}), "chaos[0].annotations: assay.dev/undo-1 is ours: it holds what is to be undone"},
		{k("annotate", Change{Labels: map[string]string{"a b": ""}}), `chaos[0].labels: "a b" is no name of one`},
		{k("annotate", Change{Labels: map[string]string{"a": "b"}, On: "nodes"}), `chaos[0].on: "nodes" is unknown; pods or workload`},
		{k("image", Change{Image: "a b"}), `chaos[0].image: "a b" is no image`},
		{k("quota", Change{Pods: intp(-1)}), "chaos[0].pods: -1 is out of range; 0 to 100000"},
		{k("access", Change{}), "chaos[0].variable: exactly one of variable, secret and egress says what access is denied to"},
		{k("access", Change{Variable: "A", Secret: "b"}), "chaos[0].variable: exactly one of variable, secret and egress says what access is denied to"},
		{k("access", Change{Variable: "A=b"}), `chaos[0].variable: "A=b" is no name of a variable`},
		{k("access", Change{Egress: []string{"10.0.0.0/8", "store"}}), `chaos[0].egress[1]: "store" is no network; for example 10.20.0.0/16`},
		{k("access", Change{Egress: []string{"10.0.0.0/8"}, Container: "c"}), "chaos[0].container: does not go with egress, which holds for pods"},
		{k("concurrency", Change{Workload: onKnative}), "chaos[0].concurrency: is missing: how many requests at once; for example 1"},
		{k("concurrency", Change{Workload: onKnative, Concurrency: intp(0)}), "chaos[0].concurrency: 0 is out of range; 1 to 10000"},
		{k("concurrency", Change{Workload: onDeployment, Concurrency: intp(1)}), "chaos[0].by: a Deployment has no limit of concurrency; want a workload ksvc/NAME or inferenceservice/NAME"},
		{k("throttle", Change{}), "chaos[0].by: kubernetes does not do throttle; lambda"},
		{l("access", Change{Secret: "b"}), "chaos[0].secret: belongs to access by kubernetes, not access"},
		{l("concurrency", Change{Concurrency: intp(-1)}), "chaos[0].concurrency: -1 is out of range; 0 to 10000"},
		{Step{Fault: "throttle", By: ByLambda, Instances: 1}, "chaos[0].for: is missing: throttle holds until it is undone; for example 5s"},
	} {
		got := ""
		if err := Check("chaos", []Step{tc.step}); err != nil {
			got = err.Error()
		}
		if d := cmp.Diff(tc.wrong, got); d != "" {
			t.Errorf("%+v (-want +got)\n%s", tc.step, d)
		}
	}

	const where = "deployment/llm in namespace models"
	ends := func(s Step) Step {
		c := *s.Change
		c.Where, c.Ends, c.Ender = where, 2*time.Minute, "a job of ours"
		s.Change = &c
		return s
	}
	for _, tc := range []struct {
		step Step
		want string
	}{
		{ends(k("scale", Change{Replicas: intp(1)})), where + " is capped at 1 replica, for 30s; if we cannot end it, a job of ours does within 2m0s of its beginning"},
		{k("annotate", Change{Where: where, Labels: map[string]string{"b": "c"}, Annotations: map[string]string{"a": "1"}}), "the pods of " + where + " get a=1, b=c, for 30s; nothing would end it if we could not, but assay heal does"},
		{k("annotate", Change{Where: where, Labels: map[string]string{"b": "c"}, On: onWorkload}), where + " gets b=c, for 30s; nothing would end it if we could not, but assay heal does"},
		{k("image", Change{Where: where}), where + " is given the image assay.invalid/no-such-image:fault, for 30s; nothing would end it if we could not, but assay heal does"},
		{k("quota", Change{Where: "namespace models"}), "namespace models may have only 0 pods: no workload in it, whichever, gets one more, for 30s; nothing would end it if we could not, but assay heal does"},
		{k("access", Change{Where: where, Variable: "A"}), "the variable A is hidden from new instances of " + where + ", for 30s; nothing would end it if we could not, but assay heal does"},
		{k("access", Change{Where: where, Secret: "s"}), "the secret s is not found by new instances of " + where + ", for 30s; nothing would end it if we could not, but assay heal does"},
		{k("access", Change{Where: "pods a=b", Egress: []string{"10.0.0.0/8"}}), "pods a=b cannot reach 10.0.0.0/8, for 30s; nothing would end it if we could not, but assay heal does"},
		{k("cold", Change{Where: "pods a=b"}), "all pods a=b are deleted"},
		{l("cold", Change{Where: "lambda function f"}), "no execution environment of lambda function f is used again: a variable of ours is set and taken away"},
		{l("throttle", Change{Where: "lambda function f", Ender: "nothing in AWS"}), "every request to lambda function f is refused, for 30s; nothing in AWS would end it if we could not, but assay heal does"},
		{l("concurrency", Change{Where: "lambda function f", Concurrency: intp(2)}), "lambda function f takes at most 2 requests at once, for 30s; nothing would end it if we could not, but assay heal does"},
	} {
		if got := Preview([]Step{tc.step})[0]; got != "0s into the load: "+tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
	if err := (Limits{Share: 0.5}).Check("chaos", []Step{k("scale", Change{Replicas: intp(1)})}); err == nil || err.Error() != "chaos[0].fault: scale hurts the target and with it all instances; limits.share allows 50%" {
		t.Errorf("a share: %v", err)
	}
}
