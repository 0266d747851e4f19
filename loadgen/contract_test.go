package loadgen

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
)

// good is the answer that each kind of client takes for a good one to do's call.
var good = map[string]struct{ kind, body string }{
	"openai":        {"text/event-stream", tokenA + usage + doneLine},
	"ollama":        {"application/x-ndjson", ollamaA + ollamaDone},
	"tgi":           {"text/event-stream", tgiA + tgiEnd},
	"triton":        {"text/event-stream", tritonA + tritonA},
	"kserve1":       {"application/json", `{"predictions":[[0.1,0.9]]}`},
	"openinference": {"application/json", `{"model_name":"m","outputs":[{"name":"y","shape":[1,2],"datatype":"FP32","data":[0.1,0.9]}]}`},
	"embeddings":    {"application/json", `{"data":[{"embedding":[0.5,-1]}],"usage":{"prompt_tokens":5,"total_tokens":5}}`},
	"rerank": {"application/json", `{"results":[{"index":0,"relevance_score":0.9},{"index":1,"relevance_score":0.1},{"index":2,"relevance_score":0.1},
		{"index":3,"relevance_score":0.1},{"index":4,"relevance_score":0.1},{"index":5,"relevance_score":0.1},{"index":6,"relevance_score":0.1},{"index":7,"relevance_score":0}]}`},
	"lambda":    {"application/json", `{"answer":1}`},
	"sagemaker": {"application/json", `{"answer":1}`},
	"http":      {"text/plain", "fine"},
}

// TestClientContract holds every client, over every transport, to what assay.Client promises.
func TestClientContract(t *testing.T) {
	answers := infers{}
	grpcHandler := answers.server(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.Header.Get("Content-Type"), "application/grpc") {
			grpcHandler.ServeHTTP(w, req)
			return
		}
		io.Copy(io.Discard, req.Body) // only then does the server notice that the client has gone
		if req.URL.Query().Has("hang") {
			<-req.Context().Done()
			return
		}
		answer := good[req.Header.Get("X-Kind")]
		w.Header().Set("Content-Type", answer.kind)
		w.(http.Flusher).Flush()
		io.WriteString(w, answer.body)
	})
	plain, one, two, known := httptest.NewServer(handler), httptest.NewTLSServer(handler), httptest.NewUnstartedServer(handler), httptest.NewUnstartedServer(handler)
	two.EnableHTTP2 = true
	two.StartTLS()
	known.Config.Protocols = protocols(true)
	known.Start()
	for _, kind := range ClientKinds {
		for name, s := range map[string]*httptest.Server{"wire": plain, "https": one, "http2": two, "h2c": known} {
			t.Run(kind.Name+"/"+name, func(t *testing.T) {
				if kind.Name == "openinference-grpc" && (s == plain || s == one) {
					t.Skip("gRPC is HTTP/2")
				}
				e := Endpoint{Clock: clock.New(), Headers: [][2]string{{"X-Kind", kind.Name}}, HTTP2: s == known}
				if s == one || s == two {
					e.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
				}
				e.URL = s.URL
				c, err := kind.New(e)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				var all sync.WaitGroup
				for range 8 { // at once, and each more than once
					all.Go(func() {
						for range 5 {
							r := do(t, c, true, 10*time.Second)
							if r.Outcome != assay.OK || r.Sent == 0 || r.FirstByte == 0 || r.BytesIn == 0 ||
								kind.Name != "openinference-grpc" && (r.Status != 200 || r.BytesIn != int64(len(good[kind.Name].body))) {
								t.Errorf("%+v", r)
							}
						}
					})
				}
				all.Wait()
				e.URL += "?hang"
				h, err := kind.New(e)
				if err != nil {
					t.Fatal(err)
				}
				defer h.Close()
				answers.hang.Store(true)
				defer answers.hang.Store(false)
				if r := do(t, h, true, 50*time.Millisecond); r.Outcome != assay.Timeout {
					t.Errorf("deadline: %v %s", r.Outcome, r.Error)
				}
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				r := &assay.Request{}
				if h.Do(ctx, &assay.Call{Model: "m"}, r); r.Outcome != assay.Unfinished {
					t.Errorf("cancelled: %v %s", r.Outcome, r.Error)
				}
				checkOrder(t, r)
			})
		}
	}
	for _, s := range []*httptest.Server{plain, one, two, known} {
		s.Close()
	}
	for _, kind := range ClientKinds {
		if kind.Help == "" || kind.By == "" || kind.Proven != ProofLive && kind.Proven != ProofRecorded && kind.Proven != ProofDocuments {
			t.Errorf("%s: the table does not say what it is or how it was proven", kind.Name)
		}
	}
}
