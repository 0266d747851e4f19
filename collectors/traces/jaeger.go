package traces

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// maxTrace bounds what is held of one trace, since the processes that its spans name may stand behind them.
const maxTrace = 64 << 20

const year2000 = 946684800 * int64(time.Second)

type jaegerSpan struct {
	TraceID    string `json:"traceID"`
	SpanID     string `json:"spanID"`
	ParentID   string `json:"parentSpanID"` // before there were references
	Name       string `json:"operationName"`
	References []struct {
		Type    string `json:"refType"`
		TraceID string `json:"traceID"`
		SpanID  string `json:"spanID"`
	} `json:"references"`
	Start     number         `json:"startTime"` // µs
	Duration  number         `json:"duration"`  // µs
	Tags      []jaegerTag    `json:"tags"`
	ProcessID string         `json:"processID"`
	Process   *jaegerProcess `json:"process"` // as in Elasticsearch
}

type jaegerTag struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

type jaegerProcess struct {
	Service string      `json:"serviceName"`
	Tags    []jaegerTag `json:"tags"`
}

func isJaeger(_ string, head []byte) bool {
	return bytes.Contains(head, []byte(`"traceID"`)) && (bytes.Contains(head, []byte(`"spanID"`)) || bytes.Contains(head, []byte(`"spans"`)) || bytes.Contains(head, []byte(`"processes"`)))
}

func readJaeger(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	j := &jaeger{taker: newTaker(in, 1000, emit), doc: newDocument(in.File)}
	defer func() {
		if j.undated > 0 {
			in.Tally.Note("%d spans are stamped before the year 2000: option epoch= says what their stamps count from", j.undated)
		}
	}()
	if text := in.Option("epoch"); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fmt.Errorf("%s: epoch %q: want an instant such as 2026-01-01T00:00:00Z", in.Path, text)
		}
		j.epoch = at.UnixNano()
	}
	return j.end(j.doc.all(j.top))
}

type jaeger struct {
	*taker
	doc   *document
	epoch int64 // Unix ns of stamp 0

	undated   int64    // spans whose stamps count from something else, which was not told
	held      [][]byte // the spans of the trace that is being read
	size      int
	processes map[string]*jaegerProcess
}

// top takes an answer of the query service, one trace, or a list of traces.
func (j *jaeger) top(delim json.Delim) error {
	switch delim {
	case '[':
		return j.doc.elements(j.element)
	case '{':
		return j.object(true)
	}
	return nil
}

func (j *jaeger) element() error {
	delim, err := j.doc.begin()
	if err != nil || delim != '{' {
		return err
	}
	return j.object(false)
}

// object takes a trace, or what holds traces as data.
func (j *jaeger) object(outer bool) error {
	j.held, j.size, j.processes = j.held[:0], 0, nil
	err := j.doc.members(func(name string) error {
		switch {
		case name == "data" && outer:
			return j.doc.list(j.element)
		case name == "spans":
			return j.doc.list(j.hold)
		case name == "processes":
			return j.doc.value(&j.processes)
		case name == fetchedName && outer:
			var f fetched
			if err := j.doc.value(&f); err != nil {
				return err
			}
			f.note(j.taker)
			return nil
		}
		return j.doc.skip()
	})
	for _, raw := range j.held {
		if err := j.take(raw); err != nil {
			return err
		}
	}
	j.held = j.held[:0]
	return err
}

func (j *jaeger) hold() error {
	var raw json.RawMessage
	if err := j.doc.value(&raw); err != nil {
		return err
	}
	if j.size += len(raw); j.size > maxTrace {
		return fmt.Errorf("%s: a trace of more than %d MiB", j.in.Path, maxTrace>>20)
	}
	j.held = append(j.held, raw)
	return nil
}

func (j *jaeger) take(raw []byte) error {
	var s jaegerSpan
	if err := json.Unmarshal(raw, &s); err != nil {
		j.refuse("not a span of Jaeger")
		return nil
	}
	start, ok := s.Start.ns(1000)
	took, okay := s.Duration.ns(1000)
	if !ok || !okay {
		j.refuse("no start time or no duration")
		return nil
	}
	if start+j.epoch < year2000 {
		j.undated++
	}
	out := &assay.Span{TraceID: j.trace(s.TraceID), SpanID: j.id(s.SpanID), Name: s.Name, Start: start + j.epoch, End: start + j.epoch + took}
	out.Parent = j.parent(&s)
	if p := s.Process; p != nil {
		j.process(out, p)
	} else if p := j.processes[s.ProcessID]; p != nil {
		j.process(out, p)
	}
	for _, t := range s.Tags {
		tagged(out, t.Key, text(t.Value))
	}
	return j.span(out)
}

// parent chooses the reference that is the caller: CHILD_OF before FOLLOWS_FROM, of the same trace.
func (j *jaeger) parent(s *jaegerSpan) (id assay.SpanID) {
	for _, want := range []string{"CHILD_OF", "FOLLOWS_FROM"} {
		for _, r := range s.References {
			if r.Type == want && (r.TraceID == s.TraceID || r.TraceID == "") {
				return j.id(r.SpanID)
			}
		}
	}
	if len(s.References) == 0 {
		return j.id(s.ParentID)
	}
	return id
}

func (j *jaeger) process(out *assay.Span, p *jaegerProcess) {
	out.Service = p.Service
	for _, t := range p.Tags {
		switch t.Key {
		case "service.instance.id", "faas.instance":
			out.Instance = text(t.Value)
		}
		if collectors.ResourceAttr(t.Key) {
			out.Attrs = append(out.Attrs, assay.Attr{Key: t.Key, Value: text(t.Value)})
		}
	}
}

// kinds are the values of the tag span.kind.
var kinds = map[string]assay.SpanKind{"internal": assay.SpanInternal, "server": assay.SpanServer, "client": assay.SpanClient, "producer": assay.SpanProducer, "consumer": assay.SpanConsumer}

// tagged takes a tag of Jaeger or Zipkin: some are what OpenTelemetry has fields for.
func tagged(out *assay.Span, key, value string) {
	switch key {
	case "span.kind":
		out.Kind = kinds[value]
		return
	case "otel.status_code":
		out.Failed = out.Failed || value == "ERROR"
		return
	case "error": // its presence is the failure; what it says may be anything
		out.Failed = out.Failed || truth(value) != "false"
		return
	case "otel.status_description", "internal.span.format", "w3c.tracestate":
		return
	case "sql.query":
		key, value = "db.system.name", "other_sql" // the statement holds values
	}
	out.Attrs = append(out.Attrs, assay.Attr{Key: key, Value: truth(value)})
}
