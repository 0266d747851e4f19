package loadgen

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/assay-dev/assay/internal/pacetest"
)

const shortLull = 30 * time.Millisecond

var lull atomic.Int64 // ns; zero is shortLull

// lullNow lets the client read what it was sent before something is done to its connection: a reset overtakes data that was not yet read, and nothing
// tells a server when it was.
func lullNow() { time.Sleep(max(time.Duration(lull.Load()), shortLull)) }

// unhurried tries anew, with ever longer lulls, what a busy machine spoils by being late. What is wrong whatever the machine does is wrong each time;
// on an idle one (the full tier) the first time counts.
func unhurried(t *testing.T, try func(lull time.Duration) (wrong string)) {
	t.Helper()
	defer lull.Store(0)
	for l := shortLull; ; l *= 4 {
		lull.Store(int64(l))
		wrong := try(l)
		switch {
		case wrong == "":
			return
		case pacetest.Full() || l > 2*time.Second:
			t.Error(wrong)
			return
		}
		t.Logf("tried again with longer waits than %v: %s", l, wrong)
	}
}
