package loadgen

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/clock"
	"github.com/assay-dev/assay/internal/pacetest"
)

// infers is a gRPC server of the protocol: it answers well unless answer says otherwise.
type infers struct {
	hang   atomic.Bool
	answer func(method string, in []byte, s grpc.ServerStream) error
}

func (f *infers) server(t *testing.T) http.Handler {
	s := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(s)
		var in []byte
		if err := s.RecvMsg(&in); err != nil {
			return err
		}
		if f.hang.Load() {
			<-s.Context().Done()
			return s.Context().Err()
		}
		if f.answer != nil {
			return f.answer(method, in, s)
		}
		return s.SendMsg([][]byte{response(t, Tensor{Name: "y", Datatype: "FP32", Shape: []int64{1, 2}, Data: make([]byte, 8)})})
	}))
	t.Cleanup(s.Stop)
	return s
}

// response is a ModelInferResponse: its fields differ from those of a request only in their numbers.
func response(t *testing.T, outputs ...Tensor) []byte {
	t.Helper()
	b := appendField(nil, responseModel, []byte("m"))
	if len(outputs) == 0 {
		return b
	}
	p, err := GRPCPayload(outputs...)
	if err != nil {
		t.Fatal(err)
	}
	err = eachField(p.Body, func(field protowire.Number, _ protowire.Type, value []byte, _ uint64) error {
		b = appendField(b, field-map[protowire.Number]protowire.Number{requestInput: requestInput - responseOutput, requestRaw: requestRaw - responseRaw}[field], value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// grpcServer serves f over HTTP/2 without TLS and gives out the TCP connections.
func grpcServer(t *testing.T, f *infers) (*httptest.Server, func() []*net.TCPConn) {
	s := httptest.NewUnstartedServer(f.server(t))
	var mu sync.Mutex
	var conns []*net.TCPConn
	s.Config.Protocols = protocols(true)
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			conns = append(conns, c.(*net.TCPConn))
			mu.Unlock()
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, func() []*net.TCPConn {
		mu.Lock()
		defer mu.Unlock()
		return conns
	}
}

func openGRPC(t *testing.T, url string, set func(*OpenInferenceGRPC)) *OpenInferenceGRPC {
	t.Helper()
	c, err := NewOpenInferenceGRPC(Endpoint{URL: url, Clock: clock.New()})
	if err != nil {
		t.Fatal(err)
	}
	if set != nil {
		set(c)
	}
	t.Cleanup(c.Close)
	return c
}

func TestGRPCOutcomes(t *testing.T) {
	fp32 := func(n int64, bytes int) Tensor {
		return Tensor{Name: "y", Datatype: "FP32", Shape: []int64{n}, Data: make([]byte, bytes)}
	}
	good := response(t, fp32(2, 8))
	short := bytes.Replace(good, []byte{tensorShape<<3 | 2, 1, 2}, []byte{tensorShape<<3 | 2, 1, 3}, 1) // says three elements
	held := func(contents []byte) []byte {                                                              // an output that holds its elements itself
		out := appendField(appendField(nil, tensorName, []byte("y")), tensorShape, []byte{2})
		return appendField(nil, responseOutput, appendField(out, tensorContents, contents))
	}
	streamed := func(b []byte) [][]byte { return [][]byte{appendField(nil, streamResponse, b)} }
	say := func(code codes.Code, text string) func(string, []byte, grpc.ServerStream) error {
		return func(string, []byte, grpc.ServerStream) error { return status.Error(code, text) }
	}
	send := func(messages ...[][]byte) func(string, []byte, grpc.ServerStream) error {
		return func(_ string, _ []byte, s grpc.ServerStream) error {
			for _, m := range messages {
				if err := s.SendMsg(m); err != nil {
					return err
				}
			}
			return nil
		}
	}
	var conns func() []*net.TCPConn
	lose := func(linger int, before ...[][]byte) func(string, []byte, grpc.ServerStream) error {
		return func(m string, in []byte, s grpc.ServerStream) error {
			if err := send(before...)(m, in, s); err != nil {
				return err
			}
			lullNow()
			for _, c := range conns() {
				if linger == 0 {
					c.SetLinger(0)
				}
				c.Close()
			}
			<-s.Context().Done()
			return nil
		}
	}
	for _, c := range []struct {
		name      string
		decoupled bool
		answer    func(string, []byte, grpc.ServerStream) error
		want      seen
	}{
		{"good", false, send([][]byte{good}), seen{Outcome: assay.OK, FirstByte: true}},
		{"good, with contents", false, send([][]byte{held(appendField(nil, contentsFP32, make([]byte, 8)))}), seen{Outcome: assay.OK, FirstByte: true}},
		{"too few contents", false, send([][]byte{held(appendField(nil, 2, []byte{1}))}), seen{Outcome: assay.BadPayload, Error: "output with more or fewer elements than its shape wants", FirstByte: true}},
		{"no contents", false, send([][]byte{appendField(nil, responseOutput, appendField(nil, tensorShape, []byte{2}))}),
			seen{Outcome: assay.BadPayload, Error: "output with more or fewer elements than its shape wants", FirstByte: true}},
		{"too few bytes", false, send([][]byte{short}), seen{Outcome: assay.BadPayload, Error: "output with more or less binary data than its shape wants", FirstByte: true}},
		{"no outputs", false, send([][]byte{response(t)}), seen{Outcome: assay.BadPayload, Error: "answer without outputs", FirstByte: true}},
		{"not a message", false, send([][]byte{{0xff}}), seen{Outcome: assay.BadPayload, Error: "answer is not a message of the protocol", FirstByte: true}},
		{"shed", false, func(_ string, _ []byte, s grpc.ServerStream) error {
			s.SetTrailer(metadata.Pairs("retry-after", "3"))
			return status.Error(codes.ResourceExhausted, "queue full")
		}, seen{Outcome: assay.Throttled, Status: 8, Error: "ResourceExhausted: queue full", FirstByte: true, Retry: 3 * time.Second}},
		{"pushed back", false, func(_ string, _ []byte, s grpc.ServerStream) error {
			s.SetTrailer(metadata.Pairs("grpc-retry-pushback-ms", "250"))
			return status.Error(codes.Unavailable, "no capacity")
		}, seen{Outcome: assay.Unavailable, Status: 14, Error: "Unavailable: no capacity", FirstByte: true, Retry: 250 * time.Millisecond}},
		{"loading", false, say(codes.Unavailable, "Request for unknown model: 'm' version 1 is not at ready state"),
			seen{Outcome: assay.Loading, Status: 14, Error: "Unavailable: Request for unknown model: 'm' version 1 is not at ready state", FirstByte: true}},
		{"deadline of another", false, say(codes.DeadlineExceeded, "upstream"), seen{Outcome: assay.Unavailable, Status: 4, Error: "DeadlineExceeded: upstream", FirstByte: true}},
		{"bad token tells no text", false, say(codes.Unauthenticated, "token sk-123"), seen{Outcome: assay.Credential, Status: 16, Error: "Unauthenticated", FirstByte: true}},
		{"our mistake", false, say(codes.InvalidArgument, "wrong shape"), seen{Outcome: assay.ClientError, Status: 3, Error: "InvalidArgument: wrong shape", FirstByte: true}},
		{"prompt is not repeated", false, say(codes.InvalidArgument, "cannot take alpha beta gamma"), seen{Outcome: assay.ClientError, Status: 3, Error: "InvalidArgument", FirstByte: true}},
		{"broken model", false, say(codes.Internal, "onnx runtime error"), seen{Outcome: assay.ServerError, Status: 13, Error: "Internal: onnx runtime error", FirstByte: true}},
		{"closed before the answer", false, lose(-1), seen{Outcome: assay.Reset, Error: closedText}},
		{"reset before the answer", false, lose(0), seen{Outcome: assay.Reset, Error: resetText}},

		{"streamed", true, send(streamed(good), streamed(good), streamed(response(t))), seen{Outcome: assay.OK, Arrivals: 2, Out: 2, First: true, FirstByte: true}},
		{"streamed error", true, send(streamed(good), [][]byte{appendField(nil, streamError, []byte("engine died"))}),
			seen{Outcome: assay.ServerError, Error: "in the answer: 500 Internal Server Error: engine died", Arrivals: 1, First: true, FirstByte: true}},
		{"nothing streamed", true, send(), seen{Outcome: assay.BadPayload, Error: "stream without outputs", FirstByte: true}},
		{"stream closed", true, lose(-1, streamed(good)), seen{Outcome: assay.CutFIN, Error: closedText, Arrivals: 1, Out: 1, First: true, FirstByte: true}},
		{"stream reset", true, lose(0, streamed(good)), seen{Outcome: assay.CutRST, Error: resetText, Arrivals: 1, Out: 1, First: true, FirstByte: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			unhurried(t, func(time.Duration) string {
				s, lost := grpcServer(t, &infers{answer: c.answer})
				conns = lost
				r := do(t, openGRPC(t, s.URL, func(k *OpenInferenceGRPC) { k.Decoupled = c.decoupled }), true, pacetest.Patience)
				return cmp.Diff(c.want, see(r))
			})
		})
	}
}

// TestGRPCGateways: what stands before the server may answer in HTTP alone, or not at all.
func TestGRPCGateways(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	gateway := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if req.Header.Get("X-Status") == "abort" {
			panic(http.ErrAbortHandler)
		}
		if req.Header.Get("X-Status") == "503" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, "<html>")
	}))
	gateway.Config.Protocols = protocols(true)
	gateway.Start()
	defer gateway.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for _, c := range []struct {
		name, url string
		headers   [][2]string
		want      assay.Outcome
		status    int32
	}{
		{"refused", "grpc://" + l.Addr().String(), nil, assay.Refused, 0},
		{"503 from a gateway", gateway.URL, [][2]string{{"X-Status", "503"}}, assay.Unavailable, 503},
		{"stream aborted", gateway.URL, [][2]string{{"X-Status", "abort"}}, assay.Reset, 0},
		{"a web page", gateway.URL, nil, assay.BadPayload, 2},
		{"untrusted certificate", secure.URL, nil, assay.Unresolved, 0},
		{"speaks HTTP/1 only", rude(t, func(*net.TCPConn, int) {}), nil, assay.Reset, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := NewOpenInferenceGRPC(Endpoint{URL: c.url, Clock: clock.New(), Headers: c.headers})
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			if r := do(t, k, true, 5*time.Second); r.Outcome != c.want || r.Status != c.status {
				t.Errorf("%v %d %q, want %v %d", r.Outcome, r.Status, r.Error, c.want, c.status)
			}
		})
	}
}

func TestGRPCRequest(t *testing.T) {
	type asked struct {
		Method, Model, Version, Auth, Trace string
		Body                                []byte
	}
	var got asked
	f := &infers{answer: func(method string, in []byte, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		got = asked{Method: method}
		for k, v := range map[string]*string{"authorization": &got.Auth, "traceparent": &got.Trace} {
			if all := md.Get(k); len(all) == 1 {
				*v = all[0]
			}
		}
		return eachField(in, func(field protowire.Number, _ protowire.Type, value []byte, _ uint64) error {
			switch field {
			case requestModel:
				got.Model = string(value)
			case requestVersion:
				got.Version = string(value)
			case requestRaw:
				got.Body = value
			}
			return nil
		})
	}}
	s, _ := grpcServer(t, f)
	p1, err1 := GRPCPayload(Tensor{Name: "x", Datatype: "UINT8", Shape: []int64{3}, Data: []byte("abc")})
	p2, err2 := GRPCPayload(Tensor{Name: "x", Datatype: "BYTES", Shape: []int64{1}, Elements: [][]byte{[]byte("de")}})
	both, err3 := NewPayloads(p1, p2)
	if err1 != nil || err2 != nil || err3 != nil {
		t.Fatal(err1, err2, err3)
	}
	c := openGRPC(t, s.URL, func(k *OpenInferenceGRPC) {
		k.Version, k.Payloads = "3", both
		k.Token = staticToken("secret")
	})
	for id, body := range map[uint64]string{1: "abc", 2: "\x02\x00\x00\x00de", 7: "abc"} {
		r := &assay.Request{ID: id}
		ctx := t.Context()
		c.Do(ctx, &assay.Call{Model: "m", Headers: [][2]string{{"traceparent", "00-1-2-01"}}}, r)
		want := asked{methodInfer, "m", "3", "Bearer secret", "00-1-2-01", []byte(body)}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("request %d (-want +got):\n%s", id, d)
		}
	}
	if _, err := NewOpenInferenceGRPC(Endpoint{URL: "http://h", Clock: clock.New(), Sign: func(ctxt, *http.Request, []byte) error { return nil }}); err == nil {
		t.Error("a signature over gRPC was promised")
	}
}

// TestGRPCComesBack: after the target was away, the next request finds it.
func TestGRPCComesBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := openGRPC(t, "http://"+addr, nil)
	for range 3 {
		if r := do(t, c, true, 5*time.Second); r.Outcome != assay.Refused {
			t.Fatalf("%v %s, want refused", r.Outcome, r.Error)
		}
	}
	s := httptest.NewUnstartedServer((&infers{}).server(t))
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Skip("another program took the port")
	}
	s.Listener.Close()
	s.Listener, s.Config.Protocols = l, protocols(true)
	s.Start()
	defer s.Close()
	for end := time.Now().Add(pacetest.Patience); ; time.Sleep(5 * time.Millisecond) {
		r := do(t, c, true, 5*time.Second)
		if r.Outcome == assay.OK {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("still %v %s", r.Outcome, r.Error)
		}
	}
}

func FuzzInferResponse(f *testing.F) {
	f.Add([]byte{0xff})
	f.Add(appendField(nil, responseOutput, appendField(appendField(nil, tensorShape, []byte{2, 3}), tensorContents, appendField(nil, 2, []byte{1, 2}))))
	f.Add(appendField(appendField(nil, responseOutput, appendField(appendField(nil, tensorDatatype, []byte("FP32")), tensorShape, []byte{2})), responseRaw, make([]byte, 8)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var k inferred
		if err := k.parse(b); err == nil && k.outputs > len(b) {
			t.Fatalf("%d outputs in %d bytes", k.outputs, len(b))
		}
		if _, response, err := readStreamed(b); err == nil && len(response) > len(b) {
			t.Fatal("response larger than its message")
		}
	})
}
