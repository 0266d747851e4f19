package collectors

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/assay-dev/assay"
)

// Spans makes records out of spans that others recorded, whatever their format, by the rules by which [OTLP] takes those that arrive:
// what holds content is dropped, old names of attributes get their present ones beside them, what cannot be true is refused. Stamps
// stay in Unix time. Get one by NewSpans.
type Spans struct {
	c converter
	t taking
}

// unix is the clock of recordings: their stamps are not moved.
type unix struct{}

func (unix) Now() int64              { return 0 }
func (unix) FromUnix(ns int64) int64 { return ns }

// NewSpans returns Spans with the bounds that are the defaults of OTLP.
func NewSpans() *Spans {
	s := &Spans{}
	s.c.begin(&OTLP{Clock: unix{}, MaxOffset: math.MaxInt64})
	return s
}

// Of returns raw as it is recorded, or why it cannot be true. The span is valid until the next call.
func (s *Spans) Of(raw *assay.Span) (out *assay.Span, reason string) {
	out = &s.c.span
	attrs := out.Attrs[:0]
	*out = *raw
	out.Attrs = attrs
	if raw.Start < 0 || raw.End < 0 {
		return nil, "time out of range"
	}
	if reason := s.c.place(out, uint64(raw.Start), uint64(raw.End)); reason != "" {
		return nil, reason
	}
	out.Name = unasked(out.Name)
	for _, text := range []*string{&out.Name, &out.Service, &out.Instance} {
		*text = s.c.clip(*text, maxName, &s.t)
	}
	s.c.user = teller{}
	var service, faas string
	for _, a := range raw.Attrs {
		if rank := tells(a.Key); rank != 0 {
			s.c.user.hear(rank, a.Value)
		}
		switch a.Key {
		case serviceInstance:
			service = s.c.clip(a.Value, maxName, &s.t)
		case faasInstance:
			faas = s.c.clip(a.Value, maxName, &s.t)
		}
		if key, ok := s.c.key(out.Attrs, a.Key, &s.t); ok {
			out.Attrs = put(out.Attrs, key, s.c.clip(a.Value, s.c.maxValue, &s.t))
		}
	}
	out.Instance = cmp.Or(faas, service, out.Instance)
	out.Attrs = s.c.user.told(present(out.Attrs))
	return out, ""
}

// maxRecorded bounds the messages in one that was recorded: more than in a request, since a store gives a whole trace at once.
const maxRecorded = 4_000_000

// ErrNoTraces says that a message is no ExportTraceServiceRequest.
var ErrNoTraces = errors.New("no OTLP traces")

// OTLP emits the spans of an encoded ExportTraceServiceRequest, each valid until emit returns, and tells why it refuses others. A message that is none is
// ErrNoTraces; other errors are emit's, or name a bound.
func (s *Spans) OTLP(msg []byte, json bool, emit func(*assay.Span) error, refuse func(reason string)) error {
	enc := protobuf
	if json {
		enc = otlpJSON
	}
	switch err := checkShape(traces, enc, msg, maxRecorded); {
	case errors.Is(err, errProto):
		return ErrNoTraces
	case err != nil:
		return fmt.Errorf("decode traces: %w", err)
	}
	req := ptraceotlp.NewExportRequest()
	if err := decode(enc, msg, req.UnmarshalProto, req.UnmarshalJSON); err != nil {
		return fmt.Errorf("%w: %v", ErrNoTraces, err)
	}
	return s.traces(req.Traces(), emit, refuse)
}

func (s *Spans) traces(td ptrace.Traces, emit func(*assay.Span) error, refuse func(reason string)) error {
	for _, rs := range td.ResourceSpans().All() {
		s.c.resource(rs.Resource().Attributes(), &s.t)
		for _, ss := range rs.ScopeSpans().All() {
			for _, sp := range ss.Spans().All() {
				if reason := s.c.convert(sp, &s.t); reason != "" {
					refuse(reason)
					continue
				}
				if err := emit(&s.c.span); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Left returns how many attributes were left out so far since they hold content or credentials, and how many were left out or shortened
// because of a bound.
func (s *Spans) Left() (private, clipped int64) { return s.t.private, s.t.clipped }
