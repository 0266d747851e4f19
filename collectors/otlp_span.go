package collectors

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const maxName = 512 // bytes of a span's, service's or instance's name and of an attribute's key

// The attributes that have a field of their own, and the prefixes of resource attributes worth keeping with each span.
const (
	serviceName     = "service.name"
	serviceInstance = "service.instance.id"
	faasInstance    = "faas.instance"
)

var resourcePrefixes = []string{"cloud.", "container.", "deployment.", "faas.", "host.name", "k8s.", "service.namespace", "service.version"}

// A converter turns spans of pdata into ours. It owns the span that is emitted and
// uses it again for the next: records are borrowed until emit returns.
type converter struct {
	o        *OTLP
	now      int64
	maxAttrs int
	maxValue int
	offset   int64

	service  string
	instance string
	common   []assay.Attr // of the resource
	span     assay.Span
}

var converters = sync.Pool{New: func() any { return new(converter) }}

func (c *converter) begin(o *OTLP) {
	c.o, c.now = o, o.Clock.Now()
	c.maxAttrs = cmp.Or(o.MaxAttrs, otlpMaxAttrs)
	c.maxValue = cmp.Or(o.MaxValue, otlpMaxValue)
	c.offset = int64(cmp.Or(o.MaxOffset, otlpMaxOffset))
}

// resource reads what the spans of one resource share.
func (c *converter) resource(m pcommon.Map, t *taking) {
	c.service, c.instance, c.common = "", "", c.common[:0]
	faas := ""
	for k, v := range m.All() {
		switch k {
		case serviceName:
			c.service = c.text(v, maxName, t)
		case serviceInstance:
			c.instance = c.text(v, maxName, t)
		case faasInstance:
			faas = c.text(v, maxName, t)
		default:
			if slices.ContainsFunc(resourcePrefixes, func(p string) bool { return strings.HasPrefix(k, p) }) {
				c.common = c.attr(c.common, k, v, t)
			}
		}
	}
	c.instance = cmp.Or(faas, c.instance)
}

// convert fills c.span from s, or returns why s cannot be true.
func (c *converter) convert(s ptrace.Span, t *taking) (reason string) {
	start, end := uint64(s.StartTimestamp()), uint64(s.EndTimestamp())
	switch {
	case s.TraceID().IsEmpty():
		return "zero trace id"
	case s.SpanID().IsEmpty():
		return "zero span id"
	case start == 0:
		return "no start time"
	case end < start:
		return "end before start"
	case end > 1<<63-1:
		return "time out of range"
	}
	out := &c.span
	*out = assay.Span{
		TraceID: assay.TraceID(s.TraceID()), SpanID: assay.SpanID(s.SpanID()), Parent: assay.SpanID(s.ParentSpanID()),
		Service: c.service, Instance: c.instance,
		Start: c.o.Clock.FromUnix(int64(start)), End: c.o.Clock.FromUnix(int64(end)),
		Failed: s.Status().Code() == ptrace.StatusCodeError,
		Attrs:  append(out.Attrs[:0], c.common...),
	}
	switch {
	case out.Start < c.now-c.offset:
		return "start too far in the past"
	case out.End > c.now+c.offset:
		return "end too far in the future"
	}
	if k := s.Kind(); k >= ptrace.SpanKindInternal && k <= ptrace.SpanKindConsumer {
		out.Kind = assay.SpanKind(k) // the numbers are OpenTelemetry's
	}
	var cut bool
	if out.Name, cut = clip(s.Name(), maxName); cut {
		t.clipped++
	}
	var service, faas string
	for k, v := range s.Attributes().All() {
		switch k {
		case serviceInstance:
			service = c.text(v, maxName, t)
		case faasInstance:
			faas = c.text(v, maxName, t)
		}
		out.Attrs = c.attr(out.Attrs, k, v, t)
	}
	out.Instance = cmp.Or(faas, service, out.Instance)
	out.Attrs = present(out.Attrs)
	return ""
}

// attr appends one attribute, unless it is private, repeated or past a bound.
func (c *converter) attr(attrs []assay.Attr, key string, v pcommon.Value, t *taking) []assay.Attr {
	if profile.Private(key) {
		t.private++
		return attrs
	}
	if key == "" || len(key) > maxName || len(attrs) >= c.maxAttrs {
		t.clipped++
		return attrs
	}
	key, _ = clip(key, maxName)
	value := c.text(v, c.maxValue, t)
	for i := range attrs {
		if attrs[i].Key == key {
			attrs[i].Value = value // the span's own word counts more than its resource's
			return attrs
		}
	}
	return append(attrs, assay.Attr{Key: key, Value: value})
}

// present adds to old names of attributes their present ones.
func present(attrs []assay.Attr) []assay.Attr {
next:
	for _, a := range attrs[:len(attrs):len(attrs)] {
		now, ok := profile.Renamed(a.Key)
		if !ok {
			continue
		}
		for i := range attrs {
			if attrs[i].Key == now {
				continue next
			}
		}
		attrs = append(attrs, assay.Attr{Key: now, Value: a.Value})
	}
	return attrs
}

// text returns v as text of at most max bytes: numbers in shortest decimal form, lists and maps as JSON, bytes in base64.
func (c *converter) text(v pcommon.Value, max int, t *taking) string {
	var s string
	switch v.Type() {
	case pcommon.ValueTypeStr:
		s = v.Str()
	case pcommon.ValueTypeInt:
		s = strconv.FormatInt(v.Int(), 10)
	case pcommon.ValueTypeDouble:
		s = strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case pcommon.ValueTypeBool:
		s = strconv.FormatBool(v.Bool())
	default:
		s = v.AsString()
	}
	s, cut := clip(s, max)
	if cut {
		t.clipped++
	}
	return s
}
