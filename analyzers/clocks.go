package analyzers

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/assay-dev/assay"
)

// traceHealth is what the traces tell of their own quality: spans that name a parent which never came, and clocks of services that disagree.
// Spans that came twice the store counts, which gives one of each.
//
// The clock of a server is bounded by each pair of a client's span and the server's span that it called: the server cannot have begun before it was called nor ended
// after it was answered, so that server minus client lies between the difference of their ends and that of their starts. All pairs
// of two services together bound it by the narrowest. Where they contradict one another (several machines under one name, or a clock that
// drifts), the median of their middles stands, and half of what the middle half of them spans.
type traceHealth struct {
	spans, orphans int
	repeated       int64
	headless       int // traces with orphans
	pairs          map[servicePair]*clockPair
	crowded        int // pairs of services beyond maxPairs
}

type servicePair struct{ client, server string }

type clockPair struct {
	n, longer int   // pairs of spans; of them servers' that took longer than their clients waited
	lo, hi    int64 // the narrowest bounds
	middles   []int64
}

const (
	maxPairs   = 200  // of services
	maxMiddles = 4096 // kept of a pair
	us         = "the load generator"
)

func (h *traceHealth) add(t *assay.Trace) {
	lost := 0
	for i := range t.Spans {
		s := &t.Spans[i]
		h.spans++
		if s.Parent.IsZero() {
			continue
		}
		switch p := parentOf(t.Spans, s); {
		case p != nil:
			if s.Kind == assay.SpanServer && p.Kind == assay.SpanClient && p.Service != s.Service {
				h.pair(servicePair{p.Service, s.Service}, p.Start, p.End, s)
			}
		case t.Request != nil && s.Parent == t.Request.SpanID:
			if r := t.Request; s.Kind == assay.SpanServer && r.Sent != 0 && r.Outcome == assay.OK {
				h.pair(servicePair{us, s.Service}, r.Sent, r.End, s)
			}
		case t.Request != nil && t.Request.SpanID == s.SpanID: // it is the request: who called it was not recorded
		default:
			lost++
		}
	}
	h.orphans += lost
	if lost > 0 {
		h.headless++
	}
}

func (h *traceHealth) pair(k servicePair, begin, end int64, s *assay.Span) {
	p := h.pairs[k]
	if p == nil {
		if len(h.pairs) >= maxPairs {
			h.crowded++
			return
		}
		if h.pairs == nil {
			h.pairs = map[servicePair]*clockPair{}
		}
		p = &clockPair{lo: math.MinInt64, hi: math.MaxInt64}
		h.pairs[k] = p
	}
	lo, hi := s.End-end, s.Start-begin
	if p.n++; lo > hi {
		p.longer++
		return
	}
	p.lo, p.hi = max(p.lo, lo), min(p.hi, hi)
	if len(p.middles) < maxMiddles {
		p.middles = append(p.middles, lo+(hi-lo)/2)
	} else if i := uint64(p.n) * 0x9e3779b97f4a7c15 >> 11 % uint64(p.n); i < maxMiddles { // evenly enough, and the same each time
		p.middles[i] = lo + (hi-lo)/2
	}
}

// quantity returns server minus client, and whether all pairs agree on it.
func (p *clockPair) quantity() (q assay.Quantity, lo, hi int64, agree bool) {
	used := p.n - p.longer
	if used == 0 {
		return assay.NotEstimable(assay.Seconds, p.n, "pairs of spans", "each server's span is longer than its client's"), 0, 0, true
	}
	slices.Sort(p.middles)
	mid := p.middles[len(p.middles)/2]
	if p.lo <= p.hi {
		return stretch(min(max(mid, p.lo), p.hi), p.lo, p.hi, used, "pairs of spans", "the server's clock minus the client's, within the bounds that all pairs of spans allow"), p.lo, p.hi, true
	}
	lo, hi = p.middles[len(p.middles)/4], p.middles[len(p.middles)*3/4]
	return stretch(mid, lo, hi, used, "pairs of spans", "the server's clock minus the client's: median and middle half of the pairs of spans, which contradict one another"), lo, hi, false
}

// check adds what the traces tell to the report's trust.
func (h *traceHealth) check(r *assay.Report) {
	if h.spans == 0 {
		return
	}
	q := counted(float64(h.orphans)/float64(h.spans), assay.Ratio, h.spans, "spans", "spans whose parent is not in their trace")
	r.Findings = append(r.Findings, assay.Finding{Metric: "validity/orphans", Quantity: q})
	if h.orphans > 0 {
		r.Trust.Rows = append(r.Trust.Rows, assay.TrustRow{Name: "orphans", Quantity: q, Limit: "none", OK: false})
		r.Trust.Doubts = append(r.Trust.Doubts, fmt.Sprintf("%d of %d spans, in %d traces, name a parent that never came: what called them is not known, and what it did beside is unexplained time", h.orphans, h.spans, h.headless))
	}
	q = counted(float64(h.repeated), assay.Count, h.spans, "spans", "spans that came more than once, of which one was taken")
	r.Findings = append(r.Findings, assay.Finding{Metric: "validity/repeated", Quantity: q})
	if h.repeated > 0 {
		r.Trust.Rows = append(r.Trust.Rows, assay.TrustRow{Name: "repeated spans", Quantity: q, Limit: "each counts once", OK: true})
	}
	keys := slices.SortedFunc(maps.Keys(h.pairs), func(a, b servicePair) int {
		return cmp.Or(cmp.Compare(a.client, b.client), cmp.Compare(a.server, b.server))
	})
	for _, k := range keys {
		p := h.pairs[k]
		q, lo, hi, agree := p.quantity()
		r.Findings = append(r.Findings, assay.Finding{Metric: "validity/skew", Labels: map[string]string{"client": k.client, "server": k.server}, Quantity: q})
		if lo <= clockSame && hi >= -clockSame {
			continue
		}
		r.Trust.Rows = append(r.Trust.Rows, assay.TrustRow{Name: "skew of " + k.server, Quantity: q, Limit: "±" + duration(seconds(clockSame)), OK: false})
		text := fmt.Sprintf("the clock of %s is %s that of %s, by %s to %s: its spans were placed within their callers'", k.server, map[bool]string{true: "ahead of", false: "behind"}[lo > 0], k.client,
			duration(seconds(min(abs(lo), abs(hi)))), duration(seconds(max(abs(lo), abs(hi)))))
		if !agree {
			text += "; the pairs of spans contradict one another, as when several machines have one name"
		}
		r.Trust.Doubts = append(r.Trust.Doubts, text)
	}
	if h.crowded > 0 {
		r.Trust.Doubts = append(r.Trust.Doubts, fmt.Sprintf("clocks were compared for %d pairs of services; %d pairs of spans of others were not", maxPairs, h.crowded))
	}
}

// readBacks adds how many traces of our requests came from each store that was read after the load, and how late the last of them.
func readBacks(events []assay.Event, r *assay.Report) {
	for i := range events {
		e := &events[i]
		if e.Kind != assay.EventReadBack {
			continue
		}
		n := func(key string) int64 {
			v, _ := strconv.ParseInt(e.Attrs[key], 10, 64)
			return v
		}
		asked, came, last := n("asked"), n("came"), n("last_ns")
		labels := map[string]string{"store": e.Source}
		share := assay.NotMeasured(assay.Ratio, "no answered request asked for a trace")
		late := assay.NotMeasured(assay.Seconds, "no trace came")
		if asked > 0 {
			share = counted(float64(came)/float64(asked), assay.Ratio, int(asked), "traces", "traces of answered requests that came, of those that were asked for")
		}
		if came > 0 {
			late = stretch(last, 0, last, int(came), "traces", fmt.Sprintf("from the first look after the load to the one in which the last trace was there; %d were there at once", came-n("late")))
		}
		r.Findings = append(r.Findings, assay.Finding{Metric: "validity/came", Labels: labels, Quantity: share}, assay.Finding{Metric: "validity/late", Labels: labels, Quantity: late})
		r.Trust.Rows = append(r.Trust.Rows, assay.TrustRow{Name: "traces from " + e.Source, Quantity: share, Limit: fmt.Sprintf("at least %g %%", spanShare*100), OK: asked == 0 || float64(came) >= spanShare*float64(asked)})
		doubt := func(format string, args ...any) {
			r.Trust.Doubts = append(r.Trust.Doubts, e.Source+": "+fmt.Sprintf(format, args...))
		}
		if float64(came) < spanShare*float64(asked) {
			doubt("%d of %d traces of our requests, which ask to be sampled, came within %s of the load's end", came, asked, duration(seconds(n("waited_ns"))))
		}
		if of := n("requests"); asked < of {
			doubt("of %d traces %d were asked for, evenly chosen", of, asked)
		}
		if k := n("unasked"); k > 0 {
			doubt("%d traces could not be asked for to the end: the store was too slow for the wait, so they may be there", k)
		}
		if k := n("unsettled"); k > 0 {
			doubt("%d traces still grew, or came in part, when the wait was over: they may lack spans", k)
		}
	}
}

// clockSame is how far, in ns, two clocks may be apart before it is told.
const clockSame = int64(1e6)

func abs(v int64) int64 { return max(v, -v) }
