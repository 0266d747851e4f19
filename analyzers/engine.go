package analyzers

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/profile"
)

// Engine reports what the engines and caches told of themselves: their own metrics over the time that was watched, by the tables of package
// internal/profile. It is the server's side; what users saw is in the findings of requests.
type Engine struct{}

// The metrics of an engine, by how a quantity is reduced. Findings have the label engine, the kind of the table.
const (
	engineMean  = iota // a histogram's, a summary's or a quotient's; of a gauge over time
	enginePeak         // the highest value of a gauge
	engineRate         // growth of a counter per second
	engineTotal        // growth of a counter
)

// An engineMetric is one metric and what it is read from.
type engineMetric struct {
	name   string
	q      profile.Quantity
	reduce int
	unit   assay.Unit
	better string
	help   string
}

var engineMetrics = []engineMetric{
	{"engine/ttft/mean", profile.TTFT, engineMean, assay.Seconds, "lower", "Mean time to the first token as the server counts it."},
	{"engine/itl/mean", profile.ITL, engineMean, assay.Seconds, "lower", "Mean gap between two tokens as the server counts it."},
	{"engine/tpot/mean", profile.TPOT, engineMean, assay.Seconds, "lower", "Mean time per token of a request as the server counts it."},
	{"engine/e2e/mean", profile.E2E, engineMean, assay.Seconds, "lower", "Mean time of a request as the server counts it."},
	{"engine/queue_time/mean", profile.QueueTime, engineMean, assay.Seconds, "lower", "Mean wait in the engine's queue."},
	{"engine/inference_time/mean", profile.InferenceTime, engineMean, assay.Seconds, "lower", "Mean time in the model, without the queue."},
	{"engine/prefill_time/mean", profile.PrefillTime, engineMean, assay.Seconds, "lower", "Mean time of prefill, or of preprocessing."},
	{"engine/decode_time/mean", profile.DecodeTime, engineMean, assay.Seconds, "lower", "Mean time of decoding, or of postprocessing."},
	{"engine/load_time", profile.LoadTime, enginePeak, assay.Seconds, "lower", "Longest load of a model or its weights that the server told."},
	{"engine/startup_time", profile.StartupTime, enginePeak, assay.Seconds, "lower", "Longest start of an engine that it told."},
	{"engine/running/mean", profile.Running, engineMean, assay.Count, "", "Mean number of requests in the running batch."},
	{"engine/running/max", profile.Running, enginePeak, assay.Count, "", "Most requests in the running batch of one series."},
	{"engine/waiting/mean", profile.Waiting, engineMean, assay.Count, "lower", "Mean number of requests in the engine's queue."},
	{"engine/waiting/max", profile.Waiting, enginePeak, assay.Count, "lower", "Most requests in the queue of one series."},
	{"engine/kv_usage/mean", profile.KVUsage, engineMean, assay.Ratio, "", "Mean used share of the KV cache."},
	{"engine/kv_usage/max", profile.KVUsage, enginePeak, assay.Ratio, "lower", "Highest used share of the KV cache."},
	{"engine/tokens_in/rate", profile.TokensIn, engineRate, assay.PerSecond, "higher", "Prompt tokens a second."},
	{"engine/tokens_out/rate", profile.TokensOut, engineRate, assay.PerSecond, "higher", "Tokens of answers a second."},
	{"engine/success/rate", profile.Success, engineRate, assay.PerSecond, "higher", "Requests that the server answered, a second."},
	{"engine/failures", profile.Failure, engineTotal, assay.Count, "lower", "Requests that the server failed or gave up."},
	{"engine/preemptions", profile.Preemptions, engineTotal, assay.Count, "lower", "Requests that were pushed out of the running batch."},
	{"cache/prefix/hit_ratio", profile.PrefixHitRatio, engineMean, assay.Ratio, "higher", "Share of the prompt tokens whose KV state was found in the prefix cache."},
	{"cache/hit_ratio", profile.CacheHitRatio, engineMean, assay.Ratio, "higher", "Share of the look-ups that a cache of answers or data served."},
	{"cache/evictions", profile.Evictions, engineTotal, assay.Count, "lower", "Entries that a cache pushed out."},
	{"hop/time/mean", profile.HopTime, engineMean, assay.Seconds, "lower", "Mean time of a request in a proxy in front, without its wait for the upstream."},
	{"hop/upstream_time/mean", profile.UpstreamTime, engineMean, assay.Seconds, "lower", "Mean time that a request in a proxy waited for the upstream."},
	{"hop/upstream_connect_time/mean", profile.UpstreamConnect, engineMean, assay.Seconds, "lower", "Mean time from a proxy's asking to its connection to the upstream."},
	{"hop/upstream_first_byte_time/mean", profile.UpstreamFirst, engineMean, assay.Seconds, "lower", "Mean time from a proxy's asking to the first byte of the upstream."},
	{"hop/connections/max", profile.HopConnections, enginePeak, assay.Count, "", "Most connections of clients that a proxy had open."},
	{"hop/pending/max", profile.UpstreamPending, enginePeak, assay.Count, "lower", "Most requests in a proxy that waited for a connection to the upstream."},
	{"hop/overflow", profile.UpstreamOverflow, engineTotal, assay.Count, "lower", "Requests that a proxy refused since too many were pending."},
	{"hop/retries", profile.UpstreamRetries, engineTotal, assay.Count, "lower", "Times that a proxy asked the upstream again behind its client's back."},
	{"hop/timeouts", profile.UpstreamTimeouts, engineTotal, assay.Count, "lower", "Requests that a proxy gave up since the upstream took too long."},
	{"hop/ejections", profile.Ejections, engineTotal, assay.Count, "lower", "Times that a proxy put a server of the upstream aside since it failed."},
	{"hop/client_gone", profile.ClientGone, engineTotal, assay.Count, "", "Requests in a proxy whose client went away first: no failures, unless it waited too long."},
}

// engineQuantiles are the quantities with quantiles, which end in pNN.
var engineQuantiles = []struct {
	name string
	q    profile.Quantity
}{
	{"engine/ttft", profile.TTFT}, {"engine/itl", profile.ITL}, {"engine/tpot", profile.TPOT}, {"engine/e2e", profile.E2E},
	{"engine/queue_time", profile.QueueTime}, {"engine/inference_time", profile.InferenceTime}, {"engine/prefill_time", profile.PrefillTime}, {"engine/decode_time", profile.DecodeTime},
}

// Describe returns the metrics.
func (Engine) Describe() []assay.Desc {
	var out []assay.Desc
	for _, m := range engineMetrics {
		out = append(out, assay.Desc{Metric: m.name, Unit: m.unit, Better: m.better, Help: m.help})
	}
	for _, q := range engineQuantiles {
		out = append(out, assay.Desc{Metric: q.name + "/pNN", Unit: assay.Seconds, Better: "lower",
			Help: "Quantile from the server's own buckets: it lies in one of them, and the interval is that bucket."})
	}
	return append(out,
		assay.Desc{Metric: "cache/prefix/saved", Unit: assay.Seconds, Better: "higher", Help: "Time of prefill that the prefix cache saved, had its tokens cost what the others did."},
		assay.Desc{Metric: "cache/saved", Unit: assay.Seconds, Better: "higher", Help: "Time in the model that a response cache saved, had its requests cost what the others did."})
}

// Begin starts a pass.
func (Engine) Begin(f *assay.Facts) assay.Pass { return &enginePass{f: f} }

type enginePass struct{ f *assay.Facts }

func (p *enginePass) Requests([]assay.Request) {}

// Finish reads every quantity that the recorded names show.
func (p *enginePass) Finish(r *assay.Report) error {
	if p.f.Metrics == nil || p.f.End <= p.f.Begin {
		return nil
	}
	quantiles := askedQuantiles(p.f.Manifest.Objectives)
	for _, kind := range profile.Kinds() {
		t := profile.For(kind)
		if _, platform := t.Spec(profile.Desired); platform {
			continue
		}
		e := &engine{p: p, t: t, window: time.Duration(p.f.End-p.f.Begin) + time.Second}
		if err := e.look(); err != nil {
			return err
		}
		if len(e.present) > 0 {
			r.Findings = append(r.Findings, e.findings(quantiles)...)
		}
		if e.err != nil {
			return e.err
		}
	}
	return nil
}

// askedQuantiles returns p50, p95 and those that objectives ask for.
func askedQuantiles(objectives []assay.Objective) []string {
	out := []string{"p50", "p95"}
	for i := range objectives {
		if rest, ok := strings.CutPrefix(objectives[i].Metric, "engine/"); ok {
			if _, name, _ := strings.Cut(rest, "/"); !slices.Contains(out, name) {
				if _, ok := quantileOf(name); ok {
					out = append(out, name)
				}
			}
		}
	}
	return out
}

// An engine is one table being read.
type engine struct {
	p       *enginePass
	t       *profile.Profile
	window  time.Duration
	present map[string]bool // names of the table that were recorded
	whole   bool            // there was one look only: what counters say is since the exporter began
	err     error
}

// look finds which names were recorded, and whether more than once.
func (e *engine) look() error {
	names := e.t.Series()
	if len(names) == 0 {
		return nil
	}
	over := "[" + strconv.FormatInt(e.window.Milliseconds(), 10) + "ms]"
	series, err := e.ask(fmt.Sprintf(`group by (__name__) (last_over_time({__name__=~"%s"}%s))`, strings.Join(names, "|"), over))
	if err != nil {
		return err
	}
	e.present, e.whole = map[string]bool{}, true
	for i := range series {
		e.present[series[i].Name] = true
		if !e.whole {
			continue
		}
		looks, _ := e.value("max(count_over_time(" + series[i].Name + over + "))")
		e.whole = looks < 2
	}
	return e.err
}

// ask evaluates PromQL at the end of the time that was watched.
func (e *engine) ask(promQL string) ([]assay.Series, error) {
	return e.p.f.Metrics.Range(context.Background(), promQL, e.p.f.End, e.p.f.End, int64(time.Second))
}

// value evaluates PromQL that gives one number.
func (e *engine) value(promQL string) (float64, bool) {
	if promQL == "" || e.err != nil {
		return 0, false
	}
	series, err := e.ask(promQL)
	if err != nil {
		e.err = err
		return 0, false
	}
	if len(series) == 0 || len(series[0].Values) == 0 {
		return 0, false
	}
	v := float64(series[0].Values[0])
	return v, !math.IsNaN(v)
}

// names returns the names of a quantity that were recorded: the newest first.
func (e *engine) names(s profile.Spec) []profile.Name {
	return slices.DeleteFunc(slices.Clone(s.Names), func(n profile.Name) bool {
		return !e.present[n.Metric] && !e.present[n.Metric+"_count"]
	})
}

func (e *engine) findings(quantiles []string) []assay.Finding {
	var out []assay.Finding
	add := func(metric string, s profile.Spec, n profile.Name, q assay.Quantity) {
		f := assay.Finding{Metric: metric, Labels: map[string]string{"engine": e.t.Kind}, Quantity: q, Evidence: []string{n.Metric}}
		if s.Trap != "" {
			f.Warnings = []string{s.Trap}
		}
		out = append(out, f)
	}
	for _, m := range engineMetrics {
		s, ok := e.t.Spec(m.q)
		if !ok || s.Type == profile.Response {
			continue
		}
		names := e.names(s)
		if len(names) == 0 {
			if e.t.Kind == "table" { // it says what its columns are: nothing else was to be expected of it
				continue
			}
			if m.reduce != enginePeak || strings.HasSuffix(m.name, "_time") {
				add(m.name, profile.Spec{}, s.Names[0], assay.NotMeasured(m.unit, e.t.Title+" exposed no "+s.Names[0].Metric+" while it was watched"))
			}
			continue
		}
		q, n := e.reduce(m, names)
		s.Trap = e.trap(m.q, s)
		add(m.name, s, n, q)
	}
	for _, m := range engineQuantiles {
		s, ok := e.t.Spec(m.q)
		if !ok {
			continue
		}
		s.Trap = e.trap(m.q, s)
		for _, n := range e.names(s) {
			if n.Type != profile.Histogram {
				continue
			}
			for _, name := range quantiles {
				at, _ := quantileOf(name)
				add(m.name+"/"+name, s, n, e.quantile(n, at))
			}
			break
		}
	}
	return append(out, e.saved()...)
}

// since says what growth speaks of.
func (e *engine) since() string {
	if e.whole {
		return ", all since the exporter began, for there was one look"
	}
	return ", grown while it was watched"
}

// reduce makes one number of a quantity by the first of its names that gives one.
func (e *engine) reduce(m engineMetric, names []profile.Name) (assay.Quantity, profile.Name) {
	why := "nothing was counted while it was watched"
	for _, n := range names {
		scale := cmp.Or(n.Scale, 1)
		switch {
		case n.Type == profile.Gauge && m.reduce == engineMean:
			if v, ok := e.value("avg(" + n.Over("avg_over_time", e.window) + ")"); ok {
				return counted(v, m.unit, 1, "run", "mean over time and series"), n
			}
		case n.Type == profile.Gauge:
			if v, ok := e.value("max(" + n.Over("max_over_time", e.window) + ")"); ok {
				return counted(v, m.unit, 1, "run", "highest of any look"), n
			}
		case n.Type == profile.Counter:
			v, ok := e.value(n.Growth(profile.Count, e.window, e.whole))
			if m.reduce == engineTotal && !e.whole {
				sum, looked, err := facts.GrownBy(context.Background(), e.p.f, n)
				v, ok = sum/scale, looked && err == nil // it is scaled already
			}
			if !ok {
				continue
			}
			if m.reduce == engineTotal {
				return counted(v*scale, m.unit, 1, "run", "counter"+e.since()), n
			}
			if e.whole {
				why = "a rate needs two looks, and there was one"
				continue
			}
			return counted(v*scale/seconds(e.p.f.End-e.p.f.Begin), m.unit, 1, "run", "counter"+e.since()+", by the time that was watched"), n
		default:
			sum, ok := e.value(n.Growth(profile.Sum, e.window, e.whole))
			count, ok2 := e.value(n.Growth(profile.Count, e.window, e.whole))
			if ok && ok2 && count > 0 {
				of := "observations"
				if m.unit == assay.Ratio {
					of = "look-ups"
				}
				return counted(sum/count*scale, m.unit, int(math.Round(count)), of, "sum by count"+e.since()), n
			}
		}
	}
	return assay.NotEstimable(m.unit, 0, "observations", why), names[0]
}

// trap returns what a reader has to know of a quantity. That a queue's histogram counts those only that waited is seen by its count.
func (e *engine) trap(q profile.Quantity, s profile.Spec) string {
	if q != profile.QueueTime {
		return s.Trap
	}
	all, ok := e.t.Spec(profile.E2E)
	queued, done := e.names(s), e.names(all)
	if !ok || len(queued) == 0 || len(done) == 0 || queued[0].Type != profile.Histogram || done[0].Type != profile.Histogram {
		return s.Trap
	}
	n, ok := e.value(queued[0].Growth(profile.Count, e.window, e.whole))
	of, ok2 := e.value(done[0].Growth(profile.Count, e.window, e.whole))
	if ok && ok2 && n < 0.99*of {
		return fmt.Sprintf("it counts %.0f of %.0f requests, those that waited: its mean is of the queued", n, of)
	}
	return ""
}

// quantile finds the bucket that holds a quantile. The interval is the bucket; the value is interpolated in it.
func (e *engine) quantile(n profile.Name, at float64) assay.Quantity {
	scale := cmp.Or(n.Scale, 1)
	series, err := e.ask(n.Growth(profile.Buckets, e.window, e.whole))
	if err != nil {
		e.err = err
	}
	type bucket struct{ le, count float64 }
	var buckets []bucket
	for _, s := range series {
		for _, l := range s.Labels {
			if le, err := strconv.ParseFloat(l.Value, 64); l.Name == "le" && err == nil && len(s.Values) > 0 {
				buckets = append(buckets, bucket{le, float64(s.Values[0])})
			}
		}
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.le, b.le) })
	if len(buckets) == 0 || !(buckets[len(buckets)-1].count > 0) {
		return assay.NotEstimable(assay.Seconds, 0, "observations", "nothing was counted while it was watched")
	}
	total := buckets[len(buckets)-1].count
	count, method := int(math.Round(total)), fmt.Sprintf("p%g from %d buckets%s", 100*at, len(buckets), e.since())
	lower, below := 0.0, 0.0
	for i, b := range buckets {
		b.count = max(b.count, below) // series that were read at two instants may disagree by a hair
		if b.count < at*total {
			lower, below = b.le, b.count
			continue
		}
		if math.IsInf(b.le, 1) {
			return measured(math.NaN(), lower*scale, math.Inf(1), assay.Seconds, count, "observations", method)
		}
		if i == 0 && b.le <= 0 {
			lower = b.le
		}
		v := b.le
		if i == 0 && lower == 0 {
			v = math.NaN() // nothing but its end is known of the first bucket
		} else if b.count > below {
			v = lower + (b.le-lower)*(at*total-below)/(b.count-below)
		}
		return measured(v*scale, lower*scale, b.le*scale, assay.Seconds, count, "observations", method)
	}
	return assay.NotEstimable(assay.Seconds, count, "observations", "its buckets hold less than its count")
}

// grown returns the growth of a part of a quantity, scaled where it is a sum.
func (e *engine) grown(q profile.Quantity, part profile.Part) (float64, bool) {
	s, _ := e.t.Spec(q)
	for _, n := range e.names(s) {
		if v, ok := e.value(n.Growth(part, e.window, e.whole)); ok {
			if part == profile.Sum || n.Type == profile.Counter {
				v *= cmp.Or(n.Scale, 1)
			}
			return v, true
		}
	}
	return 0, false
}

// saved says what caches saved, had what they served cost what the rest did.
func (e *engine) saved() []assay.Finding {
	var out []assay.Finding
	add := func(metric, evidence string, v float64, n float64) {
		q := measured(v, 0, math.Inf(1), assay.Seconds, int(math.Round(n)), "hits", evidence+e.since())
		out = append(out, assay.Finding{Metric: metric, Labels: map[string]string{"engine": e.t.Kind}, Quantity: q,
			Warnings: []string{"what a hit would have cost is not known: this is the mean of what was not found"}})
	}
	hits, ok := e.grown(profile.PrefixHits, profile.Count)
	tokens, ok2 := e.grown(profile.TokensIn, profile.Count)
	prefill, ok3 := e.grown(profile.PrefillTime, profile.Sum)
	if computed := tokens - hits; ok && ok2 && ok3 && computed > 0 {
		add("cache/prefix/saved", "tokens found, times the time of prefill per token computed", hits*prefill/computed, hits)
	}
	hits, ok = e.grown(profile.CacheHits, profile.Count)
	spent, ok2 := e.grown(profile.CacheHitTime, profile.Sum)
	work, ok3 := e.grown(profile.InferenceTime, profile.Sum)
	n, ok4 := e.grown(profile.InferenceTime, profile.Count)
	if ok && ok2 && ok3 && ok4 && n > 0 {
		add("cache/saved", "hits, times the mean time in the model, less the time of the hits", max(0, hits*work/n-spent), hits)
	}
	return out
}
