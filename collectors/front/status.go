package front

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/internal/ask"
	"github.com/assay-dev/assay/internal/tail"
)

// A Status looks at nginx's stub_status page at an interval, each look a Scrape with the series that nginx-prometheus-exporter makes of it. A look that
// failed is a Scrape that says why.
type Status struct {
	URL      string
	Interval time.Duration // 0: 1 s
	Clock    collectors.Clock
	RunID    string // sent with each look; "" for none

	client *http.Client
	target string
	out    assay.Scrape
}

var _ assay.Source = (*Status)(nil)

// maxStatus bounds the page, which has a hundred bytes.
const maxStatus = 4096

// Run looks until ctx is done.
func (s *Status) Run(ctx context.Context, emit func(assay.Record) error) error {
	emit = tail.Through(emit)
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("nginx: %q is no URL such as http://host/stub_status", ask.Shown(s.URL))
	}
	s.target = u.Host + u.Path
	every := cmp.Or(s.Interval, time.Second)
	s.client = &http.Client{Transport: &http.Transport{}, Timeout: every}
	defer s.client.CloseIdleConnections()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		begin := cmp.Or(s.Clock.Now(), 1)
		samples, err := s.look(ctx, begin, u.Host)
		if ctx.Err() != nil {
			return nil
		}
		s.out = assay.Scrape{Target: s.target, Time: begin, Took: s.Clock.Now() - begin, Samples: samples}
		if err != nil {
			s.out.Error, s.out.Samples = err.Error(), nil
		}
		if err := emit(&s.out); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *Status) look(ctx context.Context, at int64, host string) ([]assay.Sample, error) {
	body, err := s.page(ctx)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", s.target, err)
	}
	values, err := parseStatus(body)
	if err != nil {
		return nil, fmt.Errorf("scrape %s: %w", s.target, err)
	}
	labels := []assay.Label{{Name: "instance", Value: host}}
	out := []assay.Sample{{Name: "nginx_up", Labels: labels, Time: at, Value: 1}}
	for i, name := range statusNames {
		out = append(out, assay.Sample{Name: name, Labels: labels, Time: at, Value: float64(values[i])})
	}
	return out, nil
}

func (s *Status) page(ctx context.Context) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "assay")
	if s.RunID != "" {
		req.Header.Set("X-Assay-Run", s.RunID)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the URL may hold secrets; the target names it
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus+1))
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return body, nil
}

// Check looks once and returns how many connections are open.
func (s *Status) Check(ctx context.Context) (active int64, err error) {
	s.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	body, err := s.page(ctx)
	if err != nil {
		return 0, err
	}
	v, err := parseStatus(body)
	return v[0], err
}

// statusNames are the series of the numbers on the page, in their order.
var statusNames = [7]string{"nginx_connections_active", "nginx_connections_accepted", "nginx_connections_handled", "nginx_http_requests_total",
	"nginx_connections_reading", "nginx_connections_writing", "nginx_connections_waiting"}

var errStatus = errors.New("no page of stub_status")

// parseStatus reads the page.
func parseStatus(body []byte) (v [7]int64, err error) {
	if len(body) > maxStatus {
		return v, fmt.Errorf("%w: it has more than %d bytes", errStatus, maxStatus)
	}
	var words []string
	for in := bufio.NewScanner(bytes.NewReader(body)); in.Scan(); {
		words = append(words, strings.Fields(in.Text())...)
	}
	want := []string{"Active", "connections:", "#", "server", "accepts", "handled", "requests", "#", "#", "#", "Reading:", "#", "Writing:", "#", "Waiting:", "#"}
	if len(words) != len(want) {
		return v, errStatus
	}
	n := 0
	for i, w := range want {
		if w != "#" {
			if words[i] != w {
				return v, errStatus
			}
			continue
		}
		value, ok := whole([]byte(words[i]))
		if !ok {
			return v, errStatus
		}
		v[n] = value
		n++
	}
	return v, nil
}
