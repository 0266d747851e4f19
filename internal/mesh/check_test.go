package mesh

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/google/go-cmp/cmp"
)

// manifest makes a manifest of a kind in the namespace serving.
func manifest(kind, spec string) []byte {
	return fmt.Appendf(nil, "apiVersion: chaos-mesh.org/v1alpha1\nkind: %s\nmetadata: {name: x, namespace: serving}\nspec: %s\n", kind, spec)
}

const on = "mode: all, selector: {pods: {serving: [a]}}"

// What the API itself accepts, or would, although it does harm or nothing, is refused with the field's path; what is whole passes.
func TestCheck(t *testing.T) {
	for _, tc := range []struct{ kind, spec, want string }{
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: 30s, " + on + "}", ""},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: 30s, mode: all, selector: {labelSelectors: {app: a}}}", ""},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: 30s, mode: all, selector: {}}", "spec.selector: is empty: it would hurt every pod of the namespace; name pods or labelSelectors"},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: 30s, mode: all, selector: {namespaces: [serving]}}", "spec.selector: is empty: it would hurt every pod of the namespace; name pods or labelSelectors"},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: 30s, mode: all, selector: {pods: {serving: []}}}", "spec.selector: is empty: it would hurt every pod of the namespace; name pods or labelSelectors"},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: 30s, mode: all, selector: {pods: {other: [a]}}}", `spec.selector.pods: "other" is not serving, the namespace of the target's pods`},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: 30s, mode: all, selector: {namespaces: [kube-system], labelSelectors: {a: b}}}", `spec.selector.namespaces: "kube-system" is not serving, the namespace of the target's pods`},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, " + on + "}", "spec.duration: is missing: without it the fault stays for ever if we cannot end it; for example 60s"},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: 10h, " + on + "}", "spec.duration: 10h0m0s is out of range; more than 0s and at most 2h0m0s"},
		{"NetworkChaos", "{action: delay, delay: {latency: 200ms}, duration: forever, " + on + "}", `spec.duration: "forever" is not a duration; for example 60s`},
		{"NetworkChaos", "{action: delay, duration: 30s, " + on + "}", "spec.delay: is missing: the block of action delay"},
		{"NetworkChaos", "{action: delay, delay: {latency: ten}, duration: 30s, " + on + "}", `spec.delay.latency: "ten" delays nothing; for example 200ms`},
		{"NetworkChaos", "{action: loss, loss: {loss: \"150\"}, duration: 30s, " + on + "}", `spec.loss.loss: "150" is out of range; a percentage of at most 100`},
		{"NetworkChaos", "{action: loss, loss: {loss: \"50\", correlation: \"101\"}, duration: 30s, " + on + "}", `spec.loss.correlation: "101" is out of range; a percentage of at most 100`},
		{"NetworkChaos", "{action: netem, duration: 30s, " + on + "}", "spec.delay: is missing: netem needs delay, loss, duplicate, corrupt or rate"},
		{"NetworkChaos", "{action: bandwidth, duration: 30s, " + on + "}", "spec.bandwidth: is missing: the block of action bandwidth"},
		{"NetworkChaos", "{action: bandwidth, bandwidth: {rate: 1mbps, limit: 0, buffer: 1}, duration: 30s, " + on + "}", "spec.bandwidth.limit: 0 is out of range; at least 1"},
		{"NetworkChaos", "{action: bandwidth, bandwidth: {rate: fast, limit: 9, buffer: 1}, duration: 30s, " + on + "}", "spec.bandwidth.rate"},
		{"NetworkChaos", "{action: chop, duration: 30s, " + on + "}", `spec.action: "chop" is unknown; one of netem, delay, loss, duplicate, corrupt, partition, bandwidth`},
		{"NetworkChaos", "{action: partition, direction: both, target: {mode: all, selector: {}}, duration: 30s, " + on + "}", "spec.target.selector: is empty: it would hurt every pod of the namespace; name pods or labelSelectors"},
		{"NetworkChaos", "{action: partition, direction: from, duration: 30s, " + on + "}", "spec.target"},
		{"NetworkChaos", "{action: partition, duration: 30s, remoteCluster: far, " + on + "}", "spec.remoteCluster: lies in another cluster, where nobody could see to its end; leave it out"},
		{"NetworkChaos", "{action: partition, duration: 30s, mode: fixed, selector: {pods: {serving: [a]}}}", "spec.value"},
		{"NetworkChaos", "{action: partition, duration: 30s, mode: some, selector: {pods: {serving: [a]}}}", `spec.mode: "some" is no mode; one of one, all, fixed, fixed-percent, random-max-percent`},
		{"PodChaos", "{action: pod-kill, " + on + "}", ""},
		{"PodChaos", "{action: pod-failure, " + on + "}", "spec.duration: is missing: without it the fault stays for ever if we cannot end it; for example 60s"},
		{"PodChaos", "{action: container-kill, " + on + "}", "spec.containerNames"},
		{"StressChaos", "{stressors: {cpu: {workers: 1, load: 500}}, duration: 30s, " + on + "}", "spec.stressors.cpu.load: 500% is out of range; 1 to 100 of each worker"},
		{"StressChaos", "{stressors: {cpu: {workers: 1, load: 80}}, duration: 30s, " + on + "}", ""},
		{"StressChaos", "{stressors: {cpu: {workers: 1, options: [--all]}}, duration: 30s, " + on + "}", "spec.stressors.cpu.options: cannot be checked; leave them out"},
		{"StressChaos", "{stressngStressors: --vm 1, duration: 30s, " + on + "}", "spec.stressngStressors: cannot be checked; write stressors\nspec.stressors: is missing: cpu or memory"},
		{"StressChaos", "{stressors: {memory: {workers: 1, size: 150%}}, duration: 30s, " + on + "}", `spec.stressors.memory.size: "150" is out of range; a percentage of at most 100`},
		{"StressChaos", "{stressors: {memory: {workers: 1}}, duration: 30s, " + on + "}", "spec.stressors.memory.size: is missing: without it all memory that is available is taken"},
		{"StressChaos", "{stressors: {}, duration: 30s, " + on + "}", "spec.stressors: is missing: cpu or memory"},
		{"IOChaos", "{action: latency, volumePath: /m, duration: 30s, " + on + "}", `spec.delay: "" delays nothing; for example 200ms`},
		{"IOChaos", "{action: latency, delay: 10ms, volumePath: /m, duration: 30s, " + on + "}", ""},
		{"IOChaos", "{action: fault, errno: 5, duration: 30s, " + on + "}", `spec.volumePath: "" is no mount path of a volume; for example /models`},
		{"IOChaos", "{action: fault, volumePath: /m, duration: 30s, " + on + "}", "spec.errno: 0 is no error number; for example 5, an I/O error"},
		{"IOChaos", "{action: mistake, volumePath: /m, duration: 30s, " + on + "}", "spec.mistake: is missing: the block of action mistake"},
		{"HTTPChaos", "{target: Request, port: 80, duration: 30s, " + on + "}", "spec: has no action; one of abort, delay, replace, patch"},
		{"HTTPChaos", "{target: Request, abort: true, duration: 30s, " + on + "}", "spec.port: 0 is no port; 1 to 65535"},
		{"HTTPChaos", "{target: Request, abort: true, port: 80, duration: 30s, " + on + "}", ""},
		{"TimeChaos", "{timeOffset: 0s, duration: 30s, " + on + "}", `spec.timeOffset: "0s" shifts no clock; for example -10m`},
		{"TimeChaos", "{timeOffset: -10m, duration: 30s, " + on + "}", ""},
		{"DNSChaos", "{action: slow, duration: 30s, " + on + "}", `spec.action: "slow" is unknown; one of error, random`},
		{"KernelChaos", "{failKernRequest: {failtype: 0, probability: 900}, duration: 30s, " + on + "}", "spec.failKernRequest.probability: 900% is out of range; 1 to 100"},
		{"JVMChaos", "{action: latency, duration: 30s, " + on + "}", "spec: class not provided, method not provided, latency not provided"},
		{"JVMChaos", "{action: boom, duration: 30s, " + on + "}", "spec: action boom not supported, action can be 'latency', 'exception', 'return', 'stress', 'gc' or 'ruleData'"},
		{"JVMChaos", "{action: latency, class: A, method: b, latency: 5, duration: 30s, mode: all, selector: {}}", "spec.selector: is empty: it would hurt every pod of the namespace; name pods or labelSelectors"},
		{"BlockChaos", "{action: delay, volumeName: v, duration: 30s, " + on + "}", "spec.delay: is missing: the block of action delay"},
		{"AWSChaos", "{action: ec2-stop, awsRegion: r, ec2Instance: i, duration: 30s}", ""},
		{"AWSChaos", "{action: ec2-stop, awsRegion: r, duration: 30s}", "spec.ec2Instance: is missing: it says what is hurt"},
		{"AWSChaos", "{action: ec2-stop, awsRegion: r, ec2Instance: i}", "spec.duration: is missing: without it the fault stays for ever if we cannot end it; for example 60s"},
		{"AWSChaos", "{action: ec2-restart, awsRegion: r, ec2Instance: i}", ""},
		{"GCPChaos", "{action: disk-loss, project: p, zone: z, instance: i, duration: 30s}", "spec.deviceNames: disk-loss needs deviceNames"},
		{"AzureChaos", "{action: vm-stop, subscriptionID: s, resourceGroupName: g, duration: 30s}", "spec.vmName: is missing: it says what is hurt"},
		{"PhysicalMachineChaos", "{action: stress-cpu, mode: all, stress-cpu: {load: 10, workers: 1}, duration: 30s}", "spec.selector: selects machines, which are no pods of the target: a plan cannot say which may be hurt; leave it out"},
		{"PodChaos", "{action: pod-kill, mode: all, selector: {nodes: [host]}}", "spec.selector.nodes: selects by node, whosever pods run there; name pods or labelSelectors"},
		{"PodChaos", "{action: pod-kill, mode: all, selector: {labelSelectors: {app: a}, nodeSelectors: {zone: z}}}", "spec.selector.nodeSelectors: selects by node, whosever pods run there; name pods or labelSelectors"},
		{"Workflow", "{entry: a, templates: [{name: a, templateType: Task, deadline: 60s, task: {container: {name: c, image: i}}}]}", "spec.templates[0].templateType: Task runs a container, and nobody can undo what that does; leave it out"},
		{"Schedule", "{schedule: '@every 10s', type: NetworkChaos, networkChaos: {action: partition, duration: 5s, " + on + "}}", ""},
		{"Schedule", "{schedule: '@every 10s', type: NetworkChaos, networkChaos: {action: partition, " + on + "}}", "spec.networkChaos.duration: is missing: without it the fault stays for ever if we cannot end it; for example 60s"},
		{"Schedule", "{schedule: '@every 10s', type: NetworkChaos, networkChaos: {action: loss, duration: 5s, mode: all, selector: {}}}", "spec.networkChaos.selector: is empty: it would hurt every pod of the namespace; name pods or labelSelectors\nspec.networkChaos.loss: is missing: the block of action loss"},
		{"Schedule", "{schedule: '@every 10s', type: NetworkChaos}", "spec.networkChaos: is missing: the block of type NetworkChaos"},
		{"Schedule", "{schedule: never, type: PodChaos, podChaos: {action: pod-kill, " + on + "}}", "spec.schedule"},
		{"Schedule", "{schedule: '@every 10s', type: Workflow, workflow: {entry: a, templates: [{name: a, templateType: Suspend}]}}", "spec.workflow: cannot be carried by the Workflow that a Schedule is applied as, so that the cluster ends it; write a Workflow, or a Schedule of an experiment"},
		{"Schedule", "{schedule: '@every 10s', type: AzureChaos, azureChaos: {action: vm-stop, subscriptionID: s, resourceGroupName: g, vmName: v, duration: 5s}}", "spec.type: AzureChaos cannot be scheduled within a Workflow: Chaos Mesh drops it there"},
		{"Schedule", "{schedule: '@every 10m', type: PodChaos, podChaos: {action: pod-kill, " + on + "}}", ""},
		{"Schedule", "{schedule: '*/10 * * * *', concurrencyPolicy: Allow, historyLimit: 2, startingDeadlineSeconds: 9, type: PodChaos, podChaos: {action: pod-kill, " + on + "}}", ""},
		{"Schedule", "{schedule: '0 * * * *', type: PodChaos, podChaos: {action: pod-kill, " + on + "}}", `spec.schedule: "0 * * * *" pauses for 1h0m0s; at most 10m0s, which a run waits for the first experiment`},
		{"Schedule", "{schedule: '*/5 9-17 * * *', type: PodChaos, podChaos: {action: pod-kill, " + on + "}}", `spec.schedule: "*/5 9-17 * * *" pauses for 15h5m0s; at most 10m0s, which a run waits for the first experiment`},
		{"Schedule", "{schedule: TZ=UTC, type: PodChaos, podChaos: {action: pod-kill, " + on + "}}", `spec.schedule: "TZ=UTC" is no schedule`},
		{"Schedule", "{schedule: '0 0 30 2 *', type: PodChaos, podChaos: {action: pod-kill, " + on + "}}", `spec.schedule: "0 0 30 2 *" never comes`},
		{"Workflow", "{entry: a, templates: [{name: a, templateType: Serial, deadline: 60s, children: [b]}, {name: b, templateType: PodChaos, deadline: 10s, podChaos: {action: pod-failure, " + on + "}}]}", ""},
		{"Workflow", "{entry: a, templates: [{name: a, templateType: Serial, children: [b]}, {name: b, templateType: PodChaos, deadline: 10s, podChaos: {action: pod-failure, " + on + "}}]}", "spec.templates[0].deadline: is missing: without it the workflow may go on for ever; for example 60s"},
		{"Workflow", "{entry: a, templates: [{name: a, templateType: Serial, deadline: 60s, children: [b]}, {name: b, templateType: PodChaos, podChaos: {action: pod-failure, mode: one, selector: {}}}]}", "spec.templates[1].deadline: is missing: without it the workflow may go on for ever; for example 60s\nspec.templates[1].podChaos.selector: is empty: it would hurt every pod of the namespace; name pods or labelSelectors"},
		{"Workflow", "{entry: a, templates: [{name: a, templateType: Schedule, deadline: 60s, schedule: {schedule: hourly, type: PodChaos, podChaos: {action: pod-kill, " + on + "}}}]}", "spec.templates[0].schedule.schedule"},
		{"Workflow", "{entry: a, templates: [{name: a, templateType: Schedule, deadline: 60s, schedule: {schedule: '@every 1s', type: BlockChaos, blockChaos: {action: delay, volumeName: v, delay: {latency: 1ms}, duration: 5s, " + on + "}}}]}", "spec.templates[0].schedule.type: BlockChaos cannot be scheduled within a Workflow: Chaos Mesh drops it there"},
		{"Workflow", "{entry: gone, templates: [{name: a, templateType: Suspend, deadline: 60s}]}", "spec.entry"},
	} {
		o, err := Parse(manifest(tc.kind, tc.spec))
		if err != nil {
			t.Errorf("%s %s: %v", tc.kind, tc.spec, err)
			continue
		}
		var got []string
		for _, w := range Check(o) {
			got = append(got, w.String())
		}
		if text := strings.Join(got, "\n"); text != tc.want && (strings.Contains(tc.want, ":") || tc.want == "" || !strings.HasPrefix(text, tc.want)) {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.kind, tc.spec, text, tc.want)
		}
	}
}

func TestParse(t *testing.T) {
	good := string(manifest("PodChaos", "{action: pod-kill, "+on+"}"))
	for _, tc := range []struct{ text, want string }{
		{good, ""},
		{"---\n" + good + "---\n# nothing\n", ""},
		{good + "---\n" + good, "holds 2 objects; want one a fault: a Workflow holds several"},
		{"", "holds 0 objects; want one a fault: a Workflow holds several"},
		{"[1", "is not YAML"},
		{"a: 1", `apiVersion is ""; want chaos-mesh.org/v1alpha1`},
		{"- 1", "is no object: it has no apiVersion and kind"},
		{"apiVersion: v1\nkind: Pod", `apiVersion is "v1"; want chaos-mesh.org/v1alpha1`},
		{strings.Replace(good, "PodChaos", "PodChoas", 1), `kind "PodChoas" is none that can be applied; did you mean "PodChaos"?`},
		{strings.Replace(good, "PodChaos", "PodHttpChaos", 1), `kind "PodHttpChaos" is none that can be applied`},
		{strings.Replace(good, "action", "acton", 1), `PodChaos: unknown field "acton"`},
		{strings.Repeat("#", maxManifest+1), "1048577 bytes is too large"},
	} {
		_, err := Parse([]byte(tc.text))
		if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && !strings.HasPrefix(got, tc.want) {
			t.Errorf("%.60q: got %v, want %s", tc.text, err, tc.want)
		}
	}
}

func TestOverlay(t *testing.T) {
	o, err := Parse(manifest("NetworkChaos", "{action: delay, delay: {latency: 1s}, duration: 9s, "+on+"}"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Overlay(o, []byte(`{"delay":{"correlation":"25"},"externalTargets":["10.0.0.1"]}`)); err != nil {
		t.Fatal(err)
	}
	if err := Overlay(o, []byte(`{"dealy":{}}`)); err == nil || err.Error() != `dealy: is unknown; did you mean "delay"?` {
		t.Errorf("got %v", err)
	}
	if err := Overlay(o, []byte(`{"delay":{"latencyy":"1s"}}`)); err == nil || err.Error() != `delay.latencyy: is unknown; did you mean "latency"?` {
		t.Errorf("got %v", err)
	}
	if err := Overlay(o.DeepCopyObject().(Object), []byte(`{"target":{"selector":{"pods":{"a":["b"]},"nods":[]}}}`)); err == nil || err.Error() != `target.selector.nods: is unknown; did you mean "nodes"?` {
		t.Errorf("got %v", err)
	}
	raw, err := YAML(o)
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: chaos-mesh.org/v1alpha1
kind: NetworkChaos
metadata:
  name: x
  namespace: serving
spec:
  action: delay
  delay:
    correlation: "25"
    latency: 1s
  duration: 9s
  externalTargets:
  - 10.0.0.1
  mode: all
  selector:
    pods:
      serving:
      - a
`
	if d := cmp.Diff(want, string(raw)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if Path(o) != "/apis/chaos-mesh.org/v1alpha1/namespaces/serving/networkchaos/x" || Bound(o).Seconds() != 9 || OneShot(o) {
		t.Errorf("path %s, bound %v", Path(o), Bound(o))
	}
	if got := Plural("Schedule") + " " + Plural("Workflow") + " " + Plural("AWSChaos"); got != "schedules workflows awschaos" {
		t.Errorf("plurals %s", got)
	}
}

func TestStatus(t *testing.T) {
	got, err := ReadStatus([]byte(`{"metadata":{"uid":"u","creationTimestamp":"2026-01-02T03:04:05Z"},"status":{"conditions":[{"type":"Selected","status":"True"},{"type":"AllInjected","status":"False"}],
		"experiment":{"desiredPhase":"Run","containerRecords":[{"id":"serving/a","events":[{"type":"Failed","operation":"Apply","message":"no daemon\nat all","timestamp":"2026-01-02T03:04:06Z"}]},
		{"id":"serving/b","injectedCount":2,"events":[{"type":"Failed","operation":"Apply","message":"x"},{"type":"Succeeded","operation":"Apply"}]}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Status{UID: "u", Created: got.Created, Phase: "Run", Selected: "True", Records: 2, Times: 2, Trouble: "apply of serving/a failed: no daemon"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got, err := ReadStatus([]byte(`{"status":{"startTime":"2026-01-02T03:04:05Z","conditions":[{"type":"Accomplished","status":"True"}]}}`)); err != nil || !got.Begun || !got.Done {
		t.Errorf("workflow: %+v, %v", got, err)
	}
	if _, err := ReadStatus([]byte(`{"status":[]}`)); err == nil {
		t.Error("no error")
	}
}

// Whatever stands in a manifest, it is refused or bounded; never a panic.
func FuzzManifest(f *testing.F) {
	f.Add(manifest("PodChaos", "{action: pod-kill, "+on+"}"))
	f.Add(manifest("Schedule", "{schedule: '@every 1s', type: NetworkChaos}"))
	f.Add(manifest("Schedule", "{schedule: '*/2 * * * *', type: PodChaos, podChaos: {action: pod-kill, "+on+"}}"))
	f.Add(manifest("Workflow", "{entry: a, templates: [{name: a, templateType: NetworkChaos, deadline: 1s}]}"))
	f.Add(manifest("PhysicalMachineChaos", "{action: stress-cpu, address: [a], duration: 1s}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(b)
		if err != nil {
			return
		}
		if s, ok := o.(*v1alpha1.Schedule); ok && len(Check(o)) == 0 {
			w := Bounded(s, time.Minute)
			w.Name = "x"
			AdoptSchedules(w)
			if o = w; len(Check(o)) > 0 {
				t.Errorf("%v: %s", Check(o), b)
			}
		}
		if len(Check(o)) == 0 && !OneShot(o) && (Bound(o) <= 0 || Bound(o) > MaxDuration) {
			t.Errorf("accepted without a bound: %s", b)
		}
		if _, err := YAML(o); err != nil {
			t.Error(err)
		}
	})
}
