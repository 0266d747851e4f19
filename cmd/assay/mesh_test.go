package main

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/meshtest"
)

// meshPlan is a plan on a loopback endpoint whose pods are those of a cluster of ours.
func meshPlan(url, faults string) string {
	return `apiVersion: assay/v1
name: cluster
target:
  kind: openai
  url: '` + url + `'
  model: m
  deployment: {kubernetes: {kubeconfig: kubeconfig, pods: app=vllm}}
load: [{name: steady, for: 4s, arrivals: {even: {rate: 10/s}}, prompt: {tokens: 4}, output: {tokens: 4}}]
chaos:
` + faults
}

// A run with faults through Chaos Mesh: what it says, what it does to the cluster, and that nothing is left.
func TestRunWithChaosMesh(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	target := openAI(t, &served)
	c := meshtest.New(t, nil, 2)
	dir := t.TempDir()
	c.Kubeconfig(dir)
	write(t, dir, "workflow.yaml", "apiVersion: chaos-mesh.org/v1alpha1\nkind: Workflow\nmetadata: {name: storm}\nspec: {entry: a, templates: [{name: a, templateType: PodChaos, deadline: 60s, podChaos: {action: pod-failure, mode: one, selector: {labelSelectors: {app: vllm}}}}]}\n")
	write(t, dir, "schedule.yaml", "apiVersion: chaos-mesh.org/v1alpha1\nkind: Schedule\nmetadata: {name: often}\nspec: {schedule: '@every 1s', type: PodChaos, podChaos: {action: pod-failure, duration: 60s, mode: one, selector: {labelSelectors: {app: vllm}}}}\n")
	write(t, dir, "plan.yaml", meshPlan(target.URL, `  - {fault: loss, at: 500ms, for: 1s, probability: 30%}
  - {fault: kill, at: 1s}
  - {fault: manifest, at: 1500ms, for: 1s, manifest: workflow.yaml}
  - {fault: manifest, at: 2s, for: 500ms, manifest: schedule.yaml}
`))
	shown := assayIn(t, dir, "chaos", "manifests", "plan.yaml", "--live")
	for _, want := range []string{"# fault loss-1: ", "kind: NetworkChaos", "it chooses 1 of the 2 pods that are ready by its seed", "  - vllm-1\n", "kind: PodChaos", "name: assay-run-manifest-3", "assay.dev/name: storm", "namespace: serving",
		"# fault manifest-4: the Schedule, as a Workflow with a deadline, so that the cluster ends it; ", "assay.dev/name: often", "deadline: 52s", "templateType: Schedule"} {
		if !strings.Contains(strings.ReplaceAll(shown.out, "      -", "  -"), want) {
			t.Errorf("manifests lack %q:\n%s%s", want, shown.out, shown.err)
		}
	}
	if n := c.Writes(); n != 0 {
		t.Errorf("a dry run made %d requests that write", n)
	}
	got := assayIn(t, dir, "run", "plan.yaml")
	for _, want := range []string{"Chaos Mesh NetworkChaos: 30% of the packets that it sends lost at 1 ready instance, for 1s; the cluster itself ends it at the latest 51s after it began",
		"Chaos Mesh Workflow: storm from workflow.yaml, for 1s; the cluster itself ends it at the latest 1m0s after it began", "fault loss-1 verified clear", "fault kill-2 verified clear", "fault manifest-3 verified clear",
		"Chaos Mesh Schedule, as a Workflow with a deadline, so that the cluster ends it: often from schedule.yaml, for 500ms; the cluster itself ends it at the latest", "fault manifest-4 verified clear"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("stderr lacks %q:\n%s", want, got.err)
		}
	}
	if left := c.InForce(); len(left) > 0 || got.code == assay.ExitFaultMayRemain {
		t.Errorf("exit %d, left %v", got.code, left)
	}
	r, _ := readResult(t, runsIn(t, dir)[0])
	if len(r.Faults) != 4 {
		t.Fatalf("%d faults", len(r.Faults))
	}
	for _, f := range r.Faults {
		if f.Window.Void != "" || f.Window.Clear == 0 || f.Window.Remains != "" {
			t.Errorf("%s: void %q, clear %d, remains %q", f.Window.ID, f.Window.Void, f.Window.Clear, f.Window.Remains)
		}
	}
	if h := assayIn(t, dir, "heal"); h.code != 0 || !strings.Contains(h.out, "nothing to heal") {
		t.Errorf("heal: exit %d\n%s%s", h.code, h.out, h.err)
	}
	write(t, dir, "workflow.yaml", "apiVersion: chaos-mesh.org/v1alpha1\nkind: PodChaos\nmetadata: {name: x}\nspec: {action: pod-kill, mode: one, selector: {pods: {serving: [billing-1]}}}\n")
	write(t, dir, "plan.yaml", meshPlan(target.URL, "  - {fault: manifest, at: 1s, for: 1s, manifest: workflow.yaml}\n"))
	writes := c.Writes()
	if got := assayIn(t, dir, "run", "plan.yaml"); got.code != assay.ExitPreflight || c.Writes() != writes ||
		!strings.Contains(got.err, "workflow.yaml: spec.selector may hurt billing-1 in serving, not of the target's pods app=vllm; select none but those") {
		t.Errorf("another's pod: exit %d\n%s", got.code, got.err)
	}
}

// What the cluster cannot do refuses the run, in one line, before anything is begun.
func TestChaosMeshIsRefusedBeforeTheRun(t *testing.T) {
	var served atomic.Int64
	target := openAI(t, &served)
	c := meshtest.New(t, nil, 0)
	dir := t.TempDir()
	c.Kubeconfig(dir)
	write(t, dir, "plan.yaml", meshPlan(target.URL, "  - {fault: loss, at: 1s, for: 1s, probability: 30%}\n"))
	refused := func(code int, want string) {
		t.Helper()
		got := assayIn(t, dir, "run", "plan.yaml")
		if got.code != code || !strings.Contains(got.err, want) || len(strings.Split(strings.TrimSpace(got.err), "\n")) > 3 {
			t.Errorf("exit %d, want %d and %q:\n%s", got.code, code, want, got.err)
		}
		if runs, _ := filepath.Glob(filepath.Join(dir, "runs", "*")); len(runs) > 0 {
			t.Errorf("left %v", runs)
		}
	}
	refused(assay.ExitPreflight, "assay: target.deployment.kubernetes: no pod app=vllm in serving can be hurt (0 ready)")
	c.Deny("create networkchaos")
	refused(assay.ExitPreflight, "may not, in namespace serving: create networkchaos")
	c.Cut(true)
	refused(assay.ExitPreflight, "assay: target.deployment.kubernetes: ask the API server "+c.URL())
	write(t, dir, "plan.yaml", meshPlan(target.URL, "  - {fault: loss, at: 1s, for: 1s, probability: 150%}\n"))
	refused(assay.ExitUsage, "chaos[0].probability: 150% is out of range; more than 0% and at most 100% of the packets")
}

// The API server goes away while a fault is in force: the run says until when it may remain and ends with 14; heal ends and verifies it afterwards.
func TestChaosMeshLinkLost(t *testing.T) {
	full(t) // a run tries for more than half a minute to end its faults
	var served atomic.Int64
	target := openAI(t, &served)
	c := meshtest.New(t, nil, 2)
	dir := t.TempDir()
	c.Kubeconfig(dir)
	write(t, dir, "plan.yaml", strings.Replace(meshPlan(target.URL, "  - {fault: loss, at: 1s, for: 6s, probability: 30%}\n"), "for: 4s", "for: 9s", 1))
	cmd, errs := start(t, dir, "run", "plan.yaml", "--ui", "plain")
	until(t, "loss in effect", 30*time.Second, func() bool { return eventsHave(dir, `"fault.verified"`) })
	c.Cut(true)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != assay.ExitFaultMayRemain {
		t.Errorf("exit %d, want 14\n%s", code, errs)
	}
	for _, want := range []string{"loss-1: the API server does not answer", "the fault may remain until the cluster ends it at "} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, errs)
		}
	}
	if left := c.InForce(); len(left) > 0 { // it was about to end at 56 s, and the run tried for longer
		t.Errorf("the cluster has not ended it by itself: %v", left)
	}
	c.Cut(false)
	if h := assayIn(t, dir, "heal"); h.code != 0 || !strings.Contains(h.out, "reverted: loss-1: loss of vllm-") || len(c.InForce()) > 0 {
		t.Errorf("heal: exit %d\n%s%s; in force %v", h.code, h.out, h.err, c.InForce())
	}
}
