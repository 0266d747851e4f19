package chaos

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/pacetest"
)

// What each fault by kubernetes leaves when nobody is left to undo it is found by the run's id alone and undone; what is another run's stays.
func TestSweepOfThePlatform(t *testing.T) {
	for _, tc := range kubeCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			tc.deploy(c)
			before := c.get(tc.path)
			ctx, cancel := context.WithTimeout(t.Context(), pacetest.Patience)
			defer cancel()
			d := standDriver(c.config, tc.workload)
			d.HPA = tc.hpa
			s := tc.step
			s.By, s.Instances, s.For = ByKubernetes, 1, time.Minute // its Job comes late
			a, err := d.Plan(ctx, &s, Victim{ID: assay.WholeTarget})
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Apply(ctx, func() {}); err != nil {
				t.Fatal(err)
			}
			left := c.left()
			if n := strings.Count(left, ", "); n != 1 {
				t.Fatalf("left: %s; want a change and a Job", left)
			}
			sweep := Sweep{Kubeconfig: c.config, Namespace: ns, Run: "r2"}
			if rep, err := sweep.Do(ctx); err != nil || len(rep.Reverted)+len(rep.Remaining) > 0 || c.left() != left {
				t.Errorf("another run's: %+v, %v; left %s", rep, err, c.left())
			}
			sweep.Run = d.RunID
			rep, err := sweep.Do(ctx)
			if want := []string{a.Undo.Object.Object + " in models"}; err != nil || !slices.Equal(rep.Reverted, want) || len(rep.Remaining) > 0 {
				t.Errorf("got %+v, %v; want %q", rep, err, want)
			}
			if left := c.left(); left != "" || !cmp.Equal(before, c.get(tc.path)) {
				t.Errorf("left: %s\n%s", left, cmp.Diff(before, c.get(tc.path)))
			}
		})
	}
}

// A Job whose fault is gone goes too; what we may not look for may remain, unless the cluster does not know it.
func TestSweepThatMayNotLook(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.deploy()
	c.put("/apis/batch/v1/namespaces/models/jobs/assay-expiry-x", `{"kind":"Job","metadata":{"labels":{"assay.dev/run":"r1","app.kubernetes.io/managed-by":"assay"}}}`)
	c.put("/apis/batch/v1/namespaces/models/jobs/theirs", `{"kind":"Job","metadata":{"labels":{"assay.dev/run":"r1"}}}`)
	c.deny["list deployments"], c.deny["list networkchaos"] = true, true
	rep, err := Sweep{Kubeconfig: c.config, Namespace: ns, Run: "r1"}.Do(t.Context())
	if want := []string{"jobs.batch/assay-expiry-x in models"}; err != nil || !slices.Equal(rep.Reverted, want) || len(rep.Remaining) != 1 || !strings.Contains(rep.Remaining[0], "deployments.apps in models, if the run has changed any: ") {
		t.Errorf("got %+v, %v", rep, err)
	}
	if names := c.names("jobs"); !slices.Equal(names, []string{"theirs"}) {
		t.Errorf("jobs %v", names)
	}
}
