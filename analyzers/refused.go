package analyzers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/assay-dev/assay"
)

// mostReasons bounds the texts that are kept of what a target says to requests that it refuses.
const mostReasons = 64

// refuse takes a request that the target refused as wrong in itself.
func (p *validityPass) refuse(r *assay.Request) {
	if p.refused++; p.why == nil {
		p.why = map[string]int{}
	}
	if _, known := p.why[r.Error]; known || len(p.why) < mostReasons {
		p.why[r.Error]++
	}
}

// itself checks that not all that was asked was wrong in itself: a model or a path that is not there. Beside requests that are served, a 4xx is a failure like others, since
// the plan asks for nothing that was not there before. Requests that others made and recorded may all be wrong.
func (p *validityPass) itself(check checkFunc) {
	n := p.refused
	if p.heard > 0 || p.f.Manifest.Imported {
		n = 0
	}
	q := counted(float64(n), assay.Count, p.total, "requests", "refused with a 4xx, where nothing else was answered")
	if p.total == 0 {
		q = assay.NotMeasured(assay.Count, "no request was recorded")
	}
	why := ""
	for _, text := range keys(p.why) {
		if why == "" || p.why[text] > p.why[why] {
			why = text
		}
	}
	check("refused", q, "none, where nothing else was answered", n == 0,
		fmt.Sprintf("the target refused the request itself, all %d times (%s): it says nothing of how it serves", n, cmp.Or(why, "a 4xx")), "")
}

// ranks are the rules whose breach explains the others, first those that go first: a target that refuses our requests makes them late and few, not the other way round.
var ranks = []string{"credential", "refused", "unrecorded"}

// rank puts first what explains the rest.
func rank(t *assay.Trust) {
	type problem struct{ rule, text string }
	all := make([]problem, len(t.Problems))
	for i := range all {
		all[i] = problem{t.Rules[i], t.Problems[i]}
	}
	of := func(rule string) int {
		if i := slices.Index(ranks, rule); i >= 0 {
			return i
		}
		return len(ranks)
	}
	slices.SortStableFunc(all, func(a, b problem) int { return of(a.rule) - of(b.rule) })
	for i, x := range all {
		t.Rules[i], t.Problems[i] = x.rule, x.text
	}
}
