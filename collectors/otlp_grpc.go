package collectors

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // exporters may compress
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// grpcServer serves the three OTLP services. Their messages reach export as bytes, so that both transports share one
// path and a body's shape is checked before it is decoded; the registrations that pdata offers decode first.
func (o *OTLP) grpcServer() *grpc.Server {
	s := grpc.NewServer(
		grpc.ForceServerCodecV2(bytesCodec{}),
		grpc.MaxRecvMsgSize(cmp.Or(o.MaxBody, otlpMaxBody)), // also bounds what is decompressed
		grpc.MaxConcurrentStreams(16),
		grpc.InitialWindowSize(grpcWindow), // what a connection may send before it is read is bounded, and not made larger where it is fast
		grpc.InitialConnWindowSize(grpcWindow),
		grpc.MaxHeaderListSize(64<<10),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 10 * time.Minute}),
		grpc.InTapHandle(o.tap),
	)
	for sig, service := range [...]string{"trace.v1.TraceService", "metrics.v1.MetricsService", "logs.v1.LogsService"} {
		s.RegisterService(&grpc.ServiceDesc{
			ServiceName: "opentelemetry.proto.collector." + service,
			Streams:     []grpc.StreamDesc{{StreamName: "Export", Handler: func(_ any, s grpc.ServerStream) error { return o.call(s, signal(sig)) }}},
		}, nil)
	}
	return s
}

// call answers one export. To the sender a stream of one message each way is the same as a plain call; here it leaves the message unread until there
// is a slot for it.
func (o *OTLP) call(s grpc.ServerStream, sig signal) error {
	release, err := o.slot(s.Context())
	if err != nil {
		return err
	}
	defer release()
	var body []byte
	if err := s.RecvMsg(&body); err != nil {
		o.count(func(c *Counts) { c.Bad++ })
		return err
	}
	resp, err := o.export(sig, protobuf, body)
	if err != nil {
		if status.Code(err) == codes.InvalidArgument {
			o.count(func(c *Counts) { c.Bad++ })
		}
		return err
	}
	return s.SendMsg(resp)
}

const grpcWindow = 256 << 10 // bytes

// tap refuses a call without the token before its message is read, and bounds how long that may take.
func (o *OTLP) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	var header string
	if v := info.Header.Get("authorization"); len(v) > 0 {
		header = v[0]
	}
	if !o.authorized(header) {
		o.count(func(c *Counts) { c.Bad++ })
		return nil, status.Error(codes.Unauthenticated, "this intake demands its token as authorization: Bearer …")
	}
	ctx, cancel := context.WithTimeout(ctx, otlpPatience+otlpReading)
	context.AfterFunc(ctx, cancel)
	return ctx, nil
}

// bytesCodec hands messages through as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("marshal %T: not bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("unmarshal %T: not bytes", v)
	}
	*b = data.Materialize()
	return nil
}
