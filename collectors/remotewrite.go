package collectors

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/snappy"
	"golang.org/x/net/netutil"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/flatten"
	"github.com/assay-dev/assay/internal/gpu"
)

// RemoteWrite takes what a Prometheus, or an agent, sends by remote write 1.0 or 2.0. It listens on loopback unless told otherwise, and then
// demands a token. Every sample becomes a [assay.Sample] under the labels that it came with, markers of stale series included; native histograms
// become classic ones and exemplars with a trace events (see package internal/flatten).
//
// While the run pushes back the sender is asked to try again. What cannot be true is left out, counted by reason, and answered with status 400, which
// a sender does not repeat.
type RemoteWrite struct {
	Listen    string        `yaml:"listen"`   // host:port, or empty for a free port on 127.0.0.1
	Token     string        `yaml:"-"`        // demanded as "authorization: Bearer …"; required off loopback
	MaxBody   int           `yaml:"max_body"` // bytes, decompressed
	MaxOffset time.Duration `yaml:"max_offset"`
	Clock     Clock         `yaml:"-"`

	lis       net.Listener
	gate      gate
	work      chan struct{}
	emit      func(assay.Record) error
	exemplars flatten.Exemplars

	mu       sync.Mutex
	native   map[string]*flatten.Histogram
	counts   WriteCounts
	rejected map[string]int64
}

// WriteCounts is what a receiver of remote writes has done so far.
type WriteCounts struct {
	Requests   int64 // that were taken
	Bad        int64 // that were refused: malformed, too large, unauthorized
	Samples    int64 // emitted
	PushedBack int64 // requests answered "try again"
	Rejected   map[string]int64
}

// Defaults and bounds of RemoteWrite.
const (
	writeMaxBody   = 32 << 20
	writeMaxOffset = 24 * time.Hour
	writeAtOnce    = 4
	writeSeries    = 200_000 // of one request
	writeNative    = 100_000 // histograms that are remembered

	typeWriteV2 = "io.prometheus.write.v2.Request"
)

var _ assay.Source = (*RemoteWrite)(nil)

// Open binds the address, so that it is known before Run. Run calls it if nobody has.
func (r *RemoteWrite) Open() error {
	if r.lis != nil {
		return nil
	}
	addr := cmp.Or(r.Listen, "127.0.0.1:0")
	if !loopback(addr) && r.Token == "" {
		return fmt.Errorf("remote write: %q can be reached from other machines, so it needs a token; or use 127.0.0.1", addr)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("remote write: listen on %s: %w", addr, err)
	}
	r.lis = lis
	return nil
}

// Close releases the address. It is needed only when Run is never called.
func (r *RemoteWrite) Close() {
	if r.lis != nil {
		r.lis.Close()
	}
}

// Addr returns host:port of the receiver.
func (r *RemoteWrite) Addr() string { return addrOf(r.lis) }

// Counts returns what the receiver has done so far.
func (r *RemoteWrite) Counts() WriteCounts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts
	c.Rejected = maps.Clone(r.rejected)
	return c
}

// Run serves until ctx is done.
func (r *RemoteWrite) Run(ctx context.Context, emit func(assay.Record) error) error {
	if err := r.Open(); err != nil {
		return err
	}
	r.emit, r.work, r.native = emit, make(chan struct{}, writeAtOnce), map[string]*flatten.Histogram{}
	r.gate.open()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/write", r.serve)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	errs := make(chan error, 1)
	go func() { errs <- s.Serve(netutil.LimitListener(r.lis, intakeConns)) }()
	var err error
	select {
	case <-ctx.Done():
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		if s.Shutdown(ending) != nil {
			s.Close()
		}
		cancel()
		<-errs
	case err = <-errs:
		err = fmt.Errorf("remote write: serve on %s: %w", r.Addr(), err)
	}
	r.gate.shut()
	for _, w := range r.warnings() {
		emit(w)
	}
	return err
}

// warnings says what was not recorded.
func (r *RemoteWrite) warnings() []*assay.Event {
	c := r.Counts()
	var out []*assay.Event
	for _, reason := range slices.Sorted(maps.Keys(c.Rejected)) {
		n := strconv.FormatInt(c.Rejected[reason], 10)
		out = append(out, warning(r.Clock, "remote write", n+" samples were not recorded: "+reason, "reason", reason, "count", n))
	}
	if c.Bad > 0 {
		n := strconv.FormatInt(c.Bad, 10)
		out = append(out, warning(r.Clock, "remote write", n+" requests were refused: malformed, too large or unauthorized", "count", n))
	}
	if left := r.exemplars.Left(); left != "" {
		out = append(out, warning(r.Clock, "remote write", left))
	}
	return out
}

func (r *RemoteWrite) count(f func(*WriteCounts)) {
	r.mu.Lock()
	f(&r.counts)
	r.mu.Unlock()
}

// serve answers one request.
func (r *RemoteWrite) serve(w http.ResponseWriter, req *http.Request) {
	if !r.gate.enter() {
		http.Error(w, "the run has ended", http.StatusServiceUnavailable)
		return
	}
	defer r.gate.leave()
	bad := func(status int, err error) {
		r.count(func(c *WriteCounts) { c.Bad++ })
		http.Error(w, err.Error(), status)
	}
	again := func(why string) {
		r.count(func(c *WriteCounts) { c.PushedBack++ })
		w.Header().Set("Retry-After", "1")
		http.Error(w, why, http.StatusServiceUnavailable)
	}
	scheme, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	v2, err := writeVersion(req.Header.Get("Content-Type"))
	switch {
	case req.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		bad(http.StatusMethodNotAllowed, fmt.Errorf("method %s: remote write is sent by POST", req.Method))
		return
	case r.Token != "" && (!strings.EqualFold(scheme, "bearer") || subtle.ConstantTimeCompare([]byte(token), []byte(r.Token)) != 1):
		bad(http.StatusUnauthorized, errors.New("this receiver demands its token as authorization: Bearer …"))
		return
	case err != nil:
		bad(http.StatusUnsupportedMediaType, err)
		return
	case req.Header.Get("Content-Encoding") != "snappy":
		bad(http.StatusUnsupportedMediaType, fmt.Errorf("content encoding %q is not snappy", req.Header.Get("Content-Encoding")))
		return
	}
	select {
	case r.work <- struct{}{}:
		defer func() { <-r.work }()
	case <-req.Context().Done():
		return
	}
	body, status, err := r.read(w, req)
	if err != nil {
		bad(status, err)
		return
	}
	t := &writing{r: r, now: r.Clock.Now(), offset: int64(cmp.Or(r.MaxOffset, writeMaxOffset))}
	if v2 {
		err = t.v2(body)
	} else {
		err = t.v1(body)
	}
	r.settle(t)
	if v2 {
		w.Header().Set("X-Prometheus-Remote-Write-Samples-Written", strconv.FormatInt(t.floats, 10))
		w.Header().Set("X-Prometheus-Remote-Write-Histograms-Written", strconv.FormatInt(t.natives, 10))
		w.Header().Set("X-Prometheus-Remote-Write-Exemplars-Written", strconv.FormatInt(t.exemplars, 10))
	}
	switch {
	case t.refusal != nil:
		again(fmt.Sprintf("the run cannot take samples now: %v", t.refusal))
	case err != nil:
		bad(http.StatusBadRequest, err)
	case len(t.rejected) > 0:
		http.Error(w, "some samples were left out: "+strings.Join(slices.Sorted(maps.Keys(t.rejected)), ", "), http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// writeVersion tells 2.0 from 1.0 by the content type.
func writeVersion(contentType string) (v2 bool, err error) {
	t, params, err := mime.ParseMediaType(contentType)
	if err != nil || t != typeProtobuf {
		return false, fmt.Errorf("content type %q is not %s", contentType, typeProtobuf)
	}
	switch p := params["proto"]; p {
	case "", "prometheus.WriteRequest":
		return false, nil
	case typeWriteV2:
		return true, nil
	default:
		return false, fmt.Errorf("message %q is neither prometheus.WriteRequest nor %s", p, typeWriteV2)
	}
}

// read returns the unpacked body. Both sizes are bounded, that after unpacking before it is done.
func (r *RemoteWrite) read(w http.ResponseWriter, req *http.Request) ([]byte, int, error) {
	limit := cmp.Or(r.MaxBody, writeMaxBody)
	large := fmt.Errorf("body is larger than %d bytes; send smaller batches", limit)
	packed, err := io.ReadAll(http.MaxBytesReader(w, req.Body, int64(limit)))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, http.StatusRequestEntityTooLarge, large
	case err != nil:
		return nil, http.StatusBadRequest, fmt.Errorf("read body: %w", err)
	}
	n, err := snappy.DecodedLen(packed)
	switch {
	case err != nil:
		return nil, http.StatusBadRequest, fmt.Errorf("unpack body: %w", err)
	case n > limit:
		return nil, http.StatusRequestEntityTooLarge, large
	}
	body, err := snappy.Decode(nil, packed)
	if err != nil {
		return nil, http.StatusBadRequest, fmt.Errorf("unpack body: %w", err)
	}
	return body, 0, nil
}

// settle adds a request's outcome to the counts.
func (r *RemoteWrite) settle(t *writing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Requests++
	r.counts.Samples += t.emitted
	if r.rejected == nil && (len(t.rejected) > 0 || t.blank > 0) {
		r.rejected = map[string]int64{}
	}
	if t.blank > 0 {
		r.rejected[gpu.OfBlank] += t.blank
	}
	for reason, n := range t.rejected {
		r.rejected[reason] += n
	}
}
