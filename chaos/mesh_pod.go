package chaos

import (
	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/mesh"
)

func meshKill(s *Step) (mesh.Object, error) {
	o := mesh.New("PodChaos").(*v1alpha1.PodChaos)
	o.Spec.Action = v1alpha1.PodKillAction
	if s.Container != "" {
		o.Spec.Action, o.Spec.ContainerNames = v1alpha1.ContainerKillAction, []string{s.Container}
	}
	return o, nil
}

func deedKill(s *Step) string {
	if s.Container != "" {
		return "container " + s.Container + " ended"
	}
	return "the pod deleted without grace"
}

func meshPodFailure(*Step) (mesh.Object, error) {
	o := mesh.New("PodChaos").(*v1alpha1.PodChaos)
	o.Spec.Action = v1alpha1.PodFailureAction
	return o, nil
}
