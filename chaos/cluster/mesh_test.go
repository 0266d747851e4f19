package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/drilltest"
	"github.com/assay-dev/assay/internal/meshtest"
)

const blink = 200 * time.Millisecond

type more = chaos.MeshSettings

// faults is each kind that Chaos Mesh does, in each of its modes.
var faults = []chaos.Step{
	{Fault: "kill"}, {Name: "container", Fault: "kill", MeshSettings: more{Container: "engine"}}, {Fault: "pod-failure", For: blink},
	{Fault: "delay", For: blink, Delay: blink, Jitter: blink / 10}, {Fault: "loss", For: blink, Probability: 0.3}, {Fault: "duplicate", For: blink, Probability: 0.5},
	{Fault: "corrupt", For: blink, Probability: 0.01}, {Fault: "cut", For: blink, Mode: "blackhole"}, {Fault: "cut", For: blink}, {Fault: "bandwidth", For: blink, Rate: 1 << 20},
	{Fault: "cpu", For: blink, CPUs: 2, MeshSettings: more{Load: 0.8}}, {Fault: "memory", For: blink, Bytes: 1 << 28},
	{Fault: "io", For: blink, Dir: "/models", Delay: blink}, {Fault: "io", For: blink, Mode: "errno", Dir: "/models", MeshSettings: more{Errno: 5}},
	{Fault: "http", For: blink, Status: 503, RetryAfter: time.Second, MeshSettings: more{Port: 8000}}, {Fault: "http", For: blink, Mode: "latency", Delay: blink, MeshSettings: more{Port: 8000}},
	{Fault: "http", For: blink, Mode: "abort", MeshSettings: more{Port: 8000}}, {Fault: "clock", For: blink, MeshSettings: more{Offset: -time.Hour}},
	{Fault: "dns", For: blink}, {Fault: "dns", For: blink, Mode: "random", Names: []string{"a.*"}},
	{Name: "aws", Fault: "cloud", For: blink, MeshSettings: more{Cloud: "aws", Spec: json.RawMessage(`{"action":"ec2-stop","awsRegion":"r","ec2Instance":"i"}`)}},
	{Name: "gcp", Fault: "cloud", For: blink, MeshSettings: more{Cloud: "gcp", Spec: json.RawMessage(`{"action":"node-stop","project":"p","zone":"z","instance":"i"}`)}},
	{Name: "azure", Fault: "cloud", For: blink, MeshSettings: more{Cloud: "azure", Spec: json.RawMessage(`{"action":"vm-stop","subscriptionID":"s","resourceGroupName":"g","vmName":"v"}`)}},
	{Name: "experiment", Fault: "manifest", For: blink, MeshSettings: manifest("JVMChaos", "{action: gc, duration: 30s, mode: one, selector: {labelSelectors: {app: vllm}}}")},
	{Name: "schedule", Fault: "manifest", For: blink, MeshSettings: manifest("Schedule", "{schedule: '@every 1s', type: PodChaos, podChaos: {action: pod-failure, duration: 5s, mode: one, selector: {labelSelectors: {app: vllm}}}}")},
	{Name: "workflow", Fault: "manifest", For: blink, MeshSettings: manifest("Workflow", "{entry: a, templates: [{name: a, templateType: Serial, deadline: 60s, children: [b]}, {name: b, templateType: PodChaos, deadline: 30s, podChaos: {action: pod-failure, mode: one, selector: {labelSelectors: {app: vllm}}}}]}")},
}

func manifest(kind, spec string) more {
	return more{Manifest: "m.yaml", Object: "apiVersion: chaos-mesh.org/v1alpha1\nkind: " + kind + "\nmetadata: {name: m}\nspec: " + spec + "\n"}
}

// step completes one of the table.
func step(s chaos.Step) chaos.Step {
	s.By, s.Instances = chaos.ByMesh, 1
	return s
}

// label names a step in a test.
func label(s chaos.Step) string { return strings.Trim(s.Fault+"-"+s.Mode+s.Name, "-") }

// drill runs steps in a cluster and returns what was journaled, and the runner.
func drill(t *testing.T, c *meshtest.Cluster, dir, run string, steps ...chaos.Step) (*drilltest.Journal, *chaos.Runner) {
	t.Helper()
	j, r := prepare(t, c, dir, run, steps...)
	if err := r.Run(background, j.Write); err != nil {
		t.Fatal(err)
	}
	return j, r
}

func prepare(t *testing.T, c *meshtest.Cluster, dir, run string, steps ...chaos.Step) (*drilltest.Journal, *chaos.Runner) {
	t.Helper()
	j, err := drilltest.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	d, err := driver(c.Kubeconfig(dir), run)
	if err != nil {
		t.Fatal(err)
	}
	return j, runner(d, noGuard{}, j, steps...)
}

var whole = []string{assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVerified, assay.EventFaultReverted, assay.EventFaultClear}

// Each kind is armed, applied, in effect, reverted, verified, and nothing of it is left.
func TestEachFault(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	t.Run("all", func(t *testing.T) {
		for i, f := range faults {
			t.Run(label(f), func(t *testing.T) {
				t.Parallel()
				run := fmt.Sprintf("%08x", 0xa0000000+i)
				var during []string
				j, r := prepare(t, c, t.TempDir(), run, step(f))
				j.On = func(e *assay.Event) {
					if e.Kind == assay.EventFaultVerified {
						during = c.InForce()
					}
				}
				if err := r.Run(background, j.Write); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(whole, j.Kinds()); d != "" {
					t.Fatalf("(-want +got):\n%s\n%v", d, j.Events())
				}
				name := fmt.Sprintf("assay-%s-%s", run, j.Find(assay.EventFaultArmed).Fault)
				if f.Fault != "kill" && !slices.Contains(during, name) {
					t.Errorf("%s was said to be in effect, and in force were %v", name, during)
				}
				if left := slices.DeleteFunc(c.InForce(), func(n string) bool { return !strings.HasPrefix(n, name) }); len(left) > 0 {
					t.Errorf("%v was said to be clear and is in force", left)
				}
				effect := j.Find(assay.EventFaultVerified).Attrs["effect"]
				if !strings.Contains(effect, "told by its controller, not measured") && !(f.Fault == "kill" && f.Container == "" && strings.Contains(effect, "the API server says that pod")) {
					t.Errorf("effect %q", effect)
				}
			})
		}
	})
	if left := c.InForce(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// Whenever the injector is killed the guardian ends its fault; when both are killed, heal does.
func TestInjectorKilledAtEachStage(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	config := config{Kubeconfig: c.Kubeconfig(t.TempDir())}
	for i, f := range faults {
		for k, stage := range whole {
			if os.Getenv("ASSAY_FULL") == "" && (label(f) != "delay" && (stage != assay.EventFaultApplied || i%8 != 0)) {
				continue // the fast tier kills one kind at each stage, and some others while they are in force
			}
			for _, both := range []bool{false, true} {
				if both && os.Getenv("ASSAY_FULL") == "" && stage != assay.EventFaultVerified {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%v", label(f), stage, both), func(t *testing.T) {
					t.Parallel()
					config := config
					config.Dir, config.Stage, config.Step = t.TempDir(), stage, step(f)
					config.Run = fmt.Sprintf("b%02x%x%d00", i, k, map[bool]int{true: 1}[both])
					if config.Step.For > 0 && k < 3 {
						config.Step.For = 20 * time.Second
					}
					cmd, said := inject(t, config)
					if both {
						syscall.Kill(said.Guardian, syscall.SIGKILL)
						drilltest.Await(t, 5*time.Second, "the guardian dead", func() bool { return gone(said.Guardian) })
					}
					cmd.Process.Kill()
					cmd.Wait()
					mine := func() bool {
						return slices.ContainsFunc(c.InForce(), func(name string) bool { return strings.Contains(name, config.Run) })
					}
					if both {
						rep, err := chaos.Heal(background, config.Dir, drilltest.Read(t, config.Dir))
						if err != nil || len(rep.Remaining) > 0 {
							t.Errorf("heal: %+v, %v; in force %v", rep, err, c.InForce())
						}
						drilltest.Await(t, time.Second, "lifted by heal", func() bool { return !mine() })
						if again, err := chaos.Heal(background, config.Dir, drilltest.Read(t, config.Dir)); err != nil || !cmp.Equal(again, chaos.HealReport{}) {
							t.Errorf("heal once more: %+v, %v", again, err)
						}
						return
					}
					begin := time.Now()
					drilltest.Await(t, 25*time.Second, "the guardian done", func() bool { return gone(said.Guardian) })
					drilltest.Await(t, time.Second, "lifted by the guardian", func() bool { return !mine() })
					t.Logf("all clear %v after the kill", time.Since(begin).Round(time.Millisecond))
					rep, err := chaos.Heal(background, config.Dir, drilltest.Read(t, config.Dir))
					if err != nil || len(rep.Remaining)+len(rep.Reverted) > 0 {
						t.Errorf("heal had something to do: %+v, %v", rep, err)
					}
				})
			}
		}
	}
}

func gone(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

// What the real controller is known to do wrong is said, and nothing is taken for in effect or for recovered that is not.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for i, tc := range []struct {
		name   string
		behave meshtest.Behaviour
		want   []string
		kind   string // of the event whose text or effect has
		text   string
	}{
		{"selects nothing", meshtest.Behaviour{NeverSelects: true}, []string{assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVoid, assay.EventFaultReverted, assay.EventFaultClear},
			assay.EventFaultVoid, "Chaos Mesh selected nothing within 5s; a cluster that filters namespaces wants serving annotated chaos-mesh.org/inject: enabled"},
		{"fails to inject", meshtest.Behaviour{FailsToInject: "no daemon on the node"}, []string{assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVoid, assay.EventFaultReverted, assay.EventFaultClear},
			assay.EventFaultVoid, "Chaos Mesh says: apply of serving/pod failed: no daemon on the node"},
		{"is slow", meshtest.Behaviour{Injects: 1500 * time.Millisecond}, whole, assay.EventFaultVerified, "after its object was created; told by its controller, not measured"},
		{"marks late", meshtest.Behaviour{Finalizes: 700 * time.Millisecond}, whole, assay.EventFaultVerified, "not measured"},
		{"does not recover", meshtest.Behaviour{Stuck: "rules cannot be flushed"}, []string{assay.EventFaultArmed, assay.EventFaultApplied, assay.EventFaultVerified, assay.EventFaultReverted, assay.EventFaultRemaining},
			assay.EventFaultRemaining, "and is held by its finalizers chaos-mesh/records; Chaos Mesh says: recover of serving/pod failed: rules cannot be flushed; it may remain until the cluster ends it at"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := cluster(t)
			c.Behave(tc.behave)
			j, r := prepare(t, c, t.TempDir(), fmt.Sprintf("c%07d", i), step(chaos.Step{Fault: "loss", For: 300 * time.Millisecond, Probability: 0.3}))
			if tc.kind != assay.EventFaultVerified {
				impatient(r)
			}
			if err := r.Run(background, j.Write); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, j.Kinds()); d != "" {
				t.Errorf("(-want +got):\n%s\n%v", d, j.Events())
			}
			e := j.Find(tc.kind)
			if !strings.Contains(e.Text+e.Attrs["effect"], tc.text) {
				t.Errorf("%s says %q %v, want %q", tc.kind, e.Text, e.Attrs, tc.text)
			}
			if remains := len(r.Remaining()); (remains > 0) != (tc.behave.Stuck != "") {
				t.Errorf("remaining: %v", r.Remaining())
			}
			if tc.name == "is slow" {
				applied, verified, reverted := j.Find(assay.EventFaultApplied).Time, j.Find(assay.EventFaultVerified).Time, j.Find(assay.EventFaultReverted).Time
				if time.Duration(verified-applied) < 1500*time.Millisecond || time.Duration(reverted-verified) < 300*time.Millisecond {
					t.Errorf("slow injection shortened the fault: in effect after %v, held for %v", time.Duration(verified-applied), time.Duration(reverted-verified))
				}
			}
		})
	}
}

// A run that is stopped before the controller has marked its object does not delete it: nobody would recover what the controller does next.
func TestNotDeletedBeforeItIsMarked(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	c.Behave(meshtest.Behaviour{Finalizes: time.Second})
	ctx, stop := context.WithCancel(background)
	defer stop()
	j, r := prepare(t, c, t.TempDir(), "d0000000", step(chaos.Step{Fault: "loss", For: time.Minute, Probability: 0.3}))
	j.On = func(e *assay.Event) {
		if e.Kind == assay.EventFaultApplied {
			stop()
		}
	}
	if err := r.Run(ctx, j.Write); err != nil {
		t.Fatal(err)
	}
	applied, reverted := j.Find(assay.EventFaultApplied).Time, j.Find(assay.EventFaultReverted).Time
	if held := time.Duration(reverted - applied); held < 900*time.Millisecond || j.Find(assay.EventFaultClear).Kind == "" {
		t.Errorf("deleted after %v: %v", held, j.Kinds())
	}
}

// What ends a fault before its time is said.
func TestEndsEarly(t *testing.T) {
	t.Parallel()
	for i, tc := range []struct {
		name string
		end  func(c *meshtest.Cluster, pod string)
		want string
	}{
		{"its duration is over", func(c *meshtest.Cluster, _ string) { c.Expire() }, "ended early: Chaos Mesh says that it is recovered: its duration is over, or someone has paused it"},
		{"its pod is gone", func(c *meshtest.Cluster, pod string) { c.Replace(pod) }, " is gone, and the fault with it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := cluster(t)
			j, r := prepare(t, c, t.TempDir(), fmt.Sprintf("e%07d", i), step(chaos.Step{Fault: "loss", For: time.Minute, Probability: 0.3}))
			j.On = func(e *assay.Event) {
				if e.Kind == assay.EventFaultVerified {
					tc.end(c, e.Instance)
				}
			}
			if err := r.Run(background, j.Write); err != nil {
				t.Fatal(err)
			}
			if e := j.Find(assay.EventFaultReverted); !strings.Contains(e.Text, tc.want) {
				t.Errorf("reverted: %q, want %q", e.Text, tc.want)
			}
			if j.Find(assay.EventFaultClear).Kind == "" {
				t.Errorf("not clear: %v", j.Kinds())
			}
		})
	}
}

// The API server cannot be reached while a fault is in force: that is said at once, with the time at which the cluster ends the fault; at the end it may
// remain; and heal verifies it once the server answers.
func TestLinkLost(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	dir := t.TempDir()
	j, r := prepare(t, c, dir, "f0000000", step(chaos.Step{Fault: "delay", For: 5 * time.Second, Delay: blink}))
	impatient(r)
	var mu sync.Mutex
	var said []string
	r.Driver.(chaos.Drivers)[chaos.ByMesh].(*chaos.Mesh).Say = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	}
	j.On = func(e *assay.Event) {
		if e.Kind == assay.EventFaultVerified {
			c.Cut(true)
		}
	}
	if err := r.Run(background, j.Write); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	const at = "may remain until the cluster ends it at "
	if len(said) != 1 || !strings.Contains(said[0], "delay-1: the API server does not answer") || !strings.Contains(said[0], at) {
		t.Errorf("said %q", said)
	}
	if left := r.Remaining(); len(left) != 1 || !strings.Contains(left[0], at) || !strings.Contains(left[0], "by hand: kubectl --kubeconfig") {
		t.Errorf("remaining %q", left)
	}
	if got := c.InForce(); len(got) != 1 {
		t.Errorf("in force %v", got)
	}
	short, cancel := context.WithTimeout(background, 5*time.Second)
	defer cancel()
	rep, err := chaos.Heal(short, dir, drilltest.Read(t, dir))
	if err != nil || len(rep.Remaining) != 1 || !strings.Contains(rep.Remaining[0], at) {
		t.Errorf("heal without the server: %+v, %v", rep, err)
	}
	c.Cut(false)
	rep, err = chaos.Heal(background, dir, drilltest.Read(t, dir))
	if want := (chaos.HealReport{Reverted: []string{"delay-1: delay of " + j.Find(assay.EventFaultArmed).Instance}}); err != nil || !cmp.Equal(want, rep) || len(c.InForce()) > 0 {
		t.Errorf("heal: %+v, %v; in force %v", rep, err, c.InForce())
	}
}

// A finalizer that its controller does not give up is reported by heal and forced only when a person says so; what was forced away stays reported as not
// recovered until its pod is gone.
func TestForcedFinalizer(t *testing.T) {
	t.Parallel()
	for i, stuck := range []string{"rules cannot be flushed", "ignores force"} {
		t.Run(stuck, func(t *testing.T) {
			t.Parallel()
			c := cluster(t)
			c.Behave(meshtest.Behaviour{Stuck: stuck})
			dir := t.TempDir()
			j, r := prepare(t, c, dir, fmt.Sprintf("1%07d", i), step(chaos.Step{Fault: "loss", For: blink, Probability: 0.3}))
			impatient(r)
			if err := r.Run(background, j.Write); err != nil {
				t.Fatal(err)
			}
			pod := j.Find(assay.EventFaultArmed).Instance
			heal := func(opt chaos.HealOptions) chaos.HealReport {
				ctx, cancel := context.WithTimeout(background, 6*time.Second)
				defer cancel()
				rep, err := chaos.HealWith(ctx, dir, drilltest.Read(t, dir), opt)
				if err != nil {
					t.Fatal(err)
				}
				return rep
			}
			remains := func(rep chaos.HealReport, want string) {
				t.Helper()
				if len(rep.Remaining) != 1 || !strings.Contains(rep.Remaining[0], want) || len(rep.Clear)+len(rep.Reverted) > 0 {
					t.Errorf("got %+v, want %q", rep, want)
				}
			}
			remains(heal(chaos.HealOptions{}), "is held by its finalizers chaos-mesh/records; Chaos Mesh says: recover of serving/pod failed: "+stuck)
			remains(heal(chaos.HealOptions{ForceFinalizers: true}), "NOT RECOVERED: its object was forced away")
			remains(heal(chaos.HealOptions{}), "nobody recovered what it did; it is over when its pod is")
			c.Replace(pod)
			if rep := heal(chaos.HealOptions{}); len(rep.Clear) != 1 || !strings.Contains(rep.Clear[0], "the pod that it lay on is gone") {
				t.Errorf("got %+v", rep)
			}
		})
	}
}

// A cluster whose Chaos Mesh is too old for a field drops it: what it would do then is not what the plan says, so it is void and taken away.
func TestDroppedField(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	j, _ := drill(t, c, t.TempDir(), "20000000", step(chaos.Step{Fault: "manifest", For: blink, MeshSettings: manifest("BlockChaos",
		"{action: delay, duration: 30s, volumeName: v, mode: one, selector: {labelSelectors: {app: vllm}}, delay: {latency: 10ms, jitter: 5ms}}")}))
	if e := j.Find(assay.EventFaultVoid); !strings.Contains(e.Text, "the cluster's Chaos Mesh does not know spec.delay.") {
		t.Errorf("got %v", j.Events())
	}
	if j.Find(assay.EventFaultClear).Kind == "" || len(c.InForce()) > 0 {
		t.Errorf("left: %v", j.Kinds())
	}
}

// A dry run writes nothing and needs no right to; a preflight asks for rights and for what is there.
func TestPreflight(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	kubeconfig := c.Kubeconfig(t.TempDir())
	steps := []chaos.Step{step(chaos.Step{Fault: "loss", For: blink, Probability: 0.3}), step(chaos.Step{Fault: "cpu", For: blink, CPUs: 1})}
	check := func(want string, change func(d *chaos.Mesh)) []string {
		t.Helper()
		d, err := driver(kubeconfig, "30000000")
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(d)
		}
		left, err := d.Preflight(background, steps)
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("got %v, want %q", err, want)
		}
		return left
	}
	check("", nil)
	check("is not annotated chaos-mesh.org/inject: enabled, as optIn demands", func(d *chaos.Mesh) { d.OptIn = true })
	check("no pod app=other in serving can be hurt (0 ready)", func(d *chaos.Mesh) { d.Pods = "app=other" })
	check("list the pods", func(d *chaos.Mesh) { d.Namespace = "elsewhere" })
	if n := c.Writes(); n != 0 {
		t.Errorf("%d requests that write", n)
	}
	c.Annotate("chaos-mesh.org/inject", "disabled")
	check("namespace serving is annotated chaos-mesh.org/inject: disabled: it does not take part", nil)
	c.Annotate("chaos-mesh.org/inject", "enabled")
	check("", func(d *chaos.Mesh) { d.OptIn = true })
	for i := range 3 {
		c.Change(fmt.Sprintf("vllm-%d", i+1), func(p *meshtest.Pod) { p.HostNetwork = i > 0; p.Unready = i == 0 })
	}
	check("no pod app=vllm in serving can be hurt (2 ready)", nil)
	c.Change("vllm-2", func(p *meshtest.Pod) { p.HostNetwork = false })

	// What another run left is reported and not touched.
	c.Behave(meshtest.Behaviour{Stuck: "for ever"})
	j, r := prepare(t, c, t.TempDir(), "40000000", steps[0])
	impatient(r)
	if err := r.Run(background, j.Write); err != nil {
		t.Fatal(err)
	}
	left := check("", nil)
	if !slices.ContainsFunc(left, func(s string) bool {
		return strings.Contains(s, "NetworkChaos assay-40000000-loss-1 in serving was left by run 40000000, ended by the cluster at ") && strings.Contains(s, "held by its finalizers chaos-mesh/records; assay heal of that run removes it")
	}) {
		t.Errorf("left: %q", left)
	}
	c.Deny("create networkchaos")
	c.Deny("delete stresschaos")
	check("may not, in namespace serving: create networkchaos, delete stresschaos", nil)
	steps = []chaos.Step{step(chaos.Step{Fault: "manifest", For: time.Minute, MeshSettings: manifest("Schedule", "{"+often+"}")})}
	check("may hurt vllm-3 in serving, on its node's network", nil)
	c.Change("vllm-3", func(p *meshtest.Pod) { p.HostNetwork = false })
	check("", nil)
	for _, right := range []string{"create workflows", "list workflownodes", "list schedules", "list podchaos"} {
		c.Deny(right)
	}
	check("may not, in namespace serving: create workflows, list podchaos, list schedules, list workflownodes", nil)
	c.Cut(true)
	check("ask the API server "+c.URL(), nil)
	c.Cut(false)
}
