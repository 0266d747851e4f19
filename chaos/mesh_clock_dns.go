package chaos

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/assay-dev/assay/internal/mesh"
)

func checkClock(s *Step) []Wrong {
	if s.Offset == 0 {
		return []Wrong{{"offset", "0s shifts no clock; for example -10m"}}
	}
	return nil
}

func meshClock(s *Step) (mesh.Object, error) {
	o := mesh.New("TimeChaos").(*v1alpha1.TimeChaos)
	o.Spec.TimeOffset = s.Offset.String()
	return o, nil
}

func checkMeshDNS(s *Step) []Wrong {
	if !slices.Contains([]string{"", "error", "random"}, s.Mode) {
		return []Wrong{{"mode", fmt.Sprintf("%q is no mode of dns by Chaos Mesh; one of error, random", s.Mode)}}
	}
	return nil
}

func meshDNS(s *Step) (mesh.Object, error) {
	o := mesh.New("DNSChaos").(*v1alpha1.DNSChaos)
	o.Spec.Action, o.Spec.DomainNamePatterns = v1alpha1.ErrorAction, s.Names
	if s.Mode == "random" {
		o.Spec.Action = v1alpha1.RandomAction
	}
	return o, nil
}

func deedMeshDNS(s *Step) string {
	names := "all names"
	if len(s.Names) > 0 {
		names = strings.Join(s.Names, ", ")
	}
	if s.Mode == "random" {
		return names + " resolve to a random address"
	}
	return names + " do not resolve"
}
