package analyzers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// User uptime
//
// A user who asks often counts for no more than the time for which they were there, and one who gave up stays down: between two requests of one user, the time takes the outcome of the earlier
// (Hauer et al., Meaningful Availability, NSDI 2020). A user is a class of requests, which is a tenant, a session or a key where the load says so. A gap longer than the cut-off is time
// in which the user was away: thirty seconds, or ten of their own mean gaps so far where that is longer, and at most half an hour. What users share is not independent, so that failures of
// several users that touch in time are one failure in the interval.
//
// The windowed form is the least uptime, over all users together, in any window of a length: one long outage leaves short windows at zero, and as much in small pieces does not.

// mostUsers bounds the users that are followed.
const mostUsers = 1 << 16

// mostStays bounds the stretches that are kept.
const mostStays = 1 << 20

// uptime follows the users of the natural ledger.
type uptime struct {
	f     *assay.Facts
	users map[string]*user
	over  bool // there are more users or stays than are followed
	stays []stay
}

// A stay is a stretch for which a user was there and stood the same.
type stay struct {
	begin, end int64
	failed     bool
}

// A user is where one stands.
type user struct {
	open stay
	last int64
	bad  bool
	gaps int64 // sum of gaps
	n    int
}

// add takes the next request in order of Due.
func (u *uptime) add(r *assay.Request) {
	if r.Class == "" || r.Canary || r.Forced || !r.Outcome.Judged() || u.over {
		return
	}
	x := u.users[r.Class]
	if x == nil {
		if u.over = len(u.users) >= mostUsers; u.over {
			return
		}
		if u.users == nil {
			u.users = map[string]*user{}
		}
		x = &user{}
		u.users[strings.Clone(r.Class)] = x
	}
	if x.n > 0 && r.Due > x.last {
		gap := r.Due - x.last
		x.gaps += gap
		switch {
		case gap > cutOff(x.gaps/int64(x.n)):
		case x.open.end == x.last && x.open.failed == x.bad && x.open.begin != x.open.end:
			x.open.end = r.Due
		default:
			u.keep(x.open)
			x.open = stay{x.last, r.Due, x.bad}
		}
	}
	x.last, x.bad = r.Due, r.Outcome.Failed()
	x.n++
}

func (u *uptime) keep(s stay) {
	if s.end > s.begin {
		u.over = u.over || len(u.stays) >= mostStays
		u.stays = append(u.stays, s)
	}
}

// The cut-off of inactivity.
const (
	leastAway = 30 * int64(1e9)
	mostAway  = 1800 * int64(1e9)
)

// cutOff is the gap beyond which a user with a mean gap was not there.
func cutOff(mean int64) int64 { return min(max(leastAway, 10*mean), mostAway) }

// windows are the lengths for which the worst window is looked for.
var windows = []int64{10e9, 60e9, 600e9, 3600e9, 6 * 3600e9, 24 * 3600e9, 7 * 24 * 3600e9}

// findings returns availability by user, and the windowed form.
func (u *uptime) findings() []assay.Finding {
	f := assay.Finding{Metric: "availability/natural", Labels: map[string]string{"by": "user"}, Ledger: assay.Natural}
	switch {
	case len(u.users) == 0:
		f.Quantity = assay.NotMeasured(assay.Ratio, "no request of the natural ledger names its class, which stands for its user")
		return []assay.Finding{f}
	case u.over:
		f.Quantity = assay.NotEstimable(assay.Ratio, len(u.users), "users", fmt.Sprintf("there are more than the %d users or %d stretches that are followed", mostUsers, mostStays))
		return []assay.Finding{f}
	}
	for _, name := range keys(u.users) {
		u.keep(u.users[name].open)
	}
	var spent []stay
	for _, s := range u.stays {
		for i := range u.f.Segments {
			if g := &u.f.Segments[i]; g.Ledger == assay.Natural {
				if b, e := max(s.begin, g.Begin), min(s.end, g.End); b < e {
					spent = append(spent, stay{begin: b, end: e, failed: s.failed})
				}
			}
		}
	}
	slices.SortFunc(spent, func(a, b stay) int { return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end)) })
	var up, down int64
	for _, s := range spent {
		if s.failed {
			down += s.end - s.begin
		} else {
			up += s.end - s.begin
		}
	}
	k, sigma := failuresTogether(spent)
	rules := facts.RulesOf(u.f.Manifest, u.f.Phases)
	evidence := []string{fmt.Sprintf("%d users by the class of their requests, %s there and up, %s down", len(u.users), duration(seconds(up)), duration(seconds(down)))}
	if len(u.users) == 1 {
		f.Warnings = append(f.Warnings, "there is one user: this is availability by time with gaps of its own")
	}
	f.Evidence = evidence
	switch {
	case up+down == 0:
		f.Quantity = assay.NotMeasured(assay.Ratio, "no user came twice within the cut-off")
		return []assay.Finding{f}
	case k == 0:
		f.Quantity = assay.NotEstimable(assay.Ratio, 0, "failures", because)
	default:
		in := stat.Unavailability(seconds(up), seconds(down), k, sigma, Confidence)
		f.Quantity = assay.Quantity{Value: float64(up) / float64(up+down), Lo: 1 - in.Hi, Hi: 1 - in.Lo, Confidence: Confidence, Unit: assay.Ratio, N: k, Of: "failures",
			Method: "time of users that were up, each until their next request; interval: rate of failures × users' time lost to one", Basis: assay.Estimated}
	}
	out := []assay.Finding{f}
	for _, w := range windows {
		if w > u.f.End-u.f.Begin || w < 2*rules.Merge {
			continue
		}
		if v, n := worstWindow(spent, w); n > 0 {
			out = append(out, assay.Finding{Metric: "availability/windowed", Labels: map[string]string{"by": "user", "window": duration(seconds(w))}, Ledger: assay.Natural, Evidence: evidence,
				Quantity: counted(v, assay.Ratio, len(u.users), "users", fmt.Sprintf("least share of users' time that was up in any %s that holds half of the mean time of users, in this run", duration(seconds(w))))})
		}
	}
	return out
}

// failuresTogether counts the failures of users that do not touch in time, and how variable the time lost to one is at the most.
func failuresTogether(spent []stay) (k int, sigma float64) {
	var lengths stat.Lengths
	var end, lost int64
	for _, s := range spent {
		if !s.failed {
			continue
		}
		if k == 0 || s.begin > end {
			if k > 0 {
				lengths.Add(seconds(lost))
			}
			k, lost = k+1, 0
		}
		end, lost = max(end, s.end), lost+s.end-s.begin
	}
	if k > 0 {
		lengths.Add(seconds(lost))
	}
	return k, lengths.Sigma()
}

// worstWindow returns the least uptime of users in a window of length w that begins or ends with a change of any user, and how many windows were looked at. A window in which users were there for less than half
// as long as on the mean says little of them, and is left out: at night a single user would make the worst hour of all.
func worstWindow(spent []stay, w int64) (least float64, n int) {
	if len(spent) == 0 {
		return 0, 0
	}
	begin, end := spent[0].begin, spent[0].end
	for _, s := range spent {
		end = max(end, s.end)
	}
	if end-begin < w {
		return 0, 0
	}
	// Sums until each instant at which a stretch begins or ends, by two lines with a slope between them.
	upTo, downTo := sums(spent, false), sums(spent, true)
	mean := (upTo.at(end) + downTo.at(end)) / float64(end-begin) * float64(w)
	least = math.Inf(1)
	look := func(from int64) {
		if from < begin || from+w > end {
			return
		}
		up, down := upTo.at(from+w)-upTo.at(from), downTo.at(from+w)-downTo.at(from)
		if up+down < mean/2 || up+down <= 0 {
			return
		}
		n++
		least = math.Min(least, up/(up+down))
	}
	look(begin)
	look(end - w)
	for _, t := range downTo.times {
		look(t)
		look(t - w)
	}
	return math.Max(0, least), n
}

// A sumLine is the time of users until an instant: straight between times.
type sumLine struct {
	times []int64
	sum   []float64 // ns, until times[i]
	slope []float64 // users from there on
}

func sums(spent []stay, failed bool) sumLine {
	type change struct {
		at int64
		by float64
	}
	var changes []change
	for _, s := range spent {
		if s.failed == failed {
			changes = append(changes, change{s.begin, 1}, change{s.end, -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	var l sumLine
	sum, slope := 0.0, 0.0
	for i, c := range changes {
		if i > 0 {
			sum += slope * float64(c.at-changes[i-1].at)
		}
		slope += c.by
		if n := len(l.times); n > 0 && l.times[n-1] == c.at {
			l.slope[n-1] = slope
			continue
		}
		l.times, l.sum, l.slope = append(l.times, c.at), append(l.sum, sum), append(l.slope, slope)
	}
	return l
}

func (l *sumLine) at(t int64) float64 {
	i, found := slices.BinarySearch(l.times, t)
	if !found {
		i--
	}
	if i < 0 {
		return 0
	}
	return l.sum[i] + l.slope[i]*float64(t-l.times[i])
}

// nines returns how many nines an availability has, with its bounds.
func nines(a *assay.Finding) assay.Finding {
	f := assay.Finding{Metric: "availability/nines", Labels: a.Labels, Ledger: a.Ledger, Quantity: a.Quantity}
	q := &f.Quantity
	q.Unit = assay.Count
	if !q.Known() {
		return f
	}
	of := func(v float64) float64 { return math.Max(0, -math.Log10(1-v)) }
	q.Value, q.Lo, q.Hi = of(q.Value), of(q.Lo), of(q.Hi)
	q.Method = "−log10(1 − availability), of " + q.Method
	return f
}
