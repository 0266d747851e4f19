package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/loadgen"
)

// lambdaStandIn answers InvokeWithResponseStream of the function f as the service does, to requests that are signed with the keys of the test. Every tenth
// invocation raises an error in the middle.
func lambdaStandIn(t *testing.T, n *atomic.Int64) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/2021-11-15/functions/f/response-streaming-invocations" || !signedWell(r, body) {
			w.Header().Set("X-Amzn-Errortype", "InvalidSignatureException")
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		for range 3 {
			w.Write(event("PayloadChunk", "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"))
			w.(http.Flusher).Flush()
		}
		if n.Add(1)%10 == 0 {
			w.Write(event("InvokeComplete", `{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorMessage\":\"out of memory\"}"}`))
			return
		}
		w.Write(event("PayloadChunk", "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n"))
		w.Write(event("InvokeComplete", "{}"))
	}))
	t.Cleanup(s.Close)
	return s
}

func event(kind, payload string) []byte {
	var m eventstream.Message
	m.Headers.Set(":message-type", eventstream.StringValue("event"))
	m.Headers.Set(":event-type", eventstream.StringValue(kind))
	m.Payload = []byte(payload)
	var b bytes.Buffer
	if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// signedWell signs a request once more with the keys of the test and compares.
func signedWell(r *http.Request, body []byte) bool {
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), nil)
	at, dated := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || dated != nil || time.Since(at) > time.Minute {
		return false
	}
	again.ContentLength = int64(len(body))
	again.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	again.Header.Set("X-Amz-Invocation-Type", r.Header.Get("X-Amz-Invocation-Type"))
	s := loadgen.NewSigV4("lambda", "eu-north-1", func(context.Context) (loadgen.AWSKeys, error) {
		return loadgen.AWSKeys{ID: "AKIDEXAMPLE", Secret: "hush-123"}, nil
	})
	s.Now = func() time.Time { return at }
	return s.Sign(r.Context(), again, body) == nil && again.Header.Get("Authorization") == r.Header.Get("Authorization")
}

// TestLambdaFromAPlan runs a plan on a signed, streamed function: its own errors are the function's failures, and keys that are refused are ours.
func TestLambdaFromAPlan(t *testing.T) {
	for _, c := range []struct {
		secret string
		want   map[string]int
	}{
		{"hush-123", map[string]int{"ok": 54, "server_error": 6}},
		{"wrong-123", map[string]int{"credential": 60}},
	} {
		var n atomic.Int64
		s := lambdaStandIn(t, &n)
		dir := t.TempDir()
		write(t, dir, "plan.yaml", `apiVersion: assay/v1
name: function
target: {kind: lambda, url: `+s.URL+`, function: f, api: chat, auth: {aws: {region: eu-north-1}}}
load: [{name: steady, arrivals: {even: {rate: 30/s}}, for: 2s}]
`)
		t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
		t.Setenv("AWS_SECRET_ACCESS_KEY", c.secret)
		t.Setenv("AWS_SESSION_TOKEN", "")
		t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "none"))
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "none"))
		got := assayIn(t, dir, "run", "plan.yaml", "--ui", "none")
		r, _ := readResult(t, runsIn(t, dir)[0])
		outcomes := map[string]int{}
		for _, e := range r.Errors {
			outcomes[fmt.Sprint(e.Outcome)] += e.Count
		}
		if d := cmp.Diff(c.want, outcomes); d != "" {
			t.Errorf("outcomes (-want +got)\n%s\n%s%s", d, got.out, got.err)
		}
		if c.want["credential"] > 0 && (got.code != assay.ExitInvalid || !strings.Contains(got.out, "our own credential was refused")) {
			t.Errorf("exit %d\n%s", got.code, got.out)
		}
		secretIn(t, dir, got, c.secret)
	}
}
