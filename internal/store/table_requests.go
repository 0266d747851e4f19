package store

import (
	"github.com/parquet-go/parquet-go"

	"github.com/assay-dev/assay"
)

// requestRow is the schema of requests/*.parquet. Instants are nanoseconds since the run's epoch; null: not seen.
type requestRow struct {
	RequestID   int64   `parquet:"request_id,delta"`
	Attempt     int32   `parquet:"attempt"`
	Phase       string  `parquet:"phase,dict"`
	Class       *string `parquet:"class,optional,dict"`
	Outcome     string  `parquet:"outcome,dict"`
	Status      *int32  `parquet:"status,optional"`
	Cold        string  `parquet:"cold,dict"`
	Instance    *string `parquet:"instance,optional,dict"`
	TraceID     *string `parquet:"trace_id,optional"`
	SpanID      *string `parquet:"span_id,optional"`
	Error       *string `parquet:"error,optional,dict"`
	Due         int64   `parquet:"due_ns,delta"`
	Sent        *int64  `parquet:"sent_ns,optional"`
	FirstByte   *int64  `parquet:"first_byte_ns,optional"`
	FirstToken  *int64  `parquet:"first_token_ns,optional"`
	End         *int64  `parquet:"end_ns,optional"`
	Arrivals    []int64 `parquet:"arrivals_ns,list,uncompressed" parquet-element:",delta,uncompressed"`
	Counts      []int32 `parquet:"arrival_tokens,list" parquet-element:",delta"`
	TokensIn    int32   `parquet:"tokens_in"`
	TokensOut   int32   `parquet:"tokens_out"`
	TokensAsked int32   `parquet:"tokens_asked"`
	BytesOut    int64   `parquet:"sent_bytes"`
	BytesIn     int64   `parquet:"received_bytes"`
	RetryAfter  *int64  `parquet:"retry_after_ns,optional"`
	NoSchedule  bool    `parquet:"no_schedule"`
	Forced      bool    `parquet:"forced_cold"`
	Canary      bool    `parquet:"canary"`
	User        *string `parquet:"user,optional,dict"` // since assay/requests/v2
}

// firstRequestColumns is how many columns assay/requests/v1 had.
const firstRequestColumns = 27

func allNames[E ~uint8](n int) []E {
	names := make([]E, n)
	for i := range names {
		names[i] = E(i)
	}
	return names
}

var (
	// The outcomes come first in the order in which most requests end.
	outcomeNames = append([]assay.Outcome{assay.OK}, allNames[assay.Outcome](int(assay.Credential)+1)...)
	coldNames    = allNames[assay.Cold](int(assay.ColdNo) + 1)
	kindNames    = allNames[assay.SpanKind](int(assay.SpanConsumer) + 1)
)

var requestTable = newTable(requestRow{}, firstRequestColumns, []column[assay.Request]{
	{path: "request_id",
		put: func(dst []parquet.Value, r *assay.Request, _ *[]byte) []parquet.Value {
			return append(dst, parquet.Int64Value(int64(r.ID)))
		},
		get: func(r *assay.Request, v parquet.Value, _ *columnReader) error { r.ID = v.Uint64(); return nil }},
	int32Column("attempt", func(r *assay.Request) *int32 { return &r.Attempt }),
	textColumn("phase", func(r *assay.Request) *string { return &r.Phase }),
	optTextColumn("class", func(r *assay.Request) *string { return &r.Class }),
	nameColumn("outcome", func(r *assay.Request) *assay.Outcome { return &r.Outcome }, outcomeNames),
	optInt32Column("status", func(r *assay.Request) *int32 { return &r.Status }),
	nameColumn("cold", func(r *assay.Request) *assay.Cold { return &r.Cold }, coldNames),
	optTextColumn("instance", func(r *assay.Request) *string { return &r.Instance }),
	optIDColumn("trace_id", func(r *assay.Request) []byte { return r.TraceID[:] }),
	optIDColumn("span_id", func(r *assay.Request) []byte { return r.SpanID[:] }),
	optTextColumn("error", func(r *assay.Request) *string { return &r.Error }),
	int64Column("due_ns", func(r *assay.Request) *int64 { return &r.Due }),
	optInt64Column("sent_ns", func(r *assay.Request) *int64 { return &r.Sent }),
	optInt64Column("first_byte_ns", func(r *assay.Request) *int64 { return &r.FirstByte }),
	optInt64Column("first_token_ns", func(r *assay.Request) *int64 { return &r.FirstToken }),
	optInt64Column("end_ns", func(r *assay.Request) *int64 { return &r.End }),
	{path: "arrivals_ns.list.element", heavy: true, put: putArrivals, get: getArrival, page: readArrivals},
	{path: "arrival_tokens.list.element", heavy: true, put: putCounts, get: getCount},
	int32Column("tokens_in", func(r *assay.Request) *int32 { return &r.TokensIn }),
	int32Column("tokens_out", func(r *assay.Request) *int32 { return &r.TokensOut }),
	int32Column("tokens_asked", func(r *assay.Request) *int32 { return &r.TokensAsked }),
	int64Column("sent_bytes", func(r *assay.Request) *int64 { return &r.BytesOut }),
	int64Column("received_bytes", func(r *assay.Request) *int64 { return &r.BytesIn }),
	optInt64Column("retry_after_ns", func(r *assay.Request) *int64 { return &r.RetryAfter }),
	boolColumn("no_schedule", func(r *assay.Request) *bool { return &r.NoSchedule }),
	boolColumn("forced_cold", func(r *assay.Request) *bool { return &r.Forced }),
	boolColumn("canary", func(r *assay.Request) *bool { return &r.Canary }),
	userColumn(),
})

// userColumn is a text of which there may be as many as there are requests: it does not push out of a reader's memory those that come again and again.
func userColumn() column[assay.Request] {
	c := optTextColumn("user", func(r *assay.Request) *string { return &r.User })
	c.get = func(r *assay.Request, v parquet.Value, rd *columnReader) error {
		r.User = rd.users.of(v.ByteArray())
		return nil
	}
	return c
}

func putArrivals(dst []parquet.Value, r *assay.Request, _ *[]byte) []parquet.Value {
	for i, v := range r.Arrivals {
		dst = append(dst, level(parquet.Int64Value(v), i))
	}
	if len(r.Arrivals) == 0 {
		dst = append(dst, parquet.Value{})
	}
	return dst
}

func getArrival(r *assay.Request, v parquet.Value, rd *columnReader) error {
	rd.arrivals = append(rd.arrivals, v.Int64())
	n := len(rd.arrivals)
	r.Arrivals = rd.arrivals[n-1-len(r.Arrivals) : n : n]
	return nil
}

func putCounts(dst []parquet.Value, r *assay.Request, _ *[]byte) []parquet.Value {
	for i, v := range r.Counts {
		dst = append(dst, level(parquet.Int32Value(v), i))
	}
	if len(r.Counts) == 0 {
		dst = append(dst, parquet.Value{})
	}
	return dst
}

func getCount(r *assay.Request, v parquet.Value, rd *columnReader) error {
	rd.counts = append(rd.counts, v.Int32())
	n := len(rd.counts)
	r.Counts = rd.counts[n-1-len(r.Counts) : n : n]
	return nil
}
