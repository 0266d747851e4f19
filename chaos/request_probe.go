package chaos

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/assay-dev/assay/internal/faultproxy"
)

// seeFault sends a probe through a fault proxy and says what it saw, or what it saw instead of the fault. With
// zero conditions it wants an unhurt answer.
func seeFault(ctx context.Context, url string, c faultproxy.Conditions, run string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, silence+c.Delay*time.Duration(3+c.Tokens))
	defer cancel()
	// A client of its own for each probe: one that keeps connections would hide what is measured. Whose certificate
	// it is does not matter, only whether it has expired.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set(faultproxy.Probe, "1")
	req.Header.Set("User-Agent", "assay")
	if run != "" {
		req.Header.Set("X-Assay-Run", run)
	}
	begin := time.Now()
	res, err := transport.RoundTrip(req)
	headers := time.Since(begin)
	var status int
	var retry string
	var body []byte
	var expired bool
	if err == nil {
		defer res.Body.Close()
		status, retry = res.StatusCode, res.Header.Get("Retry-After")
		expired = res.TLS != nil && hasExpired(res.TLS.PeerCertificates)
		body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	}
	took := time.Since(begin)
	end := endOf(err)
	tokens := strings.Count(string(body), `"content":"x"`)
	whole := strings.HasSuffix(string(body), "data: [DONE]\n\n") && end == endAnswer
	saw := fmt.Sprintf("a probe saw status %d, %d tokens and %s after %v", status, tokens, end, round(took))
	ok := false
	switch c.Mode {
	case faultproxy.None:
		ok = whole && status == http.StatusOK && !expired && tokens >= 3
	case faultproxy.Status:
		ok = status == c.Status
		if c.RetryAfter > 0 {
			ok = ok && retry == strconv.Itoa(int(c.RetryAfter/time.Second))
			saw += ", Retry-After " + strconv.Quote(retry)
		}
	case faultproxy.Latency:
		ok = headers >= c.Delay && whole
		saw = fmt.Sprintf("a probe got its first byte after %v and %s", round(headers), end)
	case faultproxy.Hang:
		ok = status == 0 && end == endSilence
	case faultproxy.Expired:
		ok = expired
		saw = fmt.Sprintf("a probe was shown a certificate that has expired: %t", expired)
	case faultproxy.FIN:
		ok = tokens == c.Tokens && end == endEOF
	case faultproxy.RST:
		ok = tokens == c.Tokens && end == endReset
	case faultproxy.Stall:
		ok = tokens == c.Tokens && end == endSilence
	case faultproxy.Slow:
		ok = whole && took >= c.Delay*time.Duration(tokens) && tokens > 0
	case faultproxy.Corrupt:
		ok = whole && tokens == c.Tokens+3-1
	}
	if !ok {
		return "", errors.New(saw)
	}
	return saw, nil
}

// endOf says how an answer ended, as its client sees it.
func endOf(err error) string {
	var ne net.Error
	switch {
	case err == nil:
		return endAnswer
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return endReset
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return endEOF
	case errors.Is(err, syscall.ECONNREFUSED):
		return endRefused
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return endSilence
	}
	return err.Error()
}

func hasExpired(chain []*x509.Certificate) bool {
	return len(chain) > 0 && time.Now().After(chain[0].NotAfter)
}
