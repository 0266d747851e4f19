package chaos

import (
	"fmt"
	"math"
	"strconv"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/link"
	"github.com/assay-dev/assay/internal/mesh"
)

func network(action v1alpha1.NetworkChaosAction) *v1alpha1.NetworkChaos {
	o := mesh.New("NetworkChaos").(*v1alpha1.NetworkChaos)
	o.Spec.Action = action
	return o
}

func checkMeshDelay(s *Step) []Wrong {
	switch {
	case s.Delay <= 0:
		return []Wrong{{"delay", fmt.Sprintf("%v delays nothing; for example 200ms", s.Delay)}}
	case s.Jitter < 0 || s.Jitter > s.Delay:
		return []Wrong{{"jitter", fmt.Sprintf("%v is out of range; at most the delay, %v", s.Jitter, s.Delay)}}
	}
	return nil
}

func meshDelay(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.DelayAction)
	o.Spec.Delay = &v1alpha1.DelaySpec{Latency: s.Delay.String()}
	if s.Jitter > 0 {
		o.Spec.Delay.Jitter = s.Jitter.String()
	}
	return o, nil
}

func deedDelay(s *Step) string {
	text := s.Delay.String()
	if s.Jitter > 0 {
		text += fmt.Sprintf(" ± %v", s.Jitter)
	}
	return text + " on what it sends"
}

func checkPackets(s *Step) []Wrong {
	if !(s.Probability > 0 && s.Probability <= 1) {
		return []Wrong{{"probability", share(s.Probability) + " is out of range; more than 0% and at most 100% of the packets"}}
	}
	return nil
}

// share writes a part as people do.
func share(f float64) string { return strconv.FormatFloat(100*f, 'g', 6, 64) + "%" }

func hundred(f float64) string { return strconv.FormatFloat(100*f, 'g', 6, 64) }

func meshLoss(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.LossAction)
	o.Spec.Loss = &v1alpha1.LossSpec{Loss: hundred(s.Probability)}
	return o, nil
}

func meshDuplicate(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.DuplicateAction)
	o.Spec.Duplicate = &v1alpha1.DuplicateSpec{Duplicate: hundred(s.Probability)}
	return o, nil
}

func meshCorrupt(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.CorruptAction)
	o.Spec.Corrupt = &v1alpha1.CorruptSpec{Corrupt: hundred(s.Probability)}
	return o, nil
}

func deedPackets(what string) func(*Step) string {
	return func(s *Step) string {
		return fmt.Sprintf("%s of the packets that it sends %s", share(s.Probability), what)
	}
}

// partitions are the cuts that Chaos Mesh does.
var partitions = map[string]v1alpha1.NetworkChaosPartitionBehavior{link.CutBlackhole: v1alpha1.DropPartitionBehavior, link.CutReset: v1alpha1.RejectPartitionBehavior}

func checkMeshCut(s *Step) []Wrong {
	if _, ok := partitions[s.mode()]; !ok {
		return []Wrong{{"mode", fmt.Sprintf("%q is no cut of Chaos Mesh; one of blackhole, reset", s.Mode)}}
	}
	return nil
}

func meshCut(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.PartitionAction)
	o.Spec.Direction = v1alpha1.To
	o.Spec.PartitionBehavior = partitions[s.mode()]
	return o, nil
}

func deedMeshCut(s *Step) string { return s.mode() + " of what it sends" }

// Limits of a rate of Chaos Mesh, in bytes per second.
const maxMeshRate = 1 << 33

func checkMeshRate(s *Step) []Wrong {
	if s.Rate < minRate || s.Rate > maxMeshRate {
		return []Wrong{{"rate", fmt.Sprintf("%d bytes/s is out of range; %d to %d", s.Rate, int64(minRate), int64(maxMeshRate))}}
	}
	return nil
}

func meshBandwidth(s *Step) (mesh.Object, error) {
	o := network(v1alpha1.BandwidthAction)
	// The bucket holds what passes in one tick of a kernel with 250 Hz, and a second's worth may wait.
	o.Spec.Bandwidth = &v1alpha1.BandwidthSpec{Rate: fmt.Sprintf("%dbps", s.Rate), // bps: bytes, as tc has it
		Limit: uint32(min(max(s.Rate, 16<<10), math.MaxUint32)), Buffer: uint32(min(max(s.Rate/250, 10_000), math.MaxUint32))}
	return o, nil
}
