package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var platformKinds = Kinds{Metrics: kinds.Metrics, Faults: []FaultKind{
	{Name: "scale", NeedsFor: true, By: []string{byKubernetes}, NeedsEnd: true}, {Name: "quota", NeedsFor: true, By: []string{byKubernetes}, NeedsEnd: true},
	{Name: "cold", By: []string{byKubernetes, byLambda}}, {Name: "access", NeedsFor: true, By: []string{byKubernetes, byLambda}, NeedsEnd: true},
	{Name: "throttle", NeedsFor: true, By: []string{byLambda}}}}

// What a deployment lacks for the faults of a plan is said before the run, with the place of the setting.
func TestFaultsOfThePlatform(t *testing.T) {
	const expiry = ", expiry: {image: i, serviceAccount: s}"
	for _, tt := range []struct{ deployment, fault, want string }{
		{"{kubernetes: {pods: a=b, workload: deployment/x" + expiry + "}}", "{fault: scale, for: 1s, replicas: 0}", ""},
		{"{kubernetes: {pods: a=b}}", "{fault: cold}", ""},
		{"{kubernetes: {pods: a=b" + expiry + "}}", "{fault: access, for: 1s, egress: [10.0.0.0/8]}", ""},
		{"{lambda: {function: f}}", "{fault: throttle, for: 1s}", ""},
		{"{lambda: {function: f}}", "{fault: access, for: 1s, variable: A}", ""},
		{"{kubernetes: {pods: a=b, workload: deployment/x}}", "{fault: scale, for: 1s, replicas: 0}", "chaos[0].fault: scale by kubernetes holds until somebody undoes it: target.deployment.kubernetes.expiry must say"},
		{"{kubernetes: {pods: a=b" + expiry + "}}", "{fault: scale, for: 1s, replicas: 0}", "chaos[0].fault: scale changes a workload: target.deployment.kubernetes.workload must name it"},
		{"{kubernetes: {pods: a=b" + expiry + "}}", "{fault: quota, for: 1s}", "chaos[0].fault: quota hits all workloads of the namespace: target.deployment.kubernetes.namespace must name it"},
		{"{kubernetes: {pods: a!=b}}", "{fault: cold}", ""},
		{"{kubernetes: {pods: ' '}}", "{fault: cold}", `target.deployment.kubernetes.pods: " " selects every pod of the namespace; want labels that the pods to hurt have; for example app=vllm,tier in (gpu,cpu)`},
		{"{kubernetes: {pods: 'app in (('}}", "{fault: cold}", `target.deployment.kubernetes.pods: "app in ((" is no label selector: unable to parse requirement: found '(', expected: ',', ')' or identifier; want labels`},
		{"{kubernetes: {pods: 'app=m,,'}}", "{fault: cold}", `target.deployment.kubernetes.pods: "app=m,," is no label selector: found ',', expected: identifier after ','; want labels`},
		{"{kubernetes: {pods: 'n>5'}}", "{fault: cold}", `target.deployment.kubernetes.pods: "n>5" compares numbers, which Chaos Mesh cannot; want labels`},
		{"{kubernetes: {pods: a=b, workload: pod/x}}", "{fault: cold}", `target.deployment.kubernetes.workload: "pod" is unknown; known here: deployment, inferenceservice, ksvc`},
		{"{kubernetes: {pods: a=b, workload: deployment}}", "{fault: cold}", `target.deployment.kubernetes.workload: "deployment" is no workload; want deployment/NAME`},
		{"{kubernetes: {pods: a=b, workload: ksvc/x, hpa: y}}", "{fault: cold}", "target.deployment.kubernetes.hpa: belongs to a workload deployment/NAME"},
		{"{kubernetes: {pods: a=b, expiry: {image: i}}}", "{fault: cold}", "target.deployment.kubernetes.expiry: needs image and serviceAccount"},
		{"{lambda: {region: r}}", "{fault: cold}", "target.deployment.lambda: names no function"},
		{"{lambda: {function: f, endpoint: h}}", "{fault: cold}", `target.deployment.lambda.endpoint: "h" is not a URL`},
		{"{lambda: {function: f, expiry: {role: me}}}", "{fault: cold}", `target.deployment.lambda.expiry.role: "me" is no ARN of a role`},
		{"{lambda: {function: f}}", "{fault: scale, for: 1s, replicas: 0}", "nothing here can do scale to the target; by kubernetes: target.deployment does not say kubernetes"},
		{"{lambda: {function: f}}", "{fault: cold, replica: 1}", `chaos[0].replica: unknown key "replica"; did you mean "replicas"?`},
	} {
		p, err := Parse("plan.yaml", []byte("apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://h', body: x, deployment: "+tt.deployment+"}\n"+load+"chaos: ["+strings.Replace(tt.fault, "fault:", "at: 1s, fault:", 1)+"]\n"))
		if err == nil {
			_, err = p.Validate(platformKinds)
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s\n got %s\nwant %s", tt.fault, got, tt.want)
		}
	}
}

// The settings of an embedded struct are the struct's own.
func TestEmbedded(t *testing.T) {
	p, err := Parse("plan.yaml", []byte("apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://h', body: x}\n"+load+"chaos: [{fault: quota, at: 1s, for: 1s, pods: 3, egress: [a, b]}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	three := 3
	if d := cmp.Diff(Change{Pods: &three, Egress: []string{"a", "b"}}, p.Chaos[0].Change); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	raw, _, err := p.JSON()
	if err != nil || !strings.Contains(string(raw), `"pods":3`) {
		t.Errorf("%s, %v", raw, err)
	}
}
