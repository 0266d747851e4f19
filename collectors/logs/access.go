package logs

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// rounding is by how much the time behind a proxy may seem to exceed the whole, since each is rounded to a millisecond by itself.
const rounding = 2 * int64(time.Millisecond)

// A hop is one request as a proxy in front logged it.
type hop struct {
	at         int64 // Unix ns: when it arrived
	resolution int64
	took       int64 // ns; -1: not told
	status     int32
	outcome    assay.Outcome
	error      string
	in, out    int64 // bytes
	first      int64 // ns from at to the first byte of what stands behind; -1: not told
	behind     int64 // ns: time spent there, over all tries; -1: not told
	tries      int
	upstream   string // of the last try
	trace      assay.TraceID
	parent     assay.SpanID
}

// accessOptions are those of access logs.
var accessOptions = []input.Option{
	{Name: "as", Help: "requests: each line is a request, as the proxy saw it; spans: lines with a trace id become spans of the hop, for use beside what clients saw"},
}

// readAccess reads an access log whose lines parse understands. why is the reason to leave a line out.
func readAccess(ctx context.Context, in *input.Input, emit func(assay.Record) error, name string, parse func(raw []byte, h *hop) (why string)) error {
	spans := false
	switch as := in.Option("as"); as {
	case "", "requests":
	case "spans":
		spans = true
	default:
		return fmt.Errorf("as %q is unknown: want requests or spans", as)
	}
	var begin, end int64
	l := input.Lines{File: in.File}
	for n := uint64(0); ; n++ {
		raw, err := l.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		h := hop{took: -1, first: -1, behind: -1}
		why := parse(raw, &h)
		switch {
		case why == "" && spans && h.trace.IsZero():
			why = "no trace id that would join it to a request"
		case why == "" && spans && h.took < 0:
			why = "says not how long it took"
		}
		if why != "" {
			in.Tally.Reject(why, 1)
			continue
		}
		in.Tally.Keep(1)
		in.Tally.Resolution = max(in.Tally.Resolution, h.resolution)
		if h.tries > 1 {
			in.Tally.Note("%d requests were tried again by the proxy, and count as one each", 1)
		}
		if spans {
			if err := h.spans(name, n, emit); err != nil {
				return err
			}
			continue
		}
		r := h.request()
		if begin == 0 || r.Due < begin {
			begin = r.Due
		}
		end = max(end, r.Due, r.End)
		if err := emit(r); err != nil {
			return err
		}
	}
	if begin == 0 {
		return nil
	}
	return errors.Join(
		emit(&assay.Event{Time: begin, Kind: assay.EventPhaseBegin, Source: "import", Phase: recorded, Attrs: map[string]string{"role": string(assay.RoleSteady)}}),
		emit(&assay.Event{Time: end, Kind: assay.EventPhaseEnd, Source: "import", Phase: recorded}))
}

func (h *hop) request() *assay.Request {
	r := &assay.Request{Due: h.at, NoSchedule: true, Phase: recorded, Status: h.status, Outcome: h.outcome, Error: h.error, Instance: h.upstream, TraceID: h.trace, SpanID: h.parent,
		BytesIn: h.out, BytesOut: h.in}
	if h.took >= 0 {
		r.End = h.at + h.took
		if h.first >= 0 && h.first <= h.took+rounding {
			r.FirstByte = h.at + min(h.first, h.took)
		}
	}
	return r
}

// spans emits the hop, and within it what stands behind. Their ids follow from the line's number.
func (h *hop) spans(name string, n uint64, emit func(assay.Record) error) error {
	id := func(part string) (s assay.SpanID) {
		f := fnv.New64a()
		fmt.Fprintf(f, "%s %d %s %x", name, n, part, h.trace)
		copy(s[:], f.Sum(nil))
		return s
	}
	hopID := id("hop")
	s := &assay.Span{TraceID: h.trace, SpanID: hopID, Parent: h.parent, Name: name, Service: name, Kind: assay.SpanServer, Start: h.at, End: h.at + h.took, Failed: h.outcome.Failed(),
		Attrs: []assay.Attr{{Key: "http.response.status_code", Value: strconv.Itoa(int(h.status))}}}
	if err := emit(s); err != nil || h.behind < 0 || h.behind > h.took+rounding {
		return err
	}
	b := &assay.Span{TraceID: h.trace, SpanID: id("upstream"), Parent: hopID, Name: name + " upstream", Service: name, Kind: assay.SpanClient, Start: h.at, End: h.at + min(h.behind, h.took), Failed: s.Failed,
		Attrs: []assay.Attr{{Key: "server.address", Value: h.upstream}, {Key: "http.request.resend_count", Value: strconv.Itoa(max(h.tries-1, 0))}}}
	return emit(b)
}

// judge fills in the outcome by the status.
func (h *hop) judge(status string) bool {
	code, err := strconv.Atoi(status)
	if err != nil || code < 0 || code > 999 {
		return false
	}
	h.status = int32(code)
	switch code {
	case 499: // nginx's own
		h.outcome, h.error = assay.Unfinished, "the client went away before the answer"
	case 444:
		h.outcome, h.error = assay.Reset, "closed without an answer"
	case 0:
		h.outcome, h.error = assay.Unfinished, "no answer was begun"
	default:
		if h.outcome = assay.OutcomeOf(code, false); h.outcome == assay.ClientError && code < 400 { // a redirect is what was asked of the proxy
			h.outcome = assay.OK
		}
	}
	return true
}

// traceOf reads a traceparent header, or an id alone that has the length of a W3C trace id.
func (h *hop) traceOf(text string) {
	parts := strings.Split(text, "-")
	id := strings.ReplaceAll(text, "-", "")
	if len(parts) == 4 && len(parts[1]) == 32 {
		id = parts[1]
		if b, err := hex.DecodeString(parts[2]); err == nil && len(b) == len(h.parent) {
			copy(h.parent[:], b)
		}
	}
	if b, err := hex.DecodeString(id); err == nil && len(b) == len(h.trace) {
		copy(h.trace[:], b)
	}
}

// duration reads a decimal number of units as ns; -1 where it is none.
func duration(text string, unit int64) int64 {
	ns, ok := input.Number(text, unit)
	if !ok || ns < 0 || ns > int64(30*24*time.Hour) {
		return -1
	}
	return ns
}

func size(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// members reads a JSON line's members as text, their names in lower case and with underscores.
func members(raw []byte) map[string]string {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil {
		return nil
	}
	m := make(map[string]string, len(o))
	for k, v := range o {
		var s string
		if json.Unmarshal(v, &s) != nil { // null makes no error, and is nothing
			s = string(v)
		}
		m[strings.NewReplacer("-", "_", ".", "_", "@", "").Replace(strings.ToLower(k))] = s
	}
	return m
}
