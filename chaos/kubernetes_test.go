package chaos

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/drilltest"
)

func intp(n int) *int { return &n }

const ksvcPath = "/apis/serving.knative.dev/v1/namespaces/models/services/llm"
const hpaPath = "/apis/autoscaling/v2/namespaces/models/horizontalpodautoscalers/llm"

func (c *standCluster) knative() {
	c.put(ksvcPath, `{"kind":"Service","spec":{"template":{"metadata":{"labels":{"app":"llm"},"annotations":{"autoscaling.knative.dev/min-scale":"2"}},"spec":{
	  "containers":[{"name":"server","image":"registry/llm:1"}]}}}}`)
	c.settle()
}

const isvcPath = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices/llm"

func (c *standCluster) kserve() {
	c.put(isvcPath, `{"kind":"InferenceService","spec":{"predictor":{"minReplicas":2,"model":{"modelFormat":{"name":"huggingface"},"storageUri":"s3://hush-hush","env":[{"name":"HF_HOME","value":"/hush"}]}}}}`)
	c.settle()
}

func (c *standCluster) autoscaled() {
	c.deploy()
	c.put(hpaPath, `{"spec":{"scaleTargetRef":{"kind":"Deployment","name":"llm"},"minReplicas":2,"maxReplicas":4}}`)
	c.settle()
}

// kubeCases are the faults by kubernetes, with what is seen of each.
var kubeCases = []struct {
	name     string
	deploy   func(*standCluster)
	workload string
	hpa      string
	path     string // of what is changed
	step     Step
	during   map[string]string // what stands at which pointer of it while the fault is held
	effect   string
}{
	{"scale to zero", (*standCluster).deploy, "deployment/llm", "", deploymentPath, Step{Fault: "scale", Change: &Change{Replicas: intp(0)}},
		map[string]string{"/spec/replicas": "0"}, "0 pods where there were 2"},
	{"scale of an autoscaled one", (*standCluster).autoscaled, "deployment/llm", "llm", hpaPath, Step{Fault: "scale", Change: &Change{Replicas: intp(1)}},
		map[string]string{"/spec/maxReplicas": "1", "/spec/minReplicas": "1"}, "1 pod where there were 2"},
	{"scale of Knative", (*standCluster).knative, "ksvc/llm", "", ksvcPath, Step{Fault: "scale", Change: &Change{Workload: onKnative, Replicas: intp(1)}},
		map[string]string{"/spec/template/metadata/annotations/autoscaling.knative.dev~1max-scale": `"1"`, "/spec/template/metadata/annotations/autoscaling.knative.dev~1min-scale": `"1"`},
		"1 pod where there were 2"},
	{"annotate", (*standCluster).deploy, "deployment/llm", "", deploymentPath,
		Step{Fault: "annotate", Change: &Change{Annotations: map[string]string{"x/burst": "0"}, Labels: map[string]string{"tier": "b"}}},
		map[string]string{"/spec/template/metadata/annotations/x~1burst": `"0"`, "/spec/template/metadata/labels/tier": `"b"`}, "1 of 2 pods were made with it, pod llm-"},
	{"annotate at scale zero", func(c *standCluster) {
		c.deploy()
		c.objects[deploymentPath]["spec"].(map[string]any)["replicas"] = 0.0
		c.settle()
	}, "deployment/llm", "", deploymentPath, Step{Fault: "annotate", Change: &Change{Annotations: map[string]string{"x": "0"}}},
		map[string]string{"/spec/template/metadata/annotations/x": `"0"`}, "the platform says that it has taken up the change of deployments.apps/llm; no pod shows it, so it was not measured by us"},
	{"annotate the workload", (*standCluster).deploy, "deployment/llm", "", deploymentPath,
		Step{Fault: "annotate", Change: &Change{On: onWorkload, Annotations: map[string]string{"team": "b"}}},
		map[string]string{"/metadata/annotations/team": `"b"`}, "the platform says that it has taken up the change of deployments.apps/llm; no pod shows it, so it was not measured by us"},
	{"image", (*standCluster).deploy, "deployment/llm", "", deploymentPath, Step{Fault: "image", Change: &Change{}},
		map[string]string{"/spec/template/spec/containers/0/image": `"` + noImage + `"`}, "waits: ErrImagePull"},
	{"quota", (*standCluster).deploy, "deployment/llm", "", "", Step{Fault: "quota", Change: &Change{}}, nil, "a new pod is refused: 2 of 0 are there"},
	{"variable", (*standCluster).deploy, "deployment/llm", "", deploymentPath, Step{Fault: "access", Change: &Change{Variable: "WEIGHTS"}},
		map[string]string{"/spec/template/spec/containers/0/env/0/name": `"ASSAY_HIDDEN_WEIGHTS"`}, "pods were made with it"},
	{"secret", (*standCluster).deploy, "deployment/llm", "", deploymentPath, Step{Fault: "access", Change: &Change{Secret: "tokens"}},
		map[string]string{"/spec/template/spec/containers/0/env/1/valueFrom/secretKeyRef/name": `"tokens-assay-denied"`, "/spec/template/spec/volumes/0/secret/secretName": `"tokens-assay-denied"`},
		"pods were made with it"},
	{"egress", (*standCluster).deploy, "deployment/llm", "", "", Step{Fault: "access", Change: &Change{Egress: []string{"10.1.0.0/16"}}}, nil, "whether the cluster's network enforces it was not measured by us"},
	{"scale of KServe", (*standCluster).kserve, "inferenceservice/llm", "", isvcPath, Step{Fault: "scale", Change: &Change{Workload: onKServe, Replicas: intp(1)}},
		map[string]string{"/spec/predictor/maxReplicas": "1", "/spec/predictor/minReplicas": "1"}, "1 pod where there were 2"},
	{"variable of KServe", (*standCluster).kserve, "inferenceservice/llm", "", isvcPath, Step{Fault: "access", Change: &Change{Variable: "HF_HOME"}},
		map[string]string{"/spec/predictor/model/env/0/name": `"ASSAY_HIDDEN_HF_HOME"`}, "the platform says that it has taken up the change of inferenceservices.serving.kserve.io/llm"},
	{"image of KServe", (*standCluster).kserve, "inferenceservice/llm", "", isvcPath, Step{Fault: "image", Change: &Change{Image: "x.invalid/y"}},
		map[string]string{"/spec/predictor/model/image": `"x.invalid/y"`}, "the platform says of inferenceservices.serving.kserve.io/llm: RevisionFailed: Unable to fetch image; not measured by us"},
	{"annotate KServe", (*standCluster).kserve, "inferenceservice/llm", "", isvcPath, Step{Fault: "annotate", Change: &Change{Annotations: map[string]string{"a": "b"}}},
		map[string]string{"/spec/predictor/annotations/a": `"b"`}, "the platform says"},
	{"concurrency", (*standCluster).knative, "ksvc/llm", "", ksvcPath, Step{Fault: "concurrency", Change: &Change{Workload: onKnative, Concurrency: intp(1)}},
		map[string]string{"/spec/template/spec/containerConcurrency": "1"}, "the platform says"},
}

// Each fault by kubernetes is put in force, seen, taken away and seen to be away; what it changed is as it was, and nothing of ours is left.
func TestLifeOfFaultsByKubernetes(t *testing.T) {
	for _, tc := range kubeCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			tc.deploy(c)
			before := c.get(tc.path)
			d := standDriver(c.config, tc.workload)
			d.HPA = tc.hpa
			s := tc.step
			s.By, s.Instances, s.For = ByKubernetes, 1, 2*time.Second
			if _, err := d.Check(context.Background(), []Step{s}); err != nil {
				t.Fatal(err)
			}
			tr := newTrial(d, s)
			tr.on = func(e *assay.Event) {
				if e.Kind != assay.EventFaultVerified {
					return
				}
				for p, want := range tc.during {
					if got := asJSON(lookupAny(c.get(tc.path), p)); got != want {
						t.Errorf("%s is %s, want %s", p, got, want)
					}
				}
				if n := len(c.names("jobs")); n != 1 {
					t.Errorf("%d jobs run while the fault is held", n)
				}
				tr.Abort("seen")
			}
			tr.run(t, context.Background())
			id := s.Fault + "-1"
			if diff := cmp.Diff(wholeLife, tr.kinds(id)); diff != "" {
				t.Fatalf("events (-want +got):\n%s\n%v", diff, tr.log)
			}
			if e := tr.event(t, id, assay.EventFaultVerified).Attrs[attrEffect]; !strings.Contains(e, tc.effect) {
				t.Errorf("effect %q, want %q", e, tc.effect)
			}
			checkBasis(t, tr.event(t, id, assay.EventFaultVerified))
			if left := c.left(); left != "" || !cmp.Equal(before, c.get(tc.path)) {
				t.Errorf("left: %s\n%s", left, cmp.Diff(before, c.get(tc.path)))
			}
			if e := tr.event(t, id, assay.EventFaultArmed); strings.Contains(asJSON(e), "hush") {
				t.Errorf("the journal holds a value: %v", e)
			}
		})
	}
}

// left says what of ours is in the cluster.
func (c *standCluster) left() string {
	var left []string
	for _, plural := range []string{"jobs", "resourcequotas", "networkpolicies"} {
		left = append(left, c.names(plural)...)
	}
	for _, path := range []string{deploymentPath, ksvcPath, hpaPath, isvcPath} {
		for mark := range notesOf(c.get(path)) {
			left = append(left, mark)
		}
	}
	return strings.Join(left, ", ")
}

func TestColdByKubernetes(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy()
	before := c.names("pods")
	d := c.driver()
	d.Expiry = nil // it ends of itself
	tr := newTrial(d, Step{Fault: "cold", By: ByKubernetes, Instances: 1})
	tr.run(t, context.Background())
	if diff := cmp.Diff(wholeLife, tr.kinds("cold-1")); diff != "" {
		t.Fatalf("events (-want +got):\n%s\n%v", diff, tr.log)
	}
	if e := tr.event(t, "cold-1", assay.EventFaultVerified).Attrs[attrEffect]; !strings.HasPrefix(e, "none of the 2 pods serves any more") {
		t.Errorf("effect %q", e)
	}
	c.settle()
	if after := c.names("pods"); len(after) != 2 || cmp.Equal(before, after) {
		t.Errorf("pods %v, were %v", after, before)
	}
	if _, err := d.Plan(context.Background(), &Step{Fault: "scale", Change: &Change{Replicas: intp(0)}}, Victim{ID: assay.WholeTarget}); err == nil || !strings.Contains(err.Error(), "no expiry is set") {
		t.Errorf("a fault that holds without an expiry: %v", err)
	}
}

// Whatever becomes of the injector and its guardian, the cluster is as it was.
func TestKilledInACluster(t *testing.T) {
	lookOnly(t)
	for _, tc := range kubeCases {
		for _, stage := range stages {
			for _, both := range []bool{false, true} {
				fast := tc.name == "scale to zero" && (!both || stage == assay.EventFaultVerified) || tc.name == "quota" && stage == assay.EventFaultApplied
				if os.Getenv("ASSAY_FULL") == "" && !fast {
					continue
				}
				name := tc.name + "/" + stage
				if both {
					name += "/both"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					c := newCluster(t)
					tc.deploy(c)
					before := c.get(tc.path)
					s := tc.step
					s.By, s.Instances, s.For = ByKubernetes, 1, time.Minute
					if stage == assay.EventFaultReverted || stage == assay.EventFaultClear {
						s.For = 500 * time.Millisecond
					}
					dir := t.TempDir()
					cmd, said := inject(t, config{Dir: dir, Stage: stage, Step: s, Cluster: c.config, Workload: tc.workload, HPA: tc.hpa})
					inForce := stage == assay.EventFaultApplied || stage == assay.EventFaultVerified
					if inForce && c.left() == "" {
						t.Error("nothing was changed")
					}
					if both {
						cmd.Process.Signal(syscall.SIGSTOP) // or it would revert when its guardian dies
						syscall.Kill(said.Guardian, syscall.SIGKILL)
					}
					cmd.Process.Kill()
					cmd.Wait()
					if both {
						rep, err := Heal(context.Background(), dir, drilltest.Read(t, dir))
						if err != nil || len(rep.Remaining) > 0 {
							t.Errorf("%+v, %v", rep, err)
						}
						if inForce && len(rep.Reverted) != 1 {
							t.Errorf("%+v", rep)
						}
					}
					for deadline := time.Now().Add(20 * time.Second); !both && !guardianGone(said.Guardian); time.Sleep(5 * time.Millisecond) {
						if time.Now().After(deadline) {
							t.Fatal("the guardian is still at work")
						}
					}
					if left := c.left(); left != "" || !cmp.Equal(before, c.get(tc.path)) {
						t.Errorf("left: %s\n%s", left, cmp.Diff(before, c.get(tc.path)))
					}
					rep, err := Heal(context.Background(), dir, drilltest.Read(t, dir))
					if err != nil || !cmp.Equal(rep, HealReport{}) {
						t.Errorf("heal had something to do: %+v, %v", rep, err)
					}
				})
			}
		}
	}
}

// When the link to the cluster is lost while a fault is held, the run says what may remain and until when, and the cluster ends it.
func TestClusterEndsAFaultItself(t *testing.T) {
	t.Parallel()
	for _, tc := range kubeCases {
		if tc.name != "scale to zero" && tc.name != "quota" { // a change, and an object of ours
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.deploy()
			before := c.get(deploymentPath)
			d := c.driver()
			d.Patience, d.Expiry.Start = 100*time.Millisecond, time.Second
			s := tc.step
			s.By, s.Instances, s.For = ByKubernetes, 1, time.Second
			tr := &trial{guard: newMemoryGuard()}
			tr.Runner = newTrial(d, s).Runner
			tr.Guard, tr.Revert, tr.Verify = tr.guard, 300*time.Millisecond, 4*time.Second
			tr.Sync = func(e *assay.Event) error { return tr.record(e) }
			tr.on = func(e *assay.Event) {
				if e.Kind == assay.EventFaultVerified {
					c.mu.Lock()
					c.cut = true
					c.mu.Unlock()
					tr.Abort("seen")
				}
			}
			if err := tr.Run(context.Background(), tr.record); err != nil {
				t.Fatal(err)
			}
			remains := strings.Join(tr.Remaining(), "\n")
			if len(tr.Remaining()) != 1 || !strings.Contains(remains, "it may remain until the cluster ends it at ") || !strings.Contains(remains, "; if nobody does, job models/assay-expiry-") {
				t.Fatalf("remaining: %s\n%v", remains, tr.log)
			}
			if c.left() == "" {
				t.Error("the fault is away before its time")
			}
			for deadline := time.Now().Add(20 * time.Second); len(c.names("resourcequotas")) > 0 || !cmp.Equal(before, c.get(deploymentPath)); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the cluster did not end it: %s", cmp.Diff(before, c.get(deploymentPath)))
				}
			}
			c.mu.Lock()
			c.cut = false
			c.mu.Unlock()
			rep, err := Heal(context.Background(), t.TempDir(), tr.log)
			if err != nil || len(rep.Remaining) > 0 || c.left() != "" {
				t.Errorf("%+v, %v; left %s", rep, err, c.left())
			}
		})
	}
}

// Whatever keeps the cluster as a repository says takes the change back: the fault is over before its time, and what is left of it is taken away.
func TestSomebodyElseTakesItBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy()
	before := c.get(deploymentPath)
	tr := newTrial(c.driver(), Step{Fault: "scale", By: ByKubernetes, Instances: 1, For: 10 * time.Second, Change: &Change{Replicas: intp(0)}})
	tr.on = func(e *assay.Event) {
		if e.Kind == assay.EventFaultVerified {
			c.mu.Lock()
			next := clone(c.objects[deploymentPath])
			next["spec"].(map[string]any)["replicas"] = 2.0
			c.replace(deploymentPath, next)
			c.mu.Unlock()
		}
	}
	tr.run(t, context.Background())
	if diff := cmp.Diff(wholeLife, tr.kinds("scale-1")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if e := tr.event(t, "scale-1", assay.EventFaultReverted); e.Text != "ended early: somebody else changed deployments.apps/llm" {
		t.Errorf("reverted: %s", e.Text)
	}
	if left := c.left(); left != "" || !cmp.Equal(before, c.get(deploymentPath)) {
		t.Errorf("left: %s", left)
	}
}

// What somebody else changes while a fault is held is left as it is, and reported.
func TestSomebodyElseChangesIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy()
	d := c.driver()
	tr := &trial{guard: newMemoryGuard()}
	tr.Runner = newTrial(d, Step{Fault: "scale", By: ByKubernetes, Instances: 1, For: 2 * time.Second, Change: &Change{Replicas: intp(0)}}).Runner
	tr.Guard, tr.Revert, d.Patience = tr.guard, 300*time.Millisecond, time.Second
	tr.Sync = func(e *assay.Event) error { return tr.record(e) }
	tr.on = func(e *assay.Event) {
		if e.Kind == assay.EventFaultVerified {
			c.mu.Lock()
			next := clone(c.objects[deploymentPath])
			next["spec"].(map[string]any)["replicas"] = 5.0
			c.replace(deploymentPath, next)
			c.mu.Unlock()
			tr.Abort("seen")
		}
	}
	if err := tr.Run(context.Background(), tr.record); err != nil {
		t.Fatal(err)
	}
	if got := asJSON(lookupAny(c.get(deploymentPath), "/spec/replicas")); got != "5" {
		t.Errorf("replicas %s, want those that somebody else set", got)
	}
	want := "deployments.apps/llm: somebody else changed it meanwhile, so it is left as it is: /spec/replicas is 5 now, was 2 before the fault and 0 in it; set what is right and take the annotation assay.dev/undo-"
	if r := tr.Remaining(); len(r) != 1 || !strings.Contains(r[0], want) || len(c.names("jobs")) != 0 {
		t.Errorf("remaining %v; jobs %v", r, c.names("jobs"))
	}
	// A person takes the annotation away; then there is nothing to heal.
	c.mu.Lock()
	next := clone(c.objects[deploymentPath])
	delete(next["metadata"].(map[string]any), "annotations")
	c.replace(deploymentPath, next)
	c.mu.Unlock()
	rep, err := Heal(context.Background(), t.TempDir(), tr.log)
	if err != nil || len(rep.Clear) != 1 || len(rep.Remaining) > 0 {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestRefusedInACluster(t *testing.T) {
	t.Parallel()
	scale := Step{Fault: "scale", By: ByKubernetes, Instances: 1, For: time.Second, Change: &Change{Replicas: intp(1)}}
	with := func(c *Change) Step { s := scale; s.Change = c; s.Fault = "access"; return s }
	for name, tc := range map[string]struct {
		step   Step
		change func(*standCluster, *Kubernetes)
		want   string
	}{
		"no right to patch": {scale, func(c *standCluster, _ *Kubernetes) { c.deny["patch deployments"] = true }, "in namespace models we may not patch deployments.apps llm"},
		"no right to run":   {scale, func(c *standCluster, _ *Kubernetes) { c.deny["create jobs"] = true }, "we may not create jobs.batch"},
		"an idle account":   {scale, func(c *standCluster, _ *Kubernetes) { c.deny["account patch deployments"] = true }, "the service account expiry of the expiry may not patch deployments.apps llm"},
		"no account":        {scale, func(_ *standCluster, d *Kubernetes) { d.Expiry.ServiceAccount = "none" }, "the service account none of the expiry is not in namespace models"},
		"no workload":       {scale, func(_ *standCluster, d *Kubernetes) { d.Workload = "deployment/other" }, "look at deployments.apps/other: GET /apis/apps/v1/namespaces/models/deployments/other: status 404"},
		"an autoscaler":     {scale, func(c *standCluster, _ *Kubernetes) { c.autoscaled() }, "the HorizontalPodAutoscaler llm would undo it: name it as hpa"},
		"another's": {scale, func(c *standCluster, d *Kubernetes) {
			c.autoscaled()
			d.HPA, d.Workload = "llm", "deployment/two"
			c.put("/apis/apps/v1/namespaces/models/deployments/two", `{"spec":{"replicas":3}}`)
		}, "horizontalpodautoscalers.autoscaling/llm does not scale deployments.apps/two"},
		"nothing to change":   {Step{Fault: "scale", By: ByKubernetes, Change: &Change{Replicas: intp(2)}}, func(*standCluster, *Kubernetes) {}, "/spec/replicas of deployments.apps/llm is 2 already"},
		"no such variable":    {with(&Change{Variable: "NONE"}), func(*standCluster, *Kubernetes) {}, "the container has no variable NONE of its own"},
		"no such secret":      {with(&Change{Secret: "none"}), func(*standCluster, *Kubernetes) {}, "nothing in it refers to the secret none"},
		"no such container":   {with(&Change{Variable: "WEIGHTS", Container: "x"}), func(*standCluster, *Kubernetes) {}, "it has no container x"},
		"a selector of a set": {with(&Change{Egress: []string{"10.0.0.0/8"}}), func(_ *standCluster, d *Kubernetes) { d.Pods = "app in (a,b)" }, "not of the form a=b,c=d"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.deploy()
			d := c.driver()
			tc.change(c, d)
			before := c.get(deploymentPath)
			if _, err := d.Check(context.Background(), []Step{tc.step}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			if left := c.left(); left != "" || !cmp.Equal(before, c.get(deploymentPath)) {
				t.Errorf("the check changed something: %s", left)
			}
		})
	}
}

// Without the Job that would end it nothing is changed.
func TestNoFaultWithoutItsEnd(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy()
	c.idle = true
	before := c.get(deploymentPath)
	d := c.driver()
	d.Expiry.Start = 100 * time.Millisecond
	tr := newTrial(d, Step{Fault: "scale", By: ByKubernetes, Instances: 1, For: time.Second, Change: &Change{Replicas: intp(0)}})
	tr.run(t, context.Background())
	if diff := cmp.Diff([]string{assay.EventFaultArmed, assay.EventFaultVoid, assay.EventFaultReverted, assay.EventFaultClear}, tr.kinds("scale-1")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if e := tr.event(t, "scale-1", assay.EventFaultVoid); !strings.Contains(e.Text, "that would end the fault does not run: it has no pod") {
		t.Errorf("void: %s", e.Text)
	}
	if left := c.left(); left != "" || !cmp.Equal(before, c.get(deploymentPath)) {
		t.Errorf("left: %s", left)
	}
}

// Faults of different kinds lie on one workload at once, and come off in any order; the same place is not changed twice.
func TestFaultsOnOneWorkloadAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy()
	before := c.get(deploymentPath)
	d := c.driver()
	step := func(at, hold time.Duration, fault string, ch Change) Step {
		return Step{Fault: fault, By: ByKubernetes, Instances: 1, At: at, For: hold, Change: &ch}
	}
	tr := newTrial(d, step(0, 900*time.Millisecond, "access", Change{Variable: "WEIGHTS"}), step(300*time.Millisecond, 900*time.Millisecond, "annotate", Change{Annotations: map[string]string{"a": "b"}}),
		step(600*time.Millisecond, time.Second, "access", Change{Variable: "WEIGHTS"}))
	tr.run(t, context.Background())
	for _, id := range []string{"access-1", "annotate-2"} {
		if diff := cmp.Diff(wholeLife, tr.kinds(id)); diff != "" {
			t.Errorf("events of %s (-want +got):\n%s\n%v", id, diff, tr.log)
		}
	}
	want := "the container has no variable WEIGHTS of its own"
	if e := tr.event(t, "access-3", assay.EventFaultVoid); !strings.HasSuffix(e.Text, want) {
		t.Errorf("void: %s, want %s", e.Text, want)
	}
	if left := c.left(); left != "" || !cmp.Equal(before, c.get(deploymentPath)) {
		t.Errorf("left: %s\n%s", left, cmp.Diff(before, c.get(deploymentPath)))
	}
}

// A change that the API server does not take is void, and not asked for again and again.
func TestChangeThatIsNotTaken(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy()
	before := c.get(deploymentPath)
	c.mu.Lock()
	c.invalid = true
	c.mu.Unlock()
	tr := newTrial(c.driver(), Step{Fault: "scale", By: ByKubernetes, Instances: 1, For: time.Second, Change: &Change{Replicas: intp(0)}})
	tr.run(t, context.Background())
	if e := tr.event(t, "scale-1", assay.EventFaultVoid); !strings.HasSuffix(e.Text, "status 422: it is invalid") {
		t.Errorf("void: %s", e.Text)
	}
	c.mu.Lock()
	asked := c.asked
	c.mu.Unlock()
	if left := c.left(); left != "" || !cmp.Equal(before, c.get(deploymentPath)) || asked != 1 {
		t.Errorf("left: %s; asked %d times", left, asked)
	}
}
