package analyzers

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
)

// How the time of one request is charged
//
// The spans of a request are laid over its time from due to end. At each instant the deepest span that covers it
// decides, so that nothing is counted twice and the parts sum to the whole:
//
//   - no span of the target: network, from the send to the first span and from the last to the end;
//     unexplained, from due to the send, since that is our own lateness;
//   - a span of a proxy that tells its upstream's time apart (assay.hop): network, and so is its upstream's where spans of what it asked lie below it;
//   - a span of kind client whose callee's span lies in another service: network (the gap at both edges);
//   - a span with db.* or object-store attributes, or named so: storage;
//   - waiting because no instance is ready, and all that an instance does to initialize (facts.Initializes): cold start;
//   - waiting for KV blocks, preemption, recompute, swapping: memory;
//   - waiting for a slot (per-instance limit, batch full): what the running work lacks. With accelerators busy at
//     least busyHigh it is compute, at most busyLow it is concurrency, shared linearly between; unexplained where no accelerator metric tells;
//   - waiting for the step under way: compute;
//   - prefill and decode: compute for the part in which the accelerator really worked, where the engine
//     tells; the rest of the step is unexplained (host time);
//   - any other time inside a span: unexplained.
//
// The bounds of busy are those of the vendor's guide for SM activity: 0.8 and above is needed for effective
// use, below 0.5 is poor use.
const (
	busyHigh = 0.8
	busyLow  = 0.5
)

type label uint8

const (
	labelUnexplained label = iota
	labelNetwork
	labelStorage
	labelCold
	labelMemory
	labelSlot
	labelStep
	labelPrefill
	labelDecode
)

// node is one span on the request's time line.
type node struct {
	begin, end int64
	depth      int
	label      label
	busy       float64 // share of prefill and decode in which the accelerator worked; 1 where unknown
}

// decompose charges the time of r, from due to end, to the classes.
func (a *attribution) decompose(r *assay.Request, spans []assay.Span) decomposition {
	d := decomposition{due: r.Due}
	a.spans = appendNodes(a.spans[:0], r, spans)
	edges := a.edges[:0]
	sent := r.Sent
	if sent < r.Due || sent > r.End {
		sent = r.Due
	}
	edges = append(edges, r.Due, sent, r.End)
	for _, n := range a.spans {
		edges = append(edges, n.begin, n.end)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	a.edges = edges
	for i := 1; i < len(edges); i++ {
		from, to := edges[i-1], edges[i]
		best := node{depth: -1, label: labelNetwork, busy: 1}
		if to <= sent {
			best.label = labelUnexplained
		}
		for _, n := range a.spans {
			if n.begin <= from && to <= n.end && n.depth >= best.depth {
				best = n
			}
		}
		a.charge(&d, best, from, to)
	}
	return d
}

func (a *attribution) charge(d *decomposition, n node, from, to int64) {
	s := float32(float64(to-from) / 1e9)
	compute := func(part int, share float32) {
		d.class[classCompute] += s * share
		d.part[part] += s * share
	}
	switch n.label {
	case labelNetwork:
		d.class[classNetwork] += s
	case labelStorage:
		d.class[classStorage] += s
	case labelCold:
		d.class[classCold] += s
	case labelMemory:
		d.class[classMemory] += s
	case labelStep:
		compute(partQueue, 1)
	case labelSlot:
		busy, ok := a.busy.over(from, to)
		if !ok {
			d.class[classUnexplained] += s
			return
		}
		share := float32(min(1, max(0, (busy-busyLow)/(busyHigh-busyLow))))
		compute(partQueue, share)
		d.class[classConcurrency] += s * (1 - share)
	case labelPrefill, labelDecode:
		part := partPrefill
		if n.label == labelDecode {
			part = partDecode
		}
		compute(part, float32(n.busy))
		d.class[classUnexplained] += s * float32(1-n.busy)
	default:
		d.class[classUnexplained] += s
	}
}

// appendNodes places the spans on the request's time line with their depth and label.
func appendNodes(out []node, r *assay.Request, spans []assay.Span) []node {
	h := hopOf(spans)
	var inits []assay.SpanID
	for i := range spans {
		if facts.Initializes(spans, &spans[i]) {
			inits = append(inits, spans[i].SpanID)
		}
	}
	for i := range spans {
		s := &spans[i]
		n := node{begin: max(s.Start, r.Due), end: min(s.End, r.End), busy: 1}
		if n.end <= n.begin {
			continue
		}
		n.depth = depth(spans, s) + h.above(spans, s)
		if n.label = classify(spans, s); h.asks(s) {
			n.label = labelNetwork
		}
		if within(inits, spans, s) {
			n.label = labelCold
		}
		if n.label == labelPrefill || n.label == labelDecode {
			n.busy = busyShare(spans, s)
		}
		out = append(out, n)
		if children := engineStages(spans, s); children != nil {
			for _, c := range children {
				c.begin, c.end = max(c.begin, n.begin), min(c.end, n.end)
				if c.end > c.begin {
					c.depth = n.depth + 1
					out = append(out, c)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(x, y node) int { return cmp.Or(cmp.Compare(x.begin, y.begin), cmp.Compare(x.depth, y.depth)) })
	return out
}

func parentOf(spans []assay.Span, s *assay.Span) *assay.Span {
	if s.Parent.IsZero() {
		return nil
	}
	for i := range spans {
		if spans[i].SpanID == s.Parent && &spans[i] != s {
			return &spans[i]
		}
	}
	return nil
}

// within reports whether a span is one of those given or lies below one.
func within(ids []assay.SpanID, spans []assay.Span, s *assay.Span) bool {
	for d := 0; len(ids) > 0 && s != nil && d < 64; d++ {
		if slices.Contains(ids, s.SpanID) {
			return true
		}
		s = parentOf(spans, s)
	}
	return false
}

func depth(spans []assay.Span, s *assay.Span) int {
	d := 0
	for p := parentOf(spans, s); p != nil && d < 64; p = parentOf(spans, p) {
		d++
	}
	return d
}

var storageAttrs = []string{"db.system.name", "db.system", "db.operation.name", "aws.s3.bucket", "cache.hit"}

func classify(spans []assay.Span, s *assay.Span) label {
	for _, key := range storageAttrs {
		if _, ok := s.Attr(key); ok {
			return labelStorage
		}
	}
	if v, _ := s.Attr("assay.hop"); v == "apart" {
		return labelNetwork
	}
	if reason, ok := s.Attr("wait.reason"); ok {
		switch reason {
		case "no_ready_instance":
			return labelCold
		case "kv_cache", "capacity":
			return labelMemory
		case "step":
			return labelStep
		default:
			return labelSlot
		}
	}
	switch name := strings.ToLower(s.Name); {
	case strings.Contains(name, "preempt"), strings.Contains(name, "recompute"), strings.Contains(name, "swap"):
		return labelMemory
	case name == "prefill":
		return labelPrefill
	case name == "decode":
		return labelDecode
	case name == "queue", name == "activator.wait":
		return labelSlot
	}
	if s.Kind == assay.SpanClient {
		for i := range spans {
			if spans[i].Parent == s.SpanID && spans[i].Service != s.Service {
				return labelNetwork
			}
		}
	}
	return labelUnexplained
}

// busyShare returns the part of prefill and decode in which the accelerator worked, as the engine's span says.
func busyShare(spans []assay.Span, s *assay.Span) float64 {
	p := parentOf(spans, s)
	if p == nil {
		return 1
	}
	busy, ok := number(p, "sandbox.accelerator.busy")
	if !ok {
		return 1
	}
	total := 0.0
	for i := range spans {
		if l := classify(spans, &spans[i]); spans[i].Parent == p.SpanID && (l == labelPrefill || l == labelDecode) {
			total += float64(spans[i].End-spans[i].Start) / 1e9
		}
	}
	if total <= 0 {
		return 1
	}
	return min(1, max(0, busy/total))
}

func number(s *assay.Span, key string) (float64, bool) {
	text, ok := s.Attr(key)
	if !ok {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}

// engineStages reconstructs queue, prefill and decode of an engine span that tells them as attributes (vLLM's
// gen_ai.latency.*) instead of child spans, or when its first token came and its answer was complete. Nil where it has children or no such attributes.
func engineStages(spans []assay.Span, s *assay.Span) []node {
	queue, okQ := number(s, "gen_ai.latency.time_in_queue")
	prefill, okP := number(s, "gen_ai.latency.time_in_model_prefill")
	decode, okD := number(s, "gen_ai.latency.time_in_model_decode")
	if first, ok := number(s, "gen_ai.latency.time_to_first_token"); ok && okQ && !okP { // some versions tell when the first token and the last came, and no stages
		prefill, okP = first-queue, first >= queue
		if whole, ok := number(s, "gen_ai.latency.e2e"); ok && !okD {
			decode, okD = whole-first, whole >= first
		}
	}
	if !okQ || !okP || !okD {
		return nil
	}
	for i := range spans {
		if spans[i].Parent == s.SpanID {
			return nil
		}
	}
	at := s.Start
	stage := func(seconds float64, l label) node {
		n := node{begin: at, end: at + int64(seconds*1e9), label: l, busy: 1}
		at = n.end
		return n
	}
	return []node{stage(queue, labelSlot), stage(prefill, labelPrefill), stage(decode, labelDecode)}
}
