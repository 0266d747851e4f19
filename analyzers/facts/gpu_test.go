package facts

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// shows are metrics by a part of what is asked for.
type shows map[string][]assay.Series

func (s shows) Range(_ context.Context, expr string, _, _, _ int64) ([]assay.Series, error) {
	for part, series := range s {
		if strings.Contains(expr, part+"[") {
			return series, nil
		}
	}
	return nil, nil
}

func xidEvent(at int64, code, pci, text string, pairs ...string) assay.Event {
	e := assay.Event{Time: at * second, Resolution: second, Kind: assay.EventGPUXID, Source: "kernel-log", Text: text, Attrs: map[string]string{"xid": code, "pci": pci}}
	for i := 0; i+1 < len(pairs); i += 2 {
		e.Attrs[pairs[i]] = pairs[i+1]
	}
	return e
}

func series(values []float64, labels ...string) assay.Series {
	var s assay.Series
	for i := 0; i+1 < len(labels); i += 2 {
		s.Labels = append(s.Labels, assay.Label{Name: labels[i], Value: labels[i+1]})
	}
	for i, v := range values {
		s.Times, s.Values = append(s.Times, int64(1+60*i)*second), append(s.Values, assay.Num(v))
	}
	return s
}

func TestGPUEpisodes(t *testing.T) {
	nan := math.NaN()
	for _, tc := range []struct {
		name   string
		events []assay.Event
		rows   []assay.XIDRow
		q      shows
		want   []assay.Episode
	}{
		{"an application error and what it brings down", []assay.Event{
			xidEvent(100, "31", "0000:3b:00", "MMU"), xidEvent(101, "45", "0000:3b:00", "gone"), xidEvent(130, "43", "0000:3b:00", "reset"), xidEvent(500, "31", "0000:3b:00", "MMU"),
		}, nil, nil, []assay.Episode{
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "0000:3b:00", Cause: "XID 31, MMU fault", Class: "app", BeginLo: 99e9, Begin: 100e9, End: 101e9, EndHi: 101e9},
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "0000:3b:00", Cause: "XID 31, MMU fault", Class: "app", BeginLo: 499e9, Begin: 500e9, End: 500e9, EndHi: 500e9},
		}},
		{"the gravest class of one failure, cards apart", []assay.Event{
			xidEvent(100, "48", "0000:3b:00", "DBE"), xidEvent(101, "154", "0000:3b:00", "GPU recovery action changed from 0x0 (None) to 0x2 (OS Reboot)"), xidEvent(102, "74", "0000:5e:00", "NVLink", "host", "n2"),
		}, nil, nil, []assay.Episode{
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "0000:3b:00", Cause: "XID 48, double-bit ECC error", Class: "node", BeginLo: 99e9, Begin: 100e9, End: 101e9, EndHi: 101e9},
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "n2 0000:5e:00", Cause: "XID 74, NVLink error", Class: "link", BeginLo: 101e9, Begin: 102e9, End: 102e9, EndHi: 102e9},
		}},
		{"no failures", []assay.Event{
			xidEvent(100, "43", "a", ""), xidEvent(200, "63", "a", ""), xidEvent(300, "45", "a", ""), xidEvent(400, "162", "a", ""), xidEvent(500, "154", "a", "changed from 0x1 (GPU Reset Required) to 0x0 (None)"), xidEvent(600, "no", "a", ""),
		}, nil, nil, nil},
		{"rows of the run", []assay.Event{xidEvent(100, "63", "a", ""), xidEvent(200, "79", "a", "")},
			[]assay.XIDRow{{Code: 63, Meaning: "worn", Class: "gpu"}, {Code: 79, Meaning: "known trouble", Class: "information"}}, nil,
			[]assay.Episode{{Subject: assay.GPU, Ledger: assay.Natural, Instance: "a", Cause: "XID 63, worn", Class: "gpu", BeginLo: 99e9, Begin: 100e9, End: 100e9, EndHi: 100e9}}},
		{"made up by a fault", []assay.Event{
			{Time: 90e9, Kind: assay.EventFaultArmed, Fault: "f1", Attrs: map[string]string{"kind": "xid", "simulated": "true"}}, {Time: 100e9, Kind: assay.EventFaultApplied, Fault: "f1"},
			xidEvent(100, "79", "a", "", "simulated", "true"), xidEvent(2000, "79", "a", "", "simulated", "true"),
			{Time: 101e9, Kind: assay.EventFaultClear, Fault: "f1"},
		}, nil, nil, []assay.Episode{
			{Subject: assay.GPU, Ledger: assay.Injected, Fault: "f1", Instance: "a", Cause: "XID 79, fallen off the bus", Class: "node", BeginLo: 99e9, Begin: 100e9, End: 100e9, EndHi: 100e9},
			{Subject: assay.GPU, Ledger: assay.Injected, Instance: "a", Cause: "XID 79, fallen off the bus", Class: "node", BeginLo: 1999e9, Begin: 2000e9, End: 2000e9, EndHi: 2000e9},
		}},
		{"the last error of an exporter", nil, nil, shows{"DCGM_FI_DEV_XID_ERRORS": {
			series([]float64{0, 0, 79, 79, nan, 79, 31}, "Hostname", "n1", "pci_bus_id", "00000000:3B:00.0", "UUID", "GPU-1"), series([]float64{13, 13}, "uuid", "GPU-2"), series([]float64{0, 9e18}, "gpu", "3"),
		}}, []assay.Episode{
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "n1 0000:3b:00", Cause: "XID 79, fallen off the bus", Class: "node", BeginLo: 120e9, Begin: 121e9, End: 121e9, EndHi: 121e9},
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "n1 0000:3b:00", Cause: "XID 31, MMU fault", Class: "app", BeginLo: 360e9, Begin: 361e9, End: 361e9, EndHi: 361e9},
		}},
		{"an exporter that shows what the log tells", []assay.Event{xidEvent(110, "79", "0000:3b:00", "off", "host", "n1")}, nil, shows{"DCGM_FI_DEV_XID_ERRORS": {
			series([]float64{0, 0, 79}, "Hostname", "n1", "pci_bus_id", "00000000:3B:00.0"),
		}}, []assay.Episode{{Subject: assay.GPU, Ledger: assay.Natural, Instance: "n1 0000:3b:00", Cause: "XID 79, fallen off the bus", Class: "node", BeginLo: 109e9, Begin: 110e9, End: 110e9, EndHi: 110e9}}},
		{"another card than the log's", []assay.Event{xidEvent(110, "79", "0000:3b:00", "off", "host", "n1")}, nil, shows{"DCGM_FI_DEV_XID_ERRORS": {
			series([]float64{0, 0, 79}, "Hostname", "n1", "pci_bus_id", "00000000:5E:00.0"),
		}}, []assay.Episode{
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "n1 0000:3b:00", Cause: "XID 79, fallen off the bus", Class: "node", BeginLo: 109e9, Begin: 110e9, End: 110e9, EndHi: 110e9},
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "n1 0000:5e:00", Cause: "XID 79, fallen off the bus", Class: "node", BeginLo: 120e9, Begin: 121e9, End: 121e9, EndHi: 121e9},
		}},
		{"numbers within a window rise, and fall of themselves", nil, nil, shows{"DCGM_EXP_XID_ERRORS_COUNT": {series([]float64{0, 1, 1, 0, 1}, "xid", "94", "gpu", "0"), series([]float64{0, 1}, "xid", "x")}}, []assay.Episode{
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "0", Cause: "XID 94, contained uncorrectable ECC error", Class: "app", BeginLo: 60e9, Begin: 61e9, End: 61e9, EndHi: 61e9},
			{Subject: assay.GPU, Ledger: assay.Natural, Instance: "0", Cause: "XID 94, contained uncorrectable ECC error", Class: "app", BeginLo: 240e9, Begin: 241e9, End: 241e9, EndHi: 241e9},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run := &factstest.Run{E: tc.events, M: assay.Manifest{XIDs: tc.rows, End: assay.Ending{At: 3000e9}}}
			if tc.q != nil {
				run.Q = tc.q
			}
			f, err := Compute(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, f.Episodes, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestGPUWatches(t *testing.T) {
	f, err := Compute(t.Context(), &factstest.Run{M: assay.Manifest{Epoch: 1_700_000_000e9}, E: []assay.Event{
		{Time: 5e9, Kind: assay.EventGPUWatched, Source: "kernel-log", Attrs: map[string]string{"start_ns": "1700000001000000000", "end_ns": "1700000005000000000", "cards": "a b"}},
		{Time: 6e9, Kind: assay.EventGPUWatched, Source: "nvml", Attrs: map[string]string{"start_ns": "2000000000", "end_ns": "6000000000", "cards": "b c"}},
		{Time: 6e9, Kind: assay.EventGPUWatched, Source: "bad", Attrs: map[string]string{"start_ns": "x"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	spans, cards, bare := GPUWatches(f)
	if d := cmp.Diff([]assay.Interval{{Name: "kernel-log", Begin: 1e9, End: 5e9}, {Name: "nvml", Begin: 2e9, End: 6e9}}, spans); d != "" || !cmp.Equal(cards, []string{"a", "b", "c"}) || bare {
		t.Errorf("%s%v %v", d, cards, bare)
	}
}
