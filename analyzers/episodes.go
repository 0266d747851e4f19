package analyzers

import (
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Episodes puts the shared facts into the report: phases, ledgers, episodes and lives. It says for how long the service was good, bad or unknown, and how much the number
// of its episodes hangs on what one is.
type Episodes struct{}

// Describe returns the metrics.
func (Episodes) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "episodes/service", Unit: assay.Count, Better: "lower", Help: "Natural failure episodes of the service; the interval is their number by other rules, with the counts and gaps that begin, end and join episodes halved and doubled."},
		{Metric: "watch/good", Unit: assay.Seconds, Help: "Natural time for which requests, counters or probes say that the service was good. Good, bad and unknown sum to the natural time."},
		{Metric: "watch/bad", Unit: assay.Seconds, Better: "lower", Help: "Natural time inside failure episodes of the service; the interval is what lies open at their ends."},
		{Metric: "watch/unknown", Unit: assay.Seconds, Better: "lower", Help: "Natural time for which nothing tells whether the service was good: neither up nor down, and in no exposure."},
	}
}

// Begin starts a pass.
func (Episodes) Begin(f *assay.Facts) assay.Pass {
	rules := facts.RulesOf(f.Manifest, f.Phases)
	return &episodesPass{f: f, watch: watchOf(f), rules: rules,
		strict: facts.NewDetector(rules.Scaled(0.5), f.Faults), loose: facts.NewDetector(rules.Scaled(2), f.Faults)}
}

type episodesPass struct {
	f             *assay.Facts
	watch         facts.Watch
	rules         facts.Rules
	strict, loose *facts.Detector // definitions halved and doubled
}

func (p *episodesPass) Requests(block []assay.Request) {
	for i := range block {
		p.watch.Add(&block[i])
		if !block[i].Canary && !block[i].Forced {
			p.strict.Add(&block[i])
			p.loose.Add(&block[i])
		}
	}
}

func (p *episodesPass) Finish(r *assay.Report) error {
	r.Phases, r.Segments, r.Episodes, r.Lives = p.f.Phases, p.f.Segments, p.f.Episodes, p.f.Lives
	if w := outside(p.f); w != "" {
		r.Warnings = append(r.Warnings, w)
	}
	cut := 0
	for i := range r.Episodes {
		if e := &r.Episodes[i]; e.Ledger == assay.Natural && (e.LeftCensored || e.RightCensored) {
			cut++
		}
	}
	if cut > 0 {
		length := "their length is"
		if cut == 1 {
			length = "its length is"
		}
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s began before the watch or had not ended with it: %s a lower bound, and the MTBF of the service counts none that it was down by from the first", things(cut, "natural episode"), length))
	}
	r.Findings = append(r.Findings, p.number())
	r.Findings = append(r.Findings, p.states()...)
	return nil
}

// number counts the natural episodes of the service, by the rules and by others.
func (p *episodesPass) number() assay.Finding {
	f := p.f
	out := assay.Finding{Metric: "episodes/service", Ledger: assay.Natural}
	shown, canaries, left, right := 0, 0, 0, 0
	for i := range f.Episodes {
		e := &f.Episodes[i]
		if e.Subject != assay.Service || e.Ledger != assay.Natural {
			continue
		}
		if e.Cause == facts.CauseCanary || e.Cause == facts.CauseWrong {
			canaries++
		} else {
			shown++
		}
		if e.LeftCensored {
			left++
		}
		if e.RightCensored {
			right++
		}
	}
	n := shown + canaries
	if left+right > 0 {
		out.Evidence = append(out.Evidence, fmt.Sprintf("%d had begun when first seen, %d had not ended when last seen", left, right))
	}
	switch {
	case isCounted(f):
		out.Quantity = counted(float64(n), assay.Count, n, "episodes", "three failed or more in one step of counters, and half of those judged; no other rule was tried")
		out.Evidence = append(out.Evidence, countedBy(f))
	case isProbed(f):
		few, many := min(n, f.Probed.Few), max(n, f.Probed.Many)
		out.Quantity = measured(float64(n), float64(few), float64(many), assay.Count, n, "episodes", "begin with two failed looks in a row, end with two good ones; interval: these numbers halved and doubled")
		out.Evidence = append(out.Evidence, probedBy(f))
		if 2*few < n || many > 2*n || n == 0 && many > 0 {
			out.Warnings = append(out.Warnings, hangs(n, few, many))
		}
	case len(p.watch.Spans) == 0:
		out.Quantity = assay.NotMeasured(assay.Count, "no request was judged")
	default:
		few, many := naturals(f, p.loose.Finish(f.End))+canaries, naturals(f, p.strict.Finish(f.End))+canaries
		out.Quantity = measured(float64(n), float64(min(few, many, n)), float64(max(few, many, n)), assay.Count, n, "episodes",
			fmt.Sprintf("begin with %d failures in a row or %.0f %% of %d, end with %d good ones, joined within %s; interval: these numbers halved and doubled",
				p.rules.Enter, 100*p.rules.Ratio, p.rules.Least, p.rules.Leave, duration(seconds(p.rules.Merge))))
		if 2*few < n || many > 2*n || n == 0 && many > 0 {
			out.Warnings = append(out.Warnings, hangs(n, few, many))
		}
	}
	return out
}

// hangs says that a number of episodes is one of definition.
func hangs(n, few, many int) string {
	return fmt.Sprintf("the count hangs on the definition of an episode: %d as defined, %d with its numbers halved, %d with them doubled", n, many, few)
}

func naturals(f *assay.Facts, es []assay.Episode) int {
	n := 0
	for i := range es {
		if l, _ := f.At(es[i].Begin); l == assay.Natural {
			n++
		}
	}
	return n
}

// states returns for how long the service was good, bad and unknown.
func (p *episodesPass) states() []assay.Finding {
	f := p.f
	natural := facts.Within(f, assay.Natural, f.Begin, f.End)
	if len(p.watch.Spans) == 0 {
		no := assay.NotMeasured(assay.Seconds, "no request was judged")
		return []assay.Finding{{Metric: "watch/good", Ledger: assay.Natural, Quantity: no}, {Metric: "watch/bad", Ledger: assay.Natural, Quantity: no},
			{Metric: "watch/unknown", Ledger: assay.Natural, Quantity: stretch(natural, natural, natural, 1, "run", "all of the natural time")}}
	}
	s := p.watch.States(f, assay.Natural)
	var open int64 // what lies open at the ends of episodes
	n := 0
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.Service && e.Ledger == assay.Natural {
			n++
			open += e.Begin - e.BeginLo
			if !e.RightCensored {
				open += e.EndHi - e.End
			}
		}
	}
	open /= 2
	of := fmt.Sprintf("%s of natural time", duration(seconds(natural)))
	return []assay.Finding{
		{Metric: "watch/good", Ledger: assay.Natural, Quantity: stretch(s.Good, max(0, s.Good-open), min(natural, s.Good+open), max(1, n), "episodes", "known time outside of episodes, of "+of)},
		{Metric: "watch/bad", Ledger: assay.Natural, Quantity: stretch(s.Bad, max(0, s.Bad-open), min(natural, s.Bad+open), n, "episodes", "known time inside of episodes, of "+of+"; interval: what lies open at their ends")},
		{Metric: "watch/unknown", Ledger: assay.Natural, Quantity: stretch(s.Unknown, s.Unknown, s.Unknown, 1, "run", "time for which nothing tells, of "+of)},
	}
}

// outside says which failures of instances lie before the watch or after it.
func outside(f *assay.Facts) string {
	if len(f.Outside) == 0 {
		return ""
	}
	e := f.Outside[0]
	where := "before it"
	off := f.Begin - e.Begin
	if off < 0 {
		where, off = "after it", e.Begin-f.End
	}
	return fmt.Sprintf("natural failures of instances outside of the %s that requests watched are in no count: %d, such as %s of %s %s %s", duration(seconds(f.End-f.Begin)), len(f.Outside), e.Cause, e.Instance, duration(seconds(off)), where)
}
