package collectors

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A signal is one of the three things OTLP carries.
type signal uint8

const (
	traces signal = iota
	metrics
	logs
)

var signalNames = [...]string{"traces", "metrics", "logs"}

// An encoding of OTLP's messages.
type encoding uint8

const (
	protobuf encoding = iota
	otlpJSON
)

const notRecorded = "assay records traces and metrics here; logs are not recorded"

// slot takes one of the slots for requests that are in memory, and waits for it a little. It is taken before a body is read, so that a run that
// cannot keep up holds no more bodies than there are slots; its error asks the sender to try again.
func (o *OTLP) slot(ctx context.Context) (release func(), err error) {
	release = func() { <-o.work }
	select {
	case o.work <- struct{}{}:
		return release, nil
	default:
	}
	t := time.NewTimer(cmp.Or(o.patience, otlpPatience))
	defer t.Stop()
	select {
	case o.work <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	case <-t.C:
		o.count(func(c *Counts) { c.PushedBack++ })
		return nil, status.Errorf(codes.Unavailable, "the run is busy with %d requests: try again", otlpAtOnce)
	}
}

// export takes one request whose body was read, of either transport, and returns the encoded answer. Its
// errors carry a gRPC status. A request that assay cannot stand ends that request only: gRPC lets a panic end the process.
func (o *OTLP) export(sig signal, enc encoding, body []byte) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			o.count(func(c *Counts) { c.Bad++ })
			out, err = nil, status.Errorf(codes.Internal, "%s: a defect of assay: %v", signalNames[sig], p)
		}
	}()
	if !o.gate.enter() {
		return nil, status.Error(codes.Unavailable, "the run has ended")
	}
	defer o.gate.leave()
	if err := checkShape(sig, enc, body, maxMessages); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "decode %s: %v", signalNames[sig], err)
	}
	switch sig {
	case metrics:
		return o.takeMetrics(enc, body)
	case logs:
		return o.ignoreLogs(enc, body)
	}
	req := ptraceotlp.NewExportRequest()
	if err := decode(enc, body, req.UnmarshalProto, req.UnmarshalJSON); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "decode traces: %v", err)
	}
	t := o.take(req.Traces())
	if t.refusal != nil && t.spans == 0 {
		o.count(func(c *Counts) { c.Requests++; c.PushedBack++ })
		return nil, status.Errorf(codes.Unavailable, "the run cannot take spans now: %v", t.refusal)
	}
	o.settle(&t)
	resp := ptraceotlp.NewExportResponse()
	if n := t.lost(); n > 0 {
		resp.PartialSuccess().SetRejectedSpans(n)
		resp.PartialSuccess().SetErrorMessage(t.message("spans"))
	}
	return answer(enc, resp.MarshalProto, resp.MarshalJSON)
}

// A taking is what became of one request's spans.
type taking struct {
	spans, private, clipped int64
	rejected                map[string]int64
	refusal                 error // emit's, which ended the taking
}

func (t *taking) reject(reason string, n int64) {
	if t.rejected == nil {
		t.rejected = make(map[string]int64)
	}
	t.rejected[reason] += n
}

func (t *taking) lost() (n int64) {
	for _, c := range t.rejected {
		n += c
	}
	return n
}

func (t *taking) message(things string) string {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(t.rejected)) {
		parts = append(parts, fmt.Sprintf("%d %s", t.rejected[reason], reason))
	}
	return things + " rejected: " + strings.Join(parts, ", ")
}

// take emits the spans of td until the run pushes back.
func (o *OTLP) take(td ptrace.Traces) taking {
	var t taking
	c := converters.Get().(*converter)
	defer converters.Put(c)
	c.begin(o)
	left := int64(td.SpanCount())
	c.ends = c.ends[:0]
	defer func() { o.late.add(c.now, c.ends) }() // before the converter goes back
	for _, rs := range td.ResourceSpans().All() {
		c.resource(rs.Resource().Attributes(), &t)
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				if reason := c.convert(s, &t); reason != "" {
					t.reject(reason, 1)
					left--
					continue
				}
				end := c.span.End
				if err := o.emit(&c.span); err != nil {
					t.refusal = err
					if t.spans > 0 {
						t.reject("back-pressure", left)
					}
					return t
				}
				t.spans++
				left--
				c.ends = append(c.ends, end)
			}
		}
	}
	return t
}

// settle adds a request's outcome to the intake's counts.
func (o *OTLP) settle(t *taking) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts.Requests++
	o.counts.Spans += t.spans
	o.counts.Private += t.private
	o.counts.Clipped += t.clipped
	if o.rejected == nil && len(t.rejected) > 0 {
		o.rejected = make(map[string]int64)
	}
	for reason, n := range t.rejected {
		o.rejected[reason] += n
	}
}

func (o *OTLP) ignoreLogs(enc encoding, body []byte) ([]byte, error) {
	req, resp := plogotlp.NewExportRequest(), plogotlp.NewExportResponse()
	if err := decode(enc, body, req.UnmarshalProto, req.UnmarshalJSON); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "decode logs: %v", err)
	}
	n := int64(req.Logs().LogRecordCount())
	o.count(func(c *Counts) { c.Requests++; c.Ignored += n })
	resp.PartialSuccess().SetRejectedLogRecords(n)
	resp.PartialSuccess().SetErrorMessage(notRecorded)
	return answer(enc, resp.MarshalProto, resp.MarshalJSON)
}

func decode(enc encoding, body []byte, proto, json func([]byte) error) error {
	if enc == otlpJSON {
		return json(body)
	}
	return proto(body)
}

func answer(enc encoding, proto, json func() ([]byte, error)) ([]byte, error) {
	if enc == otlpJSON {
		return json()
	}
	return proto()
}
