package loadgen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/assay-dev/assay"
)

var (
	errClosed      = errors.New("connection closed by the server")
	errCredential  = errors.New("no token to send")
	errCertificate = errors.New("the server refused our certificate")
)

// A protocolError is an answer that is not what HTTP or the API promises.
type protocolError struct{ text string }

func (e *protocolError) Error() string { return e.text }

// A proxyError is a proxy's refusal to open a tunnel.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return "the proxy answered " + strconv.Itoa(e.status) + " " + http.StatusText(e.status)
}

// A dialError is a connection that could not be made.
type dialError struct{ err error }

func (e *dialError) Error() string { return "connect: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// failed ends r by a transport error: the outcome follows from the error and from how far the answer had come.
func (s *site) failed(ctx context.Context, r *assay.Request, err error) {
	r.End = s.now()
	r.Error = brief(err)
	var bad *protocolError
	var proxy *proxyError
	switch {
	case err == errCredential || err == errCertificate:
		r.Outcome = assay.Credential
	case errors.As(err, &bad):
		r.Outcome = assay.BadPayload
	case expired(err) || ctx.Err() != nil: // net/http may give the cause of the end in place of an error of its own
		s.expire(ctx, r)
	case local(err): // what our own machine lacks says nothing about the target
		r.Outcome = assay.RefusedByCap
	case errors.Is(err, syscall.ECONNREFUSED):
		r.Outcome = assay.Refused
	case errors.Is(err, syscall.ETIMEDOUT):
		r.Outcome = assay.Timeout
	case certificate(err):
		r.Outcome, r.Error = assay.Credential, errCertificate.Error()
	case errors.As(err, &proxy) && assay.OutcomeOf(proxy.status, false) == assay.Credential:
		r.Outcome = assay.Credential
	case unresolved(err):
		r.Outcome = assay.Unresolved
	case r.FirstByte == 0:
		r.Outcome = assay.Reset
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, errClosed):
		r.Outcome = assay.CutFIN
	default:
		r.Outcome = assay.CutRST
	}
	if r.Outcome == assay.Credential && err != errCredential && s.Refused != nil {
		s.Refused()
	}
}

// expire ends r by its own deadline or by the end of the run.
func (s *site) expire(ctx context.Context, r *assay.Request) {
	if ctx.Err() == context.Canceled {
		r.Outcome, r.Error = assay.Unfinished, "the run ended first"
		return
	}
	r.Outcome, r.Error = assay.Timeout, "no complete answer before the deadline"
	if r.FirstToken == 0 {
		return
	}
	stall := s.Stall
	if deadline, ok := ctx.Deadline(); stall == 0 && ok {
		stall = time.Duration(s.Clock.At(deadline)-r.Sent) / 3
	}
	if n := len(r.Arrivals); n > 0 && r.End-r.Arrivals[n-1] > int64(stall) {
		r.Outcome, r.Error = assay.CutStall, "stream fell silent"
	}
}

func expired(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func local(err error) bool {
	for _, e := range []error{syscall.EADDRNOTAVAIL, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// unresolved reports whether no connection was made, for want of a name, a route or trust.
func unresolved(err error) bool {
	var (
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		host   x509.HostnameError
		auth   x509.UnknownAuthorityError
		dial   *dialError
	)
	switch {
	case errors.As(err, &dns), errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &host), errors.As(err, &auth):
		return true
	}
	return errors.As(err, &dial) && !closed(err) && !errors.Is(err, io.EOF)
}

// certificate reports whether the server refused our client certificate, or the lack of one. With TLS 1.3 the alert comes
// after the handshake, with the first read.
func certificate(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return false
	}
	text := op.Err.Error()
	for _, alert := range []string{"bad certificate", "unsupported certificate", "revoked certificate", "expired certificate", "unknown certificate",
		"certificate required", "access denied"} {
		if strings.Contains(text, alert) {
			return true
		}
	}
	return false
}

// brief says in a few words what went wrong, without addresses.
func brief(err error) string {
	var dial *dialError
	prefix := ""
	if errors.As(err, &dial) {
		prefix = "connect: "
	}
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case errors.As(err, &errno):
		return prefix + errno.Error()
	case errors.As(err, &dns):
		return "lookup: " + short(dns.Err)
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, errClosed):
		return prefix + errClosed.Error()
	}
	for {
		var op *net.OpError
		if !errors.As(err, &op) || op.Err == nil {
			break
		}
		err = op.Err
	}
	if dial != nil {
		prefix = strings.TrimSuffix(prefix, "connect: ") // the text of a dialError has it
	}
	return short(prefix + err.Error())
}

// short makes v one line of at most 160 bytes.
func short(v string) string {
	v = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, v)
	if len(v) > 160 {
		v = strings.ToValidUTF8(v[:160], "") + "…"
	}
	return v
}

// refused ends r by a status that is no success, after the body said more.
func (s *site) refused(r *assay.Request, status int, loading bool, retry int64, detail string) {
	r.Outcome = assay.OutcomeOf(status, loading)
	if r.Outcome == assay.Credential && s.Refused != nil {
		s.Refused()
	}
	r.RetryAfter = retry
	r.Error = strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		r.Error += " " + text
	}
	if detail != "" && r.Outcome != assay.Credential { // such a text may repeat the credential
		r.Error += ": " + detail
	}
	r.Error = short(r.Error)
}

// saysLoading reports whether a text of a 503 says that the model is not loaded yet.
func saysLoading(b []byte) bool {
	text := strings.ToLower(string(b))
	for _, sign := range []string{"loading", "not loaded", "warming up", "cold start"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}
