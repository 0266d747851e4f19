package cluster

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/mesh"
	"github.com/assay-dev/assay/internal/meshtest"
)

// TestSweep: what a run has left is taken away by the label of the run alone, what its controller holds is said to remain, and no other run's object is touched.
func TestSweep(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	dir := t.TempDir()
	s := chaos.Sweep{Kubeconfig: c.Kubeconfig(dir), Namespace: "serving", Run: "7e000001"}
	for _, run := range []string{s.Run, "7e000002"} {
		leave(t, s.Kubeconfig, run)
	}
	rep, err := s.Do(background)
	if want := []string{"NetworkChaos left-by-7e000001 in serving"}; err != nil || !slices.Equal(rep.Reverted, want) || len(rep.Remaining) > 0 {
		t.Errorf("got %+v, %v; want %q away", rep, err, want)
	}
	if rep, err := s.Do(background); err != nil || len(rep.Reverted)+len(rep.Remaining) > 0 {
		t.Errorf("a second sweep: %+v, %v", rep, err)
	}
	c.Behave(meshtest.Behaviour{Stuck: "for ever"})
	leave(t, s.Kubeconfig, s.Run)
	ctx, cancel := context.WithTimeout(background, 15*time.Second)
	defer cancel()
	if rep, err := s.Do(ctx); err != nil || len(rep.Reverted) > 0 || len(rep.Remaining) != 1 || !strings.Contains(rep.Remaining[0], "NetworkChaos left-by-7e000001 in serving: ") {
		t.Errorf("held by its controller: %+v, %v", rep, err)
	}
}

// leave makes an object as a run leaves it that is gone.
func leave(t *testing.T, kubeconfig, run string) {
	t.Helper()
	api, err := kube.Find(kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	o := map[string]any{"apiVersion": "chaos-mesh.org/v1alpha1", "kind": "NetworkChaos",
		"metadata": map[string]any{"name": "left-by-" + run, "namespace": "serving", "labels": map[string]string{mesh.RunLabel: run}},
		"spec":     map[string]any{"action": "loss", "mode": "all", "duration": "10m", "selector": map[string]any{"pods": map[string][]string{"serving": {"vllm-1"}}}, "loss": map[string]string{"loss": "30"}}}
	if err := api.Create(background, mesh.Collection("serving", "NetworkChaos"), o, nil); err != nil {
		t.Fatal(err)
	}
}
