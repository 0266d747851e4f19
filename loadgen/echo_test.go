package loadgen

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// echo is a server that keeps what it was last asked and answers 204.
type echo struct {
	*httptest.Server
	uri, body string
	header    http.Header
}

func newEcho(t *testing.T) *echo {
	e := &echo{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		e.uri, e.body, e.header = req.RequestURI, string(b), req.Header
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(e.Close)
	return e
}

type ctxt = context.Context

func staticToken(v string) func(ctxt) (string, error) {
	return func(ctxt) (string, error) { return v, nil }
}
