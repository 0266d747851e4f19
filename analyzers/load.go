package analyzers

import (
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Load reports what was offered, what was sent and what came back good.
type Load struct{}

// Describe returns the metrics.
func (Load) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "goodput", Unit: assay.PerSecond, Better: "higher", Help: "Requests per second, by due, that were served within the latency objectives, outside faults where the plan has some; steady phases, or one phase."},
		{Metric: "load/offered", Unit: assay.PerSecond, Help: "Requests per second that were due; steady phases, or one phase."},
		{Metric: "load/sent", Unit: assay.PerSecond, Help: "Requests per second that were sent; less than offered where our own cap refused."},
	}
}

// Begin starts a pass.
func (Load) Begin(f *assay.Facts) assay.Pass {
	return &loadPass{f: f, limits: facts.LimitsOf(f.Manifest), phases: map[string]*loadCount{}}
}

// loadCount counts requests. Of the users', each of whose requests counts once however often it was sent, calm ones met no fault.
type loadCount struct{ offered, sent, users, calm, good, capped int }

func (c *loadCount) join(o *loadCount) {
	c.offered, c.sent, c.users, c.calm, c.good, c.capped = c.offered+o.offered, c.sent+o.sent, c.users+o.users, c.calm+o.calm, c.good+o.good, c.capped+o.capped
}

type loadPass struct {
	f      *assay.Facts
	limits facts.Limits
	phases map[string]*loadCount
}

func (p *loadPass) Requests(block []assay.Request) {
	var c *loadCount
	last := ""
	var scratch assay.Request
	for i := range block {
		r := &block[i]
		if r.Canary || r.Forced {
			continue
		}
		if c == nil || r.Phase != last {
			last = r.Phase
			if c = p.phases[last]; c == nil {
				c = &loadCount{}
				p.phases[last] = c
			}
		}
		if r.Attempt == 0 {
			c.offered++
		}
		if r.Sent != 0 {
			c.sent++
		}
		if u := facts.AsUser(p.f, r, &scratch); u != nil {
			c.users++
			if faultOf(p.f, u) == "" {
				c.calm++
				if u.Outcome == assay.OK && p.limits.Missed(u) == nil {
					c.good++
				}
			}
		}
		if r.Outcome == assay.RefusedByCap {
			c.capped++
		}
	}
}

func (p *loadPass) Finish(r *assay.Report) error {
	var sum loadCount
	var steady int64
	for i := range p.f.Phases {
		ph := &p.f.Phases[i]
		c := p.phases[ph.Name]
		if c == nil || ph.Role == assay.RoleIdle || ph.Role == assay.RoleCold || ph.End <= ph.Begin {
			continue
		}
		p.report(r, c, ph.End-ph.Begin, map[string]string{"phase": ph.Name})
		if ph.Role == assay.RoleSteady {
			sum.join(c)
			steady += ph.End - ph.Begin
		}
	}
	if len(p.f.Phases) == 0 {
		for _, name := range keys(p.phases) {
			sum.join(p.phases[name])
		}
		steady = p.f.End - p.f.Begin
	}
	p.report(r, &sum, steady, nil)
	return nil
}

func (p *loadPass) report(r *assay.Report, c *loadCount, length int64, labels map[string]string) {
	for _, m := range []struct {
		metric string
		n      int
		method string
	}{
		{"load/offered", c.offered, "requests due, over the length of the phase"},
		{"load/sent", c.sent, "requests sent, over the length of the phase"},
		{"goodput", c.good, "requests due in the phase and served within the latency objectives, over its length"},
	} {
		f := assay.Finding{Metric: m.metric, Labels: labels}
		apart := m.metric == "goodput" && len(p.f.Faults) > 0
		switch {
		case length <= 0 || c.offered == 0:
			f.Quantity = assay.NotMeasured(assay.PerSecond, "no load was planned")
		case apart && c.calm == 0:
			f.Quantity = assay.NotMeasured(assay.PerSecond, "no request was planned outside fault windows and washouts")
		case apart:
			f.Quantity = counted(float64(c.good)/float64(c.calm)*float64(c.users)/seconds(length), assay.PerSecond, c.good, "requests",
				"requests outside fault windows and washouts that were served within the latency objectives, over their share of the length of the phase")
		default:
			f.Quantity = counted(float64(m.n)/seconds(length), assay.PerSecond, m.n, "requests", m.method)
		}
		if apart {
			f.Ledger = calmLedger(p.f, labels)
		}
		if m.metric == "goodput" && c.capped > 0 {
			f.Warnings = []string{fmt.Sprintf("our own cap refused %d", c.capped)}
		}
		r.Findings = append(r.Findings, f)
	}
}
