package facts

import (
	"cmp"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// A start is what the spans of one cold start tell, for platforms that emit no events of it.
type start struct {
	reason     string
	begin, end int64
	phases     []assay.Interval
}

const coldStartSpan = "cold_start"

func learnStart(starts map[string]*start, t *assay.Trace) {
	var root *assay.Span
	for i := range t.Spans {
		if t.Spans[i].Name == coldStartSpan {
			root = &t.Spans[i]
		}
	}
	if root == nil {
		return
	}
	id, _ := root.Attr("faas.instance")
	if id == "" {
		id = root.Instance
	}
	if id == "" {
		return
	}
	s := &start{begin: root.Start, end: root.End}
	s.reason, _ = root.Attr("reason")
	for i := range t.Spans {
		if c := &t.Spans[i]; c.Parent == root.SpanID && c != root {
			s.phases = append(s.phases, assay.Interval{Name: c.Name, Begin: c.Start, End: c.End, Source: "spans"})
		}
	}
	starts[id] = s
}

// Initializes reports whether a span tells how long an instance took to initialize for what it then served: internal, named so, and it or its parent says that
// the instance was cold. Those of AWS X-Ray are named Initialization, those of OpenTelemetry's Lambda layer platform.initRuntimeDone, others init or init of something.
func Initializes(spans []assay.Span, s *assay.Span) bool {
	if s.Kind != assay.SpanInternal && s.Kind != assay.SpanUnspecified {
		return false
	}
	switch name := strings.ToLower(s.Name); {
	case name == "initialization", name == "platform.initruntimedone", name == "init", strings.HasPrefix(name, "init "):
	default:
		return false
	}
	p := callerOf(spans, s)
	return startedCold(s) || p != nil && startedCold(p)
}

func startedCold(s *assay.Span) bool {
	v, _ := s.Attr("faas.coldstart")
	return v == "true"
}

func callerOf(spans []assay.Span, s *assay.Span) *assay.Span {
	if i := slices.IndexFunc(spans, func(p assay.Span) bool { return p.SpanID == s.Parent }); i >= 0 && !s.Parent.IsZero() && &spans[i] != s {
		return &spans[i]
	}
	return nil
}

// maxInits bounds the starts that spans of requests tell of.
const maxInits = 1 << 16

// learnInits adds the starts that the spans of a served request tell of, as lives that are known for no more than their start.
func learnInits(inits []assay.Life, t *assay.Trace) []assay.Life {
	for i := range t.Spans {
		s := &t.Spans[i]
		if len(inits) >= maxInits || !Initializes(t.Spans, s) || s.End < s.Start {
			continue
		}
		id, _ := s.Attr("faas.instance")
		id = cmp.Or(id, s.Instance)
		if p := callerOf(t.Spans, s); p != nil && id == "" {
			id, _ = p.Attr("faas.instance")
			id = cmp.Or(id, p.Instance)
		}
		if id == "" {
			id = cmp.Or(s.Service, "instance") + "?" // which of its instances is not told
		}
		l := assay.Life{Instance: id, Ledger: assay.Natural, Created: s.Start, Ready: s.End, Phases: []assay.Interval{{Name: "init", Begin: s.Start, End: s.End, Source: "spans"}}}
		if r := t.Request; r.Due < s.End && s.Start < answered(r) {
			hold(&l, r)
			l.First = r.FirstToken
		}
		inits = append(inits, l)
	}
	return inits
}

// A sighting is when the instances that spans name were last seen.
type sighting map[string]int64

// see notes the instances of a trace.
func (s sighting) see(t *assay.Trace) {
	for i := range t.Spans {
		sp := &t.Spans[i]
		id, _ := sp.Attr("faas.instance")
		if id = cmp.Or(id, sp.Instance); id == "" {
			continue
		}
		if at, ok := s[id]; ok || len(s) < maxInits {
			s[id] = max(at, sp.End)
		}
	}
}

// lives returns the starts as lives, each from its start until the instance was last seen or started again, where spans name it: it lived for as long, whatever became
// of it then. What names no instance stays a start alone, since its requests may be another's.
func (s sighting) lives(inits []assay.Life) (lives, rest []assay.Life) {
	next := map[string]int{} // by instance: where its next life stands
	for i := range inits {
		l := inits[i]
		last, named := s[l.Instance]
		if !named {
			rest = append(rest, l)
			continue
		}
		if k, ok := next[l.Instance]; ok {
			l.Again = true
			lives[k].Exited, lives[k].Exit = max(l.Created, lives[k].Ready), exitUnseen
		}
		next[l.Instance] = len(lives)
		l.Exited, l.Exit = max(last, l.Ready), exitSight
		lives = append(lives, l)
	}
	return lives, rest
}
