package loadgen

import "github.com/assay-dev/assay"

// Planned returns the phases as the run will record that they begin: name, role and mean rate, 0 where there is none or the run decides it.
func (s *Schedule) Planned() []assay.Phase {
	out := make([]assay.Phase, len(s.phases))
	for i := range s.phases {
		out[i] = assay.Phase{Name: s.phases[i].Name, Role: s.phases[i].Role}
		out[i].Rate, _ = s.rate(i)
	}
	return out
}
