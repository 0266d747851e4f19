package sandbox

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

const (
	documentBytes  = 64 << 10
	documentPieces = 8
)

// A vectorStore is the slow storage of the retrieval dial: an HTTP server on loopback that hands out a
// document piece by piece, so that reading it takes the time of the dial.
type vectorStore struct {
	addr   string
	delay  time.Duration
	doc    []byte
	server *http.Server
	client *http.Client
	done   chan struct{} // closed when it no longer serves
}

func newVectorStore(delay time.Duration, seed uint64) (*vectorStore, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the retrieval store: %w", err)
	}
	rng := rand.New(rand.NewPCG(seed, 0x76656374))
	s := &vectorStore{addr: ln.Addr().String(), delay: delay, doc: make([]byte, documentBytes), client: &http.Client{Transport: newTransport()}, done: make(chan struct{})}
	for i := range s.doc {
		s.doc[i] = byte(rng.Uint32())
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(s.done)
		s.server.Serve(ln) // ends with close
	}()
	return s, nil
}

// ServeHTTP sends the document in equal pieces, the last at the end of the delay.
func (s *vectorStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := http.NewResponseController(w)
	begin := time.Now()
	for i := range documentPieces {
		due := begin.Add(s.delay * time.Duration(i+1) / documentPieces)
		select {
		case <-time.After(time.Until(due)):
		case <-r.Context().Done():
			return
		}
		if _, err := w.Write(s.doc[i*documentBytes/documentPieces : (i+1)*documentBytes/documentPieces]); err != nil {
			return
		}
		if out.Flush() != nil {
			return
		}
	}
}

func (s *vectorStore) close() {
	s.server.Close()
	<-s.done
	s.client.CloseIdleConnections()
}

// fetch reads the document.
func (s *vectorStore) fetch(ctx context.Context) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/search", nil)
	if err != nil {
		return 0, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && n != documentBytes {
		err = fmt.Errorf("got %d bytes, want %d", n, documentBytes)
	}
	return n, err
}

// retrieve does the retrieval of one request and reports whether the request goes on.
func (g *gateway) retrieve(x *exchange) bool {
	begin := time.Now()
	ctx, span := g.tracer.Start(x.ctx, "retrieval.fetch", trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(begin),
		trace.WithAttributes(attribute.String("db.system.name", "sandbox-vector"), attribute.String("db.operation.name", "search"), attribute.String("server.address", g.store.addr)))
	n, err := g.store.fetch(ctx)
	end := time.Now()
	x.truth.RetrievalFrom, x.truth.RetrievalTo = begin.UnixNano(), end.UnixNano()
	span.SetAttributes(attribute.Int64("db.response.size", n))
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End(trace.WithTimestamp(end))
	switch {
	case err == nil:
		return true
	case x.ctx.Err() != nil:
		x.gone(err)
	default:
		x.fail(outcomeRetrieval, http.StatusBadGateway, "server_error", "retrieval_failed", "the retrieval failed: "+err.Error())
	}
	return false
}
