package analyzers

import (
	"cmp"
	"fmt"
	"maps"
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
// (Hauer et al., Meaningful Availability, NSDI 2020). A user is who requests say that they belong to, a person or a session; where none says, a class of requests stands for a user, and every
// figure says so. A request that was tried again counts as its user saw it in the end. A gap longer than the cut-off is time
// in which the user was away: thirty seconds, or ten of their own mean gaps so far where that is longer, and at most half an hour. What users share is not independent, so that failures of
// several users that touch in time are one failure in the interval.
//
// The windowed form is the least uptime, over all users together, in any window of a length: one long outage leaves short windows at zero, and as much in small pieces does not.
//
// Of more users than can be followed a part is, chosen by a hash of their names and so without regard to how they fared.

// mostUsers bounds the users that are followed.
const mostUsers = 1 << 16

// mostStays bounds the stretches that are kept.
const mostStays = 1 << 20

// uptime follows the users of the natural ledger.
type uptime struct {
	f         *assay.Facts
	named     bool // requests tell their users; else classes stand for them
	nameless  int  // requests that tell no user where others do
	users     map[uint64]*user
	halvings  int // each of which let go of half of the users
	stays     []stay
	scratch   assay.Request
	limit     int // 0: mostUsers
	stayLimit int // 0: mostStays

	down int64 // ns of users' time, once findings were asked for
}

// kind is what a user is here: a class of requests stands for one where no request tells its user.
func (u *uptime) kind() string {
	if u.named {
		return "users"
	}
	return "classes"
}

// who says who the users are.
func (u *uptime) who() string {
	s := fmt.Sprintf("%d users", len(u.users))
	if u.halvings > 0 {
		s += fmt.Sprintf(" of about %.2g, chosen by a hash of their names", math.Ldexp(float64(len(u.users)), u.halvings))
	}
	if !u.named {
		s += " by the class of their requests"
	}
	return s
}

// A stay is a stretch for which a user was there and stood the same.
type stay struct {
	begin, end int64
	failed     bool
	who        uint64
}

// A user is where one stands.
type user struct {
	name   string
	open   stay
	last   int64
	bad    bool
	gaps   int64 // sum of gaps
	n      int   // judged requests
	failed int   // of these
}

// add takes the next request in order of Due.
func (u *uptime) add(r *assay.Request) {
	if r = facts.AsUser(u.f, r, &u.scratch); r == nil || r.Canary || r.Forced || !u.f.Manifest.Judged(r.Outcome) {
		return
	}
	name := r.User
	switch {
	case name != "" && !u.named: // no class stands for a user from here
		u.nameless = 0
		for _, x := range u.users {
			u.nameless += x.n
		}
		u.named, u.users, u.stays, u.halvings = true, nil, u.stays[:0], 0
	case name == "" && u.named:
		u.nameless++
		return
	case name == "":
		name = r.Class
	}
	if name == "" {
		u.nameless++
		return
	}
	who := facts.UserHash(name)
	if !u.follows(who) {
		return
	}
	x := u.users[who]
	if x == nil {
		if u.users == nil {
			u.users = map[uint64]*user{}
		}
		x = &user{name: strings.Clone(name)}
		u.users[who] = x
		for len(u.users) > cmp.Or(u.limit, mostUsers) {
			u.halve()
		}
		if !u.follows(who) {
			return
		}
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
			x.open = stay{x.last, r.Due, x.bad, who}
		}
	}
	x.last, x.bad = r.Due, r.Outcome.Failed()
	x.n++
	if x.bad {
		x.failed++
	}
}

// follows reports whether a user is among those that are followed.
func (u *uptime) follows(who uint64) bool { return who>>(64-u.halvings) == 0 }

// halve lets go of half of the users, whoever they are.
func (u *uptime) halve() {
	u.halvings++
	for who := range u.users {
		if !u.follows(who) {
			delete(u.users, who)
		}
	}
	u.stays = slices.DeleteFunc(u.stays, func(s stay) bool { return !u.follows(s.who) })
}

func (u *uptime) keep(s stay) {
	if s.end > s.begin && u.follows(s.who) {
		u.stays = append(u.stays, s)
		for len(u.stays) > cmp.Or(u.stayLimit, mostStays) && u.halvings < 60 {
			u.halve()
		}
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
	if len(u.users) == 0 {
		f.Quantity = assay.NotMeasured(assay.Ratio, "no request of the natural ledger tells its user, or a class that could stand for one")
		return []assay.Finding{f}
	}
	for _, who := range slices.Sorted(maps.Keys(u.users)) {
		u.keep(u.users[who].open)
	}
	var spent []stay
	for _, s := range u.stays {
		for i := range u.f.Segments {
			if g := &u.f.Segments[i]; g.Ledger == assay.Natural {
				if b, e := max(s.begin, g.Begin), min(s.end, g.End); b < e {
					spent = append(spent, stay{begin: b, end: e, failed: s.failed, who: s.who})
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
	u.down = down
	evidence := []string{fmt.Sprintf("%s, %s there and up, %s down", u.who(), duration(seconds(up)), duration(seconds(down)))}
	if !u.named {
		evidence = append(evidence, "no request tells its user: a class of requests stands for one")
	}
	if n := u.nameless; u.named && n > 0 {
		evidence = append(evidence, fmt.Sprintf("%d judged requests tell no user and are not in it", n))
	}
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
				Quantity: counted(v, assay.Ratio, len(u.users), u.kind(), fmt.Sprintf("least share of users' time that was up in any %s that holds half of the mean time of users, in this run", duration(seconds(w))))})
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
