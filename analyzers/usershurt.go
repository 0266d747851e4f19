package analyzers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// Who was hurt
//
// The users whom failures of the natural ledger hurt, and how badly. They are told only where requests tell their users: a class is not a person, and what its
// requests got stands by class already.
//
// The intervals take users as the clusters, since the requests of one fare alike: they speak of further users under the failures of this run, and not of other runs, whose failures are others.
// For the same reason users do not take the place of episodes in the intervals of availability: an outage is shared by all who are there, and to count it once for each would
// make many failures of one.

// hurtShares are the shares of their requests for which users who lost more are counted.
var hurtShares = []struct {
	label string
	share float64
}{{"1%", .01}, {"10%", .10}, {"50%", .50}}

// mostGroups bounds the groups of users of which each is left out once for an interval.
const mostGroups = 100

// worstUsers is how many users are named.
const worstUsers = 5

func describeUsers() []assay.Desc {
	return []assay.Desc{
		{Metric: "users/seen", Unit: assay.Count, Help: "Users and sessions whose requests were judged in the natural ledger."},
		{Metric: "users/hurt", Unit: assay.Ratio, Better: "lower", Help: "Share of users with a request that failed in the natural ledger; label over (1%, 10%, 50%): with more than that share of theirs failed."},
		{Metric: "users/error_ratio", Unit: assay.Ratio, Better: "lower", Help: "Share of judged requests of the natural ledger that failed, of those that tell their user; interval over users, whose requests fare alike."},
		{Metric: "users/lost_time", Unit: assay.Seconds, Better: "lower", Help: "For how long users were down in the natural ledger, all together: each from a request that failed until their next."},
	}
}

// hurt returns how many users were hurt. It is asked after findings.
func (u *uptime) hurt() []assay.Finding {
	if !u.named {
		because := noUser
		if u.nameless == 0 && len(u.users) == 0 {
			because = "no request of the natural ledger was judged"
		}
		var out []assay.Finding
		for _, d := range describeUsers() {
			out = append(out, assay.Finding{Metric: d.Metric, Ledger: assay.Natural, Quantity: assay.NotMeasured(d.Unit, because)})
		}
		return out
	}
	all := slices.SortedFunc(maps.Values(u.users), func(a, b *user) int {
		return cmp.Or(cmp.Compare(b.failed, a.failed), cmp.Compare(a.n, b.n), strings.Compare(a.name, b.name))
	})
	n := len(all)
	var failed, judged int
	for _, x := range all {
		failed, judged = failed+x.failed, judged+x.n
	}
	of := func(over float64) assay.Quantity {
		k := 0
		for _, x := range all {
			if x.failed > 0 && float64(x.failed) > over*float64(x.n) {
				k++
			}
		}
		in := stat.Wilson(float64(k), float64(n), Confidence)
		return assay.Quantity{Value: float64(k) / float64(n), Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Ratio, N: n, Of: "users", Basis: assay.Estimated,
			Method: "share of users; Wilson interval over users: for further users under the failures of this run"}
	}
	seen := assay.Finding{Metric: "users/seen", Ledger: assay.Natural, Quantity: counted(float64(n), assay.Count, n, "users", "users whose requests were judged"), Evidence: []string{u.who()}}
	if u.halvings > 0 {
		seen.Warnings = []string{"there are more users than are followed: " + u.who() + "; shares are of those"}
	}
	if u.nameless > 0 {
		seen.Warnings = append(seen.Warnings, fmt.Sprintf("%d judged requests tell no user and are not in the figures of users", u.nameless))
	}
	any := assay.Finding{Metric: "users/hurt", Ledger: assay.Natural, Quantity: of(0), Evidence: worst(all)}
	out := []assay.Finding{seen, any}
	for _, h := range hurtShares {
		out = append(out, assay.Finding{Metric: "users/hurt", Labels: map[string]string{"over": h.label}, Ledger: assay.Natural, Quantity: of(h.share)})
	}
	return append(out,
		assay.Finding{Metric: "users/error_ratio", Ledger: assay.Natural, Quantity: overUsers(u.users, failed, judged)},
		assay.Finding{Metric: "users/lost_time", Ledger: assay.Natural,
			Quantity: counted(seconds(u.down), assay.Seconds, n, "users", "time of users from a request that failed until their next, within the cut-off of inactivity")})
}

// worst names the users with the most failed requests, most first.
func worst(all []*user) []string {
	var parts []string
	for i, x := range all {
		if i == worstUsers || x.failed == 0 {
			break
		}
		parts = append(parts, fmt.Sprintf("%s %d of %d", x.name, x.failed, x.n))
	}
	if parts == nil {
		return nil
	}
	return []string{"lost most: " + strings.Join(parts, ", ")}
}

// overUsers is the share of requests that failed, with an interval that leaves out one user at a time, or one of a hundred groups of them.
func overUsers(users map[uint64]*user, failed, judged int) assay.Quantity {
	if len(users) < 2 {
		return assay.NotEstimable(assay.Ratio, len(users), "users", "one user is no sample of users: want 2 at least")
	}
	if failed == 0 {
		in := stat.ClopperPearson(0, len(users), Confidence)
		return assay.Quantity{Value: 0, Lo: 0, Hi: in.Hi, Confidence: Confidence, Unit: assay.Ratio, N: len(users), Of: "users", Basis: assay.Estimated,
			Method: "no request failed; bound: the share of users that can have lost any (Clopper-Pearson over users)"}
	}
	groups := min(len(users), mostGroups)
	bad, of := make([]int, groups), make([]int, groups)
	for i, who := range slices.Sorted(maps.Keys(users)) { // by hash: chance decides the groups
		bad[i%groups] += users[who].failed
		of[i%groups] += users[who].n
	}
	v, spread := stat.Jackknife(groups, Confidence, func(without int) float64 {
		if without < 0 {
			return float64(failed) / float64(judged)
		}
		return float64(failed-bad[without]) / float64(judged-of[without])
	})
	se := (spread.Hi - spread.Lo) / 2 / stat.StudentT(1-(1-Confidence)/2, float64(groups-1))
	in := stat.KornGraubard(v, se, judged, groups-1, Confidence)
	return assay.Quantity{Value: v, Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Ratio, N: len(users), Of: "users", Basis: assay.Estimated,
		Method: fmt.Sprintf("failed of judged requests; Korn and Graubard's interval, standard error by the jackknife over %d groups of users: for further users under the failures of this run", groups)}
}
