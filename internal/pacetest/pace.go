// Package pacetest says which bounds of time a test holds to.
//
// A bound that users are promised (a revert within a second, an idle link that adds little) can only be measured on a machine that is otherwise
// idle. There one sets ASSAY_FULL=1. Anywhere else other tests run beside this one, under the race detector, and the same bound says how busy
// the machine is; what is left to check there is that the thing happens at all, and what it does.
package pacetest

import (
	"os"
	"time"
)

// Patience is how long a test waits for what must happen, wherever it runs: it tells only what never comes.
const Patience = 30 * time.Second

// Full tells whether the machine is ours: ASSAY_FULL is set.
func Full() bool { return os.Getenv("ASSAY_FULL") != "" }

// Most is the longest that something may take: bound in the full tier, Patience elsewhere, or bound where that is longer.
func Most(bound time.Duration) time.Duration {
	if Full() {
		return bound
	}
	return max(bound, Patience)
}
