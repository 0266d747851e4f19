package collectors

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

func (o *OTLP) handler() http.Handler {
	mux := http.NewServeMux()
	for sig, name := range signalNames {
		mux.HandleFunc("/v1/"+name, func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, signal(sig)) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "OTLP is taken at /v1/traces and /v1/metrics; /v1/logs answers that logs are not recorded", http.StatusNotFound)
	})
	return mux
}

// serve answers one OTLP/HTTP request. As the protocol asks, errors are a google.rpc.Status in the request's own encoding.
func (o *OTLP) serve(w http.ResponseWriter, r *http.Request, sig signal) {
	enc, known := encodingOf(r.Header.Get("Content-Type"))
	w.Header().Set("Content-Type", [...]string{typeProtobuf, typeJSON}[enc])
	fail := func(httpStatus int, err error) {
		o.count(func(c *Counts) {
			if httpStatus < 500 {
				c.Bad++
			}
		})
		if httpStatus == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(httpStatus)
		st, _ := status.FromError(err)
		var b []byte
		if enc == otlpJSON {
			b, _ = json.Marshal(map[string]any{"code": st.Code(), "message": st.Message()})
		} else {
			b, _ = proto.Marshal(st.Proto())
		}
		w.Write(b)
	}
	switch {
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		fail(http.StatusMethodNotAllowed, status.Errorf(codes.Unimplemented, "method %s: OTLP is sent by POST", r.Method))
		return
	case !o.authorized(r.Header.Get("Authorization")):
		fail(http.StatusUnauthorized, status.Error(codes.Unauthenticated, "this intake demands its token as authorization: Bearer …"))
		return
	case !known:
		fail(http.StatusUnsupportedMediaType, status.Errorf(codes.InvalidArgument, "content type %q is neither %s nor %s", r.Header.Get("Content-Type"), typeProtobuf, typeJSON))
		return
	}
	release, err := o.slot(r.Context())
	if err != nil {
		fail(httpStatus(status.Code(err)), err)
		return
	}
	defer release()
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= 1<<20 { // one huge batch must not stay in memory
			buffers.Put(buf)
		}
	}()
	buf.Reset()
	if code, err := o.read(buf, w, r); err != nil {
		fail(code, status.Error(codes.InvalidArgument, err.Error()))
		return
	}
	resp, err := o.export(sig, enc, buf.Bytes())
	if err != nil {
		fail(httpStatus(status.Code(err)), err)
		return
	}
	w.Write(resp)
}

var (
	buffers     = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// read fills buf with the decompressed body. Both sizes, before and after, are bounded.
func (o *OTLP) read(buf *bytes.Buffer, w http.ResponseWriter, r *http.Request) (code int, err error) {
	limit := int64(cmp.Or(o.MaxBody, otlpMaxBody))
	tooLarge := fmt.Errorf("body is larger than %d bytes; send smaller batches", limit)
	if r.ContentLength > limit {
		return http.StatusRequestEntityTooLarge, tooLarge
	}
	body := io.Reader(http.MaxBytesReader(w, r.Body, limit))
	switch ce := r.Header.Get("Content-Encoding"); ce {
	case "", "identity":
	case "gzip":
		z := gzipReaders.Get().(*gzip.Reader)
		defer gzipReaders.Put(z)
		if err := z.Reset(body); err != nil {
			return http.StatusBadRequest, fmt.Errorf("read gzip: %w", err)
		}
		body = z
	default:
		return http.StatusUnsupportedMediaType, fmt.Errorf("content encoding %q is neither gzip nor identity", ce)
	}
	n, err := buf.ReadFrom(io.LimitReader(body, limit+1))
	var over *http.MaxBytesError
	switch {
	case n > limit || errors.As(err, &over):
		return http.StatusRequestEntityTooLarge, tooLarge
	case err != nil:
		return http.StatusBadRequest, fmt.Errorf("read body: %w", err)
	}
	return 0, nil
}

func encodingOf(contentType string) (enc encoding, known bool) {
	t, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return protobuf, false
	case t == typeJSON:
		return otlpJSON, true
	}
	return protobuf, t == typeProtobuf
}

func httpStatus(c codes.Code) int {
	switch c {
	case codes.InvalidArgument:
		return http.StatusBadRequest
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// authorized compares in constant time, so that the token cannot be guessed a byte at a time.
func (o *OTLP) authorized(header string) bool {
	if o.Token == "" {
		return true
	}
	scheme, token, _ := strings.Cut(header, " ")
	return strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare([]byte(token), []byte(o.Token)) == 1
}
