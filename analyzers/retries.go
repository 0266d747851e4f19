package analyzers

import (
	"fmt"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// Retries reports what sending failed requests again did. An attempt is what the target saw: availability, episodes and recovery count
// each of them, or retries would hide failures. A request is what its user saw: it was served if its last attempt was,
// and took from the first due on; latency and goodput count these.
type Retries struct{}

// Describe returns the metrics.
func (Retries) Describe() []assay.Desc {
	return []assay.Desc{
		{Metric: "retries/ratio", Unit: assay.Ratio, Better: "lower", Help: "Share of the requests that were sent more than once."},
		{Metric: "retries/amplification", Unit: assay.Ratio, Better: "lower", Help: "Attempts sent for each request sent: how much retries add to the load; 1 without any."},
		{Metric: "retries/served", Unit: assay.Ratio, Better: "higher", Help: "Share of the requests sent more than once that were served in the end."},
		{Metric: "retries/success", Unit: assay.Ratio, Better: "higher", Help: "Share of the requests whose last attempt was judged that were served, retries included, in this run: what users saw."},
	}
}

// Begin starts a pass.
func (Retries) Begin(f *assay.Facts) assay.Pass { return &retriesPass{f: f} }

type retriesPass struct {
	f                         *assay.Facts
	requests, attempts        int // sent
	judged, served            int // requests
	again, againServed, given int // sent more than once; of these served; refused by our cap at the end
}

func (p *retriesPass) Requests(block []assay.Request) {
	if p.f.Manifest.Attempts < 2 {
		return
	}
	var scratch assay.Request
	for i := range block {
		r := &block[i]
		if r.Canary || r.Forced {
			continue
		}
		if r.Sent != 0 {
			p.attempts++
			if r.Attempt == 0 {
				p.requests++
			}
		}
		r = facts.AsUser(p.f, r, &scratch)
		if r == nil {
			continue
		}
		if p.f.Manifest.Judged(r.Outcome) {
			p.judged++
		}
		if r.Outcome == assay.OK {
			p.served++
		}
		if r.Attempt > 0 {
			p.again++
			switch r.Outcome {
			case assay.OK:
				p.againServed++
			case assay.RefusedByCap:
				p.given++
			}
		}
	}
}

func (p *retriesPass) Finish(r *assay.Report) error {
	if p.f.Manifest.Attempts < 2 {
		return nil
	}
	add := func(metric string, a, n int, of, method string) *assay.Finding {
		f := assay.Finding{Metric: metric}
		if n == 0 {
			f.Quantity = assay.NotMeasured(assay.Ratio, "there were no such "+of)
		} else {
			f.Quantity = counted(float64(a)/float64(n), assay.Ratio, n, of, method)
			f.Evidence = []string{fmt.Sprintf("%d of %d", a, n)}
		}
		r.Findings = append(r.Findings, f)
		return &r.Findings[len(r.Findings)-1]
	}
	f := add("retries/ratio", p.again, p.requests, "requests", "requests sent more than once over requests sent")
	if p.given > 0 {
		f.Warnings = append(f.Warnings, fmt.Sprintf("our own cap refused the last attempt of %d requests", p.given))
	}
	f = add("retries/amplification", p.attempts, p.requests, "requests", "attempts sent over requests sent")
	if p.requests > 0 {
		f.Evidence = []string{fmt.Sprintf("%d attempts for %d requests", p.attempts, p.requests)}
	}
	add("retries/served", p.againServed, p.again, "requests sent again", "served in the end over requests sent more than once")
	add("retries/success", p.served, p.judged, "requests", "served by the last attempt over requests whose last attempt was judged")
	return nil
}
