package chaos

import (
	"fmt"
	"math"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/mesh"
)

func checkMeshCPU(s *Step) []Wrong {
	switch {
	case s.CPUs < 1 || s.CPUs > 1024:
		return []Wrong{{"cpus", fmt.Sprintf("%d is out of range; 1 to 1024", s.CPUs)}}
	case s.Load != 0 && !(s.Load >= 0.01 && s.Load <= 1):
		return []Wrong{{"load", fmt.Sprintf("%s is out of range; 1%% to 100%% of each", share(s.Load))}}
	}
	return nil
}

func stress() *v1alpha1.StressChaos {
	o := mesh.New("StressChaos").(*v1alpha1.StressChaos)
	o.Spec.Stressors = &v1alpha1.Stressors{}
	return o
}

func meshCPU(s *Step) (mesh.Object, error) {
	o := stress()
	o.Spec.Stressors.CPUStressor = &v1alpha1.CPUStressor{Stressor: v1alpha1.Stressor{Workers: s.CPUs}}
	if s.Load > 0 {
		load := int(math.Round(100 * s.Load))
		o.Spec.Stressors.CPUStressor.Load = &load
	}
	return o, nil
}

func deedMeshCPU(s *Step) string {
	text := fmt.Sprintf("%d busy workers", s.CPUs)
	if s.Load > 0 {
		text += " at " + share(s.Load)
	}
	return text + " within its limit"
}

func checkMeshMemory(s *Step) []Wrong {
	if s.Bytes < 1<<20 {
		return []Wrong{{"bytes", fmt.Sprintf("%d is out of range; 1MiB or more", s.Bytes)}}
	}
	return nil
}

func meshMemory(s *Step) (mesh.Object, error) {
	o := stress()
	o.Spec.Stressors.MemoryStressor = &v1alpha1.MemoryStressor{Stressor: v1alpha1.Stressor{Workers: 1}, Size: fmt.Sprintf("%dB", s.Bytes)}
	return o, nil
}
