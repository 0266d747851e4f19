package input

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
)

const (
	maxTraces  = 2_000_000 // whose roots are kept
	manyRoots  = 16        // of one trace, from which on they are found by their ids
	maxOpen    = 8_000_000 // spans that are kept until the root of their trace is seen
	fewClasses = 16        // services or routes, at most, that are told apart as classes
)

// Roots makes requests out of traces where no input tells of any: each trace's root span is what someone asked of the target. A root is
// a span without a parent. Where a trace has none, since what called it was not recorded, the earliest span stands for it whose parent is
// missing, servers' and consumers' before others.
//
// No request are roots that are internal to a service or produce a message, cold starts, and what probes ask.
type roots struct {
	traces   map[assay.TraceID]*traced
	open     int
	overflow string // the bound that was met; "" for none
	services map[string]int
	routes   map[string]int
	models   map[string]int

	requests, orphans int64            // roots that are requests, and those of them that stand for one that is missing
	headless          int64            // traces in which nothing can be a root
	others            map[string]int64 // roots that are no requests, by why
	several           int64            // traces that call models more than once
	begin, end        int64            // Unix ns: of the requests
	class             func(*assay.Span) string
}

// traced is what is known of one trace.
type traced struct {
	roots []root
	index map[assay.SpanID]int // of roots; nil while they are few
	open  []open               // its spans, as long as no root was seen
	calls
}

// find returns the place of a root, -1 where it is none.
func (t *traced) find(id assay.SpanID) int {
	if t.index == nil {
		return slices.IndexFunc(t.roots, func(o root) bool { return o.id == id })
	}
	if i, ok := t.index[id]; ok {
		return i
	}
	return -1
}

// add takes up a root.
func (t *traced) add(r root) {
	t.roots = append(t.roots, r)
	switch {
	case t.index != nil:
		t.index[r.id] = len(t.roots) - 1
	case len(t.roots) == manyRoots:
		t.index = make(map[assay.SpanID]int, 2*manyRoots)
		for i := range t.roots {
			t.index[t.roots[i].id] = i
		}
	}
}

type root struct {
	id   assay.SpanID
	why  string // it is no request
	done bool
}

type open struct {
	id, parent assay.SpanID
	start, end int64
	serves     bool
	why        string
}

// calls is what the spans of a trace tell of the model that was called. The same call may be told by who made it and by who answered.
type calls struct {
	at, end, first int64  // Unix ns: the span that tells of the first token, and that token
	user           string // the first that a span tells of
	in, out        int32  // tokens; -1 where the spans differ, since there were several calls
}

func newRoots() *roots {
	return &roots{traces: map[assay.TraceID]*traced{}, services: map[string]int{}, routes: map[string]int{}, models: map[string]int{}, others: map[string]int64{},
		begin: math.MaxInt64}
}

// see takes a span in Unix time.
func (r *roots) see(s *assay.Span) {
	if r.overflow != "" {
		return
	}
	t := r.traces[s.TraceID]
	if t == nil {
		if len(r.traces) >= maxTraces {
			r.overflow = fmt.Sprintf("more than %d traces", maxTraces)
			return
		}
		t = &traced{}
		r.traces[s.TraceID] = t
	}
	t.calls.see(s)
	if m := modelOf(s); m != "" && (len(r.models) < fewClasses || r.models[m] > 0) {
		r.models[m]++
	}
	why := noRequest(s)
	if s.Parent.IsZero() {
		r.open -= len(t.open)
		t.open = nil
		if t.find(s.SpanID) < 0 {
			t.add(root{id: s.SpanID, why: why})
			r.count(s.Start, s.End, why)
		}
		if why == "" {
			tell(r.services, s.Service)
			tell(r.routes, routeOf(s))
		}
		return
	}
	if len(t.roots) > 0 {
		return
	}
	if r.open++; r.open > maxOpen {
		r.overflow = fmt.Sprintf("more than %d spans before the roots of their traces", maxOpen)
		return
	}
	t.open = append(t.open, open{s.SpanID, s.Parent, s.Start, s.End, s.Kind == assay.SpanServer || s.Kind == assay.SpanConsumer, why})
}

func (r *roots) count(start, end int64, why string) {
	if why != "" {
		r.others[why]++
		return
	}
	r.requests++
	r.begin, r.end = min(r.begin, start), max(r.end, end)
}

func tell(in map[string]int, name string) {
	if len(in) <= fewClasses {
		in[name]++
	}
}

// finish chooses the roots of the traces that have none.
func (r *roots) finish() error {
	if r.overflow != "" {
		return fmt.Errorf("import: %s: want --from and --to, or fewer files", r.overflow)
	}
	for _, t := range r.traces {
		if t.in < 0 || t.out < 0 {
			r.several++
		}
		if len(t.roots) > 0 {
			continue
		}
		here := make(map[assay.SpanID]bool, len(t.open))
		for _, o := range t.open {
			here[o.id] = true
		}
		var best *open
		for i := range t.open {
			o := &t.open[i]
			if here[o.parent] {
				continue
			}
			if best == nil || o.serves && !best.serves || o.serves == best.serves && (o.start < best.start || o.start == best.start && slices.Compare(o.id[:], best.id[:]) < 0) {
				best = o
			}
		}
		if best == nil {
			r.headless++
		} else {
			t.add(root{id: best.id, why: best.why})
			r.count(best.start, best.end, best.why)
			if best.why == "" {
				r.orphans++
			}
		}
		t.open = nil
	}
	switch n, m := len(r.services), len(r.routes); {
	case n > 1 && n <= fewClasses:
		r.class = func(s *assay.Span) string { return s.Service }
	case m > 1 && m <= fewClasses:
		r.class = routeOf
	default:
		r.class = func(*assay.Span) string { return "" }
	}
	return nil
}

// notes says what was taken as a request and what was not.
func (r *roots) notes() []string {
	out := []string{fmt.Sprintf("no input tells of requests, so the root spans of %d traces were taken for them: %d requests, as the target saw them", len(r.traces), r.requests)}
	add := func(n int64, text string) {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, text))
		}
	}
	add(r.orphans, "requests stand for a root that was not recorded: each is the earliest span of its trace whose parent is missing, servers' first")
	for _, why := range slices.Sorted(maps.Keys(r.others)) {
		add(r.others[why], "root spans are no requests: "+why)
	}
	add(r.headless, "traces have no span that can be a root: their parents form a ring")
	add(r.several, "traces hold several calls of models: their tokens and first tokens are not known as one request's")
	return out
}

// model returns the model that all spans that name one name.
func (r *roots) model() string {
	if len(r.models) != 1 {
		return ""
	}
	for m := range r.models {
		return m
	}
	return ""
}

// request returns the request that a span is the root of, once, or nil. The span is in run time, whose 0 is the epoch.
func (r *roots) request(s *assay.Span, epoch int64) *assay.Request {
	t := r.traces[s.TraceID]
	if t == nil {
		return nil
	}
	i := t.find(s.SpanID)
	if i < 0 || t.roots[i].done || t.roots[i].why != "" {
		return nil
	}
	t.roots[i].done = true
	q := requestOf(s)
	q.Phase, q.Class = tracePhase, r.class(s)
	c := t.calls
	if len(t.roots) > 1 { // which of them made the call is not told here
		c = calls{}
		c.see(s)
		if c.at != 0 {
			c.at, c.end, c.first = c.at+epoch, c.end+epoch, c.first+epoch
		}
	}
	q.User = cmp.Or(q.User, c.user)
	if c.in > 0 {
		q.TokensIn = c.in
	}
	if c.out > 0 {
		q.TokensOut = c.out
	}
	if first, ok := c.token(q, epoch); ok {
		q.FirstToken, q.FirstByte = first, first
		q.Arrivals = []int64{first}
	}
	return q
}

// tracePhase is the phase of requests that were made out of traces.
const tracePhase = "load"

// token returns when the first token came, in run time by the clock of the request. A span that tells of it and does not lie within the request was stamped by
// another clock: it is taken to lie in the middle of it, which errs by no more than half of what both differ in length.
func (c *calls) token(q *assay.Request, epoch int64) (first int64, ok bool) {
	if c.first == 0 || c.in < 0 || c.out < 0 {
		return 0, false
	}
	begin, end, first := c.at-epoch, c.end-epoch, c.first-epoch
	if begin < q.Due || end > q.End {
		room := (q.End - q.Due) - (end - begin)
		if room < 0 {
			return 0, false
		}
		first += q.Due + room/2 - begin
	}
	return first, first >= q.Due && first <= q.End
}

func (c *calls) see(s *assay.Span) {
	if c.user == "" {
		c.user, _ = s.Attr(collectors.UserAttr)
		c.user = strings.Clone(c.user)
	}
	one := func(to *int32, keys ...string) {
		for _, key := range keys {
			if v, ok := number(s, key); ok && v > 0 && v < math.MaxInt32 {
				if n := int32(v); *to == 0 {
					*to = n
				} else if *to != n {
					*to = -1
				}
				return
			}
		}
	}
	one(&c.in, "gen_ai.usage.input_tokens")
	one(&c.out, "gen_ai.usage.output_tokens")
	for _, key := range []string{"gen_ai.response.time_to_first_chunk", "gen_ai.latency.time_to_first_token"} {
		if v, ok := number(s, key); ok && v >= 0 && v < 1e6 && (c.at == 0 || s.Start < c.at) { // the outermost is the nearest to the user
			c.at, c.end, c.first = s.Start, s.End, s.Start+int64(v*1e9)
			return
		}
	}
}

// noRequest says why a root span is no request, or "".
func noRequest(s *assay.Span) string {
	switch {
	case s.Name == "cold_start":
		return "starts of instances"
	case s.Kind == assay.SpanInternal || s.Kind == assay.SpanProducer:
		return "of the kind " + s.Kind.String()
	case probes(s):
		return "probes and scrapes"
	}
	return ""
}

// probePaths end the paths that platforms ask to see whether a server lives.
var probePaths = []string{"/health", "/healthz", "/health/live", "/health/ready", "/livez", "/readyz", "/live", "/ready", "/ping", "/metrics"}

func probes(s *assay.Span) bool {
	path, _ := s.Attr("url.path")
	route := routeOf(s)
	if strings.Contains(route, "grpc.health.v1.Health") || strings.HasPrefix(s.Name, "grpc.health.v1.Health") {
		return true
	}
	return slices.ContainsFunc(probePaths, func(p string) bool {
		return path == p || strings.HasSuffix(route, p) && (route == p || strings.HasSuffix(route, " "+p) || strings.Contains(p[1:], "/"))
	})
}

// routeOf returns what was asked for, in few words.
func routeOf(s *assay.Span) string {
	route, _ := s.Attr("http.route")
	if rpc, ok := s.Attr("rpc.service"); ok {
		method, _ := s.Attr("rpc.method")
		route = cmp.Or(route, rpc+"/"+method)
	}
	return cmp.Or(route, s.Name)
}

func modelOf(s *assay.Span) string {
	for _, key := range []string{"gen_ai.request.model", "gen_ai.response.model"} {
		if m, ok := s.Attr(key); ok && m != "" {
			return m
		}
	}
	return ""
}
