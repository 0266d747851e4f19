package plan

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// TestLoadRefusals: what is wrong with a load is said with its line, its column and what would be right.
func TestLoadRefusals(t *testing.T) {
	for _, tt := range []struct{ load, want string }{
		{"{name: a, for: 1s, arrivals: {}}", `plan.yaml:4:37: load[0].arrivals: is empty; give one of poisson, even, gamma, weibull, stages, diurnal, onoff, ladder or trace`},
		{"{name: a, for: 1s, arrivals: {even: {rate: 1/s}, gamma: {rate: 1/s}}}", `plan.yaml:4:37: load[0].arrivals: has both even and gamma; give one`},
		{"{name: a, for: 1s, arrivals: {gamma: {rate: 1/s, cv: 30}}}", `plan.yaml:4:61: load[0].arrivals.gamma.cv: 30 is out of range; 0.01 to 20`},
		{"{name: a, for: 1s, arrivals: {gamma: {rate: 1/s, cv: 2, shape: 2}}}", `load[0].arrivals.gamma.shape: stands beside cv; give one, since shape is 1/cv²`},
		{"{name: a, for: 1s, arrivals: {weibull: {rate: 1/s, shape: 0.1}}}", `load[0].arrivals.weibull.shape: 0.1 is out of range; 0.3 to 100`},
		{"{name: a, arrivals: {stages: {stages: []}}}", `load[0].arrivals.stages.stages: is empty; give at least one rate with its time, for example {rate: 5/s, for: 30s}`},
		{"{name: a, arrivals: {stages: {stages: [{rate: 1/s, for: 1s, ramp: 2s}]}}}", `plan.yaml:4:74: load[0].arrivals.stages.stages[0].ramp: 2s is longer than the stage, 1s`},
		{"{name: a, for: 3s, arrivals: {stages: {stages: [{rate: 1/s, for: 1s}]}}}", `load[0].for: 3s is longer than its arrivals, 1s; give at most that, or leave for out`},
		{"{name: a, for: 1s, arrivals: {diurnal: {rate: 1/s, amplitude: 2}}}", `load[0].arrivals.diurnal.amplitude: 2 is out of range; 0 to 1`},
		{"{name: a, for: 1s, arrivals: {onoff: {rate: 1/s, base: 2/s}}}", `load[0].arrivals.onoff.base: 2/s is above the burst's 1/s; give at most that`},
		{"{name: a, arrivals: {ladder: {factor: 1}}}", `load[0].arrivals.ladder.factor: 1 is out of range; more than 1 and at most 100`},
		{"{name: a, arrivals: {ladder: {start: 2s, max: 1s}}}", `load[0].arrivals.ladder.max: 1s is out of range; at least start, 2s, and at most a week`},
		{"{name: a, arrivals: {trace: {}}}", `load[0].arrivals.trace: names no file; give files`},
		{"{name: a, arrivals: {trace: {files: [x], kind: azure}}}", `load[0].arrivals.trace.kind: "azure" is unknown; known here: azure-llm, burstgpt, csv`},
		{"{name: a, arrivals: {trace: {files: [x], kind: csv}}}", `load[0].arrivals.trace.columns: names no time; say which column of the csv file holds it`},
		{"{name: a, arrivals: {trace: {files: [x], from: 2s, to: 1s}}}", `load[0].arrivals.trace.to: 1s is not after from, 2s`},
		{"{name: a, arrivals: {trace: {files: [x], rateScale: 5000}}}", `load[0].arrivals.trace.rateScale: 5000 is out of range; 1e-06 to 1000`},
		{"{name: a, arrivals: {even: {rate: 1/s}}}", `load[0].for: is 0s; a phase lasts more than 0 and at most 720h0m0s`},
		{"{name: a, for: 1s, closed: {n: 300}}", `plan.yaml:4:39: load[0].closed.n: 300 is more than target.cap lets be in flight, 256; raise cap`},
		{"{name: a, for: 1s, closed: {n: 3, think: soon}}", `load[0].closed.think: "soon" is not a duration; write for example 800ms, 30s or 5m`},
		{"{name: a, for: 1s, closed: {n: 3}, arrivals: {even: {rate: 1/s}}}", `load[0]: has arrivals and closed; give one of them`},
		{"{name: a, for: 1s, hold: {of: b}}", `load[0].hold.of: "b" is no search for saturation before this phase`},
		{"{name: a, for: 1s, role: idle, closed: {n: 1}}", `load[0]: has role idle and load; leave one out`},
		{"{name: a, for: 1s, closed: {n: 1}, prompt: many}", `load[0].prompt: "many" is not a length; write for example 64 or {lognormal: {mean: 300, sd: 200}}`},
		{"{name: a, for: 1s, closed: {n: 1}, prompt: {tokens: 3, uniform: {min: 1, max: 2}}}", `load[0].prompt: has both tokens and uniform; give one`},
		{"{name: a, for: 1s, closed: {n: 1}, output: {uniform: {min: 5, max: 2}}}", `load[0].output.uniform: from 5 to 2 is no range`},
		{"{name: a, for: 1s, closed: {n: 1}, output: {lognormal: {mean: 0, sd: 1}}}", `load[0].output.lognormal.mean: 0 is out of range; more than 0`},
		{"{name: a, for: 1s, closed: {n: 1}, prefix: {tokens: 8, share: 3}}", `load[0].prefix.share: 3 is out of range; 0 to 1`},
		{"{name: a, for: 1s, closed: {n: 1}, prefix: {tokens: 8, share: 130%}}", `load[0].prefix.share: 1.3 is out of range; 0 to 1`},
		{"{name: a, for: 1s, closed: {n: 1}, prefix: {tokens: 8, share: half}}", `load[0].prefix.share: "half" is not a share; write for example 0.6 or 60%`},
		{"{name: a, for: 1s, closed: {n: 1}, prefix: {tokens: 8, share: [1]}}", `load[0].prefix.share: want a share such as 60%, not a list`},
		{"{name: a, for: 1s, closed: {n: 1}, prefix: {tokens: 8}, prompts: p.txt}", `load[0].prompts: does not go with prefix or session`},
		{"{name: a, arrivals: {trace: x}, session: {turns: 3}}", `load[0].session: does not go with a trace, which has requests of its own; leave one out`},
		{"{name: a, for: 1s, closed: {n: 1}, session: {turns: 0}}", `load[0].session.turns.tokens: 0 is out of range`},
		{"{name: a, for: 1s, closed: {n: 1}, mix: [{class: x}, {class: x}]}", `load[0].mix[1].class: "x" stands twice`},
		{"{name: a, for: 1s, closed: {n: 1}, mix: [{class: x, weight: 0}]}", `load[0].mix: has weights that add up to 0; give at least one class a weight`},
		{"{name: a, for: 1s, closed: {n: 1}, mix: [{class: x, headers: {Authorization: y}}]}", `load[0].mix[0].headers.Authorization: may carry a credential, which no plan holds; use target.auth, which names where it is`},
		{"{name: a, for: 1s, closed: {n: 1}, mix: [{class: x, headers: {x-api-key: y}}]}", `load[0].mix[0].headers.x-api-key: may carry a credential`},
		{"{name: a, for: 1s, closed: {n: 1}, mix: [{class: x, headers: {content-length: '3'}}]}", `load[0].mix[0].headers.content-length: is the client's own; leave it out`},
		{`{name: a, for: 1s, closed: {n: 1}, mix: [{class: x, headers: {X-A: "a\rb"}}]}`, `load[0].mix[0].headers.X-A: is not a valid HTTP header`},
		{"{preset: sok}", `plan.yaml:4:17: load[0].preset: "sok" is no preset; did you mean "soak"?`},
		{"{name: a, for: 1s, rate: 3/s}", `load[0].rate: belongs to a preset; give preset, or put it under arrivals, closed or search`},
		{"{preset: stress}", `load[0]: preset stress needs slo: what breaks at the limit, for example {ttft/p95: 500ms} or {error_ratio: 1%}`},
		{"{preset: concurrency, rate: 3/s}", `load[0].rate: preset concurrency has no rate: n holds the requests in flight; leave rate out`},
		{"{preset: load, n: 3}", `load[0].n: belongs to preset concurrency, not load; give rate`},
		{"{preset: latency, arrivals: {even: {rate: 1/s}}}", `load[0].arrivals: stands beside preset latency, which sets them; presets load and soak take arrivals in place of rate`},
		{"{preset: load, closed: {n: 3}}", `load[0].closed: stands beside preset load, which sets it; leave one out`},
		{"{preset: load, slo: {ttft/p59: 1s}}", `plan.yaml:4:39: load[0].slo.ttft/p59: "ttft/p59" is no metric; did you mean "ttft/p95"?`},
		{"{preset: load, slo: {cold/start/worst: 1s}}", `plan.yaml:4:47: load[0].slo.cold/start/worst: neither more nor less of cold/start/worst is better; ask for it among the objectives of a plan`},
		{"{name: a, for: 1s, closed: {n: 1}, mix: [{class: gold}]}]\nobjectives: [{metric: ttft/p95, class: golden, max: 1s}", `plan.yaml:5:40: objectives[0].class: no load has class "golden"; did you mean "gold"?`},
		{"{name: a, for: 1s, closed: {n: 1}, mix: [{class: gold}]}]\nobjectives: [{metric: mtbf/service, class: gold, min: 1h}", `objectives[0].class: belongs to latencies, goodput/ratio, availability/natural, error_ratio, neighbour/latency; mtbf/service is not told by class`},
	} {
		p, err := Parse("plan.yaml", []byte(head+"load: ["+tt.load+"]\n"))
		if err == nil {
			_, err = p.Validate(kinds)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\ngot  %v\nwant %s", tt.load, err, tt.want)
		}
	}
}

// TestPresets: what each preset stands for.
func TestPresets(t *testing.T) {
	short := func(l Load) (s struct {
		Name, Load string
		Role       assay.Role
		For        time.Duration
	}) {
		s.Name, s.Role, s.For, s.Load = l.Name, l.Role, l.For.D(), "search"
		switch {
		case l.Arrivals != nil:
			s.Load = l.Arrivals.kind()
		case l.Closed != nil:
			s.Load = "closed"
		}
		return s
	}
	type phase = struct {
		Name, Load string
		Role       assay.Role
		For        time.Duration
	}
	for _, tt := range []struct {
		load string
		want []phase
	}{
		{"{preset: load}", []phase{{"load-warmup", "poisson", "warmup", 6 * time.Second}, {"load", "poisson", "steady", time.Minute}}}, // 2·299 at 10/s
		{"{preset: load, rate: 200/s, for: 30s, name: x}", []phase{{"x-warmup", "poisson", "warmup", 3 * time.Second}, {"x", "poisson", "steady", 30 * time.Second}}},
		{"{preset: load, slo: {ttft/p95: 1s}, rate: 1/s}", []phase{{"load-warmup", "poisson", "warmup", 10 * time.Second}, {"load", "poisson", "steady", 598 * time.Second}}},
		{"{preset: load, arrivals: {stages: {stages: [{rate: 1/s, for: 9s}]}}}", []phase{{"load", "stages", "steady", 0}}},
		{"{preset: stress, slo: {ttft/p95: 1s}}", []phase{{"stress-warmup", "poisson", "warmup", 5 * time.Second}, {"stress", "search", "stress", 0}, {"stress-after", "poisson", "steady", 20 * time.Second}}},
		{"{preset: concurrency, n: 3}", []phase{{"concurrency-warmup", "closed", "warmup", 6 * time.Second}, {"concurrency", "closed", "steady", time.Minute}}},
		{"{preset: latency}", []phase{{"latency-warmup", "poisson", "warmup", 10 * time.Second}, {"latency", "gamma", "steady", 224 * time.Second}}}, // 1.5·299 at 2/s
		{"{preset: soak}", []phase{{"soak-warmup", "poisson", "warmup", 10 * time.Second}, {"soak", "poisson", "steady", time.Hour}}},
	} {
		p, err := Parse("p", []byte(head+"load: ["+tt.load+"]\n"))
		if err != nil {
			t.Errorf("%s: %v", tt.load, err)
			continue
		}
		var got []phase
		for _, l := range p.Load {
			got = append(got, short(l))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", tt.load, d)
		}
	}
	p, err := Parse("p", []byte(head+"load: [{preset: latency, slo: {ttft/p95: 1s}}, {preset: concurrency, n: 3, prompt: 5}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := p.Objectives[0]
	if len(p.Objectives) != 1 || o.Metric != "ttft/p95" || o.Phase != "latency" || o.Max.Number != 1 {
		t.Errorf("objectives %+v", p.Objectives)
	}
	if l := p.Load[3]; l.Closed.N != 3 || l.Prompt.Tokens != 5 || l.Preset != "" || p.Load[2].Prompt.Tokens != 5 {
		t.Errorf("got %+v", l)
	}
	for _, s := range Presets {
		if d, why := s.Takes(Load{}); d <= 0 || why == "" || s.Answers == "" || s.Default() < d {
			t.Errorf("%s takes %v, because %q", s.Name, d, why)
		}
	}
}

// TestExpectations: how many requests a phase will send, from its settings alone.
func TestExpectations(t *testing.T) {
	for load, want := range map[string]float64{
		"{name: a, for: 10s, arrivals: {gamma: {rate: 4/s, to: 8/s}}}":                                          60,
		"{name: a, for: 10s, arrivals: {weibull: {rate: 4/s}}}":                                                 40,
		"{name: a, for: 10s, arrivals: {diurnal: {rate: 4/s}}}":                                                 40,
		"{name: a, for: 10s, arrivals: {onoff: {rate: 4/s, base: 1/s, on: 1s, off: 3s}}}":                       17.5,
		"{name: a, arrivals: {stages: {stages: [{rate: 4/s, for: 5s}, {rate: 8/s, for: 4s, ramp: 2s}]}}}":       48,
		"{name: a, arrivals: {ladder: {start: 1s, factor: 2, max: 8s, repeat: 3}}}":                             13,
		"{name: a, for: 10s, max: 7, arrivals: {even: {rate: 4/s}}}":                                            7,
		"{name: a, for: 10s, closed: {n: 4}}":                                                                   math.NaN(),
		"{name: a, arrivals: {trace: t.csv}}":                                                                   math.NaN(),
		"{name: a, for: 10s}":                                                                                   0,
		"{name: a, search: {saturation: {start: 4/s, slo: {error_ratio: 1%}, for: 20s}}}":                       80,
		"{name: a, for: 10s, arrivals: {poisson: {rate: 60/m}}, session: {turns: {uniform: {min: 1, max: 3}}}}": 10,
	} {
		p, err := Parse("p", []byte(head+"load: ["+load+"]\n"))
		if err != nil {
			t.Errorf("%s: %v", load, err)
			continue
		}
		if got := p.Load[0].expect(); !cmp.Equal(got, want, cmpopts.EquateNaNs(), cmpopts.EquateApprox(1e-9, 0)) {
			t.Errorf("%s: got %g, want %g", load, got, want)
		}
	}
}

// TestEstimateByClass: an objective on a class counts on its share of the requests.
func TestEstimateByClass(t *testing.T) {
	p, err := Parse("p", []byte(head+"load: [{name: a, for: 10s, arrivals: {even: {rate: 10/s}}, mix: [{class: x, weight: 3}, {class: y}]}]\n"+
		"objectives: [{metric: ttft/p95, class: x, max: 1s}, {metric: ttft/p95, class: y, phase: a, max: 1s}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	obj, err := p.Validate(kinds)
	if err != nil {
		t.Fatal(err)
	}
	e := p.Estimate(obj, func(q, c float64) int { return 59 }, nil)
	if x, y := e.Objectives[0], e.Objectives[1]; !x.OK || y.OK || !strings.HasPrefix(x.Why, "about 75 ") || !strings.HasPrefix(y.Why, "about 25 ") {
		t.Errorf("got %+v, %+v", x, y)
	}
}

// TestShorthands: what people write short means the same as what they write out.
func TestShorthands(t *testing.T) {
	parse := func(load string) []Load {
		p, err := Parse("dir/p", []byte(head+"load: ["+load+"]\n"))
		if err != nil {
			t.Fatalf("%s: %v", load, err)
		}
		if got := p.Path("f.csv"); got != "dir/f.csv" {
			t.Errorf("path %s", got)
		}
		return p.Load
	}
	for short, long := range map[string]string{
		"{name: a, for: 1s, closed: {n: 1, think: 2s}, output: 7}":                     "{name: a, for: 1s, closed: {n: 1, think: {mean: 2s}}, output: {tokens: 7}}",
		"{name: a, arrivals: {trace: f.csv}, prompts: p.txt}":                          "{name: a, arrivals: {trace: {files: [f.csv]}}, prompts: {file: p.txt}}",
		"{name: a, for: 1s, closed: {n: 1}, session: {turns: 3}, prefix: {tokens: 4}}": "{name: a, for: 1s, closed: {n: 1}, session: {turns: {tokens: 3}}, prefix: {tokens: 4, share: 1, groups: 1}}",
	} {
		if d := cmp.Diff(parse(long), parse(short), cmp.AllowUnexported(Load{})); d != "" {
			t.Errorf("%s (-long +short)\n%s", short, d)
		}
	}
	for text, want := range map[string]string{"gamma": "gamma", "ladder": "ladder", "{trace: f.csv}": "trace", "{even: {rate: 2/s}}": "even"} {
		if a, err := ParseArrivals(text, 4); err != nil || a.kind() != want {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
	if a, err := ParseArrivals("onoff", 4); err != nil || a.OnOff.Rate != 8 {
		t.Errorf("onoff at a mean of 4/s: %+v, %v", a, err)
	}
	for text, want := range map[string]string{"poison": `"poison" is no arrival process; poisson, even`, "trace": "trace needs more than a rate", "{gama: {}}": `unknown key "gama"`, "{}": "no arrival process"} {
		if _, err := ParseArrivals(text, 4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestSLOSide: a bound that does not say its side holds on the good one, in the objectives and in the plan that is recorded; an objective's own side stays.
func TestSLOSide(t *testing.T) {
	p, err := Parse("p", []byte(head+"load: [{preset: latency, slo: {ttft/p95: 1s, availability/natural: 95%}}]\nobjectives: [{metric: availability/natural, max: 50%}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := func(v float64) *float64 { return &v }
	phase := map[string]string{"phase": "latency"}
	want := []assay.Objective{
		{Metric: "availability/natural", Unit: assay.Ratio, Max: f(0.5)},
		{Metric: "availability/natural", Unit: assay.Ratio, Min: f(0.95), Labels: phase},
		{Metric: "ttft/p95", Unit: assay.Seconds, Max: f(1), Labels: phase},
	}
	for range 2 {
		got, err := p.Validate(kinds)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v (-want +got)\n%s", err, d)
		}
	}
	raw, _, err := p.JSON()
	if o := `"phase":"latency","min":"95%"`; err != nil || !strings.Contains(string(raw), o) {
		t.Errorf("%v: %s is not in %s", err, o, raw)
	}
}

// TestFractions: a share written in percent is the plan that the number is.
func TestFractions(t *testing.T) {
	text := func(f string) string {
		return "apiVersion: assay/v1\nname: t\ntarget: {kind: openai, url: 'http://h'}\nload: [{name: s, search: {saturation: {start: 1/s, slo: {ttft/p95: 1s}}}}, {name: h, for: 9s, hold: {of: s, share: " + f + "}, prefix: {tokens: 8, share: " + f +
			"}}]\nchaos: [{fault: http, at: 1s, for: 1s, status: 500, probability: " + f + "}]\n"
	}
	var plans []string
	for _, f := range []string{"0.07", "7%", "7 %", "'7%'"} {
		p, err := Parse("p", []byte(text(f)))
		if err != nil {
			t.Fatal(err)
		}
		raw, _, err := p.JSON()
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, string(raw))
	}
	if strings.Count(plans[0], `"share":0.07`) != 2 || !strings.Contains(plans[0], `"probability":0.07`) {
		t.Error(plans[0])
	}
	for _, p := range plans[1:] {
		if d := cmp.Diff(plans[0], p); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
	}
}

// TestEstimateKnowsWhoHasTokens: an objective about tokens cannot be decided where the target has none.
func TestEstimateKnowsWhoHasTokens(t *testing.T) {
	p, err := Parse("p", []byte("apiVersion: assay/v1\nname: t\ntarget: {kind: http, url: 'http://h/'}\nload: [{name: a, for: 60s, arrivals: {even: {rate: 10/s}}}]\n"+
		"objectives: [{metric: ttft/p95, max: 1s}, {metric: availability/natural, min: 10%}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	obj, err := p.Validate(kinds)
	if err != nil {
		t.Fatal(err)
	}
	e := p.Estimate(obj, func(q, c float64) int { return 59 }, nil)
	if x, y := e.Objectives[0], e.Objectives[1]; x.OK || !strings.Contains(x.Why, "knows no tokens") || strings.Contains(y.Why, "tokens") {
		t.Errorf("got %+v, %+v", x, y)
	}
}
