package analyzers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Canary reports what the requests with known answers showed. A target that answers quickly with garbage looks well to all others. Where
// they met several ledgers, what is said without one is natural: faults and overload are told apart.
type Canary struct{}

// Describe returns the metrics.
func (Canary) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "canary/wrong", Unit: assay.Ratio, Better: "lower", Help: "Share of the answered canaries whose content was not what was expected; outside faults and overload, or with ledger of those in that ledger."},
		{Metric: "canary/failed", Unit: assay.Ratio, Better: "lower", Help: "Share of the judged canaries that failed in any way, wrong content included; outside faults and overload, or with ledger of those in that ledger."},
		{Metric: "canary/first_wrong", Unit: assay.Seconds, Better: "higher", Help: "From the begin of the run until the first canary with wrong content was due; outside faults and overload, or with ledger in that ledger."},
	}
}

// Begin starts a pass.
func (Canary) Begin(f *assay.Facts) assay.Pass {
	return &canaryPass{f: f, ledgers: map[string]*canaryCount{}}
}

// canaryCount is what the canaries of one ledger showed.
type canaryCount struct {
	answered, wrong, judged, failed, silent int

	first  int64          // due of the first wrong one
	lacked map[string]int // what was lacking
}

type canaryPass struct {
	f       *assay.Facts
	ledgers map[string]*canaryCount
}

func (p *canaryPass) Requests(block []assay.Request) {
	for i := range block {
		r := &block[i]
		if !r.Canary {
			continue
		}
		ledger, _ := facts.LedgerOf(p.f, r)
		c := p.ledgers[string(ledger)]
		if c == nil {
			c = &canaryCount{lacked: map[string]int{}}
			p.ledgers[string(ledger)] = c
		}
		wrong := r.Outcome == assay.WrongContent || r.Outcome == assay.BadPayload
		if wrong {
			c.wrong++
			if c.first == 0 {
				c.first = r.Due
			}
			if len(c.lacked) < 100 {
				c.lacked[r.Error]++
			}
		}
		if wrong || r.Outcome == assay.OK {
			c.answered++
		}
		switch {
		case r.Outcome.Failed():
			c.judged++
			c.failed++
		case r.Outcome == assay.OK:
			c.judged++
		default:
			c.silent++
		}
	}
}

func (p *canaryPass) Finish(r *assay.Report) error {
	ledgers := keys(p.ledgers)
	switch len(ledgers) {
	case 0: // the run has no canary
	case 1:
		p.report(r, p.ledgers[ledgers[0]], assay.Ledger(ledgers[0]), nil)
	default:
		natural := p.ledgers[string(assay.Natural)]
		if natural == nil {
			natural = &canaryCount{}
		}
		p.report(r, natural, assay.Natural, nil)
		for _, l := range ledgers {
			p.report(r, p.ledgers[l], assay.Ledger(l), map[string]string{"ledger": l})
		}
	}
	return nil
}

func (p *canaryPass) report(r *assay.Report, c *canaryCount, ledger assay.Ledger, labels map[string]string) {
	p.ratios(r, c, ledger, labels)
	f := assay.Finding{Metric: "canary/first_wrong", Ledger: ledger, Labels: labels}
	if c.first == 0 {
		f.Quantity = assay.NotMeasured(assay.Seconds, "no canary had wrong content")
	} else {
		res := p.f.Manifest.Resolution
		at := c.first - p.f.Begin
		// The answer may have been wrong since the canary before.
		f.Quantity = stretch(at, max(0, at-p.f.Manifest.Canary), at+res, c.answered, "canary requests", "due of the first wrong answer; interval back to the canary before")
	}
	r.Findings = append(r.Findings, f)
}

func (p *canaryPass) ratios(r *assay.Report, c *canaryCount, ledger assay.Ledger, labels map[string]string) {
	share := func(metric string, bad, n int, method string) *assay.Finding {
		f := assay.Finding{Metric: metric, Labels: labels, Ledger: ledger}
		if n == 0 {
			f.Quantity = assay.NotMeasured(assay.Ratio, "no canary was answered")
		} else {
			f.Quantity = counted(float64(bad)/float64(n), assay.Ratio, n, "canary requests", method)
			f.Evidence = []string{fmt.Sprintf("%d of %d", bad, n)}
		}
		r.Findings = append(r.Findings, f)
		return &r.Findings[len(r.Findings)-1]
	}
	f := share("canary/wrong", c.wrong, c.answered, "answers with wrong content over answers")
	if c.wrong > 0 {
		f.Evidence[0] += fmt.Sprintf(", the first due at %s: %s", duration(seconds(c.first-p.f.Begin)), c.lacking())
	}
	f = share("canary/failed", c.failed, c.judged, "failed over judged canaries")
	if c.silent > 0 {
		f.Warnings = append(f.Warnings, fmt.Sprintf("%d canaries were throttled or unfinished and judge nothing", c.silent))
	}
}

// lacking lists what the wrong answers lacked, most frequent first.
func (c *canaryCount) lacking() string {
	list := keys(c.lacked)
	slices.SortStableFunc(list, func(a, b string) int { return c.lacked[b] - c.lacked[a] })
	const most = 3
	if len(list) > most {
		list = append(list[:most:most], fmt.Sprintf("and %d other causes", len(list)-most))
	}
	return strings.Join(list, "; ")
}

// wrongTimes are the stretches, in order, in which the canary's answers were known to be wrong.
type wrongTimes [][2]int64

func wrongTimesOf(f *assay.Facts) wrongTimes {
	var out wrongTimes
	for i := range f.Episodes {
		if e := &f.Episodes[i]; e.Subject == assay.Service && e.Cause == facts.CauseWrong {
			out = append(out, [2]int64{e.Begin, e.End})
		}
	}
	return out
}

func (w wrongTimes) at(t int64) bool {
	for _, s := range w {
		if s[0] <= t && t <= s[1] {
			return true
		}
	}
	return false
}

// loadShown counts the episodes that not the canary alone shows.
func loadShown(service []*assay.Episode) int {
	n := 0
	for _, e := range service {
		if e.Cause != facts.CauseWrong && e.Cause != facts.CauseCanary {
			n++
		}
	}
	return n
}
