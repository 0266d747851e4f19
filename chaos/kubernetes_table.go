package chaos

import (
	"context"
)

// What a fault by kubernetes may lie on.
const (
	onDeployment = "deployment"
	onKnative    = "ksvc"
	onKServe     = "inferenceservice"

	onPods     = "pods"     // annotate: the template of the workload's pods
	onWorkload = "workload" // annotate: the workload itself
)

// A deed is how the driver kubernetes does one kind of fault.
type deed struct {
	does
	bounded bool // it ends of itself, so nothing in the cluster has to
	plan    func(ctx context.Context, d *Kubernetes, s *Step) (*Action, error)
	rights  func(d *Kubernetes, s *Step) []right // what it must be allowed to do, beyond looking at pods
}

// deeds is what the driver kubernetes does, by kind of fault.
func deeds() map[string]deed {
	return map[string]deed{
		"scale":       {does: does{settings: []string{"replicas"}, check: checkScale, preview: previewScale}, plan: planScale, rights: scaleRights},
		"cold":        {does: does{check: whole, preview: previewCold}, plan: planColdPods, rights: coldRights, bounded: true},
		"annotate":    {does: does{settings: []string{"annotations", "labels", "on"}, check: checkAnnotate, preview: previewAnnotate}, plan: planAnnotate, rights: workloadRights},
		"image":       {does: does{settings: []string{"image", "container"}, check: checkImage, preview: previewImage}, plan: planImage, rights: workloadRights},
		"quota":       {does: does{settings: []string{"pods"}, check: checkPodQuota, preview: previewPodQuota}, plan: planPodQuota, rights: quotaRights},
		"access":      {does: does{settings: []string{"variable", "secret", "egress", "container"}, check: checkAccess, preview: previewAccess}, plan: planAccess, rights: accessRights},
		"concurrency": {does: does{settings: []string{"concurrency"}, check: checkConcurrency, preview: previewConcurrency}, plan: planConcurrency, rights: workloadRights},
	}
}

func kubernetesTable() map[string]does {
	out := map[string]does{}
	for name, d := range deeds() {
		out[name] = d.does
	}
	return out
}

// NeedsEnd reports whether a fault of this kind by kubernetes may only be done with something in the cluster that ends it if we cannot.
func (k *Kind) NeedsEnd() bool {
	d, ok := deeds()[k.Name]
	return ok && !d.bounded
}
