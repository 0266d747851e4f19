package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const faulty = "chaos: [{fault: kill, at: 1s}]\n"

func TestHypothesisDefaults(t *testing.T) {
	p, err := Parse("p", []byte(head+load+faulty+"hypothesis:\n"+
		"  - {metric: ttft/p95, max: 2s}\n"+
		"  - {metric: tokens/delivered, min: 99%, over: 5s, after: 20s}\n"+
		"  - {promql: 'sum(rate(errors[1m]))', prometheus: 'http://h:9090', min: 0, max: 5, token: {env: T}}\n"+
		"  - {name: alive, probe: {url: /health}}\n"+
		"  - {probe: {url: 'http://h/x?q=1', within: 1s}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Name        string
		Over, After time.Duration
		Lo, Hi      float64
	}
	var got []row
	for i := range p.Hypothesis {
		h := &p.Hypothesis[i]
		r := row{h.Name, h.Over.D(), h.After.D(), -1, -1}
		lo, hi := h.Limits()
		if lo != nil {
			r.Lo = *lo
		}
		if hi != nil {
			r.Hi = *hi
		}
		got = append(got, r)
	}
	s := time.Second
	want := []row{
		{"ttft/p95 ≤ 2s", 10 * s, 15 * s, -1, 2},
		{"tokens/delivered ≥ 99%", 5 * s, 20 * s, 0.99, -1},
		{"sum(rate(errors[1m])) ≥ 0 ≤ 5", 0, 15 * s, 0, 5},
		{"alive", 0, 15 * s, -1, -1},
		{"GET http://h/x?…", 0, 15 * s, -1, -1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if w := p.Hypothesis[4].Probe.Within.D(); w != s || p.Hypothesis[3].Probe.Within.D() != 5*s {
		t.Errorf("a probe may take %v", w)
	}
	_, hash, _ := p.JSON()
	p.Hypothesis[2].Token = nil
	if _, same, _ := p.JSON(); same != hash {
		t.Error("where a token lies makes another plan")
	}
	p.Hypothesis[2].PromQL = "up"
	if _, other, _ := p.JSON(); other == hash {
		t.Error("another expression makes the same plan")
	}
}

func TestHypothesisRefusals(t *testing.T) {
	for _, tt := range []struct{ hypothesis, want string }{
		{"{max: 2s}", "hypothesis[0]: needs exactly one of metric, promql and probe"},
		{"{metric: rate, probe: {url: /x}, max: 2}", "hypothesis[0]: needs exactly one of metric, promql and probe"},
		{"{metric: ttft/p95}", "hypothesis[0]: has no limit; give max or min"},
		{"{metric: itl/p95, max: 1s}", `hypothesis[0].metric: "itl/p95" is nothing that is measured while the run goes on; one of ttft/pNN`},
		{"{metric: ttft/p95, max: 5%}", `hypothesis[0].max: "5%" has the wrong unit for this metric; write a duration such as 800ms`},
		{"{metric: rate, min: 8s}", `hypothesis[0].min: "8s" has the wrong unit for this metric; write a rate such as 12/s`},
		{"{metric: error_ratio, min: 6%, max: 5%}", "hypothesis[0].min: is above max"},
		{"{metric: canary_ratio, max: 5%}", "hypothesis[0].metric: canary_ratio needs a canary; the plan has none"},
		{"{metric: error_ratio, max: 5%, over: 30s}", "hypothesis[0].after: 15s is shorter than over, 30s"},
		{"{metric: error_ratio, max: 5%, over: 100ms}", "hypothesis[0].over: 100ms is out of range; 1s to 10m"},
		{"{metric: error_ratio, max: 5%, after: 2h}", "hypothesis[0].after: 2h0m0s is out of range; 1s to 1h"},
		{"{metric: error_ratio, max: 5%, token: {env: X}}", "hypothesis[0].token: does not belong to it; leave it out"},
		{"{promql: up, max: 1}", "hypothesis[0]: needs prometheus"},
		{"{promql: up, prometheus: h, max: 1}", `hypothesis[0].prometheus: "h" is not a URL`},
		{"{promql: up, prometheus: 'http://h', max: 1, token: {}}", "hypothesis[0].token: needs exactly one of env and file"},
		{"{probe: {}}", "hypothesis[0].probe: needs url"},
		{"{probe: {url: 'ftp://h'}}", `hypothesis[0].probe.url: "ftp://h" is not a URL`},
		{"{probe: {url: 'http://a:b@h/'}}", "hypothesis[0].probe.url: a URL in a plan must not carry credentials"},
		{"{probe: {url: /x, status: 99}}", "hypothesis[0].probe.status: 99 is out of range; 200 to 599"},
		{"{probe: {url: /x, within: 2m}}", "hypothesis[0].probe.within: 2m0s is out of range"},
		{"{probe: {url: /x}, max: 1}", "hypothesis[0].max: does not belong to it"},
		{"{probe: {url: /x}}, {probe: {url: /x}}", `hypothesis[1].name: "GET /x" is the name of an earlier one`},
	} {
		_, err := Parse("plan.yaml", []byte(head+load+faulty+"hypothesis: ["+tt.hypothesis+"]\n"))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.hypothesis, err, tt.want)
		}
	}
	if _, err := Parse("plan.yaml", []byte(head+load+"hypothesis: [{metric: rate, min: 1}]\n")); err == nil || !strings.Contains(err.Error(), "hypothesis: is looked at around faults, and the plan has none") {
		t.Errorf("without faults: %v", err)
	}
}

func TestHypothesisDoubts(t *testing.T) {
	for _, tt := range []struct {
		name, chaos, hypothesis string
		want                    []string
	}{
		{"enough", "{fault: kill, at: 20s}", "{metric: ttft/p95, max: 2s}", nil},
		{"too few", "{fault: kill, at: 20s}", "{metric: ttft/p99, max: 2s}", []string{"ttft/p99 ≤ 2s: 100 requests in 10s are the least to know it, and phase a makes about 50"}},
		{"silence", "{fault: kill, phase: b, at: 1s}", "{metric: ttft/p95, max: 2s}", []string{"ttft/p95 ≤ 2s: 20 requests in 10s are the least to know it, and phase b makes about 0"}},
		{"silence that another condition ends", "{fault: kill, phase: b, when: scale-from-zero}", "{metric: ttft/p95, max: 2s}", nil},
		{"few canaries", "{fault: kill, at: 20s}", "{metric: canary_ratio, max: 50%, over: 5s}", []string{"canary_ratio ≤ 50%: 2 requests in 5s are the least to know it, and phase a makes about 1"}},
		{"no time after the last", "{fault: hang, for: 6s, phase: c, at: 1s, repeat: {every: 5s, times: 2}}", "{probe: {url: /x}}", []string{"whether GET /x holds again 15s after hang-1, at about 1m33s, would not be known: the load ends at 1m30s"}},
		{"a probe needs no requests", "{fault: kill, phase: b, at: 1s}", "{probe: {url: /x}}", nil},
	} {
		p, err := Parse("p", []byte(head+"load:\n  - {name: a, arrivals: {poisson: {rate: 5/s}}, for: 40s}\n  - {name: b, for: 26s}\n  - {name: c, arrivals: {even: {rate: 9/s}}, for: 24s}\n"+
			"canary: {prompt: x, every: 5s, expect: {contains: y}}\nchaos: ["+tt.chaos+"]\nhypothesis: ["+tt.hypothesis+"]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, p.Doubts(nil)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}
