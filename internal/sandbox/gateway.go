package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/assay-dev/assay/internal/sandbox/vision"
)

// RunHeader is the request header that names the run a request belongs to.
const RunHeader = "X-Assay-Run"

const maxBody = 1 << 20 // of a request to a language model

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
	if g.cfg.Kind == KindVision {
		g.serveVision(mux)
	} else {
		g.serveLLM(mux)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "invalid_request_error", "not_found", fmt.Sprintf("%s %s is not served here", r.Method, r.URL.Path))
	})
	return mux
}

// Health returns the paths of the gateway of a kind of model that can be looked at, those of its own health first.
func Health(kind string) []string {
	if kind != KindVision {
		return []string{"/healthz", "/v1/models"}
	}
	out := []string{"/healthz", "/v2/health/live", "/v1/models"}
	for _, r := range vision.Routes() {
		if r.Method == http.MethodGet && !strings.Contains(r.Pattern, "{") {
			out = append(out, r.Pattern)
		}
	}
	return out
}

// serveLLM registers OpenAI's paths, and answers those of image classifiers in their own form.
func (g *gateway) serveLLM(mux *http.ServeMux) {
	for _, path := range []string{"/v1/chat/completions", "/v1/completions"} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { g.complete(w, r, openAI, path) })
	}
	mux.HandleFunc("GET /v1/models", g.models)
	for _, r := range vision.Routes() {
		mux.HandleFunc(r.Method+" "+r.Pattern, func(w http.ResponseWriter, r *http.Request) {
			openInference.fail(w, http.StatusNotFound, "", "", fmt.Sprintf("%s %s is not served here: %s is a language model; use POST /v1/chat/completions", r.Method, r.URL.Path, g.cfg.Name()))
		})
	}
}

// serveVision registers the paths of image classifiers, and answers those of language models in their own form. As behind
// Knative, a question about the model is passed on to an instance, and starts one if there is none; only
// what is about the platform is answered here.
func (g *gateway) serveVision(mux *http.ServeMux) {
	for _, r := range vision.Routes() {
		mux.HandleFunc(r.Method+" "+r.Pattern, func(w http.ResponseWriter, req *http.Request) { g.complete(w, req, openInference, r.Name) })
	}
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"models": []string{g.cfg.Name()}})
	})
	mux.HandleFunc("GET /v2/health/live", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"live": true})
	})
	for _, path := range []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"} {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			writeError(w, http.StatusNotFound, "invalid_request_error", "not_found", fmt.Sprintf(
				"%s %s is not served here: %s is an image classifier; use POST /v1/models/%[3]s:predict or /v2/models/%[3]s/infer", r.Method, r.URL.Path, g.cfg.Name()))
		})
	}
}

// A dialect is how one family of protocols is spoken at the gateway.
type dialect struct {
	maxBody int64
	fail    func(w http.ResponseWriter, status int, kind, code, message string)
}

var (
	openAI        = &dialect{maxBody, writeError}
	openInference = &dialect{vision.MaxBody, func(w http.ResponseWriter, status int, _, _, message string) {
		writeJSON(w, status, map[string]string{"error": message})
	}}
)

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
	speak *dialect
	ctx   context.Context // of the client's connection, with the server span
	span  trace.Span
	body  []byte
	truth TruthRequest
	began bool // something of the answer has been sent
	reset bool // the instance reset its connection in the middle of the answer
}

// complete passes one request on. route is what it is called in spans and logs.
func (g *gateway) complete(w http.ResponseWriter, r *http.Request, speak *dialect, route string) {
	arrived := time.Now()
	ctx := traceContext.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	parent := trace.SpanContextFromContext(ctx)
	ctx, span := g.tracer.Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(arrived),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", route), attribute.String("faas.name", g.cfg.Name())))
	x := &exchange{w: w, r: r, speak: speak, ctx: ctx, span: span, truth: TruthRequest{TraceID: span.SpanContext().TraceID().String(),
		Run: r.Header.Get(RunHeader), Route: route, Arrived: arrived.UnixNano()}}
	if parent.IsValid() {
		x.truth.Parent = parent.SpanID().String()
	}
	if len(g.cfg.Tenants) > 0 {
		x.truth.Tenant = g.pool.tenant(r.Header.Get(TenantHeader)).name
		span.SetAttributes(attribute.String("sandbox.tenant", x.truth.Tenant))
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
		// The connection is cut without the end of the answer, so that the client cannot take it for complete, and as the instance cut it.
		if x.reset {
			reset(w)
		}
		panic(http.ErrAbortHandler)
	}
}

// pass does all of a request but the accounts of it.
func (g *gateway) pass(x *exchange) {
	body, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, x.speak.maxBody))
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
	t, err := g.pool.acquire(x.ctx, x.truth.Tenant, timeout)
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
	if x.truth.Tenant != "" {
		span.SetAttributes(attribute.String("sandbox.tenant", x.truth.Tenant))
	}
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
		whose := ""
		if x.truth.Tenant != "" {
			whose = " of tenant " + x.truth.Tenant
		}
		x.fail(outcomeQueueFull, http.StatusTooManyRequests, "rate_limit_error", "queue_full",
			fmt.Sprintf("the queue is full: %d requests%s wait already", t.tenant.limit, whose))
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
	x.speak.fail(x.w, status, kind, code, message)
}

// gone ends the exchange of a client that left.
func (x *exchange) gone(err error) {
	x.truth.Outcome, x.truth.Error = outcomeGone, err.Error()
}
