package analyzers

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
	"github.com/assay-dev/assay/internal/stat"
)

// Timeline draws the run: bounded series on one time axis, for views. It reports no metric. Requests are binned by the instant
// they were due, so that a stall shows when users felt it.
type Timeline struct{}

var _ assay.Analyzer = Timeline{}

// Points of a series: at most maxPoints; ecdfPoints in a distribution.
const (
	maxPoints  = 600
	ecdfPoints = 200
)

// Describe lists nothing.
func (Timeline) Describe() []assay.Desc { return nil }

type timeline struct {
	f          *assay.Facts
	width      int64
	bins       []bin
	shed       bool // some request was throttled
	warm, cold stat.Sketch
}

type bin struct {
	ok, failed, refused, throttled int

	busy      float64 // request-seconds in flight
	ttft, e2e stat.Sketch
}

// Begin sizes the bins: a whole number of seconds where the run allows, at most maxPoints of them.
func (Timeline) Begin(f *assay.Facts) assay.Pass {
	t := &timeline{f: f, width: int64(1e9)}
	if span := f.End - f.Begin; span > 0 {
		if n := (span + t.width - 1) / t.width; n > maxPoints {
			t.width *= (n + maxPoints - 1) / maxPoints
		}
		t.bins = make([]bin, (span+t.width-1)/t.width)
	}
	return t
}

func (t *timeline) bin(at int64) *bin {
	if i := (at - t.f.Begin) / t.width; at >= t.f.Begin && i < int64(len(t.bins)) {
		return &t.bins[i]
	}
	return nil
}

// Requests bins the block.
func (t *timeline) Requests(block []assay.Request) {
	for i := range block {
		r := &block[i]
		b := t.bin(r.Due)
		if b == nil || r.Canary {
			continue
		}
		switch {
		case r.Outcome == assay.OK:
			b.ok++
		case r.Outcome == assay.RefusedByCap:
			b.refused++
		case r.Outcome == assay.Throttled:
			b.throttled++
			t.shed = true
		case r.Outcome.Failed():
			b.failed++
		}
		if r.Sent != 0 {
			t.inFlight(r)
		}
		if r.Outcome != assay.OK {
			continue
		}
		if r.End != 0 { // a table may not tell
			b.e2e.Add(float64(r.End-r.Due) / 1e9)
		}
		if r.FirstToken == 0 { // the first byte of an answer is not its first token
			continue
		}
		v := float64(r.FirstToken-r.Due) / 1e9
		b.ttft.Add(v)
		if ledger, _ := t.f.At(r.Due); ledger == assay.Natural && !r.Forced {
			switch r.Cold {
			case assay.ColdYes:
				t.cold.Add(v)
			case assay.ColdNo:
				t.warm.Add(v)
			}
		}
	}
}

func (t *timeline) inFlight(r *assay.Request) {
	for at := max(r.Sent, t.f.Begin); at < min(r.End, t.f.End); {
		i := (at - t.f.Begin) / t.width
		end := min(r.End, t.f.Begin+(i+1)*t.width)
		if i >= int64(len(t.bins)) {
			return
		}
		t.bins[i].busy += float64(end-at) / 1e9
		at = end
	}
}

// Finish adds the series.
func (t *timeline) Finish(r *assay.Report) error {
	seconds := float64(t.width) / 1e9
	add := func(name string, u assay.Unit, v func(b *bin) float64) {
		s := assay.Series{Name: name, Unit: u, Kind: "line"}
		seen := false
		for i := range t.bins {
			s.Times = append(s.Times, t.f.Begin+int64(i)*t.width)
			s.Values = append(s.Values, assay.Num(v(&t.bins[i])))
			seen = seen || !math.IsNaN(float64(s.Values[i]))
		}
		if seen {
			r.Series = append(r.Series, s)
		}
	}
	quantile := func(s *stat.Sketch, p float64) float64 {
		if s.N == 0 {
			return math.NaN()
		}
		return s.Quantile(p)
	}
	if len(t.bins) > 0 {
		add("requests/ok", assay.PerSecond, func(b *bin) float64 { return float64(b.ok) / seconds })
		add("requests/failed", assay.PerSecond, func(b *bin) float64 { return float64(b.failed) / seconds })
		add("requests/refused", assay.PerSecond, func(b *bin) float64 { return float64(b.refused) / seconds })
		if t.shed {
			add("requests/throttled", assay.PerSecond, func(b *bin) float64 { return float64(b.throttled) / seconds })
		}
		add("in_flight", assay.Count, func(b *bin) float64 { return b.busy / seconds })
		add("ttft/p50", assay.Seconds, func(b *bin) float64 { return quantile(&b.ttft, 0.5) })
		add("ttft/p95", assay.Seconds, func(b *bin) float64 { return quantile(&b.ttft, 0.95) })
		add("e2e/p95", assay.Seconds, func(b *bin) float64 { return quantile(&b.e2e, 0.95) })
	}
	t.instances(r)
	t.metrics(r)
	ecdf(r, "ttft/ecdf/warm", &t.warm)
	ecdf(r, "ttft/ecdf/cold", &t.cold)
	return nil
}

// instances adds ready and desired instances as steps, on the bins' grid of a quarter.
func (t *timeline) instances(r *assay.Report) {
	if len(t.f.Lives) == 0 {
		return
	}
	ready := assay.Series{Name: "instances/ready", Unit: assay.Count, Kind: "step"}
	desired := assay.Series{Name: "instances/desired", Unit: assay.Count, Kind: "step"}
	decisions := scaleEvents(t.f.Events)
	step := max(t.width/4, (t.f.End-t.f.Begin)/maxPoints+1)
	want, j := math.NaN(), 0
	for at := t.f.Begin; at <= t.f.End; at += step {
		for ; j < len(decisions) && decisions[j].at <= at; j++ {
			want = float64(decisions[j].desired)
		}
		ready.Times, ready.Values = append(ready.Times, at), append(ready.Values, assay.Num(readyAt(t.f.Lives, at)))
		desired.Times, desired.Values = append(desired.Times, at), append(desired.Values, assay.Num(want))
	}
	r.Series = append(r.Series, ready)
	if len(decisions) > 0 {
		r.Series = append(r.Series, desired)
	}
}

// plots are the target's own metrics worth a line, by PromQL over the recorded samples, or by a quantity of any engine's table.
var plots = []struct {
	name, query string
	q           profile.Quantity
	reduce      string
	unit        assay.Unit
}{
	{"gpu/busy", strings.Join(busyQueries, " or "), "", "", assay.Ratio},
	{"kv/usage", "", profile.KVUsage, "max", assay.Ratio},
	{"queue/waiting", "", profile.Waiting, "sum", assay.Count},
	{"generator/users", "sum(jmeter_threads) or sum(k6_vus)", "", "", assay.Count},
}

func (t *timeline) metrics(r *assay.Report) {
	if t.f.Metrics == nil {
		return
	}
	for _, p := range plots {
		queries := []string{p.query}
		if p.q != "" {
			queries = engineQueries(p.q, p.reduce, time.Duration(t.width))
		}
		s, ok := t.fullest(queries)
		if !ok {
			continue
		}
		s.Name, s.Labels, s.Unit, s.Kind = p.name, nil, p.unit, "line"
		r.Series = append(r.Series, s)
	}
}

// engineQueries returns the PromQL for a gauge of each engine: as it was last seen, and over longer stretches for what was looked at seldom.
func engineQueries(q profile.Quantity, reduce string, width time.Duration) []string {
	var out []string
	for _, kind := range profile.Kinds() {
		s, _ := profile.For(kind).Spec(q)
		if s.Type != profile.Gauge {
			continue
		}
		out = append(out, reduce+"("+profile.For(kind).Query(q)+")")
	}
	for _, window := range []time.Duration{2 * width, time.Minute, 5 * time.Minute} {
		for _, kind := range profile.Kinds() {
			s, _ := profile.For(kind).Spec(q)
			for _, n := range s.Names {
				if over := n.Over("max_over_time", window); over != "" {
					out = append(out, reduce+"("+over+")")
				}
			}
		}
	}
	return out
}

// fullest returns the first series that covers half of the run, else the one with most points.
func (t *timeline) fullest(queries []string) (best assay.Series, ok bool) {
	for _, query := range queries {
		series, err := t.f.Metrics.Range(context.Background(), query, t.f.Begin, t.f.End, t.width)
		if err != nil || len(series) == 0 || len(series[0].Times) <= len(best.Times) {
			continue
		}
		best, ok = series[0], true
		if int64(len(best.Times)) >= (t.f.End-t.f.Begin)/t.width/2 {
			break
		}
	}
	return best, ok
}

// ecdf adds the empirical distribution of a sketch: values in Values, the share at or below in Lo.
func ecdf(r *assay.Report, name string, s *stat.Sketch) {
	if s.N == 0 {
		return
	}
	out := assay.Series{Name: name, Unit: assay.Seconds, Kind: "ecdf"}
	points := min(ecdfPoints, int(s.N))
	for i := 1; i <= points; i++ {
		p := float64(i) / float64(points)
		out.Values = append(out.Values, assay.Num(s.Rank(int(math.Ceil(p*float64(s.N))))))
		out.Lo = append(out.Lo, assay.Num(p))
	}
	r.Series = append(r.Series, out)
}
