package sandbox_test

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay/internal/sandbox"
)

// Load doubles within the panic window: the autoscaler panics, and does not shrink before a stable window has passed without another cause.
func ExampleDecide() {
	spec := sandbox.KPASpec{Target: 10, Burst: -1, StableWindow: time.Minute, PanicThreshold: 2, MaxScaleUpRate: 1000, MaxScaleDownRate: 2}
	st := sandbox.StartKPA(0, 1)
	for _, obs := range []sandbox.Observation{
		{Time: 0, Ready: 1, Stable: 8, Panic: 8},
		{Time: 2e9, Ready: 1, Stable: 12, Panic: 48},
		{Time: 30e9, Ready: 5, Stable: 20, Panic: 5},
		{Time: 63e9, Ready: 5, Stable: 20, Panic: 5},
	} {
		var d sandbox.Decision
		d, st = sandbox.Decide(spec, st, obs)
		fmt.Printf("%2.0f s: %d instances, panic %v\n", float64(obs.Time)/1e9, d.Desired, d.Panicking)
	}
	// Output:
	//  0 s: 1 instances, panic false
	//  2 s: 5 instances, panic true
	// 30 s: 5 instances, panic true
	// 63 s: 2 instances, panic false
}
