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
		grpc.MaxConcurrentStreams(64),
		grpc.MaxHeaderListSize(64<<10),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 10 * time.Minute}),
		grpc.InTapHandle(o.tap),
	)
	for sig, service := range [...]string{"trace.v1.TraceService", "metrics.v1.MetricsService", "logs.v1.LogsService"} {
		s.RegisterService(&grpc.ServiceDesc{
			ServiceName: "opentelemetry.proto.collector." + service,
			Methods: []grpc.MethodDesc{{MethodName: "Export", Handler: func(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var body []byte
				if err := dec(&body); err != nil {
					o.count(func(c *Counts) { c.Bad++ })
					return nil, err
				}
				resp, err := o.export(ctx, signal(sig), protobuf, body)
				if status.Code(err) == codes.InvalidArgument {
					o.count(func(c *Counts) { c.Bad++ })
				}
				return resp, err
			}}},
		}, nil)
	}
	return s
}

// tap refuses a call without the token before its message is read.
func (o *OTLP) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	var header string
	if v := info.Header.Get("authorization"); len(v) > 0 {
		header = v[0]
	}
	if !o.authorized(header) {
		o.count(func(c *Counts) { c.Bad++ })
		return nil, status.Error(codes.Unauthenticated, "this intake demands its token as authorization: Bearer …")
	}
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
