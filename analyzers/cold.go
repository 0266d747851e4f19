package analyzers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/internal/stat"
)

// ColdStarts reports how instances start and what that costs users. The unit is the instance start, since
// one start can hold many requests. A start runs from the arrival of the first request that had to wait for it, or
// from its creation where none did, until it is in routing, and on to the first token of a request that waited. Its phases are intervals
// that may overlap, from all sources that tell of them: coldpath.go says how its time is charged to them, and what no phase covers is unattributed. Forced
// starts are counted apart, with the label forced, and so are the requests that forced them.
type ColdStarts struct{}

var _ assay.Analyzer = ColdStarts{}

// startPhases are the canonical phases of a start, in their usual order.
var startPhases = []string{"schedule", "image_pull", "init", "restore", "runtime_start", "weights_fetch", "weights_load", "compile", "kv_allocation", "graph_capture", "server_start", "warmup",
	"readiness", firstToken}

// unattributed is the name of the remainder that no phase covers.
const unattributed = "unattributed"

// firstToken is the phase from routing to the first token of a request that waited.
const firstToken = "first_token"

// Describe lists cold/… .
func (ColdStarts) Describe() []assay.Desc {
	out := []assay.Desc{
		{Metric: "cold/share", Unit: assay.Ratio, Better: "lower", Help: "share of requests (of=requests) that waited for an instance to start, or of instance starts (of=instances) that held a request"},
		{Metric: "cold/start/p50", Unit: assay.Seconds, Better: "lower", Help: "median time from trigger to routing over instance starts"},
		{Metric: "cold/start/p90", Unit: assay.Seconds, Better: "lower", Help: "90th percentile of the time from trigger to routing over instance starts"},
		{Metric: "cold/start/p95", Unit: assay.Seconds, Better: "lower", Help: "95th percentile of the time from trigger to routing over instance starts; 59 starts are the least"},
		{Metric: "cold/start/worst", Unit: assay.Seconds, Better: "lower", Help: "longest time from trigger to routing that was seen"},
		{Metric: "cold/first_token/p50", Unit: assay.Seconds, Better: "lower", Help: "median time from trigger to the first token of a request that waited, over the instance starts that held one"},
		{Metric: "cold/first_token/p90", Unit: assay.Seconds, Better: "lower", Help: "90th percentile of the same"},
		{Metric: "cold/first_token/worst", Unit: assay.Seconds, Better: "lower", Help: "longest of the same"},
		{Metric: "cold/wait/p50", Unit: assay.Seconds, Better: "lower", Help: "median time from due to the first token, or to the end where none was streamed, of the requests that forced cold starts, from the first attempt on; those found warm are left out, and one that was not served waits without end"},
		{Metric: "cold/wait/p90", Unit: assay.Seconds, Better: "lower", Help: "90th percentile of the same"},
		{Metric: "cold/wait/p95", Unit: assay.Seconds, Better: "lower", Help: "95th percentile of the same"},
		{Metric: "cold/wait/worst", Unit: assay.Seconds, Better: "lower", Help: "longest of the same"},
		{Metric: "cold/forced", Unit: assay.Count, Help: "cold starts that were forced and held their request; those whose request found a warm instance are void"},
		{Metric: "cold/failed", Unit: assay.Ratio, Better: "lower", Help: "share of the forced cold starts whose request was not served"},
		{Metric: "cold/held", Unit: assay.Count, Better: "lower", Help: "requests that paid for the start of an instance: that waited for it, or were cold as it gave no warm answer yet"},
	}
	for _, p := range append(slices.Clone(startPhases), unattributed) {
		out = append(out, assay.Desc{Metric: "cold/phase/" + p, Unit: assay.Seconds, Better: "lower", Help: "median time charged to " + p + " on the critical path of an instance start"})
	}
	return out
}

const maxQuick = 4096

type coldPass struct {
	f                   *assay.Facts
	cold, warm, unknown int
	quick               []float64 // s to the first token of warm requests; the first maxQuick of them
	forced              forcedStarts
}

// Begin starts the count.
func (ColdStarts) Begin(f *assay.Facts) assay.Pass { return &coldPass{f: f} }

// Requests counts cold states of requests that speak of the target.
func (c *coldPass) Requests(block []assay.Request) {
	var scratch assay.Request
	for i := range block {
		r := &block[i]
		if r.Forced {
			c.forced.add(facts.AsUser(c.f, r, &scratch))
			continue
		}
		if r.Canary || !c.f.Manifest.Judged(r.Outcome) {
			continue
		}
		switch r.Cold {
		case assay.ColdYes:
			c.cold++
		case assay.ColdNo:
			c.warm++
			if r.FirstToken > r.Due && len(c.quick) < maxQuick {
				c.quick = append(c.quick, seconds(r.FirstToken-r.Due))
			}
		default:
			c.unknown++
		}
	}
}

// Finish builds the starts and their distribution.
func (c *coldPass) Finish(r *assay.Report) error {
	add := func(metric string, labels map[string]string, q assay.Quantity, evidence ...string) {
		r.Findings = append(r.Findings, assay.Finding{Metric: metric, Labels: labels, Quantity: q, Evidence: evidence})
	}
	byPhase := map[bool]map[string]phaseTimes{false: {}, true: {}} // of natural and of forced starts
	var natural, forced []assay.Start
	holding, held := 0, 0
	b := newStarts(c.f, c.quick)
	lives := slices.Concat(c.f.Lives, c.f.Inits)
	for i := range lives {
		s, ok := b.of(&lives[i])
		if !ok {
			continue
		}
		r.Starts = append(r.Starts, s)
		phases := byPhase[s.Forced]
		for _, share := range s.Shares {
			phases[share.Name] = phases[share.Name].with(share.Seconds, resolutionOf(s.Phases, share.Name))
		}
		phases[unattributed] = phases[unattributed].with(s.Unattributed, s.Resolution)
		if s.Forced {
			forced = append(forced, s)
			continue
		}
		natural = append(natural, s)
		if s.Held > 0 {
			holding++
		}
		held += s.Held
	}
	c.forced.report(add)
	add("cold/share", map[string]string{"of": "requests"}, c.share())
	if len(r.Starts) == 0 {
		because := "no start of an instance was seen"
		for _, d := range (ColdStarts{}).Describe()[1:] {
			if strings.HasPrefix(d.Metric, "cold/wait/") || d.Metric == "cold/forced" || d.Metric == "cold/failed" {
				continue // of forced starts: the requests tell
			}
			add(d.Metric, nil, assay.NotMeasured(d.Unit, because))
		}
		add("cold/share", map[string]string{"of": "instances"}, assay.NotMeasured(assay.Ratio, because))
		return nil
	}
	n := len(natural)
	if n > 0 {
		add("cold/share", map[string]string{"of": "instances"}, exactly(float64(holding)/float64(n), assay.Ratio, n, "instance starts", "starts that held a request over all starts seen"))
	} else {
		add("cold/share", map[string]string{"of": "instances"}, assay.NotMeasured(assay.Ratio, "no natural start of an instance was seen"))
	}
	add("cold/held", nil, exactly(float64(held), assay.Count, n, "instance starts", "requests that waited for a start"))
	distribution(add, nil, natural)
	if len(forced) > 0 {
		distribution(add, forcedLabel, forced)
	}
	for _, p := range append(slices.Clone(startPhases), unattributed) {
		if v := byPhase[false][p]; len(v.seconds) > 0 {
			add("cold/phase/"+p, nil, v.middle(0.5))
		} else {
			add("cold/phase/"+p, nil, assay.NotMeasured(assay.Seconds, "no start showed this phase"))
		}
		if v := byPhase[true][p]; len(v.seconds) > 0 {
			add("cold/phase/"+p, forcedLabel, v.middle(0.5))
		}
	}
	return nil
}

// share is the share of requests that were cold; requests of unknown state widen it.
func (c *coldPass) share() assay.Quantity {
	n := c.cold + c.warm + c.unknown
	if c.cold+c.warm == 0 {
		return assay.NotMeasured(assay.Ratio, "no request's cold state is known")
	}
	q := exactly(float64(c.cold)/float64(c.cold+c.warm), assay.Ratio, n, "requests", "cold over cold and warm; requests of unknown state widen the interval")
	q.Lo, q.Hi = float64(c.cold)/float64(n), float64(c.cold+c.unknown)/float64(n)
	return q
}

// exactly is a count or share of this run that was seen without error.
func exactly(v float64, u assay.Unit, n int, of, method string) assay.Quantity {
	return assay.Quantity{Value: v, Lo: v, Hi: v, Confidence: 1, Unit: u, N: n, Of: of, Method: method, Basis: assay.Measured}
}

func distribution(add func(string, map[string]string, assay.Quantity, ...string), labels map[string]string, starts []assay.Start) {
	spread(add, "cold/start/", labels, starts, []float64{0.5, 0.9, 0.95}, "no start of this kind was seen", func(s *assay.Start) assay.Quantity { return s.Total })
	spread(add, "cold/first_token/", labels, starts, []float64{0.5, 0.9}, "no request that waited for a start was seen to get a token", func(s *assay.Start) assay.Quantity { return s.FirstToken })
}

// spread reports quantiles and the worst of a time of each start.
func spread(add func(string, map[string]string, assay.Quantity, ...string), metric string, labels map[string]string, starts []assay.Start, at []float64, because string, of func(*assay.Start) assay.Quantity) {
	var times phaseTimes
	worst := -1
	for i := range starts {
		q := of(&starts[i])
		if !q.Known() {
			continue
		}
		times = times.with(q.Value, starts[i].Resolution)
		if worst < 0 || q.Value > of(&starts[worst]).Value {
			worst = i
		}
	}
	if worst < 0 {
		for _, p := range at {
			add(fmt.Sprintf("%sp%g", metric, 100*p), labels, assay.NotMeasured(assay.Seconds, because))
		}
		add(metric+"worst", labels, assay.NotMeasured(assay.Seconds, because))
		return
	}
	q := of(&starts[worst])
	q.N, q.Method = len(times.seconds), "longest start seen; interval is the resolution of its clocks"
	add(metric+"worst", labels, q, "instance "+starts[worst].Instance)
	for _, p := range at {
		add(fmt.Sprintf("%sp%g", metric, 100*p), labels, times.middle(p))
	}
}

// middle is the p-quantile of a sorted sample of independent starts with its order-statistic interval. A sample too small for 95 %
// gets the whole range with the confidence it attains, as long as that is at least one half.
func middle(sorted []float64, p float64) assay.Quantity {
	n := len(sorted)
	const of = "instance starts"
	in, ok := stat.SmallQuantileInterval(sorted, p, 0.95)
	if !ok {
		return assay.NotEstimable(assay.Seconds, n, of, fmt.Sprintf("%d starts cannot bound this quantile; %d are the least for 95 %%", n, stat.LeastN(p, 0.95)))
	}
	method := "order statistics; quantile of Hyndman-Fan type 7"
	if in.Confidence < 0.95 {
		method = fmt.Sprintf("range of the sample, which attains less than 95 %%: %d starts are the least; quantile of Hyndman-Fan type 7", stat.LeastN(p, 0.95))
	}
	return assay.Quantity{Value: stat.Quantile(sorted, p, stat.Type7), Lo: in.Lo, Hi: in.Hi, Confidence: in.Confidence, Unit: assay.Seconds, N: n, Of: of, Method: method, Basis: assay.Estimated}
}
