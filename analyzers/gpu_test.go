package analyzers

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// cards are metrics of GPUs, one value a second from the first on, by name.
type cards map[string][]assay.Series

func (c cards) Range(_ context.Context, expr string, _, _, _ int64) ([]assay.Series, error) {
	for name, series := range c {
		if strings.Contains(expr, "("+name+"[") {
			return series, nil
		}
	}
	return nil, nil
}

func card(n int, value func(i int) float64) assay.Series {
	var s assay.Series
	for i := range n {
		s.Times, s.Values = append(s.Times, 1+int64(i)*1e9), append(s.Values, assay.Num(value(i)))
	}
	return s
}

func always(v float64) func(int) float64 { return func(int) float64 { return v } }

func gpuReport(t *testing.T, run *factstest.Run) *assay.Report {
	t.Helper()
	f, err := facts.Compute(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	r := &assay.Report{}
	if err := (GPU{}).Begin(f).Finish(r); err != nil {
		t.Fatal(err)
	}
	return r
}

// watchedLog tells of a log; one from and to -1 holds errors alone.
func watchedLog(from, to int, cards string) assay.Event {
	if to < 0 {
		return assay.Event{Time: 1e9, Kind: assay.EventGPUWatched, Source: "kernel-log", Attrs: map[string]string{"cards": cards}}
	}
	return assay.Event{Time: int64(to) * 1e9, Kind: assay.EventGPUWatched, Source: "kernel-log", Attrs: map[string]string{"start_ns": strconv.Itoa(from) + "000000000", "end_ns": strconv.Itoa(to) + "000000000", "cards": cards}}
}

func xidAt(s int, code string) assay.Event {
	return assay.Event{Time: int64(s) * 1e9, Kind: assay.EventGPUXID, Source: "kernel-log", Attrs: map[string]string{"xid": code, "pci": "0000:3b:00"}}
}

func TestGPUFailures(t *testing.T) {
	two := cards{"nvidia_smi_memory_used_bytes": {card(1000, always(1)), card(1000, always(1))}}
	end := assay.Manifest{End: assay.Ending{At: 1000e9}}
	for _, tc := range []struct {
		name     string
		run      factstest.Run
		mtbf     string // value and exposure, or the reason
		evidence string
		warning  string
	}{
		{"two cards, watched for half of the run", factstest.Run{M: end, Q: two, E: []assay.Event{xidAt(100, "79"), xidAt(300, "48"), watchedLog(0, 499, "0000:3b:00")}},
			"499 of 2", "2 cards by nvidia-smi; 17 min of card time, natural and watched for errors by a log or the driver", ""},
		{"no error", factstest.Run{M: end, Q: two, E: []assay.Event{watchedLog(0, 1000, "")}}, "NaN of 0", "2 cards by nvidia-smi; 33 min", ""},
		{"a log alone", factstest.Run{M: end, E: []assay.Event{xidAt(100, "79"), watchedLog(0, 1000, "0000:3b:00")}}, "1000 of 1", "1 card by the log; 17 min", "the cards are those that the log names"},
		{"errors alone", factstest.Run{M: end, E: []assay.Event{xidAt(100, "79"), xidAt(131, "79"), watchedLog(-1, -1, "0000:3b:00")}}, "not estimable", "1 card by the log", ""},
		{"errors alone, and cards that others saw", factstest.Run{M: end, Q: two, E: []assay.Event{xidAt(100, "79"), watchedLog(-1, -1, "0000:3b:00")}},
			"2000 of 1", "2 cards by nvidia-smi; 33 min of card time", "holds lines of GPUs alone"},
		{"nothing tells of errors", factstest.Run{M: end, Q: two}, "not measured, because nothing told of errors of GPUs", "2 cards seen by nvidia-smi", ""},
		{"the last error alone", factstest.Run{M: end, Q: cards{"DCGM_FI_DEV_XID_ERRORS": {card(1000, func(i int) float64 { return float64(i / 500 * 79) })}, "DCGM_FI_DEV_FB_USED": {card(1000, always(5))}}},
			"1000 of 1", "1 card by dcgm; 17 min of card time, natural and watched for errors by an exporter's last one", "the same error again does not show"},
		{"a fault's time is not natural", factstest.Run{M: end, Q: two, E: []assay.Event{watchedLog(0, 1000, ""),
			{Time: 1, Kind: assay.EventPhaseBegin, Phase: "p", Attrs: map[string]string{"role": "steady"}}, {Time: 1000e9, Kind: assay.EventPhaseEnd, Phase: "p"},
			{Time: 100e9, Kind: assay.EventFaultApplied, Fault: "f", Attrs: map[string]string{"kind": "kill"}}, xidAt(200, "79"), {Time: 400e9, Kind: assay.EventFaultClear, Fault: "f"}}},
			"NaN of 0", "2 cards by nvidia-smi; 23 min", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := gpuReport(t, &tc.run)
			f := r.Find("mtbf/gpu")
			if f == nil {
				t.Fatal("no mtbf/gpu")
			}
			got := strconv.FormatFloat(f.Quantity.Value, 'f', -1, 64) + " of " + strconv.Itoa(f.Quantity.N)
			if !f.Quantity.Known() {
				got = f.Quantity.Reason
			}
			if !strings.HasPrefix(got, tc.mtbf) || !strings.HasPrefix(f.Evidence[0], tc.evidence) {
				t.Errorf("%s, %q", got, f.Evidence)
			}
			if (tc.warning != "") != slices.ContainsFunc(f.Warnings, func(w string) bool { return strings.Contains(w, tc.warning) && tc.warning != "" }) {
				t.Errorf("warnings %q, want %q", f.Warnings, tc.warning)
			}
		})
	}
}

func TestGPUClassesAndErrors(t *testing.T) {
	r := gpuReport(t, &factstest.Run{M: assay.Manifest{End: assay.Ending{At: 3600e9}}, E: []assay.Event{
		xidAt(100, "31"), xidAt(500, "31"), xidAt(900, "79"), xidAt(1000, "63"), xidAt(1100, "43"), xidAt(1200, "162"), watchedLog(0, 3600, "0000:3b:00")}})
	got := map[string]float64{}
	for _, f := range r.Findings {
		got[f.Metric+" "+f.Labels["class"]+f.Labels["severity"]] = f.Quantity.Value
	}
	want := map[string]float64{"mtbf/gpu ": 3600, "failure_rate/gpu ": 1, "mtbf/gpu app": 1800, "failure_rate/gpu app": 2, "mtbf/gpu node": 3600, "failure_rate/gpu node": 1,
		"gpu/errors failure": 1, "gpu/errors application": 2, "gpu/errors warning": 1, "gpu/errors information": 1, "gpu/errors unclassified": 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	f := r.Find("gpu/errors", "severity", "failure")
	if d := cmp.Diff([]string{"XID 79 ×1 on 1 card (fallen off the bus; cause: hardware, power or PCIe; to do: restart machine)"}, f.Evidence); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	r = gpuReport(t, &factstest.Run{M: assay.Manifest{End: assay.Ending{At: 3600e9}}, E: []assay.Event{xidAt(100, "31"), watchedLog(0, 3600, "0000:3b:00"),
		{Time: 1e9, Kind: assay.EventInstanceReady, Instance: "vllm-0"}, {Time: 102e9, Kind: assay.EventInstanceExited, Instance: "vllm-0", Attrs: map[string]string{"reason": "crash"}}}})
	if q := r.Find("mtbf/gpu").Quantity; q.N != 0 || q.Lo == 0 {
		t.Errorf("an error of an application is a failure of its card: %+v", q)
	}
	if d := cmp.Diff([]string{"XID 31 ×1 on 1 card (MMU fault; cause: application first; to do: restart app); vllm-0 failed 2 s after it (crash), though nothing tells which instance it hit"}, r.Find("gpu/errors", "severity", "application").Evidence); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if r := gpuReport(t, &factstest.Run{}); len(r.Findings) != 0 {
		t.Errorf("without GPUs: %+v", r.Findings)
	}
}

func TestGPUThrottled(t *testing.T) {
	r := gpuReport(t, &factstest.Run{M: assay.Manifest{End: assay.Ending{At: 1000e9}}, Q: cards{
		"nvidia_smi_memory_used_bytes": {card(1001, always(1))},
		// A counter begins anew at 500 s: 200 s of 1000 s all the same.
		"nvidia_smi_clocks_event_reasons_counters_sw_power_cap_seconds": {card(1001, func(i int) float64 { return float64(i%500) * 0.2 })},
		// The mask is asked where there is no counter: hardware slowdown in a tenth of the time, idle in all of it.
		"nvidia_smi_clocks_event_reasons_active": {card(1000, func(i int) float64 {
			if i < 100 {
				return 0x9
			}
			return 0x5
		})},
		"nvidia_smi_remapped_rows_failure": {card(1001, always(1))}, "nvidia_smi_remapped_rows_pending": {card(1001, always(0))},
		"nvidia_smi_gpu_recovery_action":                   {card(1001, always(2)), card(1001, func(i int) float64 { return float64(i/500) * 1 }), card(1001, always(0))},
		"nvidia_smi_ecc_errors_uncorrected_volatile_total": {card(1001, func(i int) float64 { return float64(i / 400) })},
	}})
	near := func(got, want float64) bool { return got > want-0.002 && got < want+0.002 }
	for class, want := range map[string][3]float64{"capacity": {0.2, 0.2, 0.2}, "fault": {0.1, 0.099, 0.101}, "environment": {0, 0, 0}} {
		f := r.Find("gpu/throttled", "class", class)
		if f == nil || !near(f.Quantity.Value, want[0]) || !near(f.Quantity.Lo, want[1]) || !near(f.Quantity.Hi, want[2]) {
			t.Errorf("%s: %+v, want %v", class, f, want)
		}
	}
	if f := r.Find("gpu/throttled", "class", "configuration"); f != nil {
		t.Errorf("configuration: %+v", f)
	}
	if f := r.Find("gpu/ecc/uncorrected"); f == nil || f.Quantity.Value != 2 {
		t.Errorf("ECC: %+v", f)
	}
	if f := r.Find("gpu/asks"); f == nil || f.Quantity.Value != 3 || !slices.Equal(f.Evidence, []string{"1 card asks to be replaced: memory could not be remapped", "2 cards ask for node reboot"}) {
		t.Errorf("asks: %+v", f)
	}
	for _, m := range []string{"mtbf/gpu", "gpu/throttled", "gpu/ecc/corrected", "gpu/link/nvlink_replay"} {
		if _, ok := Lookup(m); !ok {
			t.Errorf("%s is not described", m)
		}
	}
}
