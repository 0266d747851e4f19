package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/stats"
)

// channel is a gRPC connection with what it knows of its own troubles. gRPC reports a lost connection as a text, so the causes are kept
// where they are seen: at the dial and at the read.
type channel struct {
	conn   *grpc.ClientConn
	inUse  sync.WaitGroup
	dialed atomic.Pointer[error] // why the last dial failed; nil: it did not
	broke  atomic.Pointer[error] // why the last read failed
}

// newChannel makes a channel to the site, whose use of our certificate is followed. Nothing is connected yet.
func newChannel(s *site, ours *certified) (*channel, error) {
	c := &channel{}
	security := insecure.NewCredentials()
	if s.url.Scheme == "https" {
		security = credentials.NewTLS(ours.watch(s.TLS))
	}
	port := s.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[s.url.Scheme]
	}
	var err error
	c.conn, err = grpc.NewClient("passthrough:///"+net.JoinHostPort(s.url.Hostname(), port),
		grpc.WithTransportCredentials(security), grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return c.dial(ctx, s, addr) }),
		grpc.WithStatsHandler(watcher{}), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithUserAgent("assay"),
		// gRPC answers from memory until the next try is due: tries are frequent, so that a target that is back is seen soon.
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond},
			MinConnectTimeout: 20 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(maxBody), grpc.MaxCallSendMsgSize(2*maxPayload)))
	return c, err
}

func (c *channel) dial(ctx context.Context, s *site, addr string) (net.Conn, error) {
	nc, err := s.Dial(ctx, "tcp", addr)
	if err != nil {
		c.dialed.Store(&err)
		return nil, err
	}
	c.dialed.Store(nil)
	return &watchedConn{nc, c}, nil
}

// watchedConn keeps why its reads failed.
type watchedConn struct {
	net.Conn
	channel *channel
}

func (w *watchedConn) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		if err == io.EOF {
			err = errClosed
		}
		w.channel.broke.Store(&err)
	}
	return n, err
}

// rawCodec hands messages over as they are: a [][]byte to be sent, a *[]byte to be filled.
type rawCodec struct{}

// Marshal implements encoding.CodecV2.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	parts, ok := v.([][]byte)
	if !ok {
		return nil, fmt.Errorf("marshal %T: want [][]byte", v)
	}
	var out mem.BufferSlice
	for _, p := range parts {
		out = append(out, mem.SliceBuffer(p))
	}
	return out, nil
}

// Unmarshal implements encoding.CodecV2.
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	into, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("unmarshal into %T: want *[]byte", v)
	}
	*into = data.Materialize()
	return nil
}

// Name implements encoding.CodecV2.
func (rawCodec) Name() string { return "proto" }

// rpc gathers the instants of one call. Its hooks may run after the call has ended, so it shares nothing with the request.
type rpc struct {
	now     func() int64
	head    atomic.Int64 // response headers came
	last    atomic.Int64 // last thing that came
	trailer atomic.Bool  // the server gave a status
}

type rpcKey struct{}

// watcher is told by gRPC what happens to a call.
type watcher struct{}

// TagRPC implements stats.Handler.
func (watcher) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (watcher) HandleRPC(ctx context.Context, s stats.RPCStats) {
	p, ok := ctx.Value(rpcKey{}).(*rpc)
	if !ok {
		return
	}
	switch s.(type) {
	case *stats.InHeader:
		p.head.CompareAndSwap(0, p.now())
	case *stats.InTrailer:
		p.trailer.Store(true)
	case *stats.InPayload:
	default:
		return
	}
	p.last.Store(p.now())
}

// TagConn implements stats.Handler.
func (watcher) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (watcher) HandleConn(context.Context, stats.ConnStats) {}
