package main

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// What the parts find wrong with a fault comes with its line and column, as what the plan's own checks find.
func TestFaultsAreRefusedWithTheirPlace(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox}\nload: [{name: a, arrivals: {even: {rate: 5/s}}, for: 60s}]\n"
	for _, c := range []struct{ name, yaml, want string }{
		{"a setting", "chaos:\n  - {fault: http, status: 503, at: 1s, for: 5s, probability: 150%}\n", "plan.yaml:6:62: chaos[0].probability: "},
		{"one of several", "chaos:\n  - {fault: http, status: 503, at: 1s, for: 5s, every: -4}\n", "plan.yaml:6:56: chaos[0].every: -4 is out of range; want 0 or more"},
		{"another of several", "chaos:\n  - {fault: http, status: 503, at: 1s, for: 5s, every: 2, first: -1}\n", "plan.yaml:6:66: chaos[0].first: -1 is out of range; want 0 or more"},
		{"a setting that is not there", "chaos:\n  - fault: delay\n    at: 1s\n    for: 5s\n", "plan.yaml:6:10: chaos[0].delay: 0s delays nothing"},
		{"serial", "chaos:\n  - serial:\n      - {fault: kill, at: 1s}\n      - {fault: cut, mode: stall, at: 1s, for: 2s}\n", `plan.yaml:8:28: chaos[0].serial[1].mode: "stall" is no way to cut`},
		{"parallel", "chaos:\n  - {fault: kill, at: 1s}\n  - at: 9s\n    parallel: [{fault: delay, for: 2s, delay: 2s, at: 1s}]\n", "plan.yaml:8:36: chaos[1].parallel[0].for: 2s is no longer than one delayed round trip"},
		{"limits", "chaos:\n  - {fault: hang, instances: 2, at: 1s, for: 1s}\nlimits: {instances: 1}\n", "plan.yaml:6:30: chaos[0].instances: 2 would pass limits.instances, 1"},
		{"limits together", "chaos:\n  - {fault: hang, at: 1s, for: 5s}\n  - {fault: hang, at: 2s, for: 5s}\nlimits: {instances: 1}\n", "plan.yaml:7:5: chaos[1]: begins while others hold"},
		{"hypothesis", "chaos: [{fault: kill, at: 1s}]\nhypothesis:\n  - {metric: error_ratio, max: 10%, over: 1s, after: 0s}\n  - {probe: {url: \"/%zz\"}}\n", "plan.yaml:8:19: hypothesis[1].probe.url: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "plan.yaml", head+c.yaml)
			if got := assayIn(t, dir, "validate", "plan.yaml"); got.code != assay.ExitUsage || !strings.Contains(got.err, c.want) {
				t.Errorf("exit %d, %s; want %q", got.code, got.err, c.want)
			}
		})
	}
}
