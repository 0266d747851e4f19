package analyzers

import (
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/promrules"
)

// A badDue counts requests that were bad by when they were due: an alert is about the incident in which they were sent, however late they ended.
type badDue struct {
	begin, width int64
	bins         []int
}

func newBadDue(f *assay.Facts) *badDue {
	width := max(int64(100*time.Millisecond), (f.End-f.Begin)/sloBins+1)
	return &badDue{f.Begin, width, make([]int, (f.End-f.Begin)/width+1)}
}

func (b *badDue) bin(t int64) int { return min(max(0, int((t-b.begin)/b.width)), len(b.bins)-1) }

// between is how many were due from one instant to another, to the bin.
func (b *badDue) between(from, to int64) int {
	if to < from {
		return 0
	}
	return summed(b.bins[b.bin(from) : b.bin(to)+1])
}

// anyPromise stands for all promises and all failures, which a person's own rule may be about.
const anyPromise = ""

// count tells a request to the promises that it broke.
func (p *replayPass) count(r *assay.Request) {
	bad := r.Outcome.Bad()
	for i := range p.slos {
		s := &p.slos[i]
		if !s.Good.Own() {
			continue
		}
		if counts, good := goodFor(&s.Good, r); counts && !good {
			b := p.due[s.Name]
			b.bins[b.bin(r.Due)]++
			bad = true
		}
	}
	if bad {
		b := p.due[anyPromise]
		b.bins[b.bin(r.Due)]++
	}
}

// belongs reports whether an alert that fired at an instant is about an incident that began before: the incident had not ended longer ago than the alert looks back, and of the bad
// requests that it saw since not more were due after the incident than in it.
func (p *replayPass) belongs(x *assay.Replay, in incident, at, made int64) bool {
	back := p.back(x)
	if in.begin > at || at > in.end+back+x.Step+made {
		return false
	}
	b := p.due[x.SLO]
	if b == nil { // a promise on metrics: nothing tells its events one by one
		return true
	}
	from := max(in.begin, at-back-x.Step-made)
	return b.between(in.end+b.width, at) <= b.between(from, min(in.end, at))
}

// back is how far an alert looks back for what calls it: over the longest of the short windows of a promise's rule, which must all hold what is bad, or over all that a person's own
// rule asks for.
func (p *replayPass) back(x *assay.Replay) int64 {
	for i := range p.slos {
		if s := &p.slos[i]; s.Name == x.SLO {
			longest := time.Duration(0)
			for _, pair := range promrules.Pairs(time.Duration(s.Window)) {
				if pair.Severity == x.Severity {
					longest = max(longest, p.scaled(pair.Short))
				}
			}
			for _, a := range s.Alerts {
				if a.Severity == x.Severity {
					longest = max(longest, p.scaled(time.Duration(a.Over)))
				}
			}
			return int64(longest)
		}
	}
	return x.Longest
}
