package collectors

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/assay-dev/assay"
)

// Prometheus scrapes expositions in the Prometheus text, OpenMetrics and protobuf formats. Each target has a loop of its own
// on a fixed grid of the run's time, so a slow target delays no other, and a
// late look is skipped rather than made up for. Targets are spread over the interval by a
// hash of their URL, so that they are not all asked at one instant.
//
// For each look it emits one Scrape. Series carry the labels of the exposition and of the target (job, instance, and
// what discovery says, such as instance_id); where both have a label, the exposition's is renamed to exported_….
// A native histogram is recorded as a classic one (see package internal/flatten), an exemplar with a trace as an event. A failed look is a Scrape with an Error and no samples. When discovery no longer names a target, its last Scrape
// is marked Gone: its series end there.
type Prometheus struct {
	Targets    []Target      `yaml:"targets"`
	Discovery  string        `yaml:"http_sd"`  // URL that answers with Prometheus' HTTP service discovery JSON
	Interval   time.Duration `yaml:"interval"` // between looks at a target, and at discovery
	Timeout    time.Duration `yaml:"timeout"`  // of one look; at most Interval
	MaxBody    int           `yaml:"max_body"` // bytes, decompressed
	MaxSamples int           `yaml:"max_samples"`
	MaxLabels  int           `yaml:"max_labels"`       // of one series
	MaxLabel   int           `yaml:"max_label_length"` // bytes of a label's name and of its value
	MaxTargets int           `yaml:"max_targets"`
	Clock      Clock         `yaml:"-"`
	RunID      string        `yaml:"-"` // sent with each look, so that the target can tell ours from its users'; empty for none

	client *http.Client
	emit   func(assay.Record) error
}

// A Target is one exposition to scrape.
type Target struct {
	URL    string            `yaml:"url"`
	Labels map[string]string `yaml:"labels"`
}

// Defaults of the settings of Prometheus.
const (
	promInterval   = time.Second
	promMaxBody    = 32 << 20
	promMaxSamples = 100_000
	promMaxLabels  = 64
	promMaxLabel   = 4096
	promMaxTargets = 1000
)

// Protobuf comes first since only it carries native histograms. What it may hold before it is decoded is bounded closer than text, since a
// few bytes of it can ask for many.
const (
	protoExposition = "application/vnd.google.protobuf"
	maxProto        = 8 << 20
)

const accept = protoExposition + ";proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.9,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

var _ assay.Source = (*Prometheus)(nil)

// Run scrapes until ctx is done.
func (p *Prometheus) Run(ctx context.Context, emit func(assay.Record) error) error {
	p.defaults()
	p.emit = emit
	if len(p.Targets) == 0 && p.Discovery == "" {
		return errors.New("prometheus: neither targets nor http_sd: nothing to scrape")
	}
	fixed := make([]*target, 0, len(p.Targets))
	for _, t := range p.Targets {
		one, err := fixedTarget(t)
		if err != nil {
			return err
		}
		fixed = append(fixed, one)
	}
	defer p.client.CloseIdleConnections()

	s := &set{p: p, loops: make(map[string]*loop)}
	defer s.stop()
	s.sync(ctx, fixed)
	if p.Discovery == "" {
		<-ctx.Done()
		return nil
	}
	d := discovery{p: p}
	for next := p.Clock.Now(); ; {
		if found, ok := d.look(ctx); ok {
			s.sync(ctx, append(found, fixed...))
		}
		next += int64(p.Interval)
		if !sleep(ctx, time.Duration(next-p.Clock.Now())) {
			return nil
		}
		next = max(next, p.Clock.Now()-int64(p.Interval)) // missed looks are not made up for
	}
}

// defaults fills in the settings that were left out.
func (p *Prometheus) defaults() {
	p.Interval = cmp.Or(p.Interval, promInterval)
	if p.Timeout <= 0 || p.Timeout > p.Interval {
		p.Timeout = p.Interval
	}
	p.MaxBody = cmp.Or(p.MaxBody, promMaxBody)
	p.MaxSamples = cmp.Or(p.MaxSamples, promMaxSamples)
	p.MaxLabels = cmp.Or(p.MaxLabels, promMaxLabels)
	p.MaxLabel = cmp.Or(p.MaxLabel, promMaxLabel)
	p.MaxTargets = cmp.Or(p.MaxTargets, promMaxTargets)
	p.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: 5 * p.Interval}, CheckRedirect: sameHost}
}

// sameHost lets a redirect lead only to where the target already is.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > 3 || req.URL.Host != via[0].URL.Host {
		return errors.New("redirect to another host")
	}
	return nil
}

// A set is the loops that run now, by target.
type set struct {
	p     *Prometheus
	loops map[string]*loop
	wg    sync.WaitGroup
}

type loop struct {
	cancel context.CancelCauseFunc
}

var errGone = errors.New("no longer named by discovery")

// sync starts loops for targets that have none and ends those of targets that are not in want.
func (s *set) sync(ctx context.Context, want []*target) {
	keep := make(map[string]bool, len(want))
	for _, t := range want {
		keep[t.key] = true
		if s.loops[t.key] != nil {
			continue
		}
		ctx, cancel := context.WithCancelCause(ctx)
		s.loops[t.key] = &loop{cancel}
		s.wg.Go(func() {
			defer cancel(nil)
			newScraper(s.p, t).run(ctx)
		})
	}
	for key, l := range s.loops {
		if !keep[key] {
			l.cancel(errGone)
			delete(s.loops, key)
		}
	}
}

// stop waits for all loops. The context they were started with is done or about to be.
func (s *set) stop() {
	for _, l := range s.loops {
		l.cancel(nil)
	}
	s.wg.Wait()
}

// sleep waits for d and reports whether ctx is still not done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
