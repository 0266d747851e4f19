package collectors

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/assay-dev/assay"
)

// A counting body counts those that were read to their end.
type counting struct {
	io.Reader
	read *atomic.Int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		c.read.Add(1)
	}
	return n, err
}

// TestOTLPReadsNoMoreBodiesThanItHasSlots: while the run takes nothing, further senders are asked to try again and their bodies stay with them.
func TestOTLPReadsNoMoreBodiesThanItHasSlots(t *testing.T) {
	o := listen(t, &OTLP{patience: 50 * time.Millisecond})
	release, taken := make(chan struct{}), make(chan struct{}, otlpAtOnce)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- o.Run(ctx, func(r assay.Record) error {
			if _, ok := r.(*assay.Span); ok {
				taken <- struct{}{}
				<-release
			}
			return nil
		})
	}()
	good := body(t, func(ss ptrace.SpanSlice) { addSpan(ss, 1, 1, at(-1), at(0)) })
	large := append(good, field(9, make([]byte, 8<<20))...) // an unknown field: larger than what the sockets between hold
	var held sync.WaitGroup
	for range otlpAtOnce {
		held.Go(func() {
			if code, _, _ := post(t, "http://"+o.HTTPAddr()+"/v1/traces", good); code != 200 {
				t.Errorf("one that had a slot: got %d, want 200", code)
			}
		})
	}
	for range otlpAtOnce {
		<-taken
	}
	var read atomic.Int64
	for range 3 {
		req, _ := http.NewRequest("POST", "http://"+o.HTTPAddr()+"/v1/traces", &counting{bytes.NewReader(large), &read})
		req.Header.Set("Content-Type", typeProtobuf)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("got %s, Retry-After %q; want 503 and 1", resp.Status, resp.Header.Get("Retry-After"))
		}
		if err := exportGRPC(t, o, large); status.Code(err) != codes.Unavailable {
			t.Errorf("gRPC: got %v, want Unavailable", err)
		}
	}
	if n := read.Load(); n != 0 {
		t.Errorf("%d bodies were read that had no slot", n)
	}
	if got := o.Counts().PushedBack; got != 6 {
		t.Errorf("got %d pushed back, want 6", got)
	}
	close(release)
	held.Wait()
	go func() { <-taken; <-taken }()
	if code, _, _ := post(t, "http://"+o.HTTPAddr()+"/v1/traces", large); code != 200 {
		t.Errorf("afterwards: got %d, want 200", code)
	}
	if err := exportGRPC(t, o, large); err != nil {
		t.Errorf("afterwards, gRPC: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestOTLPGRPCWithoutAMessage: a call that ends before its message does is refused and not taken for an empty one.
func TestOTLPGRPCWithoutAMessage(t *testing.T) {
	o := listen(t, &OTLP{})
	start(t, o, new(sink))
	cc, err := grpc.NewClient(o.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(bytesCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	s, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true}, "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
	if err = errors.Join(err, s.CloseSend()); err != nil {
		t.Fatal(err)
	}
	var out []byte
	if err := s.RecvMsg(&out); status.Code(err) != codes.Internal {
		t.Errorf("got %v, want Internal", err)
	}
	if got := o.Counts().Bad; got != 1 {
		t.Errorf("got %d bad requests, want 1", got)
	}
}
