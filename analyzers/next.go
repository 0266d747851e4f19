package analyzers

import "github.com/assay-dev/assay"

// remedies say what to do about an invalid run, by the rule that it broke first.
var remedies = map[string]string{
	"credential":         "name a token that the target takes: --token-env VARIABLE, or target.auth in the plan",
	"refused":            "look at the URL, at the model and at what else is asked of the target",
	"dropped":            "raise the cap (--cap, or target.cap in the plan), or send less",
	"lateness/p99":       slower,
	"delivered":          slower,
	"spacing/ks":         slower,
	"spacing/dispersion": slower,
}

const slower = "assay doctor, which says what keeps this machine busy; then run again where it is idle, or at a lower rate"

// remedy says what to do about a run that could not measure.
func remedy(t *assay.Trust) string {
	if len(t.Rules) > 0 {
		if s := remedies[t.Rules[0]]; s != "" {
			return s
		}
	}
	return "remove the cause and run again"
}
