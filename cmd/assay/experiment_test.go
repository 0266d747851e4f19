package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// experimentPlan breaks all requests and lets them come back, hurts a start from zero, and hurts twice in a row.
const experimentPlan = `apiVersion: assay/v1
name: experiment
seed: 7
target: {kind: sandbox, model: nano, deadline: 5s, sandbox: {maxScale: 1, loadFloor: 500ms, stableWindow: 1s, scaleToZeroGrace: 300ms}}
load:
  - {name: first, arrivals: {even: {rate: 30/s}}, for: 6s, prompt: {tokens: 8}, output: {tokens: 4}}
  - {name: idle, for: 3s}
  - {name: return, arrivals: {even: {rate: 30/s}}, for: 7s, prompt: {tokens: 8}, output: {tokens: 4}}
chaos:
  - {name: broken, fault: http, status: 503, at: 2s, for: 1500ms}
  - {name: at-zero, fault: delay, delay: 35ms, for: 1500ms, when: scale-from-zero, phase: idle}
  - {serial: [{fault: delay, delay: 20ms, for: 500ms}, {fault: kill, at: 300ms}], phase: return, at: 3s}
  - {name: too-much, fault: hang, for: 1s, at: 2200ms}
  - {name: never, fault: kill, when: saturation, phase: idle}
limits: {instances: 1, faults: 1}
hypothesis:
  - {metric: error_ratio, max: 10%, over: 1s, after: 2s}
  - {name: slow, metric: e2e/p50, max: 20s, over: 1s, after: 2s}
  - {name: alive, probe: {url: /v1/models, contains: nano}, after: 2s}
`

func TestExperimentOnSandbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// One at a time is what the plan allows, and what it tells beforehand is refused.
	write(t, dir, "plan.yaml", experimentPlan)
	refused := assayIn(t, dir, "validate", "plan.yaml")
	if want := "chaos[3]: begins while others hold, so that there would be 2 faults at once; limits.faults allows 1"; refused.code != assay.ExitUsage || !strings.Contains(refused.err, want) {
		t.Errorf("exit %d, %s; want %q", refused.code, refused.err, want)
	}
	write(t, dir, "plan.yaml", strings.Replace(experimentPlan, "limits: {instances: 1, faults: 1}", "", 1))
	got := assayIn(t, dir, "run", "plan.yaml", "--ui", "plain")
	if got.code != assay.ExitGo && got.code != assay.ExitInvalid && got.code != assay.ExitInconclusive {
		t.Fatalf("exit %d\n%s\n%s", got.code, got.err, got.out)
	}
	events := eventsIn(t, runsIn(t, dir)[0])
	find := func(fault, kind string) assay.Event {
		t.Helper()
		i := slices.IndexFunc(events, func(e assay.Event) bool { return e.Fault == fault && e.Kind == kind })
		if i < 0 {
			t.Fatalf("no %s of %s\n%s", kind, fault, got.err)
		}
		return events[i]
	}

	t.Run("start from zero", func(t *testing.T) {
		applied, verified := find("at-zero", assay.EventFaultApplied), find("at-zero", assay.EventFaultVerified)
		var created, ready int64
		for _, e := range events {
			if e.Instance == applied.Instance {
				switch e.Kind {
				case assay.EventInstanceCreated:
					created = e.Time
				case assay.EventInstanceReady:
					ready = e.Time
				}
			}
		}
		if !(created < applied.Time && applied.Time < ready) {
			t.Errorf("created at %v, delayed from %v, ready at %v: want this order", time.Duration(created), time.Duration(applied.Time), time.Duration(ready))
		}
		var through float64
		if _, err := fmt.Sscanf(verified.Attrs["effect"], "first byte after %fms", &through); err != nil || through < 70 {
			t.Errorf("effect %q, want 70ms or more", verified.Attrs["effect"])
		}
	})
	t.Run("one after another", func(t *testing.T) {
		clear, armed := find("delay-3.1", assay.EventFaultClear), find("kill-3.2", assay.EventFaultArmed)
		if gap := time.Duration(armed.Time - clear.Time); gap < 300*time.Millisecond {
			t.Errorf("armed %v after the one before was clear, want 300ms or more", gap)
		}
	})
	t.Run("no victim left", func(t *testing.T) {
		if e := find("too-much", assay.EventFaultApplied); e.Time < find("broken", assay.EventFaultClear).Time {
			t.Error("hurt an instance that was hurt already")
		}
	})
	t.Run("condition that never comes", func(t *testing.T) {
		if e, want := find("never", assay.EventFaultVoid), "not injected: saturation was not seen: the load ended"; e.Text != want {
			t.Errorf("void because %q, want %q", e.Text, want)
		}
	})
	t.Run("hypotheses", func(t *testing.T) {
		looks := map[string]string{}
		for _, e := range events {
			if e.Kind == assay.EventHypothesis {
				looks[strings.TrimSpace(e.Attrs["stage"]+" "+e.Fault)+" "+e.Attrs["name"]] = e.Attrs["ok"]
			}
		}
		// The gateway lists its models whatever its instances do: the probe sees nothing of what users go through.
		want := map[string]string{"before error_ratio ≤ 10%": "true", "before slow": "true", "before alive": "true",
			"during broken error_ratio ≤ 10%": "false", "during broken slow": "true", "during broken alive": "true",
			"after at-zero error_ratio ≤ 10%": "true", "after at-zero slow": "true", "after at-zero alive": "true"}
		for name := range looks {
			if _, ok := want[name]; !ok {
				delete(looks, name) // what is seen while an instance starts, or after faults that come close, depends on how loaded this machine is
			}
		}
		if diff := cmp.Diff(want, looks); diff != "" {
			t.Errorf("(-want +got):\n%s\n%s", diff, got.err)
		}
		for _, line := range []string{"steady state before the first fault: error_ratio ≤ 10% holds: 0.0 %, at most 10.0 %, of ",
			"steady state during fault broken: error_ratio ≤ 10% DOES NOT HOLD: "} {
			if !strings.Contains(got.err, line) {
				t.Errorf("no %q in\n%s", line, got.err)
			}
		}
	})
}

// A seed that draws no strike is refused before the run, the plan's and that of the command line.
func TestSeedThatDrawsNoStrikeIsRefused(t *testing.T) {
	dir := t.TempDir()
	p := "apiVersion: assay/v1\nname: t\nseed: %d\ntarget: {kind: sandbox}\nload: [{name: a, arrivals: {poisson: {rate: 2/s}}, for: 20s}]\nchaos: [{fault: kill, repeat: {rate: 2/m, within: 20s}}]\n"
	write(t, dir, "some.yaml", fmt.Sprintf(p, 2))
	write(t, dir, "none.yaml", fmt.Sprintf(p, 1))
	const want = "chaos[0].repeat: the seed draws no strike within 20s at that rate: the fault would never strike"
	if ok := assayIn(t, dir, "validate", "some.yaml"); ok.code != 0 || !strings.Contains(ok.out, "kill-1 strikes once by chance, drawn from seed 2: ") {
		t.Errorf("seed 2: exit %d, %s%s", ok.code, ok.err, ok.out)
	}
	for _, args := range [][]string{{"validate", "none.yaml"}, {"run", "some.yaml", "--seed", "1"}} {
		if got := assayIn(t, dir, args...); got.code != assay.ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%v: exit %d, %s; want %q", args, got.code, got.err, want)
		}
	}
}
