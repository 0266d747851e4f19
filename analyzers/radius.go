package analyzers

import (
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// radius returns how far a fault reached: the share of requests in flight inside its window and washout that were lost or slow, and of users with such a request, and for how long
// users were down.
func radius(u *facts.Users) assay.BlastRadius {
	b := assay.BlastRadius{Requests: assay.NotMeasured(assay.Ratio, "no request was judged in its window and washout"), Users: assay.NotMeasured(assay.Ratio, "no request tells its user, or a class that could stand for one"),
		UserTime: assay.NotMeasured(assay.Seconds, noUser)}
	if u.Touched > 0 {
		hurt, all := float64(u.Touched-u.Well+u.Slow), float64(u.Touched)
		silent := float64(u.Silent)
		b.Requests = measured(hurt/all, hurt/(all+silent), (hurt+silent)/(all+silent), assay.Ratio, u.Touched, "requests",
			"lost or slow of those judged in window and washout; the interval counts those not judged as well, then as hurt")
	}
	if u.Seen > 0 {
		b.Users = counted(float64(u.Hit)/float64(u.Seen), assay.Ratio, u.Seen, map[bool]string{false: "classes", true: "users"}[u.Told], "users with a lost or slow request in window and washout"+map[bool]string{false: "; a class of requests stands for a user"}[u.Told])
	}
	if u.Told && u.Seen > 0 {
		b.UserTime = counted(seconds(u.Down), assay.Seconds, u.Seen, "users", "time of users in window and washout from a lost request until their next, if that came within thirty seconds")
	}
	return b
}

// noUser is why nothing is said of users themselves.
const noUser = "no request tells its user"

// power says what the faults that nobody felt could have shown: one that hurts a share of the requests that its victim carried is missed when it hurts none of them.
func power(xs []assay.FaultResult, kind string) string {
	least := math.Inf(1)
	n := 0
	for i := range xs {
		if x := &xs[i]; x.State == assay.Tolerated && (kind == "" || x.Window.Kind == kind) && x.Carried > 0 && !x.Window.Simulated {
			n++
			least = math.Min(least, x.Carried)
		}
	}
	if n == 0 {
		return ""
	}
	felt := func(share float64) float64 { return 100 * (1 - math.Pow(1-share, least)) }
	return fmt.Sprintf("the least that a victim of the %d tolerated carried is %.3g requests: a fault that hurts half of them would have been felt with %.3g %%, one that hurts a tenth with %.3g %%", n, least, felt(.5), felt(.1))
}
