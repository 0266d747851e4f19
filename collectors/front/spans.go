package front

import (
	"encoding/binary"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

// hopAttr marks the span of a hop. Its value says whether the upstream's time is told apart, so that what of the hop's time is nobody else's is its own and the network's.
const (
	hopAttr  = "assay.hop"
	hopApart = "apart"
	hopWhole = "whole"
)

// spans emits the hop's span of a line that names a trace, and that of the upstream below it where its time is known. A stamp of whole seconds
// would lay them up to a second beside the rest of the trace, so there is none then.
func (d *decoder) spans(e *entry) error {
	if e.trace.IsZero() || e.end == 0 {
		return nil
	}
	if e.resolution > int64(time.Millisecond) {
		d.note("%d lines name a trace, but their stamps are whole seconds: no spans were made of them; $msec in the log_format would tell", 1)
		return nil
	}
	own := e.span
	if own.IsZero() {
		own = e.id(0)
	}
	d.attrs = append(d.attrs[:0], assay.Attr{Key: "http.response.status_code", Value: code(e.code)})
	name := "request"
	if len(e.method) > 0 {
		name = d.text(e.method)
		d.attrs = append(d.attrs, assay.Attr{Key: "http.request.method", Value: name})
	}
	if e.retries > 0 {
		d.attrs = append(d.attrs, assay.Attr{Key: "http.request.resend_count", Value: strconv.FormatInt(e.retries, 10)})
	}
	hop := hopWhole
	if e.hop >= 0 {
		hop = hopApart
	}
	d.attrs = append(d.attrs, assay.Attr{Key: hopAttr, Value: hop})
	begin, ok := e.asked()
	d.span = assay.Span{TraceID: e.trace, SpanID: own, Parent: e.parent, Name: name, Service: d.kind, Kind: assay.SpanServer,
		Start: d.run(e.begin), End: d.run(e.end), Failed: e.outcome.Failed() && e.outcome != assay.ClientError, Attrs: d.attrs}
	if err := d.emit(&d.span); err != nil || !ok {
		return err
	}
	d.attrs = d.attrs[:0]
	if len(e.server) > 0 {
		d.attrs = append(d.attrs, assay.Attr{Key: "server.address", Value: d.text(e.server)})
	}
	d.span = assay.Span{TraceID: e.trace, SpanID: e.id(1), Parent: own, Name: "upstream", Service: d.kind, Kind: assay.SpanClient,
		Start: d.run(begin), End: d.run(e.end), Failed: e.outcome.Failed() && e.outcome != assay.ClientError, Attrs: d.attrs}
	return d.emit(&d.span)
}

// asked returns when the upstream was asked. nginx does not tell when within the request: it reads the request first and passes the answer on as it
// comes, so its own time is taken to lie before.
func (e *entry) asked() (int64, bool) {
	if e.upstream <= 0 || e.hop < 0 {
		return 0, false
	}
	return min(e.begin+e.hop, e.end), true
}

// id makes the id of a span out of what tells the request apart from others.
func (e *entry) id(n byte) (id assay.SpanID) {
	h := fnv.New64a()
	h.Write(e.trace[:])
	h.Write(e.parent[:])
	var b [17]byte
	binary.LittleEndian.PutUint64(b[:], uint64(e.begin))
	binary.LittleEndian.PutUint64(b[8:], uint64(e.end))
	b[16] = n
	h.Write(b[:])
	h.Sum(id[:0])
	return id
}
