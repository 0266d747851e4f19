package cluster

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/meshtest"
	"github.com/assay-dev/assay/internal/pacetest"
)

// often is a Schedule's, whose experiments last longer than the test.
const often = "schedule: '@every 1s', type: PodChaos, podChaos: {action: pod-failure, duration: 1h, mode: one, selector: {labelSelectors: {app: vllm}}}"

// levels are the kinds of which a Schedule that is applied as a Workflow has one or more each.
var levels = []string{"Workflow", "WorkflowNode", "Schedule", "PodChaos"}

// The deadline of the Workflow that a Schedule is applied as ends the Schedule and its experiments without us: the API server does not answer us
// meanwhile. What is left is deleted once it does.
func TestScheduleEndsWithoutUs(t *testing.T) {
	t.Parallel()
	for i, tc := range []struct {
		name string
		step chaos.Step
		end  func(*meshtest.Cluster)
	}{
		{"a schedule", chaos.Step{Fault: "manifest", For: time.Minute, MeshSettings: manifest("Schedule", "{"+often+"}")}, (*meshtest.Cluster).Expire},
		{"a workflow with one", chaos.Step{Fault: "manifest", For: 6 * time.Second, MeshSettings: manifest("Workflow", "{entry: assay-50000001-all, templates: [{name: assay-50000001-all, templateType: Serial, deadline: 6s, children: [often]}, "+
			"{name: often, templateType: Schedule, deadline: 60s, schedule: {"+often+"}}]}")}, func(*meshtest.Cluster) {}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := cluster(t)
			run := fmt.Sprintf("50%06d", i)
			names := func(kind string) []string {
				return slices.DeleteFunc(c.Names(kind), func(n string) bool { return !strings.HasPrefix(n, "assay-"+run+"-") })
			}
			j, r := prepare(t, c, t.TempDir(), run, step(tc.step))
			var wg sync.WaitGroup
			j.On = func(e *assay.Event) {
				if e.Kind != assay.EventFaultVerified {
					return
				}
				missing := func(kind string) bool { return len(names(kind)) == 0 }
				for begin := time.Now(); slices.ContainsFunc(levels, missing); time.Sleep(time.Millisecond) {
					if time.Since(begin) > pacetest.Patience { // no Fatal here: this is the runner's goroutine, which would be gone
						t.Errorf("not of each level after %v", pacetest.Patience)
						break
					}
				}
				c.Cut(true)
				tc.end(c)
				wg.Go(func() {
					defer c.Cut(false)
					for begin := time.Now(); len(names("Schedule"))+len(names("PodChaos"))+len(c.InForce()) > 0; time.Sleep(10 * time.Millisecond) {
						if time.Since(begin) > pacetest.Patience {
							t.Errorf("not ended: %v %v, in force %v", names("Schedule"), names("PodChaos"), c.InForce())
							return
						}
					}
					if len(names("Workflow")) == 0 {
						t.Error("the Workflow is gone, which nobody has deleted")
					}
				})
			}
			if err := r.Run(background, j.Write); err != nil {
				t.Fatal(err)
			}
			wg.Wait()
			if e := j.Find(assay.EventFaultReverted); tc.step.For == time.Minute && !strings.Contains(e.Text, "ended early: the workflow is over") {
				t.Errorf("reverted: %q; %v", e.Text, j.Events()) // where the plan's own end does not come at the same time
			}
			if j.Find(assay.EventFaultClear).Kind == "" {
				t.Errorf("not clear: %v", j.Events())
			}
			for _, kind := range levels {
				if left := names(kind); len(left) > 0 {
					t.Errorf("left %s: %v", kind, left)
				}
			}
		})
	}
}

// A Schedule is in effect when an experiment of it was injected, and undone when all three levels are gone; one whose experiment is stuck remains.
func TestScheduleIsFollowedToItsExperiments(t *testing.T) {
	t.Parallel()
	schedule := step(chaos.Step{Fault: "manifest", For: blink, MeshSettings: manifest("Schedule", "{"+often+"}")})
	for i, tc := range []struct {
		name   string
		behave meshtest.Behaviour
		end    string // the last event of the fault
		kind   string
		text   string
	}{
		{"as it should", meshtest.Behaviour{}, assay.EventFaultClear, assay.EventFaultVerified, "of the Schedule was injected, "},
		{"its experiments are not injected", meshtest.Behaviour{FailsToInject: "no daemon on the node"}, assay.EventFaultClear, assay.EventFaultVoid,
			"Chaos Mesh has injected no experiment of the Schedule; Chaos Mesh says: apply of serving/pod failed: no daemon on the node"},
		{"its experiments do not recover", meshtest.Behaviour{Stuck: "rules cannot be flushed"}, assay.EventFaultRemaining, assay.EventFaultRemaining,
			"which it had made, is still there; Chaos Mesh says: recover of serving/pod failed: rules cannot be flushed; it may remain until the cluster ends it at"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := cluster(t)
			c.Behave(tc.behave)
			run := fmt.Sprintf("60%06d", i)
			j, r := prepare(t, c, t.TempDir(), run, schedule)
			if i > 0 {
				impatient(r)
				r.Verify, r.Revert = 12*time.Second, 10*time.Second // three levels come and go one after another
			}
			if err := r.Run(background, j.Write); err != nil {
				t.Fatal(err)
			}
			if e := j.Find(tc.kind); !strings.Contains(e.Text+e.Attrs["effect"], tc.text) {
				t.Errorf("%s says %q %v, want %q", tc.kind, e.Text, e.Attrs, tc.text)
			}
			if kinds := j.Kinds(); kinds[len(kinds)-1] != tc.end {
				t.Errorf("ended with %v: %v", kinds, j.Events())
			}
			for _, kind := range levels {
				left := slices.DeleteFunc(c.Names(kind), func(n string) bool { return !strings.HasPrefix(n, "assay-"+run+"-") })
				if stuck := tc.behave.Stuck != "" && kind == "PodChaos"; (len(left) > 0) != stuck {
					t.Errorf("left %s: %v", kind, left)
				}
			}
		})
	}
}
