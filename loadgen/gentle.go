package loadgen

import (
	"math"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// GentleRequests is the most that [Ramp] sends unless told otherwise.
const GentleRequests = 300

const (
	gentleClimb = 149  // requests of the search at most
	gentleMost  = 1500 // requests in all, whatever the goals
	gentleLike  = 4    // requests that are worth one where answers are alike: steady load is correlated
)

// GentleFor returns how many requests let a ramp decide goals, with a margin: for a quantile four times the least independent ones, and a fifth more than show
// an error ratio where none fails. It is [GentleRequests] at least and 1500 at most.
func GentleFor(slo map[string]float64) int {
	n := GentleRequests
	limits, _ := parseSLO(slo) // the schedule says what is wrong with it
	for _, l := range limits {
		switch {
		case l.what == "error_ratio" && l.max > 0 && l.max < 1:
			n = max(n, 1+gentleClimb+int(math.Ceil(1.2*float64(stat.Trials(l.max, 0, 0.95)))))
		case l.stat == "quantile":
			n = max(n, 1+gentleClimb+gentleLike*stat.LeastN(l.q, 0.95))
		}
	}
	return min(n, gentleMost)
}

// Ramp returns the phases for an endpoint that must not be hurt: one request alone, then a careful search that begins
// at a request every two seconds, doubles the rate every ten and ends at the first limit that
// breaks and the first request that fails or is shed, then Poisson load at four fifths of the
// highest rate that held, for at most a minute, or more where more requests than that brings are asked for: what the latencies are judged by. All of them
// together send at most the given number of requests; 0 means [GentleRequests].
func Ramp(slo map[string]float64, maxRequests int, prompt, output Lengths) []Phase {
	if maxRequests <= 0 {
		maxRequests = GentleRequests
	}
	climb := min(gentleClimb, (maxRequests-1)/2)
	steady := min(5*time.Minute, max(time.Minute, time.Duration(maxRequests-1-climb)*time.Second/4))
	phases := []Phase{{Name: "canary", Role: assay.RoleWarmup, Arrivals: Even{Profile{Rate: 0.5}}, For: 2 * time.Second, Max: 1, Prompt: prompt, Output: output}}
	if climb > 0 {
		phases = append(phases,
			Phase{Name: "ramp", Settle: true, Max: climb, Prompt: prompt, Output: output, Search: &Search{
				Start: 0.5, SLO: slo, Factor: 2, Step: 10 * time.Second, For: 90 * time.Second, Max: 8, MinN: 1, Tries: 1, Even: true, Careful: true,
				Deadline: time.Hour, // a limit of the generator's own is the shorter
			}},
			Phase{Name: "steady", Settle: true, Role: assay.RoleSteady, For: steady, Max: maxRequests - 1 - climb, Prompt: prompt, Output: output, Hold: &Hold{Of: "ramp", Share: 0.8}})
	}
	return phases
}
