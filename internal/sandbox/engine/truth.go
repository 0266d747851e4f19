package engine

import (
	"go.opentelemetry.io/otel/trace"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// A TruthRequest is the truth line of one request. Times are Unix nanoseconds.
type TruthRequest struct {
	Kind        string           `json:"kind"` // "request"
	TraceID     string           `json:"trace_id,omitempty"`
	Instance    string           `json:"instance"`
	Arrived     int64            `json:"arrived_unix_ns"`
	Queued      int64            `json:"queued_ns"`
	QueuedBy    map[string]int64 `json:"queued_by_ns,omitempty"` // by reason: max_seqs, kv_cache, step
	Prefill     int64            `json:"prefill_ns"`
	Decode      int64            `json:"decode_ns"`
	Preempted   int64            `json:"preempted_ns"`
	Preemptions int              `json:"preemptions"`
	Busy        int64            `json:"busy_ns"`
	FirstToken  int64            `json:"first_token_unix_ns"` // 0 when there was none
	End         int64            `json:"end_unix_ns"`
	TokensIn    int              `json:"tokens_in"`
	TokensOut   int              `json:"tokens_out"`
	Outcome     string           `json:"outcome"`          // ok, cancelled, aborted or refused
	Status      int              `json:"status,omitempty"` // of a refused one
	Code        string           `json:"code,omitempty"`   // of a refused one, such as loading
}

// A Phase is one finished phase of the start, as printed on stdout and, with kind "phase", in the truth log.
type Phase = worker.Phase

// truthOf returns the truth of a request that became a sequence.
func truthOf(rec *record, instance string) TruthRequest {
	q := rec.seq
	line := TruthRequest{Kind: "request", TraceID: rec.traceID(), Instance: instance, Arrived: rec.arrived,
		Queued: q.queued(), QueuedBy: map[string]int64{}, Prefill: q.total[prefill], Decode: q.total[decode],
		Preempted: q.total[preempted], Preemptions: q.preemptions, Busy: q.busy, FirstToken: q.firstToken, End: rec.end,
		TokensIn: q.prompt, TokensOut: q.generated(), Outcome: q.outcome.String()}
	for _, w := range []state{waitStep, waitSeqs, waitKV} {
		if q.total[w] > 0 {
			line.QueuedBy[w.reason()] = q.total[w]
		}
	}
	return line
}

// truthOfRefused returns the truth of a request that never became a sequence.
func truthOfRefused(rec *record, instance string, why *apiError, at int64) TruthRequest {
	return TruthRequest{Kind: "request", TraceID: rec.traceID(), Instance: instance, Arrived: rec.arrived, End: at,
		Outcome: "refused", Status: why.status, Code: why.code}
}

// traceID returns the id of the request's trace: of its span, or the client's where there is none.
func (rec *record) traceID() string {
	id := rec.trace
	if !id.IsValid() {
		id = trace.SpanContextFromContext(rec.parent).TraceID()
	}
	if !id.IsValid() {
		return ""
	}
	return id.String()
}
