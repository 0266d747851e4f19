package facts

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/profile"
)

// Counters of requests
//
// A week of Prometheus holds no request, but what stands in front counted them by how they ended, and so does many a server. Between two looks, a step is down where three or more failed and at least half of those that
// were judged, as it takes to begin an episode of single requests; a step for which nothing was judged is unknown. Counts of several proxies or pods are added up. What stands nearest to the users counts:
// a server that is down counts nothing.

// byOutcome are the vocabularies whose counters tell served from failed requests, the one nearest to users first.
var byOutcome = []string{"nginx", "envoy", "cloudrun", lambdaCounts, "http"}

// lambdaCounts are AWS Lambda's, which tell throttled requests apart.
const lambdaCounts = "lambda"

// throttled is what they are counted as.
var throttled = profile.Name{Type: profile.Counter, Metric: "aws_lambda_requests_total", Match: map[string]string{"outcome": "throttled"}}

// countedPoints bounds how finely counters are looked at.
const countedPoints = 20_000

// learnCounted returns what counters of requests tell, nil where none does, and the episodes of the service that they show.
func learnCounted(ctx context.Context, f *assay.Facts) (*assay.Counted, []assay.Episode, error) {
	if f.Requests > 0 || f.Metrics == nil || f.End <= f.Begin || len(f.Faults) > 0 {
		return nil, nil, nil
	}
	for _, kind := range byOutcome {
		p := profile.For(kind)
		served, _ := p.Spec(profile.Success)
		failed, _ := p.Spec(profile.Failure)
		for _, good := range served.Names {
			i := slices.IndexFunc(failed.Names, func(n profile.Name) bool { return n.Metric == good.Metric && sameLabels(n, good) })
			if i < 0 {
				continue
			}
			c := &counting{f: f, ctx: ctx, kind: kind}
			if c.count(good, failed.Names[i]) {
				out, episodes := c.judge()
				return out, episodes, nil
			}
			if c.err != nil {
				return nil, nil, c.err
			}
		}
	}
	unfit, err := uncounted(ctx, f)
	if unfit == nil || err != nil {
		return nil, nil, err
	}
	return &assay.Counted{Unfit: unfit}, nil, nil
}

func sameLabels(a, b profile.Name) bool {
	for k := range a.Match {
		if _, ok := b.Match[k]; !ok {
			return false
		}
	}
	return len(a.Match) == len(b.Match)
}

// A counting adds up the counters of one name.
type counting struct {
	f         *assay.Facts
	ctx       context.Context
	kind      string
	name      string
	step      int64
	good, bad []float64 // by the step that ends then
	aside     []float64 // the same, of what is neither
	err       error
}

func (c *counting) count(served, failed profile.Name) bool {
	one := func(n profile.Name) *profile.Profile {
		return &profile.Profile{Kind: c.kind, Quantities: map[profile.Quantity]profile.Spec{profile.Success: {Type: profile.Counter, Names: []profile.Name{n}}}}
	}
	looks := one(served).Looks(profile.Success, time.Duration(c.f.End-c.f.Begin)+time.Second)
	counts, err := c.f.Metrics.Range(c.ctx, "max("+looks+")", c.f.End, c.f.End, second)
	if err != nil || len(counts) == 0 || len(counts[0].Values) == 0 || !(counts[0].Values[0] > 1) {
		c.err = err
		return false
	}
	c.name = served.Metric
	each := int64(float64(c.f.End-c.f.Begin) / float64(counts[0].Values[0]-1))
	if whole := (each + second/2) / second * second; max(each-whole, whole-each) < each/100 {
		each = whole // intervals are whole seconds; how many looks there were is known to one
	}
	c.step = max(second, (c.f.End-c.f.Begin)/countedPoints, each)
	// Steps end between looks, so that one that comes a little late still falls into its own.
	shifted := *c.f
	shifted.Begin, shifted.End = c.f.Begin+c.step/2, c.f.End+c.step
	n := int((c.f.End-c.f.Begin)/c.step) + 2
	c.good, c.bad, c.aside = make([]float64, n), make([]float64, n), make([]float64, n)
	first := int64(math.MaxInt64)
	names := []profile.Name{served, failed}
	if c.kind == lambdaCounts {
		names = append(names, throttled)
	}
	all := make([][]assay.Series, len(names))
	for k, name := range names {
		if all[k], _, c.err = lookedAt(c.ctx, &shifted, one(name), profile.Success, c.step); c.err != nil {
			return false
		}
		for _, s := range all[k] {
			if len(s.Times) > 0 {
				first = min(first, s.Times[0])
			}
		}
	}
	for k, sums := range [][]float64{c.good, c.bad, c.aside}[:len(names)] {
		for i := range all[k] {
			c.add(sums, &all[k][i], first)
		}
	}
	return true
}

// add adds the growth of one counter. One that is there only later than the first began at zero: a server makes it with the first request that ends so.
func (c *counting) add(sums []float64, s *assay.Series, first int64) {
	was := math.NaN()
	for i, t := range s.Times {
		v := float64(s.Values[i])
		if math.IsNaN(v) {
			continue
		}
		grown := v - was
		switch {
		case math.IsNaN(was) && t <= first+2*c.step:
			grown = 0
		case math.IsNaN(was), v < was: // it began anew
			grown = v
		}
		was = v
		if k := int((t - c.f.Begin) / c.step); k >= 0 && k < len(sums) {
			sums[k] += grown
		}
	}
}

// judge says for each step whether the service was up.
func (c *counting) judge() (*assay.Counted, []assay.Episode) {
	out := &assay.Counted{Of: c.name, Step: c.step}
	rules := RulesOf(c.f.Manifest, nil)
	var episodes []assay.Episode
	var open *assay.Episode
	run := 0 // failures since the last step without one
	for _, n := range c.aside {
		out.Aside += int(math.Round(n))
	}
	for k := range c.good {
		good, bad := c.good[k], c.bad[k]
		if good+bad <= 0 {
			continue
		}
		end := min(c.f.Begin+int64(k)*c.step, c.f.End)
		begin := max(c.f.Begin, end-c.step)
		if n := len(out.Spans); n > 0 && out.Spans[n-1].End >= begin {
			out.Spans[n-1].End = end
		} else {
			out.Spans = append(out.Spans, assay.Interval{Begin: begin, End: end})
		}
		out.Good, out.Bad = out.Good+int(math.Round(good)), out.Bad+int(math.Round(bad))
		if bad > 0 {
			if run == 0 {
				out.Clusters++
			}
			run += int(math.Round(bad))
			out.Longest = max(out.Longest, run)
		} else {
			run = 0
		}
		down := bad >= float64(rules.Enter) && bad >= rules.Ratio*(good+bad)
		switch {
		case down && open == nil:
			open = &assay.Episode{Subject: assay.Service, Cause: "failed requests", BeginLo: begin, Begin: end, End: end, EndHi: end, Lost: int(math.Round(bad)),
				Evidence: []string{fmt.Sprintf("%s, looked at each %s", c.name, time.Duration(c.step).Round(time.Second))}}
			open.LeftCensored = len(out.Spans) == 1 && out.Spans[0].Begin == begin
		case down:
			open.End, open.EndHi = end, end
			open.Lost += int(math.Round(bad))
		case open != nil:
			open.EndHi = end
			episodes, open = append(episodes, *open), nil
		}
	}
	if open != nil {
		open.RightCensored = true
		episodes = append(episodes, *open)
	}
	return out, episodes
}

// uncounted returns the counters of requests that were seen and do not tell served from failed ones.
func uncounted(ctx context.Context, f *assay.Facts) ([]string, error) {
	var names []string
	for _, kind := range profile.Kinds() {
		for _, q := range []profile.Quantity{profile.Success, profile.E2E, profile.HopRequests} {
			s, _ := profile.For(kind).Spec(q)
			for _, n := range s.Names {
				switch n.Type {
				case profile.Counter:
					names = append(names, n.Metric)
				case profile.Histogram, profile.Summary:
					names = append(names, n.Metric+"_count")
				}
			}
		}
	}
	slices.Sort(names)
	over := fmt.Sprintf("[%dms]", (f.End-f.Begin)/1e6+1000)
	series, err := f.Metrics.Range(ctx, `group by (__name__) (last_over_time({__name__=~"`+strings.Join(slices.Compact(names), "|")+`"}`+over+"))", f.End, f.End, second)
	if err != nil {
		return nil, fmt.Errorf("look for counters of requests: %w", err)
	}
	var out []string
	for i := range series {
		if series[i].Name != "" {
			out = append(out, series[i].Name)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(a, b) })
	return slices.Compact(out), nil
}
