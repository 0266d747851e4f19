package traces

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// maxSegments is how deep subsegments may lie within one another.
const maxSegments = 32

type segment struct {
	TraceID    string      `json:"trace_id"`
	ID         string      `json:"id"`
	ParentID   string      `json:"parent_id"`
	Name       string      `json:"name"`
	Type       string      `json:"type"` // subsegment, where it was sent by itself
	Namespace  string      `json:"namespace"`
	Origin     string      `json:"origin"`
	Start      number      `json:"start_time"` // s
	End        number      `json:"end_time"`   // s
	InProgress bool        `json:"in_progress"`
	Fault      bool        `json:"fault"`
	Error      bool        `json:"error"`
	Throttle   bool        `json:"throttle"`
	HTTP       segmentHTTP `json:"http"`
	AWS        struct {
		Operation   string `json:"operation"`
		Region      string `json:"region"`
		RequestID   string `json:"request_id"`
		FunctionARN string `json:"function_arn"`
		ResourceARN string `json:"resource_arn"`
		Table       string `json:"table_name"`
		Bucket      string `json:"bucket_name"`
	} `json:"aws"`
	SQL *struct {
		Type string `json:"database_type"`
	} `json:"sql"`
	Annotations map[string]json.RawMessage `json:"annotations"`
	Subsegments []segment                  `json:"subsegments"`
}

type segmentHTTP struct {
	Request struct {
		Method string `json:"method"`
	} `json:"request"`
	Response struct {
		Status number `json:"status"`
	} `json:"response"`
}

var xrayID = regexp.MustCompile(`"trace_id"\s*:\s*"1-[0-9a-f]{8}-[0-9a-f]{24}"`)

func isXRay(_ string, head []byte) bool {
	return xrayID.Match(head) || bytes.Contains(head, []byte(`"Segments"`)) && bytes.Contains(head, []byte(`"Document"`))
}

func readXRay(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	x := &xray{newTaker(in, 1e6, emit), newDocument(in.File)}
	return x.end(x.doc.all(x.top))
}

type xray struct {
	*taker
	doc *document
}

// top takes a segment, a list of segments, or the traces that the API gave.
func (x *xray) top(delim json.Delim) error {
	switch delim {
	case '[':
		return x.doc.elements(x.element)
	case '{':
		return x.object()
	}
	x.refuse("not a segment of X-Ray")
	return nil
}

func (x *xray) element() error {
	var raw json.RawMessage
	if err := x.doc.value(&raw); err != nil {
		return err
	}
	return x.document(raw)
}

func (x *xray) object() error {
	var whole bytes.Buffer // of a segment, whose members come one by one
	api := false
	err := x.doc.members(func(name string) error {
		if name == "Traces" {
			api = true
			return x.doc.list(x.trace)
		}
		var raw json.RawMessage
		if err := x.doc.value(&raw); err != nil {
			return err
		}
		if whole.Len() < input.MaxRow {
			whole.WriteString(",\"" + name + "\":")
			whole.Write(raw)
		}
		return nil
	})
	if err != nil || api {
		return err
	}
	if whole.Len() == 0 {
		return nil
	}
	b := whole.Bytes()
	b[0] = '{'
	return x.document(append(b, '}'))
}

// trace takes one trace of the API's answer, whose segments are documents in text.
func (x *xray) trace() error {
	var t struct {
		Segments []struct{ Document string }
	}
	if err := x.doc.value(&t); err != nil {
		return err
	}
	for _, s := range t.Segments {
		if err := x.document([]byte(s.Document)); err != nil {
			return err
		}
	}
	return nil
}

func (x *xray) document(raw []byte) error {
	var s segment
	if err := json.Unmarshal(raw, &s); err != nil {
		x.refuse("not a segment of X-Ray")
		return nil
	}
	if s.TraceID == "" && s.ID == "" && bytes.Contains(raw, []byte(`"format"`)) {
		return nil // the line that the daemon's protocol puts before a segment
	}
	return x.take(&s, nil, s.Name, 0)
}

// take takes a segment and what lies in it. The service is that of the segment.
func (x *xray) take(s *segment, in *assay.Span, service string, deep int) error {
	if deep > maxSegments {
		x.in.Tally.Reject("subsegments within one another deeper than 32", s.count())
		return nil
	}
	out := &assay.Span{Name: s.Name, Service: service, Failed: s.Fault, SpanID: x.id(s.ID), Parent: x.id(s.ParentID)}
	switch {
	case s.Namespace == "aws" || s.Namespace == "remote":
		out.Kind = assay.SpanClient
	case in == nil && s.Type != "subsegment":
		out.Kind = assay.SpanServer
	default:
		out.Kind = assay.SpanInternal
	}
	if in != nil {
		out.TraceID, out.Parent = in.TraceID, in.SpanID
	} else {
		out.TraceID = x.taker.trace(strings.ReplaceAll(strings.TrimPrefix(s.TraceID, "1-"), "-", ""))
	}
	s.attrs(out)
	start, ok := s.Start.ns(1e9)
	end, okay := s.End.ns(1e9)
	switch {
	case !ok:
		x.refuse("no start time or no duration")
	case s.InProgress && s.End == "":
		x.refuse("in progress: it has no end yet")
	case !okay:
		x.refuse("no start time or no duration")
	default:
		out.Start, out.End = start, end
		if err := x.span(out); err != nil {
			return err
		}
	}
	for i := range s.Subsegments {
		if err := x.take(&s.Subsegments[i], out, service, deep+1); err != nil {
			return err
		}
	}
	return nil
}

func (s *segment) count() int64 {
	n := int64(1)
	for i := range s.Subsegments {
		n += s.Subsegments[i].count()
	}
	return n
}

// attrs sets the attributes by OpenTelemetry's names.
func (s *segment) attrs(out *assay.Span) {
	add := func(key, value string) {
		if value != "" {
			out.Attrs = append(out.Attrs, assay.Attr{Key: key, Value: value})
		}
	}
	for _, key := range sorted(s.Annotations) {
		add(key, truth(text(s.Annotations[key])))
	}
	add("http.request.method", s.HTTP.Request.Method)
	status := string(s.HTTP.Response.Status)
	if status == "" && s.Throttle {
		status = "429"
	}
	add("http.response.status_code", status)
	add("aws.xray.origin", s.Origin)
	add("cloud.region", s.AWS.Region)
	add("rpc.method", s.AWS.Operation)
	add("aws.s3.bucket", s.AWS.Bucket)
	if s.AWS.Table != "" {
		add("db.system.name", "aws.dynamodb")
	} else if s.SQL != nil {
		add("db.system.name", strings.ToLower(s.SQL.Type))
	}
	if strings.HasPrefix(s.Origin, "AWS::Lambda") {
		add("faas.invocation_id", s.AWS.RequestID)
		add("cloud.resource_id", s.AWS.FunctionARN)
		if s.AWS.FunctionARN == "" {
			add("cloud.resource_id", s.AWS.ResourceARN)
		}
	}
	if slices.ContainsFunc(s.Subsegments, func(c segment) bool { return c.Name == "Initialization" }) {
		add("faas.coldstart", "true")
	}
	if s.Error && !s.Throttle && status == "" {
		out.Failed = true
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
