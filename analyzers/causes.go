package analyzers

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/gpu"
)

// Causes
//
// A failure has one cause, as far as the evidence goes, so that rates by cause sum to the total. An error of a GPU in the minute before goes first: what died of it says no more than that it
// died. Then what is told of the instance counts: its end, its probe. The service fails by what an instance failed by at that moment; where none did, by how most of the lost requests
// ended, which is what it looked like from outside: a hang may be a crash, and an unreachable network a dead host.
const (
	failedXID      = "xid_" // and the class of the GPU's error: platform, link, gpu, node, app
	failedOOM      = "oom"
	failedCrash    = "crash"
	failedHang     = "hang"
	failedNetwork  = "network"
	failedPlatform = "platform"     // evicted, preempted, not scheduled, not routed to
	failedServer   = "server_error" // it said itself that it failed
	failedContent  = "content"      // answered wrongly
	failedUnknown  = "unknown"
)

// causeWords tell the cause by a word of what a platform says, in the order in which they count.
var causeWords = []struct {
	cause string
	words []string
}{
	{failedOOM, []string{"oom", "out of memory"}},
	{failedPlatform, []string{"evict", "preempt", "node", "schedul", "image", "spot", "quota", "throttle"}},
	{failedCrash, []string{"crash", "segfault", "killed", "signal"}},
	{failedHang, []string{"hang", "probe", "liveness", "readiness", "unhealthy", "timeout", "timed out", "deadline", "stall"}},
	{failedNetwork, []string{"network", "connection", "unreachable", "resolve", "dns", "partition"}},
}

// causeOf sorts what was told of a failure.
func causeOf(told string) string {
	told = strings.ToLower(told)
	for _, c := range causeWords {
		if slices.ContainsFunc(c.words, func(w string) bool { return strings.Contains(told, w) }) {
			return c.cause
		}
	}
	return failedUnknown
}

// causeOfInstance returns the cause of a failure of an instance.
func causeOfInstance(f *assay.Facts, e *assay.Episode) string {
	if c := xidBefore(f, e); c != "" {
		return c
	}
	return causeOf(e.Cause)
}

// causeOfService returns the cause of a failure of the service, of which the given requests were lost.
func causeOfService(f *assay.Facts, e *assay.Episode, lost map[assay.Outcome]int) string {
	if e.Cause == facts.CauseWrong {
		return failedContent
	}
	if c := xidBefore(f, e); c != "" {
		return c
	}
	for i := range f.Episodes {
		x := &f.Episodes[i]
		if x.Subject != assay.InstanceOf || x.Ledger != assay.Natural || x.Begin < e.BeginLo-atOnceWithin || x.Begin > e.End+atOnceWithin {
			continue
		}
		if c := causeOf(x.Cause); c != failedUnknown {
			return c
		}
	}
	n := map[string]int{}
	for o, k := range lost {
		n[causeOfOutcome(o)] += k
	}
	best := failedUnknown
	for _, c := range keys(n) {
		if n[c] > n[best] {
			best = c
		}
	}
	return best
}

// atOnceWithin is how far a failure of an instance and the failure of the service by it may lie apart.
const atOnceWithin = 2 * int64(1e9)

func causeOfOutcome(o assay.Outcome) string {
	switch o {
	case assay.Timeout, assay.CutStall:
		return failedHang
	case assay.Refused, assay.Reset, assay.CutRST, assay.CutFIN, assay.Unresolved:
		return failedNetwork
	case assay.Unavailable, assay.Loading:
		return failedPlatform
	case assay.BadPayload, assay.WrongContent:
		return failedContent
	case assay.ServerError:
		return failedServer
	}
	return failedUnknown
}

// xidBefore returns the cause that an error of a GPU in the minute before is, or "". One that hit other instances, as far as is told, is none of an instance's.
func xidBefore(f *assay.Facts, e *assay.Episode) string {
	for i := range f.Episodes {
		x := &f.Episodes[i]
		if x.Subject == assay.GPU && x.Ledger == assay.Natural && gpu.Class(x.Class).Failure() && x.Begin <= e.Begin+int64(1e9) && e.Begin <= x.Begin+endedWithin &&
			(e.Subject != assay.InstanceOf || len(x.Hit) == 0 || slices.Contains(x.Hit, e.Instance)) {
			return failedXID + x.Class
		}
	}
	return ""
}

// lostBy counts the lost requests of episodes by how they ended.
type lostBy map[*assay.Episode]map[assay.Outcome]int

// add counts a request for the episode of es, in order, in which it was lost.
func (l lostBy) add(f *assay.Facts, es []*assay.Episode, r *assay.Request) {
	if len(es) == 0 || !f.Manifest.Failed(r.Outcome) || r.Forced {
		return
	}
	at := facts.Stand(f.Faults, r)
	i := sort.Search(len(es), func(i int) bool { return es[i].Begin > at }) - 1
	if i < 0 || at > es[i].End {
		return
	}
	if l[es[i]] == nil {
		l[es[i]] = map[assay.Outcome]int{}
	}
	l[es[i]][r.Outcome]++
}

// nameCauses gives the natural episodes of the report the causes that rates count them by, and those of the service, of which nothing else told the cause, that as theirs. The facts stay
// as they are.
func nameCauses(f *assay.Facts, r *assay.Report, lost lostBy) {
	if len(r.Episodes) != len(f.Episodes) {
		return
	}
	r.Episodes = slices.Clone(r.Episodes)
	for i := range r.Episodes {
		e, fact := &r.Episodes[i], &f.Episodes[i]
		switch {
		case e.Ledger != assay.Natural:
		case e.Subject == assay.Service:
			e.CountedBy = causeOfService(f, fact, lost[fact])
			e.Cause = cmp.Or(e.Cause, e.CountedBy)
		case e.Subject == assay.InstanceOf:
			e.CountedBy = causeOfInstance(f, fact)
		}
	}
}

// asTold is what was told of the cause of a failure in words of its own, or "".
func asTold(e *assay.Episode) string {
	if e.Cause == "" || e.Instance == "" {
		return e.Cause
	}
	return "such as " + e.Instance + ": " + strings.ReplaceAll(e.Cause, "_", " ")
}
