package loadgen

import (
	"time"

	"github.com/assay-dev/assay"
)

// GentleRequests is the most that [Ramp] sends unless told otherwise.
const GentleRequests = 300

// Ramp returns the phases for an endpoint that must not be hurt: one request alone, then a careful search that begins
// at a request every two seconds, doubles the rate every ten and ends at the first limit that
// breaks and the first request that fails or is shed, then Poisson load at four fifths of the
// highest rate that held, for at most a minute: what the latencies are judged by. All of them
// together send at most the given number of requests; 0 means [GentleRequests].
func Ramp(slo map[string]float64, maxRequests int, prompt, output Lengths) []Phase {
	if maxRequests <= 0 {
		maxRequests = GentleRequests
	}
	climb := (maxRequests - 1) / 2
	phases := []Phase{{Name: "canary", Role: assay.RoleWarmup, Arrivals: Even{Profile{Rate: 0.5}}, For: 2 * time.Second, Max: 1, Prompt: prompt, Output: output}}
	if climb > 0 {
		phases = append(phases,
			Phase{Name: "ramp", Settle: true, Max: climb, Prompt: prompt, Output: output, Search: &Search{
				Start: 0.5, SLO: slo, Factor: 2, Step: 10 * time.Second, For: 90 * time.Second, Max: 8, MinN: 1, Tries: 1, Even: true, Careful: true,
				Deadline: time.Hour, // a limit of the generator's own is the shorter
			}},
			Phase{Name: "steady", Settle: true, Role: assay.RoleSteady, For: time.Minute, Max: maxRequests - 1 - climb, Prompt: prompt, Output: output, Hold: &Hold{Of: "ramp", Share: 0.8}})
	}
	return phases
}
