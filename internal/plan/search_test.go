package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func searchPlan(search string) string {
	return "apiVersion: assay/v1\nname: x\ntarget: {kind: http, url: http://h}\nload:\n  - {name: find, search: " + search + "}\n"
}

func TestSearches(t *testing.T) {
	for in, want := range map[string]Knee{
		"{knee: {start: 2/s}}": {Start: 2, Factor: 1.5, Step: Duration(4 * time.Second), Max: 128, For: Duration(time.Minute), Within: 1.1},
		"{knee: {start: 2/s, factor: 2, step: 1s, max: 10/s, for: 20s, within: 1.3, even: true}}": {Start: 2, Factor: 2, Step: Duration(time.Second), Max: 10, For: Duration(20 * time.Second), Within: 1.3, Even: true},
	} {
		p, err := Parse("plan.yaml", []byte(searchPlan(in)))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if d := cmp.Diff(Search{Knee: &want}, *p.Load[0].Search); d != "" {
			t.Errorf("%s (-want +got):\n%s", in, d)
		}
	}
	p, err := Parse("plan.yaml", []byte(searchPlan("{saturation: {start: 8/s, slo: {ttft/p95: 500ms}, step: 2s}}")))
	if err != nil {
		t.Fatal(err)
	}
	s := p.Load[0].Search.Saturation
	want := &Saturation{Start: 8, Factor: 1.5, Step: Duration(2 * time.Second), Max: 512, For: Duration(time.Minute), Within: 1.1, SLO: s.SLO, Confirm: Duration(8 * time.Second), Confidence: 0.9}
	if d := cmp.Diff(want, s, cmp.AllowUnexported(Value{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]float64{"ttft/p95": 0.5}, s.Limits()); d != "" {
		t.Error(d)
	}
}

func TestSearchRefusals(t *testing.T) {
	for in, want := range map[string]string{
		"{saturation: {start: 1/s, slo: {}}}": "is empty; say what must hold",
		"{}":                                  "is empty; give saturation or knee",
		"{knee: {start: 1/s}, saturation: {start: 1/s, slo: {ttft/p95: 1s}}}": "has saturation and knee",
		"{knee: {start: 0/s}}":                                            "knee.start",
		"{knee: {start: 1/s, factor: 1}}":                                 "knee.factor: 1 is out of range",
		"{knee: {start: 1/s, within: 1}}":                                 "knee.within: 1 is out of range",
		"{knee: {start: 1/s, step: 100ms}}":                               "knee.step: 100ms is too short",
		"{knee: {start: 1/s, step: 10s, for: 5s}}":                        "knee.for: 5s is shorter than one step",
		"{knee: {start: 4/s, max: 2/s}}":                                  "knee.max: 2/s is below start",
		"{knee: {start: 1/s, slo: {ttft/p95: 1s}}}":                       "slo",
		"{saturation: {start: 1/s, slo: {ttft/p95: 1s}, confirm: 1s}}":    "confirm: 1s is shorter than a step",
		"{saturation: {start: 1/s, slo: {ttft/p95: 1s}, confidence: 1}}":  "confidence: 1 is out of range",
		"{saturation: {start: 1/s, slo: {ttft/p95: 1s}, confidence: .3}}": "confidence: 0.3 is out of range",
		"{saturation: {start: 1/s, slo: {ttft/p42: 1s}}}":                 "cannot be searched by",
		"{saturation: {start: 1/s, slo: {ttft/p95: 5 %}}}":                "slo.ttft/p95",
	} {
		_, err := Parse("plan.yaml", []byte(searchPlan(in)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

// TestSearchOutlook: what a search takes is told before the run, and whether its time is enough.
func TestSearchOutlook(t *testing.T) {
	for in, want := range map[string]Searching{
		"{saturation: {start: 16/s, slo: {ttft/p95: 600ms}}}":                  {Phase: "find", Least: 59, First: 16 * time.Second, OK: true},
		"{saturation: {start: 1/s, slo: {ttft/p99: 1s, e2e/p50: 9s}}}":         {Phase: "find", Least: 299, First: 398700 * time.Millisecond},
		"{saturation: {start: 16/s, slo: {ttft/p95: 600ms}, for: 20s}}":        {Phase: "find", Least: 59, First: 16 * time.Second},
		"{saturation: {start: 100/s, slo: {error_ratio: 1%}, confidence: .8}}": {Phase: "find", Least: 230, First: 16 * time.Second, OK: true},
		"{knee: {start: 1/s}}":           {Phase: "find", First: 4 * time.Second, OK: true},
		"{knee: {start: 1/s, for: 16s}}": {Phase: "find", First: 4 * time.Second},
	} {
		p, err := Parse("plan.yaml", []byte(searchPlan(in)))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		got := p.Estimate(nil, nil, nil).Searches[0]
		why := got.Why
		got.Why = ""
		if d := cmp.Diff(want, got); d != "" || why == "" {
			t.Errorf("%s: %q (-want +got):\n%s", in, why, d)
		}
	}
}
