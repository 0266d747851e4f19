package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// A server is the HTTP side. It answers from the moment the process listens; the scheduler appears when the model is warm.
type server struct {
	cfg       Config
	size      ModelSize
	words     []string
	metrics   *metrics
	dcgm      *prometheus.Registry
	process   *worker.Process
	created   int64 // Unix seconds
	scheduler atomic.Pointer[scheduler]
	loaded    atomic.Int64 // bytes of weights in memory
	draining  atomic.Bool
	serial    atomic.Uint64
}

func (s *server) unix() int64 { return s.process.Unix() }

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, e := range []*endpoint{chat, completion} {
		mux.HandleFunc("POST "+e.path, func(w http.ResponseWriter, r *http.Request) { s.complete(w, r, e) })
	}
	mux.HandleFunc("GET /v1/models", s.models)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if _, fault := s.ready(); fault != nil {
			fault.write(w)
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	mux.HandleFunc("GET "+worker.QueuePath, func(w http.ResponseWriter, _ *http.Request) {
		var q worker.Queue
		if sched := s.scheduler.Load(); sched != nil {
			q = worker.Queue{Waiting: sched.queuedN.Load(), Running: sched.runningN.Load()}
		}
		writeJSON(w, http.StatusOK, q)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /metrics/dcgm", promhttp.HandlerFor(s.dcgm, promhttp.HandlerOpts{}))
	return mux
}

func (s *server) ready() (*scheduler, *apiError) {
	if s.draining.Load() {
		return nil, unavailable("stopping", "The worker is stopping.")
	}
	if sched := s.scheduler.Load(); sched != nil {
		return sched, nil
	}
	return nil, unavailable("loading", "The model is still loading.")
}

// memory returns the bytes held by weights and KV blocks in use, and those there are in all.
func (s *server) memory() (used, total int64) {
	used = s.loaded.Load()
	perBlock := blockTokens * s.size.KVBytesPerToken()
	if sched := s.scheduler.Load(); sched != nil {
		used += sched.kvUsed.Load() * perBlock
	}
	return used, s.size.WeightBytes() + int64(s.cfg.KVTokens/blockTokens)*perBlock
}

func (s *server) models(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": []any{map[string]any{
		"id": s.cfg.ModelName, "object": "model", "created": s.created, "owned_by": "assay", "root": s.size.Name,
		"max_model_len": min(s.size.Context, s.cfg.KVTokens/blockTokens*blockTokens)}}})
}

// complete serves one request of either endpoint.
func (s *server) complete(w http.ResponseWriter, r *http.Request, e *endpoint) {
	rec := &record{endpoint: e, arrived: s.unix(), parent: propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(r.Header))}
	a, q, sched, fault := s.accept(w, r, rec)
	if fault != nil {
		fault.write(w)
		s.process.Truth.Write(truthOfRefused(rec, s.cfg.Instance, fault, s.unix()))
		return
	}
	id := fmt.Sprintf("%s%s-%d", e.idPrefix, s.cfg.Instance, s.serial.Add(1))
	if a.stream {
		s.stream(w, r, id, a, q, sched, e)
	} else {
		s.whole(w, r, id, q, sched, e)
	}
	rec.seq, rec.end = q, max(s.unix(), q.ended)
	emitSpans(s.process.Tracer, rec, s.cfg)
	s.process.Truth.Write(truthOf(rec, s.cfg.Instance))
}

// accept decodes a request and submits its sequence.
func (s *server) accept(w http.ResponseWriter, r *http.Request, rec *record) (*ask, *sequence, *scheduler, *apiError) {
	sched, fault := s.ready()
	if fault != nil {
		return nil, nil, nil, fault
	}
	a, fault := decodeAsk(http.MaxBytesReader(w, r.Body, s.cfg.MaxBody), rec.endpoint, s.size.Vocab, s.cfg.ModelName)
	if fault != nil {
		return nil, nil, nil, fault
	}
	room := sched.capacity()
	if a.maxTokens == 0 {
		a.maxTokens = max(1, min(rec.endpoint.defaultTokens, room-len(a.prompt)))
	}
	if a.maxTokens > room-len(a.prompt) {
		return nil, nil, nil, &apiError{status: http.StatusBadRequest, kind: "BadRequestError", code: "context_length_exceeded",
			message: fmt.Sprintf("This model's maximum context length is %d tokens. However, you requested %d tokens in the prompt and %d in the completion.",
				room, len(a.prompt), a.maxTokens)}
	}
	q := newSequence(a.prompt, a.maxTokens, a.temperature, a.seed^s.cfg.Seed, rec.arrived)
	switch err := sched.submit(q); {
	case errors.Is(err, errQueueFull):
		return nil, nil, nil, &apiError{status: http.StatusTooManyRequests, kind: "RateLimitError", code: "queue_full",
			message: "The worker's queue is full.", retryAfter: "1"}
	case err != nil:
		return nil, nil, nil, unavailable("stopping", "The worker is stopping.")
	}
	return a, q, sched, nil
}

// stream answers with server-sent events. The headers go out with the first token, so that a failure before it still has a status of its own.
func (s *server) stream(w http.ResponseWriter, r *http.Request, id string, a *ask, q *sequence, sched *scheduler, e *endpoint) {
	out := newStream(w, e, id, time.Now().Unix(), s.cfg.ModelName, a.usage, s.words)
	defer func() { _ = out.ctl.SetWriteDeadline(time.Time{}) }() // the connection may serve another request
	for n := 0; n < q.maxNew; {
		t, ok := next(r, q, sched)
		if !ok {
			if q.outcome == aborted && n == 0 {
				unavailable("stopping", "The worker stopped before the first token.").write(w)
			} else if q.outcome == aborted {
				out.fail("The worker stopped before the answer was complete.")
				_ = out.flush() // it is over either way
			}
			return
		}
		if n == 0 {
			out.start()
		}
		n++
		out.add(t.id, n == q.maxNew)
		if n == q.maxNew {
			break
		}
		if len(q.out) > 0 {
			continue // more is there already: send it together
		}
		if out.flush() != nil {
			sched.cancel(q)
		}
	}
	var u *usage
	if a.usage {
		u = usageOf(q.prompt, q.maxNew)
	}
	out.end(u)
	_ = out.flush()   // all tokens were produced; a client that left now changes nothing
	for range q.out { // closed by now or in a moment
	}
}

// whole answers with one JSON document.
func (s *server) whole(w http.ResponseWriter, r *http.Request, id string, q *sequence, sched *scheduler, e *endpoint) {
	var text strings.Builder
	for {
		t, ok := next(r, q, sched)
		if !ok {
			break
		}
		text.WriteString(s.words[t.id])
	}
	if q.outcome == aborted {
		unavailable("stopping", "The worker stopped before the answer was complete.").write(w)
	}
	if q.outcome != finished {
		return
	}
	answer := strings.TrimPrefix(text.String(), " ")
	choice := map[string]any{"index": 0, "finish_reason": "length", "logprobs": nil}
	if e == chat {
		choice["message"] = map[string]string{"role": "assistant", "content": answer}
	} else {
		choice["text"] = answer
	}
	writeJSON(w, http.StatusOK, map[string]any{"id": id, "object": e.object, "created": time.Now().Unix(), "model": s.cfg.ModelName,
		"choices": []any{choice}, "usage": usageOf(q.prompt, q.maxNew)})
}

// next waits for the next token. When the client goes away it cancels the sequence; it returns
// false only after the scheduler has let go of it.
func next(r *http.Request, q *sequence, sched *scheduler) (token, bool) {
	select {
	case t, ok := <-q.out:
		return t, ok
	case <-r.Context().Done():
		sched.cancel(q)
		for range q.out {
		}
		return token{}, false
	}
}

func usageOf(in, out int) *usage {
	return &usage{PromptTokens: in, CompletionTokens: out, TotalTokens: in + out}
}

// A record is what is told about one request when it is over.
type record struct {
	endpoint *endpoint
	parent   context.Context // carries the client's span, if it sent one
	trace    trace.TraceID
	arrived  int64
	end      int64
	seq      *sequence
}
