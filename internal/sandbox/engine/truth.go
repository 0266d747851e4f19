package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"go.opentelemetry.io/otel/trace"
)

// A truthLog is the file of what really happened, one JSON line each, written
// with one call so that several workers may share it. A nil one writes nothing.
type truthLog struct {
	mu   sync.Mutex
	file *os.File
	err  error // the first failure
}

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
type Phase struct {
	Kind     string `json:"kind,omitempty"`
	Instance string `json:"instance,omitempty"`
	Phase    string `json:"phase"`
	Start    int64  `json:"start_unix_ns"`
	End      int64  `json:"end_unix_ns"`
}

func openTruth(path string) (*truthLog, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open truth log: %w", err)
	}
	return &truthLog{file: f}, nil
}

func (t *truthLog) write(v any) {
	if t == nil {
		return
	}
	b, err := json.Marshal(v)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		_, err = t.file.Write(append(b, '\n'))
	}
	if t.err == nil {
		t.err = err
	}
}

// close returns the first failure of any write.
func (t *truthLog) close() error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.file.Close(); t.err == nil {
		t.err = err
	}
	if t.err != nil {
		return fmt.Errorf("write truth log: %w", t.err)
	}
	return nil
}

func (t *truthLog) request(rec *record, instance string) {
	if t == nil {
		return
	}
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
	t.write(line)
}

// refused tells of a request that never became a sequence.
func (t *truthLog) refused(rec *record, instance string, why *apiError, at int64) {
	t.write(TruthRequest{Kind: "request", TraceID: rec.traceID(), Instance: instance, Arrived: rec.arrived, End: at,
		Outcome: "refused", Status: why.status, Code: why.code})
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
