package collectors

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/assay-dev/assay"
)

// A scraper looks at one target again and again. Its buffers, its samples and the labels of the series it has met
// are kept from look to look, so that a large exposition costs little more than
// reading it.
type scraper struct {
	p      *Prometheus
	target *target
	body   bytes.Buffer
	parse  exposition
	out    assay.Scrape
	warned bool // of repeated series
	blanks bool // were told of
}

func newScraper(p *Prometheus, t *target) *scraper {
	return &scraper{p: p, target: t, parse: exposition{
		target: t, fromUnix: p.Clock.FromUnix, series: make(map[string]*series),
		maxSamples: p.MaxSamples, maxLabels: p.MaxLabels, maxLabel: p.MaxLabel,
	}}
}

// run scrapes on the target's grid until ctx is done, and says so if that is because the target has gone.
func (s *scraper) run(ctx context.Context) {
	h := fnv.New64a()
	io.WriteString(h, s.target.key)
	phase := int64(h.Sum64() % uint64(s.p.Interval))
	for {
		now := s.p.Clock.Now()
		if !sleep(ctx, time.Duration(onGrid(now, phase, int64(s.p.Interval))-now)) {
			break
		}
		s.look(ctx)
	}
	if left := s.parse.exemplars.Left(); left != "" {
		s.p.emit(warning(s.p.Clock, "prometheus", "scrape "+s.target.name+": "+left, "target", s.target.name))
	}
	if errors.Is(context.Cause(ctx), errGone) {
		s.out = assay.Scrape{Target: s.target.name, Time: cmp.Or(s.p.Clock.Now(), 1), Gone: true, Samples: s.out.Samples[:0]}
		s.p.emit(&s.out)
	}
}

// onGrid returns the first instant after now that is a whole number of intervals after phase, which is less than one.
func onGrid(now, phase, interval int64) int64 {
	if now < phase {
		return phase
	}
	return now + interval - (now-phase)%interval
}

// look scrapes once and emits what it saw.
func (s *scraper) look(ctx context.Context) {
	begin := cmp.Or(s.p.Clock.Now(), 1)
	samples, err := s.scrape(ctx, begin)
	if ctx.Err() != nil {
		return // cut off by the end of the run or of the target: says nothing about the target
	}
	s.out = assay.Scrape{Target: s.target.name, Time: begin, Took: s.p.Clock.Now() - begin, Samples: samples}
	if err != nil {
		s.out.Error = err.Error()
		s.out.Samples = samples[:0]
	}
	s.p.emit(&s.out)
	for i := range s.parse.events {
		s.p.emit(&s.parse.events[i])
	}
	if n := s.parse.blank; n > 0 && !s.blanks {
		s.blanks = true
		s.p.emit(warning(s.p.Clock, "prometheus", "scrape "+s.target.name+": "+strconv.Itoa(n)+" values of DCGM stand for none (blank, not found, not supported, not permitted) and were left out, here and from then on", "target", s.target.name))
	}
	if n := s.parse.repeated; n > 0 && !s.warned {
		s.warned = true
		s.p.emit(warning(s.p.Clock, "prometheus", "scrape "+s.target.name+": "+strconv.Itoa(n)+" series stand in the exposition twice; the first of each was recorded", "target", s.target.name))
	}
}

func (s *scraper) scrape(ctx context.Context, begin int64) ([]assay.Sample, error) {
	fail := func(err error) ([]assay.Sample, error) {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the URL, which may hold secrets, is named by the target
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", s.p.Timeout)
		}
		return s.out.Samples, fmt.Errorf("scrape %s: %w", s.target.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.p.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.target.url, nil)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "assay")
	req.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", strconv.FormatFloat(s.p.Timeout.Seconds(), 'g', -1, 64))
	if s.p.RunID != "" {
		req.Header.Set("X-Assay-Run", s.p.RunID)
	}
	resp, err := s.p.client.Do(req)
	if err != nil {
		return fail(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fail(fmt.Errorf("status %s", resp.Status))
	}
	ct, most := resp.Header.Get("Content-Type"), s.p.MaxBody
	switch t, _, _ := mime.ParseMediaType(ct); t {
	case "", "text/plain", "application/openmetrics-text":
	case protoExposition:
		most = min(most, maxProto)
	default:
		return fail(fmt.Errorf("content type %q is no exposition", ct))
	}
	s.body.Reset()
	n, err := s.body.ReadFrom(io.LimitReader(resp.Body, int64(most)+1))
	switch {
	case err != nil:
		return fail(fmt.Errorf("read body: %w", err))
	case n > int64(most):
		return fail(fmt.Errorf("body is larger than max_body, %d bytes", most))
	}
	samples, err := s.parse.read(s.body.Bytes(), ct, begin, s.out.Samples[:0])
	if err != nil {
		return fail(err)
	}
	return samples, nil
}
