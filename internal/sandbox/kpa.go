package sandbox

import (
	"math"
	"slices"
	"time"
)

// A KPASpec holds the settings of Knative's pod autoscaler (KPA) that a decision rests on.
type KPASpec struct {
	Target           float64       // concurrency per instance to aim at: the limit times the utilization wanted
	Total            float64       // concurrency per instance in all; only the excess burst capacity needs it
	Burst            float64       // target burst capacity; 0 for none, negative for unlimited
	StableWindow     time.Duration // also how long a panic lasts after its last cause
	PanicThreshold   float64       // ratio of wanted to ready instances at which a panic begins
	MaxScaleUpRate   float64       // at most this many times the ready instances in one decision
	MaxScaleDownRate float64       // at most shrinks by this factor in one decision
	ActivationScale  int           // fewest instances while there is any load
	ScaleDownDelay   time.Duration // a decrease must have been wanted for this long
	Unreachable      bool          // no route leads here: shrink without limit or delay
}

// A KPAState is what one decision leaves to the next. The zero value is the state of a
// deployment with at most one instance; see [StartKPA].
type KPAState struct {
	Panicking  bool
	PanicSince int64 // ns: when the threshold was last seen crossed
	MaxPanic   int   // most instances wanted in this panic
	Recent     []Want
}

// A Want is what one decision wanted before the scale-down delay.
type Want struct {
	Time int64 // ns
	N    int
}

// An Observation is what a decision is made on.
type Observation struct {
	Time   int64   // ns, on any clock
	Ready  int     // instances in routing
	Stable float64 // mean concurrency over the stable window, all instances together
	Panic  float64 // the same over the panic window
}

// A Decision is how many instances are wanted, before the bounds of the deployment.
type Decision struct {
	Desired   int
	Panicking bool
	Excess    int // excess burst capacity; negative means that the activator stays in the path
}

// StartKPA returns the state to begin with. A deployment that already has several instances begins in a
// panic, so that it keeps them until there is data to decide on.
func StartKPA(now int64, ready int) KPAState {
	return KPAState{Panicking: ready > 1, PanicSince: now, MaxPanic: ready}
}

// Decide applies the rules of Knative's autoscaler to one observation. It depends on
// nothing but its arguments and changes none of them.
func Decide(spec KPASpec, st KPAState, obs Observation) (Decision, KPAState) {
	ready := max(1, float64(obs.Ready))
	// Rounded up, so that a rate close to 1 still lets the deployment grow; rounded down for the same reason.
	up := math.Ceil(spec.MaxScaleUpRate * ready)
	down := 0.0
	if !spec.Unreachable {
		down = math.Floor(ready / spec.MaxScaleDownRate)
	}
	wantStable := math.Ceil(obs.Stable / spec.Target)
	wantPanic := math.Ceil(obs.Panic / spec.Target)
	stable := int(min(max(wantStable, down), up))
	panicked := int(min(max(wantPanic, down), up))
	if wantStable > 0 {
		stable = max(stable, spec.ActivationScale)
	}
	if wantPanic > 0 {
		panicked = max(panicked, spec.ActivationScale)
	}

	over := wantPanic/ready >= spec.PanicThreshold
	switch {
	case over:
		st.Panicking, st.PanicSince = true, obs.Time
	case st.Panicking && obs.Time-st.PanicSince > int64(spec.StableWindow):
		st.Panicking, st.MaxPanic = false, 0
	}

	desired := stable
	if st.Panicking {
		// The stable average may be the larger of the two. A panic never shrinks.
		st.MaxPanic = max(st.MaxPanic, stable, panicked)
		desired = st.MaxPanic
	}
	if spec.ScaleDownDelay > 0 && !spec.Unreachable {
		recent := make([]Want, 0, len(st.Recent)+1)
		for _, w := range st.Recent {
			if obs.Time-w.Time < int64(spec.ScaleDownDelay) {
				recent = append(recent, w)
			}
		}
		st.Recent = append(recent, Want{obs.Time, desired})
		desired = slices.MaxFunc(st.Recent, func(a, b Want) int { return a.N - b.N }).N
	}

	excess := -1.0
	switch {
	case spec.Burst == 0:
		excess = 0
	case spec.Burst > 0:
		excess = math.Floor(float64(obs.Ready)*spec.Total - spec.Burst - obs.Panic)
	}
	return Decision{desired, st.Panicking, int(excess)}, st
}
