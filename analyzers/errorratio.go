package analyzers

import (
	"fmt"
	"math"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// errorHelp is what error_ratio is, for all who list it.
const errorHelp = "Share of the requests of the natural ledger that were sent and not served: failed, answered with a 4xx, or turned away by the target. " +
	"Only what our own cap refused, what the end of the run cut short, canaries and forced cold starts are left out. Each bound of the interval holds at 95 % by itself."

// notServed counts the requests that [assay.Outcome.Bad] is about, of those that [assay.Outcome.Counts] counts, in order of due.
type notServed struct {
	bad    int
	client int // of these, answered with a 4xx
	blocks stretches
	spells stat.Spells
}

// add takes the next request of a ledger.
func (s *notServed) add(r *assay.Request) {
	if r.Canary || r.Forced || !r.Outcome.Counts() {
		return
	}
	bad := r.Outcome.Bad()
	if bad {
		s.bad++
	}
	if r.Outcome == assay.ClientError {
		s.client++
	}
	s.blocks.add(bad)
	s.spells.Add(bad)
}

// ratio returns the share with the bound of each side at [Confidence], so that a goal is judged by one of them: it holds where the upper one does, and is missed
// where the lower one is beyond it. The exact bounds for independent requests are widened as goodput's are, by blocks of requests and by the spells in which losses come.
// Where all went the same way nothing shows how they cluster, and the exact ones stand alone: 299 requests without a failure show 1 %.
func (s *notServed) ratio() assay.Quantity {
	n := s.blocks.total()
	if n == 0 {
		return assay.NotMeasured(assay.Ratio, "no request of the natural ledger was judged")
	}
	both := 1 - 2*(1-Confidence)
	in := stat.ClopperPearson(s.bad, n, both)
	how := "exact bounds, as if they failed independently"
	if s.bad > 0 && s.bad < n {
		worth, blocks := s.blocks.effective(n)
		wide, few := s.spells.Interval(worth, both)
		in.Lo, in.Hi = math.Min(in.Lo, wide.Lo), math.Max(in.Hi, wide.Hi)
		how = fmt.Sprintf("bounds for the %.0f independent ones that they are worth by %d blocks", worth, blocks)
		if few {
			how += fmt.Sprintf(", and what their %d spells may come to", s.spells.Rarer())
		}
	}
	return errorQuantity(s.bad, n, in, how)
}

// countedRatio is the share where counters told of the requests.
func countedRatio(c *stat.Clusters) assay.Quantity {
	n := c.Good + c.Bad
	if n == 0 {
		return assay.NotMeasured(assay.Ratio, "no request of the natural ledger was judged")
	}
	both := 1 - 2*(1-Confidence)
	in := stat.ClopperPearson(c.Bad, n, both)
	how := "exact bounds, as if they failed independently"
	if c.Bad > 0 && c.Good > 0 {
		wide := stat.Unavailability(float64(c.Good), float64(c.Bad), c.N, c.Sigma(), both)
		in.Lo, in.Hi = math.Min(in.Lo, wide.Lo), math.Max(in.Hi, wide.Hi)
		how = "rate of failures × requests lost to one"
	}
	return errorQuantity(c.Bad, n, in, how)
}

func errorQuantity(bad, n int, in stat.Interval, how string) assay.Quantity {
	return assay.Quantity{Value: float64(bad) / float64(n), Lo: in.Lo, Hi: in.Hi, Confidence: Confidence, Unit: assay.Ratio, N: n, Of: "requests",
		Method: "not served of those sent; each bound by itself, " + how, Basis: assay.Estimated}
}

// errors reports the error ratio of all phases or of one.
func (p *availabilityPass) errors(t *tally, labels map[string]string) assay.Finding {
	f := assay.Finding{Metric: "error_ratio", Labels: labels, Ledger: assay.Natural, Quantity: t.errors.ratio()}
	if labels == nil && isCounted(p.f) {
		f.Quantity = countedRatio(&t.clusters)
	}
	if n := t.errors.client; n > 0 {
		text := fmt.Sprintf("%d of them were answered with a 4xx", n)
		if p.f.Manifest.Imported {
			text += "; they count here, and not in availability, where they are their users'"
		}
		f.Evidence = append(f.Evidence, text)
	}
	return f
}

// errorsEnough says how many requests would decide a goal of error_ratio, or "".
func errorsEnough(q *assay.Quantity, limit float64) string {
	bad := int(math.Round(q.Value * float64(q.N)))
	switch {
	case !q.Known() || limit >= 1:
		return ""
	case limit <= 0:
		return "no number of requests shows that none will fail: allow for some, such as 0.1 %"
	case bad == 0:
		return fmt.Sprintf("%d requests without a failure; %d were sent", stat.Trials(limit, 0, Confidence), q.N)
	case q.Value < limit:
		// At this share, as if they were independent.
		need := 2 * q.N
		for need < 1<<30 && stat.ClopperPearson(int(math.Round(q.Value*float64(need))), need, 1-2*(1-Confidence)).Hi > limit {
			need += need / 4
		}
		if alone := stat.Trials(limit, bad, Confidence); alone > q.N {
			return fmt.Sprintf("%d requests with no failure but the %d seen, or about %d if as many go on failing; %d were sent", alone, bad, need, q.N)
		}
		return fmt.Sprintf("about %d requests, if as many go on failing: they come together, so that %d say little", need, q.N)
	}
	return ""
}
