package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/chaos"
	"github.com/assay-dev/assay/internal/kube"
	"github.com/assay-dev/assay/internal/plan"
)

// meshStep fills the settings that Chaos Mesh's objects have.
func meshStep(s *chaos.Step, p *plan.Plan, f plan.Fault) {
	s.MeshSettings = chaos.MeshSettings{Load: float64(f.Load), Errno: f.Errno, Port: f.Port, Offset: time.Duration(f.Offset),
		Cloud: f.Cloud, Spec: json.RawMessage(f.Spec), Manifest: f.Manifest}
	if f.By == chaos.ByMesh { // others know it too
		s.Container = f.Container
	}
	if f.Manifest != "" {
		b, _ := os.ReadFile(p.Path(f.Manifest)) // one that cannot be read is refused by the check of the step
		s.Object = string(b)
	}
}

// clusterOf returns a client for the cluster of a plan's deployment, the kubeconfig's absolute path, and the pods' namespace.
func clusterOf(p *plan.Plan) (api *kube.Client, kubeconfig, namespace string, err error) {
	const at = "target.deployment.kubernetes"
	if p.Target.Deployment == nil || p.Target.Deployment.Kubernetes == nil {
		return nil, "", "", fmt.Errorf("%s: is missing", at)
	}
	k := p.Target.Deployment.Kubernetes
	if k.Kubeconfig != "" {
		if kubeconfig, err = filepath.Abs(p.Path(k.Kubeconfig)); err != nil {
			return nil, "", "", fmt.Errorf("%s.kubeconfig: %w", at, err)
		}
	}
	if api, err = kube.Find(kubeconfig, k.Context); err != nil {
		return nil, "", "", fmt.Errorf("%s: %w", at, err)
	}
	return api, kubeconfig, or(k.Namespace, or(api.Namespace, "default")), nil
}

// meshDriver returns the driver of a plan's pods.
func meshDriver(p *plan.Plan, run string) (*chaos.Mesh, error) {
	api, kubeconfig, namespace, err := clusterOf(p)
	if err != nil {
		return nil, err
	}
	k := p.Target.Deployment.Kubernetes
	return &chaos.Mesh{API: api, Kubeconfig: kubeconfig, Context: k.Context, Namespace: namespace, Pods: k.Pods, OptIn: k.OptIn, RunID: run}, nil
}

// askLimit is how long the questions to a cluster before a run may take.
const askLimit = 30 * time.Second

// mesh returns the driver of faults through Chaos Mesh, once the cluster has said that it can do them.
func (s *session) mesh(ctx context.Context) (chaos.Driver, error) {
	d, err := meshDriver(s.plan, s.manifest.ID)
	if err != nil {
		return nil, err
	}
	say := func(text string) {
		s.emit(&assay.Event{Time: s.clock.Now(), Source: "chaos", Kind: assay.EventWarning, Text: text})
		fmt.Fprintf(s.io.err, "assay: %s\n", text)
	}
	d.Say = say
	asking, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	left, err := d.Preflight(asking, steps(s.plan))
	if err != nil {
		return nil, fmt.Errorf("target.deployment.kubernetes: %w", err)
	}
	for _, text := range left {
		say(text)
	}
	return d, nil
}
