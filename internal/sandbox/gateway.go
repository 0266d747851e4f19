package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// RunHeader is the request header that names the run a request belongs to.
const RunHeader = "X-Assay-Run"

const maxBody = 1 << 20 // of a request

// A gateway is the front door: it takes requests, waits with them for an instance, and passes the answer on as it comes.
type gateway struct {
	cfg    Config
	pool   *pool
	tracer trace.Tracer
	truth  *truthLog
	store  *vectorStore                                    // nil without the retrieval dial
	failed func(b *backend, cause string)                  // a connection to b failed
	served func(route string, status int, d time.Duration) // one request ended
}

func (g *gateway) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", g.complete)
	mux.HandleFunc("POST /v1/completions", g.complete)
	mux.HandleFunc("GET /v1/models", g.models)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "invalid_request_error", "not_found", fmt.Sprintf("%s %s is not served here", r.Method, r.URL.Path))
	})
	return mux
}

func (g *gateway) models(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": []any{
		map[string]any{"id": g.cfg.Name(), "object": "model", "created": 0, "owned_by": "assay.sandbox"}}})
}

// writeError answers in the shape OpenAI clients expect.
func writeError(w http.ResponseWriter, status int, kind, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "type": kind, "param": nil, "code": code}})
}

// An exchange is one request on its way through the gateway.
type exchange struct {
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context // of the client's connection, with the server span
	span  trace.Span
	body  []byte
	truth TruthRequest
	began bool // something of the answer has been sent
}

func (g *gateway) complete(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	route := r.URL.Path
	ctx := traceContext.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	parent := trace.SpanContextFromContext(ctx)
	ctx, span := g.tracer.Start(ctx, "POST "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(arrived),
		trace.WithAttributes(attribute.String("http.request.method", "POST"), attribute.String("http.route", route), attribute.String("faas.name", g.cfg.Name())))
	x := &exchange{w: w, r: r, ctx: ctx, span: span, truth: TruthRequest{TraceID: span.SpanContext().TraceID().String(),
		Run: r.Header.Get(RunHeader), Route: route, Arrived: arrived.UnixNano()}}
	if parent.IsValid() {
		x.truth.Parent = parent.SpanID().String()
	}

	g.pass(x)

	end := time.Now()
	t := &x.truth
	t.End = end.UnixNano()
	if t.Status > 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", t.Status))
	}
	if t.Outcome != outcomeOK || t.Status >= 500 {
		span.SetAttributes(attribute.String("error.type", t.Outcome))
		span.SetStatus(codes.Error, t.Error)
	}
	span.End(trace.WithTimestamp(end))
	g.served(route, t.Status, end.Sub(arrived))
	g.truth.write(truthLine{Request: t})
	if t.Outcome == outcomeAborted {
		// The connection is cut without the end of the answer, so that the client cannot take it for complete.
		panic(http.ErrAbortHandler)
	}
}

// pass does all of a request but the accounts of it.
func (g *gateway) pass(x *exchange) {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	if err != nil {
		status, code := http.StatusBadRequest, "bad_body"
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status, code = http.StatusRequestEntityTooLarge, "body_too_large"
		}
		x.fail(outcomeBad, status, "invalid_request_error", code, "read the request: "+err.Error())
		return
	}
	x.body = body
	if g.store != nil && !g.retrieve(x) {
		return
	}
	var first ticket
	left := g.cfg.QueueTimeout
	for attempt := 0; ; attempt++ {
		t, err := g.wait(x, attempt, left)
		if err != nil {
			g.refuse(x, t, err)
			return
		}
		if attempt == 0 {
			first = t
		}
		cold := first.cold(t)
		x.truth.Cold, x.truth.Instance, x.truth.Born, x.truth.Attempts = &cold, t.b.id, t.born.UnixNano(), attempt+1
		x.span.SetAttributes(attribute.Bool("faas.coldstart", cold), attribute.String("faas.instance", t.b.id))
		refused := g.attempt(x, t, attempt == 0 && !g.cfg.NoRetry)
		g.pool.release(t)
		if !refused {
			return
		}
		left -= t.granted.Sub(t.arrived)
	}
}

// wait takes a ticket and leaves a span if that took a wait.
func (g *gateway) wait(x *exchange, attempt int, timeout time.Duration) (ticket, error) {
	t, err := g.pool.acquire(x.ctx, timeout)
	end := t.granted
	if err != nil {
		end = time.Now()
	}
	if attempt == 0 {
		x.truth.Queued, x.truth.Reason = t.arrived.UnixNano(), t.reason
	}
	if err == nil {
		x.truth.Granted = t.granted.UnixNano()
	}
	if t.reason == "" || errors.Is(err, errQueueFull) {
		return t, err
	}
	x.truth.Wait += int64(end.Sub(t.arrived))
	_, span := g.tracer.Start(x.ctx, "activator.wait", trace.WithTimestamp(t.arrived), trace.WithAttributes(attribute.String("wait.reason", t.reason)))
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	} else {
		span.SetAttributes(attribute.String("faas.instance", t.b.id))
	}
	span.End(trace.WithTimestamp(end))
	return t, err
}

// refuse answers a request that got no ticket.
func (g *gateway) refuse(x *exchange, t ticket, err error) {
	switch {
	case errors.Is(err, errQueueFull):
		x.w.Header().Set("Retry-After", "1")
		x.fail(outcomeQueueFull, http.StatusTooManyRequests, "rate_limit_error", "queue_full",
			fmt.Sprintf("the queue is full: %d requests wait already", g.cfg.QueueLimit))
	case errors.Is(err, errQueueWait):
		code, message := "at_capacity", "all instances are busy"
		if t.reason == waitNoInstance {
			code, message = "model_not_ready", "the model is still loading: no instance is ready"
		}
		x.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(g.cfg.QueueTimeout.Seconds()))))
		x.fail(outcomeQueueWait, http.StatusServiceUnavailable, "server_error", code, fmt.Sprintf("%s after %s", message, g.cfg.QueueTimeout))
	case errors.Is(err, errStopping):
		x.fail(outcomeStopping, http.StatusServiceUnavailable, "server_error", "shutting_down", "the platform is shutting down")
	default:
		x.gone(err)
	}
}

// fail ends the exchange with an error answer.
func (x *exchange) fail(outcome string, status int, kind, code, message string) {
	x.truth.Outcome, x.truth.Status, x.truth.Error, x.began = outcome, status, message, true
	writeError(x.w, status, kind, code, message)
}

// gone ends the exchange of a client that left.
func (x *exchange) gone(err error) {
	x.truth.Outcome, x.truth.Error = outcomeGone, err.Error()
}
