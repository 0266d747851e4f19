package plan

import (
	"strings"
	"testing"
)

// A guard that any answer crosses, or none ever can, is refused, and each mistake is told once.
func TestGuardsThatGuardNothing(t *testing.T) {
	for guard, want := range map[string]string{
		"{metric: error_ratio, max: 50%}":   "",
		"{metric: canary_ratio, max: 0.2}":  "",
		"{metric: ttft/p95, max: 1ms}":      "",
		"{metric: error_ratio, max: 0%}":    "plan.yaml:5:37: guards[0].max: 0% would end the run at the first failure, or never; more than 0% and less than 100%",
		"{metric: error_ratio, max: 100%}":  "plan.yaml:5:37: guards[0].max: 100% would end",
		"{metric: error_ratio, max: 150%}":  "plan.yaml:5:37: guards[0].max: 150% would end",
		"{metric: error_ratio, max: 2}":     "plan.yaml:5:37: guards[0].max: 200% would end",
		"{metric: canary_ratio, max: -10%}": "plan.yaml:5:38: guards[0].max: -10% would end",
		"{metric: ttft/p95, max: 0s}":       "plan.yaml:5:34: guards[0].max: 0s is crossed by every answer; more than 0s",
		"{metric: e2e/p95, max: -2s}":       "plan.yaml:5:33: guards[0].max: -2s is crossed by every answer; more than 0s",
		"{metric: e2e/p95, max: 10%}":       `plan.yaml:5:33: guards[0].max: "10%" has the wrong unit`,
		"{metric: eror_ratio, max: 150%}":   `plan.yaml:5:19: guards[0].metric: "eror_ratio" is unknown; did you mean "error_ratio"?`,
		"{metric: ttft/p50, max: 10%}":      `plan.yaml:5:19: guards[0].metric: "ttft/p50" is unknown`,
		"{metric: ttft/p95}":                "plan.yaml:5:10: guards[0]: has no limit; give max",
	} {
		_, err := Parse("plan.yaml", []byte("apiVersion: assay/v1\nname: g\ntarget: {kind: sandbox}\ncanary: {prompt: hi, expect: {stable: true}}\nguards: ["+guard+"]\nload: [{name: a, arrivals: {even: {rate: 1/s}}, for: 9s}]\n"))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if want == "" && err != nil || !strings.HasPrefix(got, want) || strings.Contains(got, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", guard, got, want)
		}
	}
}
