package analyzers

import (
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// life returns how long each stage of the fault took, as its injector stamped them; whole nanoseconds, so that the parts sum to the total.
func life(w *assay.FaultWindow) assay.FaultLife {
	part := func(from, to int64, method, missing string) assay.Quantity {
		if from == 0 || to == 0 || to < from {
			return assay.NotMeasured(assay.Seconds, missing)
		}
		return stretch(to-from, to-from, to-from, 1, "fault", method)
	}
	never := "the fault was never applied"
	unverified := "its revert was not verified"
	l := assay.FaultLife{
		Inject: part(w.Armed, w.Applied, "from the undo on disk to the fault in force", never),
		Effect: part(w.Applied, w.Verified, "from the fault in force until its effect was measured", "its effect was not measured"),
		Hold:   part(w.Verified, w.Reverted, "from the effect measured until the undo was done", "no revert was recorded"),
		Verify: part(w.Reverted, w.Clear, "from the undo done until it was verified", unverified),
		Total:  part(w.Armed, w.Clear, "from the undo on disk until it was verified", unverified),
	}
	switch {
	case w.Applied == 0:
		l.Effect, l.Hold, l.Verify, l.Total = l.Inject, l.Inject, l.Inject, l.Inject
	case w.Verified == 0: // held all the same
		l.Hold = part(w.Applied, w.Reverted, "from the fault in force until the undo was done", "no revert was recorded")
	}
	return l
}

// degraded returns the area between the level of good service before the fault and that under it: T × (before − during), where T is the length of
// window and washout, before is the share of judged requests of the ten seconds before that were served in time, and during is that of those in flight
// within T. Each request so stands for T/n of the time. A service that is wholly down for five seconds, or that hurts half of its users for
// ten, has a degraded area of five. The interval is that of the level before, which is only as well known as ten seconds show it, and of what was not judged.
//
// This is the "degraded capacity area" of dependability benchmarks, made of the users' requests in place of instances.
func degraded(w *assay.FaultWindow, u *facts.Users) assay.Quantity {
	switch {
	case u.Touched == 0:
		return assay.NotMeasured(assay.Seconds, "no request was judged in its window and washout")
	case u.Before == 0:
		return assay.NotMeasured(assay.Seconds, "no request was judged in the ten seconds before it")
	}
	span := seconds(u.End - w.Applied)
	in := stat.ClopperPearson(u.Good, u.Before, Confidence)
	good, all := float64(u.Well-u.Slow), float64(u.Touched)
	area := func(before, during float64) float64 { return span * max(0, before-during) }
	v := area(float64(u.Good)/float64(u.Before), good/all)
	return assay.Quantity{Value: v, Lo: min(v, area(in.Lo, (good+float64(u.Silent))/(all+float64(u.Silent)))), Hi: max(v, area(in.Hi, good/(all+float64(u.Silent)))),
		Confidence: Confidence, Unit: assay.Seconds, N: u.Touched, Of: "requests", Basis: assay.Estimated,
		Method: fmt.Sprintf("%.3g s of window and washout × (%d of %d good before − %.0f of %d during)", span, u.Good, u.Before, good, u.Touched)}
}
