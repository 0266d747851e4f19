package k6

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A model is a streaming endpoint of known speed. The path of a request chooses how it behaves.
type model struct {
	*httptest.Server
	first time.Duration // until the first chunk
	gap   time.Duration // between chunks
	n     int           // chunks, of one token each

	mu      sync.Mutex
	seen    map[string]string // run id by trace id
	headers []http.Header
	bodies  map[string]int // short ones

	script chan struct{} // closed with the first request whose prompt is "script"
	once   sync.Once
}

func newModel(t *testing.T) *model {
	m := &model{first: 20 * time.Millisecond, gap: 5 * time.Millisecond, n: 8, seen: map[string]string{}, bodies: map[string]int{}, script: make(chan struct{})}
	m.Server = httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

func (m *model) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // net/http sees that a client has gone only after the body
	if bytes.Contains(body, []byte(`"script"`)) {
		m.once.Do(func() { close(m.script) })
	}
	m.mu.Lock()
	if p := strings.Split(r.Header.Get("traceparent"), "-"); len(p) == 4 {
		m.seen[p[1]] = r.Header.Get("X-Assay-Run")
	}
	m.headers = append(m.headers, r.Header.Clone())
	if len(body) < 10 {
		m.bodies[string(body)]++
	}
	m.mu.Unlock()
	switch base := strings.Split(r.URL.Path, "/")[1]; base {
	case "throttle":
		w.Header().Set("Retry-After", "7")
		http.Error(w, `{"error":{"message":"too many"}}`, http.StatusTooManyRequests)
	case "broken":
		http.Error(w, `{"error":{"message":"broken"}}`, http.StatusInternalServerError)
	case "gone":
		http.Error(w, `{"error":{"message":"no such model"}}`, http.StatusNotFound)
	case "denied":
		http.Error(w, `{"error":{"message":"denied"}}`, http.StatusForbidden)
	case "hang":
		<-r.Context().Done()
	case "whole":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`)
	default:
		m.stream(w, r, base == "cut")
	}
}

func (m *model) stream(w http.ResponseWriter, r *http.Request, cut bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := w.(http.Flusher).Flush
	wait := time.NewTimer(m.first)
	defer wait.Stop()
	for i := range m.n {
		select {
		case <-wait.C:
		case <-r.Context().Done():
			return
		}
		wait.Reset(m.gap)
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi \"}}]}\n\n")
		flush()
		if cut && i == m.n/2 {
			panic(http.ErrAbortHandler)
		}
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"+
		"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":%d}}\n\ndata: [DONE]\n\n", m.n)
}
