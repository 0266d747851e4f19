package vision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/propagation"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// A server is the HTTP side. It answers from the moment the process listens; the batcher appears when the model is warm.
type server struct {
	cfg      Config
	size     Size
	process  *worker.Process
	metrics  *metrics
	dcgm     *prometheus.Registry
	batcher  atomic.Pointer[batcher]
	loaded   atomic.Int64 // bytes of weights in memory
	inFlight atomic.Int64
	draining atomic.Bool
	decoding chan struct{} // holds one token for each request that decodes, so that large images do not add up
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range Routes() {
		h := s.describe
		switch {
		case r.Method == http.MethodPost && strings.HasPrefix(r.Pattern, "/v1/"):
			h = func(w http.ResponseWriter, req *http.Request) { s.predict(w, req, "v1") }
		case r.Method == http.MethodPost:
			h = func(w http.ResponseWriter, req *http.Request) { s.predict(w, req, "v2") }
		}
		mux.HandleFunc(r.Method+" "+r.Pattern, h)
	}
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"models": []string{s.cfg.ModelName}})
	})
	mux.HandleFunc("GET /v2/health/live", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]bool{"live": true})
	})
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if _, f := s.ready(); f != nil {
			f.write(w)
			return
		}
		writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	mux.HandleFunc("GET "+worker.QueuePath, func(w http.ResponseWriter, _ *http.Request) {
		var q worker.Queue
		if b := s.batcher.Load(); b != nil {
			q = worker.Queue{Waiting: b.waitingN.Load(), Running: b.runningN.Load()}
		}
		writeJSON(w, http.StatusOK, q)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	mux.Handle("GET /metrics/dcgm", promhttp.HandlerFor(s.dcgm, promhttp.HandlerOpts{}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		(&fault{status: http.StatusNotFound, message: fmt.Sprintf("%s %s is not served here", r.Method, clip(r.URL.Path))}).write(w)
	})
	return mux
}

func (s *server) ready() (*batcher, *fault) {
	if s.draining.Load() {
		return nil, unavailable("stopping", "The worker is stopping.")
	}
	if b := s.batcher.Load(); b != nil {
		return b, nil
	}
	return nil, unavailable("loading", fmt.Sprintf("Model with name %s is not ready: it is still loading.", s.cfg.ModelName))
}

// memory returns the bytes held by weights, and those there are in all: as many again are set aside for activations.
func (s *server) memory() (used, total int64) { return s.loaded.Load(), 2 * s.size.WeightBytes() }

// named checks the model and the version of a path. The name of a v1 call carries its verb.
func (s *server) named(r *http.Request) *fault {
	name, number := r.PathValue("model"), r.PathValue("version")
	if call := r.PathValue("call"); call != "" {
		target, found := strings.CutSuffix(call, predictSuffix)
		if !found {
			return &fault{status: http.StatusNotFound, code: "not_found", message: fmt.Sprintf("POST %s is not served here; a call ends in %s", clip(r.URL.Path), predictSuffix)}
		}
		if name == "" {
			name = target
		} else {
			number = target
		}
	}
	switch {
	case name != s.cfg.ModelName && r.URL.Path != "/v2" && r.URL.Path != "/v2/health/ready":
		return unknownModel(name, s.cfg.ModelName)
	case number != "" && number != version:
		return &fault{status: http.StatusNotFound, code: "model_not_found", message: fmt.Sprintf("Model %q has version %s alone, not %q.", s.cfg.ModelName, version, clip(number))}
	}
	return nil
}

// predict serves one request of either protocol.
func (s *server) predict(w http.ResponseWriter, r *http.Request, protocol string) {
	s.inFlight.Add(1)
	defer s.inFlight.Add(-1)
	rec := &record{protocol: protocol, arrived: s.process.Unix(),
		parent: propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(r.Header))}
	q, a, f := s.accept(w, r, rec)
	if f != nil {
		rec.fault = f
		f.write(w)
		s.told(rec)
		return
	}
	rec.request = q
	switch q.outcome {
	case outcomeOK:
		_ = a.write(w, q.scores) // an error means that the client is gone; the work is done all the same
	case outcomeAborted:
		unavailable("stopping", "The worker stopped before the prediction was complete.").write(w)
	}
	s.told(rec)
}

// told ends the accounts of a request.
func (s *server) told(rec *record) {
	rec.end = s.process.Unix()
	var t TruthRequest
	if rec.request != nil {
		t = rec.truth(rec.emit(s.process.Tracer, s.cfg), s.cfg.Instance)
	} else {
		t = rec.truth([16]byte{}, s.cfg.Instance)
	}
	s.metrics.ended(&t)
	s.process.Truth.Write(t)
}

// accept decodes a request, submits it and waits for its end.
func (s *server) accept(w http.ResponseWriter, r *http.Request, rec *record) (*request, *ask, *fault) {
	if f := s.named(r); f != nil {
		return nil, nil, f
	}
	b, f := s.ready()
	if f != nil {
		return nil, nil, f
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxBody))
	if err != nil {
		return nil, nil, bodyFault(err)
	}
	a, f := s.decode(r, body, rec.protocol)
	if f != nil {
		return nil, nil, f
	}
	q := &request{images: a.images}
	switch err := b.submit(q); {
	case errors.Is(err, errQueueFull):
		return nil, nil, &fault{status: http.StatusTooManyRequests, code: "queue_full", message: "The worker's queue is full.", retryAfter: "1"}
	case err != nil:
		return nil, nil, unavailable("stopping", "The worker is stopping.")
	}
	select {
	case <-q.done:
	case <-r.Context().Done():
		b.cancel(q)
		<-q.done
	}
	return q, a, nil
}

func (s *server) decode(r *http.Request, body []byte, protocol string) (*ask, *fault) {
	s.decoding <- struct{}{}
	defer func() { <-s.decoding }()
	if protocol == "v1" {
		return decodeV1(body, s.size.Input)
	}
	return decodeV2(r.Header, body, s.size.Input, s.cfg.ModelName)
}

// describe answers the questions about the server and its model.
func (s *server) describe(w http.ResponseWriter, r *http.Request) {
	if f := s.named(r); f != nil {
		f.write(w)
		return
	}
	_, loading := s.ready()
	status := http.StatusOK
	if loading != nil {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", loading.retryAfter)
	}
	switch path := r.URL.Path; {
	case path == "/v2":
		writeJSON(w, http.StatusOK, map[string]any{"name": "assay-sandbox", "version": version, "extensions": []string{"binary_tensor_data"}})
	case path == "/v2/health/ready":
		writeJSON(w, status, map[string]bool{"ready": loading == nil})
	case strings.HasPrefix(path, "/v1/"):
		writeJSON(w, status, s.v1Status(loading))
	case strings.HasSuffix(path, "/ready"):
		writeJSON(w, status, map[string]any{"name": s.cfg.ModelName, "ready": loading == nil})
	default:
		writeJSON(w, http.StatusOK, s.metadata())
	}
}

// v1Status is what KServe v1 and what TensorFlow Serving say of a model, together.
func (s *server) v1Status(loading *fault) map[string]any {
	state, code, message := "AVAILABLE", "OK", ""
	if loading != nil {
		state, message = strings.ToUpper(loading.code), loading.message
		if loading.code == "stopping" {
			state = "UNLOADING"
		}
	}
	v := map[string]any{"name": s.cfg.ModelName, "ready": loading == nil, "model_version_status": []any{map[string]any{
		"version": version, "state": state, "status": map[string]string{"error_code": code, "error_message": message}}}}
	if loading != nil {
		v["error"] = loading.message
	}
	return v
}

func (s *server) metadata() map[string]any {
	tensor := func(name, datatype string, shape ...int) map[string]any {
		return map[string]any{"name": name, "datatype": datatype, "shape": shape}
	}
	return map[string]any{"name": s.cfg.ModelName, "versions": []string{version}, "platform": "assay_sandbox",
		"inputs":  []any{tensor(inputName, bytesType, -1)},
		"outputs": []any{tensor(outProbs, floatsType, -1, s.size.Classes), tensor(outLabel, bytesType, -1)}}
}
