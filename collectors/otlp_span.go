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

// ResourceAttr reports whether an attribute of a resource is worth keeping with each of its spans.
func ResourceAttr(key string) bool {
	return slices.ContainsFunc(resourcePrefixes, func(p string) bool { return strings.HasPrefix(key, p) })
}

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
	user     teller
	ends     []int64 // of the spans that were taken
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
			if ResourceAttr(k) {
				c.common = c.attr(c.common, k, v, t)
			}
		}
	}
	c.instance = cmp.Or(faas, c.instance)
}

// convert fills c.span from s, or returns why s cannot be true.
func (c *converter) convert(s ptrace.Span, t *taking) (reason string) {
	out := &c.span
	*out = assay.Span{
		TraceID: assay.TraceID(s.TraceID()), SpanID: assay.SpanID(s.SpanID()), Parent: assay.SpanID(s.ParentSpanID()),
		Service: c.service, Instance: c.instance,
		Failed: s.Status().Code() == ptrace.StatusCodeError,
		Attrs:  append(out.Attrs[:0], c.common...),
	}
	if reason := c.place(out, uint64(s.StartTimestamp()), uint64(s.EndTimestamp())); reason != "" {
		return reason
	}
	if k := s.Kind(); k >= ptrace.SpanKindInternal && k <= ptrace.SpanKindConsumer {
		out.Kind = assay.SpanKind(k) // the numbers are OpenTelemetry's
	}
	out.Name = c.clip(unasked(s.Name()), maxName, t)
	c.user = teller{}
	var service, faas string
	for k, v := range s.Attributes().All() {
		switch k {
		case serviceInstance:
			service = c.text(v, maxName, t)
		case faasInstance:
			faas = c.text(v, maxName, t)
		}
		if rank := tells(k); rank != 0 {
			c.user.hear(rank, c.text(v, c.maxValue, t))
		}
		out.Attrs = c.attr(out.Attrs, k, v, t)
	}
	out.Instance = cmp.Or(faas, service, out.Instance)
	out.Attrs = c.user.told(present(out.Attrs))
	return ""
}

// unasked returns a span's name without the query of a URL, which may hold what is not to be recorded.
func unasked(name string) string {
	if before, query, ok := strings.Cut(name, "?"); ok && strings.Contains(query, "=") {
		return before
	}
	return name
}

// place checks the ids of a span and sets its times, or returns why they cannot be true.
func (c *converter) place(out *assay.Span, start, end uint64) (reason string) {
	switch {
	case out.TraceID.IsZero():
		return "zero trace id"
	case out.SpanID.IsZero():
		return "zero span id"
	case start == 0:
		return "no start time"
	case end < start:
		return "end before start"
	case end > 1<<63-1:
		return "time out of range"
	}
	out.Start, out.End = c.o.Clock.FromUnix(int64(start)), c.o.Clock.FromUnix(int64(end))
	switch {
	case out.Start < c.now-c.offset:
		return "start too far in the past"
	case out.End > c.now+c.offset:
		return "end too far in the future"
	}
	return ""
}

// attr appends one attribute, unless it is private, repeated or past a bound.
func (c *converter) attr(attrs []assay.Attr, key string, v pcommon.Value, t *taking) []assay.Attr {
	key, ok := c.key(attrs, key, t)
	if !ok {
		return attrs
	}
	return put(attrs, key, c.text(v, c.maxValue, t))
}

// key returns the key under which an attribute is kept, and whether it is.
func (c *converter) key(attrs []assay.Attr, key string, t *taking) (string, bool) {
	if profile.Private(key) {
		t.private++
		return "", false
	}
	if key == "" || len(key) > maxName || len(attrs) >= c.maxAttrs {
		t.clipped++
		return "", false
	}
	key, _ = clip(key, maxName)
	return key, true
}

// put appends an attribute or, since a span's own word counts more than its resource's, gives it another value.
func put(attrs []assay.Attr, key, value string) []assay.Attr {
	for i := range attrs {
		if attrs[i].Key == key {
			attrs[i].Value = value
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
	return c.clip(s, max, t)
}

func (c *converter) clip(s string, max int, t *taking) string {
	s, cut := clip(s, max)
	if cut {
		t.clipped++
	}
	return s
}
