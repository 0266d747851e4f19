package loadgen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/assay-dev/assay"
)

const (
	methodInfer  = "/inference.GRPCInferenceService/ModelInfer"
	methodStream = "/inference.GRPCInferenceService/ModelStreamInfer"
)

// OpenInferenceGRPC is a client of the Open Inference Protocol (KServe v2) over gRPC. Set the fields before the first Do. The URL's scheme is http
// (or grpc) without TLS and https (or grpcs) with it.
//
// All calls share the connections that Connections says. Sent is stamped before gRPC takes the call, so that waiting for a
// connection, or for one of the streams that the server allows on it, counts as the target's time. The status of a request is gRPC's,
// which is 0 for a good one. The state of a broken connection is that of the connection, not of the single call: what was in flight on it fails alike.
type OpenInferenceGRPC struct {
	*site
	Payloads    *Payloads // inputs that requests take in turn, see [GRPCPayload]; nil: the prompt as one element of BYTES
	Input       string    // name of the input that takes the prompt; "": text
	Version     string    // of the model; "": the server's choice
	Decoupled   bool      // use Triton's ModelStreamInfer: one request, and as many responses as the model gives
	Connections int       // that requests take in turn; 0: 1

	mu       sync.Mutex
	channels []*channel
	ours     certified
}

// NewOpenInferenceGRPC returns a client for the endpoint.
func NewOpenInferenceGRPC(e Endpoint) (*OpenInferenceGRPC, error) {
	if rest, ok := strings.CutPrefix(e.URL, "grpc"); ok { // grpc://, grpcs://
		e.URL = "http" + rest
	}
	if e.Sign != nil {
		return nil, fmt.Errorf("client: requests over gRPC are not signed")
	}
	s, err := e.open(nil)
	if err != nil {
		return nil, err
	}
	return &OpenInferenceGRPC{site: s}, nil
}

// channel returns the channel that request id takes; the caller has to call Done on its inUse.
func (c *OpenInferenceGRPC) channel(id uint64) (*channel, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.channels == nil {
		c.channels = make([]*channel, max(1, c.Connections))
	}
	at := id % uint64(len(c.channels))
	if c.channels[at] == nil {
		ch, err := newChannel(c.site, &c.ours)
		if err != nil {
			return nil, err
		}
		c.channels[at] = ch
	}
	c.channels[at].inUse.Add(1)
	return c.channels[at], nil
}

// Close closes the connections once the calls on them have ended. The client may still be used.
func (c *OpenInferenceGRPC) Close() {
	c.mu.Lock()
	all := c.channels
	c.channels = nil
	c.mu.Unlock()
	for _, ch := range all {
		if ch != nil {
			ch.inUse.Wait()
			_ = ch.conn.Close()
		}
	}
}

// Do implements assay.Client.
func (c *OpenInferenceGRPC) Do(ctx context.Context, call *assay.Call, r *assay.Request) {
	t := c.begin(ctx, call, r)
	defer func() {
		t.ctx, t.call, t.r, t.q = nil, nil, nil, query{}
		c.trips.Put(t)
	}()
	r.TokensIn, r.TokensAsked = 0, 0
	if err := c.authorize(ctx, &t.q); err != nil {
		t.fail(err)
		return
	}
	message, err := c.message(call, r.ID)
	if err != nil {
		t.fail(&protocolError{err.Error()})
		return
	}
	ch, err := c.channel(r.ID)
	if err != nil {
		t.fail(&protocolError{"client: " + err.Error()})
		return
	}
	defer ch.inUse.Done()
	for _, part := range message {
		r.BytesOut += int64(len(part))
	}
	p := &rpc{now: c.now}
	ctx = metadata.NewOutgoingContext(context.WithValue(ctx, rpcKey{}, p), c.metadata(&t.q))
	stamp(&r.Sent, c.now())
	var trailer metadata.MD
	if c.Decoupled {
		err = c.stream(ctx, t, ch, message, p, &trailer)
	} else {
		err = c.unary(ctx, t, ch, message, &trailer)
	}
	if r.FirstByte = p.head.Load(); r.FirstByte != 0 || p.trailer.Load() {
		c.ours.welcome.Store(true)
	}
	if err != nil {
		c.broken(t, ch, p, err, trailer)
	} else if c.settle(t, p); c.expect != nil && r.Outcome == assay.OK {
		c.expect.judge(t)
	}
}

// settle ends a call whose status was OK, unless what came said otherwise.
func (c *OpenInferenceGRPC) settle(t *trip, p *rpc) {
	if t.r.Outcome == assay.OutcomeUnknown {
		t.ok(p.last.Load())
	}
}

// message returns the parts of a ModelInferRequest.
func (c *OpenInferenceGRPC) message(call *assay.Call, id uint64) ([][]byte, error) {
	head := appendField(nil, requestModel, []byte(call.Model))
	if c.Version != "" {
		head = appendField(head, requestVersion, []byte(c.Version))
	}
	if c.Payloads != nil {
		return [][]byte{head, c.Payloads.of(id).Body}, nil
	}
	name := c.Input
	if name == "" {
		name = "text"
	}
	p, err := GRPCPayload(Tensor{Name: name, Datatype: "BYTES", Shape: []int64{1}, Elements: [][]byte{[]byte(call.Prompt)}})
	return [][]byte{head, p.Body}, err
}

func (c *OpenInferenceGRPC) metadata(q *query) metadata.MD {
	md := metadata.MD{}
	for _, list := range [][][2]string{c.Headers, q.headers} {
		for _, h := range list {
			md.Set(h[0], h[1])
		}
	}
	if q.token != "" {
		md.Set("authorization", "Bearer "+q.token)
	}
	return md
}

// unary does a ModelInfer.
func (c *OpenInferenceGRPC) unary(ctx context.Context, t *trip, ch *channel, message [][]byte, trailer *metadata.MD) error {
	var in []byte
	if err := ch.conn.Invoke(ctx, methodInfer, message, &in, grpc.Trailer(trailer)); err != nil {
		return err
	}
	t.r.BytesIn = int64(len(in))
	c.take(t, in)
	return nil
}

// take reads one response. What is wrong with it settles the request.
func (c *OpenInferenceGRPC) take(t *trip, in []byte) (outputs int) {
	var k inferred
	switch err := k.parse(in); {
	case err != nil:
		t.bad(err.Error())
	case k.outputs == 0 && !c.Decoupled: // the last response of a decoupled model may be empty
		t.bad("answer without outputs")
	}
	t.hear(in)
	t.named(k.model)
	t.versioned(k.version)
	return k.outputs
}

// stream does a ModelStreamInfer. Each response with outputs is an arrival.
func (c *OpenInferenceGRPC) stream(ctx context.Context, t *trip, ch *channel, message [][]byte, p *rpc, trailer *metadata.MD) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := ch.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, methodStream)
	if err != nil {
		return err
	}
	if err := s.SendMsg(message); err == nil { // what is wrong with the stream is told by what is read from it
		_ = s.CloseSend()
	}
	r := t.r
	for {
		var in []byte
		if err := s.RecvMsg(&in); err != nil {
			*trailer = s.Trailer()
			r.TokensOut = int32(len(r.Arrivals))
			if errors.Is(err, io.EOF) {
				if len(r.Arrivals) == 0 {
					t.bad("stream without outputs")
				}
				return nil
			}
			return err
		}
		at := p.last.Load()
		r.BytesIn += int64(len(in))
		failure, response, err := readStreamed(in)
		switch {
		case err != nil:
			t.bad(err.Error())
		case failure != "":
			t.inner(0, failure, at)
			if o := notReady(http.StatusServiceUnavailable, failure); o != assay.OutcomeUnknown {
				r.Outcome = o
			}
		}
		if r.Outcome != assay.OutcomeUnknown {
			return nil
		}
		if c.take(t, response) > 0 {
			stamp(&r.FirstToken, at)
			r.Arrivals = append(r.Arrivals, at)
		}
		if r.Outcome != assay.OutcomeUnknown {
			return nil
		}
	}
}

var answeredHTTP = regexp.MustCompile(`unexpected HTTP status code received from server: ([0-9]{3})`)

// broken ends the request by a status that is not OK.
func (c *OpenInferenceGRPC) broken(t *trip, ch *channel, p *rpc, err error, trailer metadata.MD) {
	r, s := t.r, status.Convert(err)
	r.Status = int32(s.Code())
	text := s.Message()
	switch {
	case t.ended(s.Code()):
		r.Status = 0
		t.fail(context.DeadlineExceeded)
	case answeredHTTP.MatchString(text): // a gateway answered, and not in gRPC
		code, _ := strconv.Atoi(answeredHTTP.FindStringSubmatch(text)[1])
		if code/100 == 2 {
			t.bad("answer is not gRPC")
			break
		}
		c.refused(r, code, false, pushback(trailer), "")
		r.Status, r.End = int32(code), c.now()
	case !p.trailer.Load():
		r.Status = 0
		c.lost(t, ch, s)
	case strings.Contains(text, "received message larger than max") || strings.Contains(text, "unexpected content-type"):
		t.bad(text)
	default:
		c.declined(t, s, trailer)
		r.End = p.last.Load()
	}
}

// ended reports whether a status only says that the request's own time was over or the run ended. The server counts our deadline too,
// and may be the first to see it pass.
func (t *trip) ended(code codes.Code) bool {
	if code != codes.DeadlineExceeded && code != codes.Canceled {
		return false
	}
	deadline, ok := t.ctx.Deadline()
	return t.ctx.Err() != nil || code == codes.DeadlineExceeded && ok && time.Until(deadline) < 50*time.Millisecond
}

// lost ends the request by a connection that was not made or broke.
func (c *OpenInferenceGRPC) lost(t *trip, ch *channel, s *status.Status) {
	text := s.Message()
	dialed, broke := ch.dialed.Load(), ch.broke.Load()
	switch {
	case strings.Contains(text, "Error while dialing") && dialed != nil:
		t.fail(&dialError{*dialed})
	case strings.Contains(text, "handshake failed"):
		t.fail(&dialError{fmt.Errorf("%s", handshake(text))})
	case strings.Contains(text, "received message larger than max"), strings.Contains(text, "unexpected content-type"), s.Code() == codes.Internal && !strings.Contains(text, "RST_STREAM"):
		t.bad(text)
	case strings.Contains(text, "RST_STREAM"):
		t.fail(fmt.Errorf("the server reset the stream"))
	case c.ours.refused():
		t.fail(errCertificate)
	case broke != nil:
		t.fail(*broke)
	default:
		t.fail(errClosed)
	}
}

// handshake is the end of gRPC's text about a failed handshake, which tells the cause without addresses.
func handshake(text string) string {
	_, cause, _ := strings.Cut(text, "handshake failed: ")
	return strings.TrimSuffix(cause, `"`)
}

// declined ends the request by a status that the server gave.
func (c *OpenInferenceGRPC) declined(t *trip, s *status.Status, trailer metadata.MD) {
	r, text := t.r, s.Message()
	switch s.Code() {
	case codes.ResourceExhausted:
		r.Outcome = assay.Throttled
	case codes.Unavailable:
		if r.Outcome = assay.Unavailable; saysLoading([]byte(text)) {
			r.Outcome = assay.Loading
		}
	case codes.DeadlineExceeded: // not ours: that of something between us and the model
		r.Outcome = assay.Unavailable
	case codes.Unauthenticated, codes.PermissionDenied:
		c.refused(r, http.StatusUnauthorized, false, 0, "")
		text = ""
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented:
		r.Outcome = assay.ClientError
	default:
		r.Outcome = assay.ServerError
	}
	if o := notReady(http.StatusServiceUnavailable, text); o != assay.OutcomeUnknown {
		r.Outcome = o
	}
	r.RetryAfter = pushback(trailer)
	r.Error = s.Code().String()
	if text = t.discreet(text); text != "" {
		r.Error += ": " + text
	}
	r.Error = short(r.Error)
}

// pushback reads how long the target asked us to wait.
func pushback(trailer metadata.MD) int64 {
	if v := trailer.Get("retry-after"); len(v) == 1 {
		return retryAfter(v[0], time.Now())
	}
	if v := trailer.Get("grpc-retry-pushback-ms"); len(v) == 1 {
		if ms, err := strconv.ParseInt(v[0], 10, 32); err == nil && ms > 0 {
			return ms * int64(time.Millisecond)
		}
	}
	return 0
}
