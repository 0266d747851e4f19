package chaos

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
)

// meshSteps is one step of each kind that Chaos Mesh does, and of each of its modes.
func meshSteps() []Step {
	s := time.Second
	steps := []Step{
		{Fault: "kill"}, {Fault: "kill", MeshSettings: MeshSettings{Container: "engine"}}, {Fault: "pod-failure", For: s},
		{Fault: "delay", For: s, Delay: s / 5, Jitter: s / 50}, {Fault: "loss", For: s, Probability: 0.3}, {Fault: "duplicate", For: s, Probability: 1}, {Fault: "corrupt", For: s, Probability: 0.001},
		{Fault: "cut", For: s, Mode: "blackhole"}, {Fault: "cut", For: s}, {Fault: "bandwidth", For: s, Rate: 1 << 20},
		{Fault: "cpu", For: s, CPUs: 2, MeshSettings: MeshSettings{Load: 0.8}}, {Fault: "memory", For: s, Bytes: 1 << 28},
		{Fault: "io", For: s, Dir: "/models", Delay: s / 10, Probability: 0.5}, {Fault: "io", For: s, Mode: "errno", Dir: "/models", MeshSettings: MeshSettings{Errno: 5}},
		{Fault: "http", For: s, Status: 503, RetryAfter: 2 * s, MeshSettings: MeshSettings{Port: 8000}}, {Fault: "http", For: s, Mode: "latency", Delay: s, MeshSettings: MeshSettings{Port: 8000}},
		{Fault: "http", For: s, Mode: "abort", MeshSettings: MeshSettings{Port: 8000}},
		{Fault: "clock", For: s, MeshSettings: MeshSettings{Offset: -10 * time.Minute}}, {Fault: "dns", For: s}, {Fault: "dns", For: s, Mode: "random", Names: []string{"a.*"}},
		{Fault: "cloud", For: s, MeshSettings: MeshSettings{Cloud: "aws", Spec: json.RawMessage(`{"action":"ec2-stop","awsRegion":"r","ec2Instance":"i"}`)}},
		{Fault: "cloud", For: s, MeshSettings: MeshSettings{Cloud: "gcp", Spec: json.RawMessage(`{"action":"node-stop","project":"p","zone":"z","instance":"i"}`)}},
		{Fault: "cloud", For: s, MeshSettings: MeshSettings{Cloud: "azure", Spec: json.RawMessage(`{"action":"vm-stop","subscriptionID":"s","resourceGroupName":"g","vmName":"v"}`)}},
		{Fault: "manifest", For: s, MeshSettings: MeshSettings{Manifest: "m.yaml", Object: scheduleText}},
	}
	for i := range steps {
		steps[i].By, steps[i].Instances = ByMesh, 1
	}
	return steps
}

const scheduleText = `apiVersion: chaos-mesh.org/v1alpha1
kind: Schedule
metadata: {name: often}
spec: {schedule: '@every 10s', type: PodChaos, podChaos: {action: pod-failure, duration: 5s, mode: one, selector: {labelSelectors: {app: a}}}}
`

func TestMeshSteps(t *testing.T) {
	done := map[string]bool{}
	for _, s := range meshSteps() {
		done[s.Fault] = true
		if err := Check("chaos", []Step{s}); err != nil {
			t.Errorf("%s %s: %v", s.Fault, s.Mode, err)
			continue
		}
		p := placement{namespace: "serving", name: "n", pods: []string{"a"}}
		o, err := p.object(&s)
		if err != nil {
			t.Errorf("%s %s: %v", s.Fault, s.Mode, err)
			continue
		}
		if w := mesh.Check(o); len(w) > 0 {
			t.Errorf("%s %s: %v", s.Fault, s.Mode, w)
		}
		if b := mesh.Bound(o); s.Fault != "kill" && s.Fault != "manifest" && (b <= s.For || b > time.Minute+4*time.Second) {
			t.Errorf("%s %s: held for %v and ended by the cluster after %v", s.Fault, s.Mode, s.For, b)
		}
		if lines := Preview([]Step{s}); len(lines) != 2 || strings.Contains(lines[0], "%!") || !strings.Contains(lines[0], mesh.Kind(o)) {
			t.Errorf("%s %s: preview %q", s.Fault, s.Mode, lines)
		}
	}
	for _, k := range meshKinds() {
		if !done[k.name] {
			t.Errorf("%s is not tried", k.name)
		}
	}
}

// A step that would hurt too much, nothing, or for ever is refused with the path of its field.
func TestMeshStepsThatAreRefused(t *testing.T) {
	s := time.Second
	manifest := func(text string) MeshSettings { return MeshSettings{Manifest: "m.yaml", Object: text} }
	for _, tc := range []struct {
		step Step
		want string
	}{
		{Step{Fault: "loss", For: s, Probability: 1.5}, "chaos[0].probability: 150% is out of range; more than 0% and at most 100% of the packets"},
		{Step{Fault: "loss", For: s}, "chaos[0].probability: 0% is out of range; more than 0% and at most 100% of the packets"},
		{Step{Fault: "loss", Probability: 0.5}, "chaos[0].for: is missing: loss holds until it is undone; for example 5s"},
		{Step{Fault: "cpu", For: s, CPUs: 1, MeshSettings: MeshSettings{Load: 5}}, "chaos[0].load: 500% is out of range; 1% to 100% of each"},
		{Step{Fault: "cpu", For: s}, "chaos[0].cpus: 0 is out of range; 1 to 1024"},
		{Step{Fault: "delay", For: s}, "chaos[0].delay: 0s delays nothing; for example 200ms"},
		{Step{Fault: "delay", For: s, Delay: s, Probability: 1}, "chaos[0].probability: belongs to loss, duplicate, corrupt, io, not delay"},
		{Step{Fault: "delay", For: s, Delay: s, MeshSettings: MeshSettings{Spec: json.RawMessage(`{"delay":{"correlation":"300"}}`)}}, `chaos[0].spec.delay.correlation: "300" is out of range; a percentage of at most 100`},
		{Step{Fault: "delay", For: s, Delay: s, MeshSettings: MeshSettings{Spec: json.RawMessage(`{"duration":"9h"}`)}}, "chaos[0].spec: duration is set by assay from the plan; leave it out"},
		{Step{Fault: "delay", For: s, Delay: s, MeshSettings: MeshSettings{Spec: json.RawMessage(`{"selector":{}}`)}}, "chaos[0].spec: selector is set by assay from the plan; leave it out"},
		{Step{Fault: "delay", For: s, Delay: s, MeshSettings: MeshSettings{Spec: json.RawMessage(`{"action":"loss"}`)}}, "chaos[0].spec: action is what the kind of fault says; leave it out"},
		{Step{Fault: "delay", For: s, Delay: s, MeshSettings: MeshSettings{Spec: json.RawMessage(`{"dely":1}`)}}, `chaos[0].spec.dely: is unknown; did you mean "delay"?`},
		{Step{Fault: "cut", For: s, Mode: "close"}, `chaos[0].mode: "close" is no cut of Chaos Mesh; one of blackhole, reset`},
		{Step{Fault: "bandwidth", For: s}, "chaos[0].rate: 0 bytes/s is out of range; 1024 to 8589934592"},
		{Step{Fault: "memory", For: s}, "chaos[0].bytes: 0 is out of range; 1MiB or more"},
		{Step{Fault: "io", For: s, Delay: s}, `chaos[0].dir: "" is no absolute path of a directory; want where the pod mounts the volume`},
		{Step{Fault: "http", For: s, Status: 503}, "chaos[0].port: 0 is no port; want the port that the container listens on"},
		{Step{Fault: "http", For: s, Mode: "hang", MeshSettings: MeshSettings{Port: 1}}, `chaos[0].mode: "hang" is no mode of http by Chaos Mesh; one of status, latency, abort`},
		{Step{Fault: "clock", For: s}, "chaos[0].offset: 0s shifts no clock; for example -10m"},
		{Step{Fault: "dns", For: s, Mode: "slow"}, `chaos[0].mode: "slow" is no mode of dns by Chaos Mesh; one of error, random`},
		{Step{Fault: "cloud", For: s, MeshSettings: MeshSettings{Cloud: "moon"}}, `chaos[0].cloud: "moon" is unknown; one of aws, gcp, azure`},
		{Step{Fault: "cloud", For: s, MeshSettings: MeshSettings{Cloud: "gcp", Spec: json.RawMessage(`{"action":"node-stop"}`)}}, "chaos[0].spec.project: is missing: it says what is hurt\nchaos[0].spec.zone: is missing: it says what is hurt\nchaos[0].spec.instance: is missing: it says what is hurt"},
		{Step{Fault: "manifest", For: s}, "chaos[0].manifest: is missing: the file that holds one object of chaos-mesh.org"},
		{Step{Fault: "manifest", MeshSettings: manifest(scheduleText)}, "chaos[0].for: is missing: manifest holds until it is undone; for example 5s"},
		{Step{Fault: "manifest", For: s, MeshSettings: manifest(strings.Replace(scheduleText, "duration: 5s, ", "", 1))}, "chaos[0].manifest: m.yaml: Schedule: spec.podChaos.duration: is missing: without it the fault stays for ever if we cannot end it; for example 60s"},
		{Step{Fault: "manifest", For: s, MeshSettings: manifest(strings.Replace(scheduleText, "labelSelectors: {app: a}", "", 1))}, "chaos[0].manifest: m.yaml: Schedule: spec.podChaos.selector: is empty: it would hurt every pod of the namespace; name pods or labelSelectors"},
		{Step{Fault: "manifest", For: s, MeshSettings: manifest(strings.Replace(scheduleText, "@every 10s", "@daily", 1))}, `chaos[0].manifest: m.yaml: Schedule: spec.schedule: "@daily" pauses for 24h0m0s; at most 10m0s, which a run waits for the first experiment`},
		{Step{Fault: "manifest", For: s, MeshSettings: manifest(strings.Replace(scheduleText, "name: often", "name: often, annotations: {experiment.chaos-mesh.org/pause: 'true'}", 1))}, "chaos[0].manifest: m.yaml: Schedule: metadata.annotations[experiment.chaos-mesh.org/pause]: cannot be carried by the Workflow that a Schedule is applied as, so that the cluster ends it; leave it out"},
		{Step{Fault: "manifest", For: s, MeshSettings: manifest("apiVersion: v1\nkind: Pod")}, `chaos[0].manifest: m.yaml: apiVersion is "v1"; want chaos-mesh.org/v1alpha1`},
		{Step{Fault: "hang", For: s}, "chaos[0].by: chaosmesh does not do hang; local"},
	} {
		tc.step.By, tc.step.Instances = ByMesh, 1
		got := ""
		if err := Check("chaos", []Step{tc.step}); err != nil {
			got = err.Error()
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.step.Fault, d)
		}
	}
}

func TestMeshManifests(t *testing.T) {
	steps := []Step{{Fault: "loss", By: ByMesh, For: time.Second, Probability: 0.3, Share: 0.5}, {Fault: "kill", Instances: 1}}
	show := func(victims []Victim) (text string) {
		list, err := MeshManifests(steps, "serving", "app=vllm,tier in (a)", victims)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			raw, err := mesh.YAML(m.Object)
			if err != nil {
				t.Fatal(err)
			}
			_, spec, _ := strings.Cut(string(raw), "spec:\n")
			text += m.Fault + " " + m.Object.GetName() + "\n" + spec
		}
		return text
	}
	want := "loss-1 assay-run-loss-1\n  action: loss\n  duration: 51s\n  loss:\n    loss: \"30\"\n  mode: fixed-percent\n  selector:\n    expressionSelectors:\n    - key: tier\n      operator: In\n      values:\n      - a\n" +
		"    labelSelectors:\n      app: vllm\n    namespaces:\n    - serving\n  value: \"50\"\n"
	if d := cmp.Diff(want, show(nil)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	one := func(fault, pod string) string {
		return fault + " assay-run-" + fault + "\n  action: loss\n  duration: 51s\n  loss:\n    loss: \"30\"\n  mode: all\n  selector:\n    namespaces:\n    - serving\n    pods:\n      serving:\n      - " + pod + "\n"
	}
	if d := cmp.Diff(one("loss-1.1", "a")+one("loss-1.2", "b"), show([]Victim{{ID: "a"}, {ID: "b"}, {ID: "c"}})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, none := range []string{"app in", "", " ", "app=m,,", "n>5"} {
		if _, err := MeshManifests(steps, "serving", none, nil); err == nil {
			t.Errorf("%q was taken for a selector", none)
		}
	}
}

// A selector is written as Chaos Mesh writes it, each of its terms.
func TestMeshSelectors(t *testing.T) {
	type terms = v1alpha1.LabelSelectorRequirements
	for _, tc := range []struct {
		pods   string
		labels map[string]string
		terms  terms
	}{
		{"app=m", map[string]string{"app": "m"}, nil},
		{"app == m, app=n", map[string]string{"app": "m"}, terms{{Key: "app", Operator: "In", Values: []string{"n"}}}},
		{"app=,app=n", map[string]string{"app": ""}, terms{{Key: "app", Operator: "In", Values: []string{"n"}}}},
		{"app!=m", nil, terms{{Key: "app", Operator: "NotIn", Values: []string{"m"}}}},
		{"app in (b,a),tier notin (c),x,!y", nil, terms{{Key: "app", Operator: "In", Values: []string{"a", "b"}}, {Key: "tier", Operator: "NotIn", Values: []string{"c"}}, {Key: "x", Operator: "Exists"}, {Key: "y", Operator: "DoesNotExist"}}},
	} {
		got, err := selecting("serving", tc.pods, &Step{Instances: 1})
		if err != nil {
			t.Errorf("%s: %v", tc.pods, err)
			continue
		}
		if d := cmp.Diff(tc.labels, got.Selector.LabelSelectors); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.pods, d)
		}
		if d := cmp.Diff(tc.terms, got.Selector.ExpressionSelectors, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.pods, d)
		}
	}
}

// A Schedule is shown, and applied, as a Workflow that bears its name and our labels and ends of itself after all that a run may take.
func TestScheduleAsWorkflow(t *testing.T) {
	steps := []Step{{Fault: "manifest", By: ByMesh, Instances: 1, For: time.Minute, MeshSettings: MeshSettings{Manifest: "m.yaml", Object: scheduleText}}}
	list, err := MeshManifests(steps, "serving", "app=a", nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := mesh.YAML(list[0].Object)
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: chaos-mesh.org/v1alpha1
kind: Workflow
metadata:
  annotations:
    assay.dev/name: often
  labels:
    assay.dev/fault: manifest-1
    assay.dev/run: run
  name: assay-run-manifest-1
  namespace: serving
spec:
  entry: assay-run-manifest-1.s1
  templates:
  - deadline: 2m0s
    name: assay-run-manifest-1.s1
    schedule:
      concurrencyPolicy: Forbid
      podChaos:
        action: pod-failure
        duration: 5s
        mode: one
        selector:
          labelSelectors:
            app: a
      schedule: '@every 10s'
      type: PodChaos
    templateType: Schedule
`
	if d := cmp.Diff(want, string(raw)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if want := "the Schedule, as a Workflow with a deadline, so that the cluster ends it; the run puts its id where run stands"; list[0].Note != want {
		t.Errorf("note %q, want %q", list[0].Note, want)
	}
	if got, want := previewMesh(&steps[0]), "Chaos Mesh Schedule, as a Workflow with a deadline, so that the cluster ends it: often from m.yaml, for 1m0s; the cluster itself ends it at the latest 2m0s after it began"; got != want {
		t.Errorf("preview %q, want %q", got, want)
	}
	d := podsOf(t, `{"items":[{"metadata":{"name":"a-1","labels":{"app":"a"}}}]}`)
	a, err := d.Plan(context.Background(), &steps[0], Victim{ID: "target", Fault: "manifest-1"})
	if err != nil {
		t.Fatal(err)
	}
	const at = "/apis/chaos-mesh.org/v1alpha1/namespaces/serving/"
	u := Undo{Kind: UndoKube, Method: "DELETE", Path: at + "workflows/assay-01234567-manifest-1", Want: Gone, Text: "kubectl -n serving delete workflows.chaos-mesh.org assay-01234567-manifest-1",
		Empty:   []string{at + "workflownodes?labelSelector=chaos-mesh.org%2Fworkflow%3Dassay-01234567-manifest-1", at + "schedules?labelSelector=chaos-mesh.org%2Fworkflow%3Dassay-01234567-manifest-1"},
		EmptyOf: map[string]string{at + "podchaos?labelSelector=managed-by": "assay-01234567-manifest-1.s"}, Expires: a.Undo.Expires, Flight: time.Minute, Labels: map[string]string{mesh.RunLabel: "0123456789", mesh.FaultLabel: "manifest-1"}}
	if d := cmp.Diff(u, a.Undo, cmp.AllowUnexported(Undo{})); d != "" || u.Expires == 0 || a.Patience != meshPatience+10*time.Second {
		t.Errorf("expires %d, patience %v (-want +got):\n%s", u.Expires, a.Patience, d)
	}
}

// Two faults of a run have two objects, whatever their ids, and every name is one that Kubernetes takes.
func TestMeshNames(t *testing.T) {
	long := strings.Repeat("x", 60)
	taken := map[string]string{}
	for _, id := range []string{"kill-1", "Kill-1", "KILL-1", "a" + long, "b" + long, "a" + long + ".1", "kill.1", "kill_1", "kill 1", "-kill-1", "ä", "ö", "."} {
		name := meshName("20260102-ABC", id)
		if was, there := taken[name]; there {
			t.Errorf("%q and %q are both %s", was, id, name)
		}
		taken[name] = id
		if wrong := validation.IsDNS1123Subdomain(name); len(wrong) > 0 || len(name) > 51 {
			t.Errorf("%q: %s, %d bytes: %v", id, name, len(name), wrong)
		}
	}
	if got := meshName("20260102-ABC", "kill-1"); got != "assay-20260102-kill-1" {
		t.Errorf("a plain id is %s", got)
	}
}

// podsOf is a driver for the pods app=a of a cluster that has those pods.
func podsOf(t *testing.T, pods string) *Mesh {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, pods) }))
	t.Cleanup(srv.Close)
	return &Mesh{API: &kube.Client{Server: srv.URL, HTTP: srv.Client()}, Namespace: "serving", Pods: "app=a", RunID: "0123456789"}
}

// A manifest is applied only if all that it may hurt are pods of the target.
func TestManifestOutsideOfTheTarget(t *testing.T) {
	d := podsOf(t, `{"items":[{"metadata":{"name":"a-1","labels":{"app":"a","team":"x"}}},{"metadata":{"name":"a-2","labels":{"app":"a","sits":"node"}},"spec":{"hostNetwork":true}},
		{"metadata":{"name":"billing-1","labels":{"app":"billing","team":"x"},"annotations":{"note":"m"}}}]}`)
	pod := func(selector string) string {
		return "apiVersion: chaos-mesh.org/v1alpha1\nkind: PodChaos\nmetadata: {name: x}\nspec: {action: pod-kill, mode: one, selector: " + selector + "}\n"
	}
	network := func(direction string) string {
		return "apiVersion: chaos-mesh.org/v1alpha1\nkind: NetworkChaos\nmetadata: {name: x}\nspec: {action: partition, duration: 10s, mode: all, selector: {pods: {serving: [a-1]}}, direction: " + direction + ", target: {mode: all, selector: {labelSelectors: {app: billing}}}}\n"
	}
	others := " not of the target's pods app=a; select none but those"
	for _, tc := range []struct{ text, want string }{
		{pod("{labelSelectors: {app: a, team: x}}"), ""},
		{pod("{pods: {serving: [a-1]}}"), ""},
		{pod("{labelSelectors: {app: billing}}"), "m.yaml: spec.selector may hurt billing-1 in serving," + others},
		{pod("{expressionSelectors: [{key: team, operator: Exists}]}"), "m.yaml: spec.selector may hurt billing-1 in serving," + others},
		{pod("{annotationSelectors: {note: m}}"), "m.yaml: spec.selector may hurt billing-1 in serving," + others},
		{pod("{fieldSelectors: {spec.nodeName: m}}"), "m.yaml: spec.selector may hurt billing-1 in serving," + others},
		{pod("{pods: {serving: [a-1, gone-1]}}"), "m.yaml: spec.selector may hurt gone-1 in serving," + others},
		{pod("{pods: {billing: [a-1]}}"), `spec.selector.pods: "billing" is not serving, the namespace of the target's pods`},
		{pod("{labelSelectors: {sits: node}}"), "m.yaml: spec.selector may hurt a-2 in serving, on its node's network"},
		{network("to"), ""},
		{network("both"), "m.yaml: spec.target.selector may hurt billing-1 in serving," + others},
		{strings.Replace(scheduleText, "app: a}", "team: x}", 1), "may hurt billing-1 in serving," + others},
	} {
		s := Step{Fault: "manifest", By: ByMesh, Instances: 1, For: time.Second, MeshSettings: MeshSettings{Manifest: "m.yaml", Object: tc.text}}
		got := ""
		if _, err := d.Plan(context.Background(), &s, Victim{ID: "target", Fault: "manifest-1"}); err != nil {
			got = err.Error()
		}
		if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s got %q, want %q", tc.text, got, tc.want)
		}
	}
}

// What the preview promises holds for what the steps do, and what hurts the whole target is none of its instances for the limits.
func TestMeshPromise(t *testing.T) {
	aws := "apiVersion: chaos-mesh.org/v1alpha1\nkind: AWSChaos\nmetadata: {name: x}\nspec: {action: ec2-stop, awsRegion: r, ec2Instance: i, duration: 30s}\n"
	file := Step{Fault: "manifest", By: ByMesh, Instances: 1, For: time.Second, MeshSettings: MeshSettings{Manifest: "m.yaml", Object: aws}}
	cloud := Step{Fault: "cloud", By: ByMesh, Instances: 1, For: time.Second, MeshSettings: MeshSettings{Cloud: "aws"}}
	for _, tc := range []struct {
		steps []Step
		not   bool
	}{{[]Step{{Fault: "kill", By: ByMesh}}, false}, {[]Step{file}, true}, {[]Step{cloud}, true}} {
		if got := meshPromise(tc.steps); strings.Contains(got, "NOT of a machine of a cloud") != tc.not {
			t.Errorf("%s: %s", tc.steps[0].Fault, got)
		}
	}
	for _, s := range []Step{file, cloud, {Fault: "experiment", By: ByToolkit, Instances: 1}} {
		err := Limits{Share: 0.5}.Check("chaos", []Step{s})
		if want := "chaos[0].fault: " + s.Fault + " hurts the target and with it all instances; limits.share allows 50%"; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", s.Fault, err, want)
		}
	}
}
