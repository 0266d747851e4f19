package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxh100"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/gpu"
)

// put writes text as C has it.
func put[C ~int8 | ~uint8](to []C, text string) {
	for i := range len(text) {
		to[i] = C(text[i])
	}
}

// machine lets NVIDIA's mock of a machine answer what it does not by itself.
func machine(s *server.Server, events ...nvml.EventData) *server.Server {
	set := &mock.EventSet{FreeFunc: func() nvml.Return { return nvml.SUCCESS }}
	set.WaitFunc = func(uint32) (nvml.EventData, nvml.Return) {
		if len(events) == 0 {
			time.Sleep(time.Millisecond)
			return nvml.EventData{}, nvml.ERROR_TIMEOUT
		}
		e := events[0]
		events = events[1:]
		if e.EventType == 0 {
			return nvml.EventData{}, nvml.ERROR_GPU_IS_LOST
		}
		e.Device = s.Devices[1]
		return e, nvml.SUCCESS
	}
	s.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) { return set, nvml.SUCCESS }
	s.SystemGetProcessNameFunc = func(pid int) (string, nvml.Return) { return "python3", nvml.SUCCESS }
	for _, dev := range s.Devices {
		d := &dev.(*server.Device).Device
		d.GetPciInfoFunc = func() (info nvml.PciInfo, _ nvml.Return) {
			put(info.BusId[:], "00000000:3B:00.0")
			return info, nvml.SUCCESS
		}
		d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 87, Memory: 12}, nvml.SUCCESS }
		d.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 41, nvml.SUCCESS }
		d.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 69850, nvml.SUCCESS }
		d.GetEnforcedPowerLimitFunc = func() (uint32, nvml.Return) { return 400000, nvml.SUCCESS }
		d.GetClockInfoFunc = func(c nvml.ClockType) (uint32, nvml.Return) { return 1000 + uint32(c), nvml.SUCCESS }
		d.GetPerformanceStateFunc = func() (nvml.Pstates, nvml.Return) { return nvml.PSTATE_2, nvml.SUCCESS }
		d.GetCurrentClocksEventReasonsFunc = func() (uint64, nvml.Return) { return 0x44, nvml.SUCCESS }
		d.GetTotalEccErrorsFunc = func(t nvml.MemoryErrorType, _ nvml.EccCounterType) (uint64, nvml.Return) {
			return 5 + uint64(t), nvml.SUCCESS
		}
		d.GetRemappedRowsFunc = func() (int, int, bool, bool, nvml.Return) { return 1, 2, true, false, nvml.SUCCESS }
		d.GetPcieReplayCounterFunc = func() (int, nvml.Return) { return 0, nvml.ERROR_NOT_SUPPORTED }
		d.GetFieldValuesFunc = func(v []nvml.FieldValue) nvml.Return {
			switch v[0].FieldId {
			case nvml.FI_DEV_GET_GPU_RECOVERY_ACTION:
				v[0].ValueType, v[0].Value = uint32(nvml.VALUE_TYPE_UNSIGNED_INT), [8]byte{2, 0, 0, 0, 9}
			case nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP:
				v[0].ValueType, v[0].Value = uint32(nvml.VALUE_TYPE_UNSIGNED_LONG_LONG), [8]byte{0, 0xca, 0x9a, 0x3b}
			default:
				v[0].NvmlReturn = uint32(nvml.ERROR_NOT_SUPPORTED)
			}
			return nvml.SUCCESS
		}
		d.GetComputeRunningProcessesFunc = func() ([]nvml.ProcessInfo, nvml.Return) {
			return []nvml.ProcessInfo{{Pid: 7, UsedGpuMemory: 1 << 30}, {Pid: 8, UsedGpuMemory: ^uint64(0)}}, nvml.SUCCESS
		}
		d.GetSupportedEventTypesFunc = func() (uint64, nvml.Return) {
			return nvml.EventTypeXidCriticalError | nvml.EventTypeGpuRecoveryAction | nvml.EventTypePState, nvml.SUCCESS
		}
		d.RegisterEventsFunc = func(uint64, nvml.EventSet) nvml.Return { return nvml.SUCCESS }
	}
	return s
}

// lines reads what was said.
func lines(t *testing.T, out []byte) (all []gpu.NVMLLine) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var l gpu.NVMLLine
		if err := d.Decode(&l); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
}

func TestMachines(t *testing.T) {
	for name, lib := range map[string]*server.Server{"Mock NVIDIA A100-SXM4-40GB": dgxa100.New(), "NVIDIA H100 80GB HBM3": dgxh100.New()} {
		var out bytes.Buffer
		if err := run(t.Context(), strings.NewReader(""), &out, []string{"--interval", "10ms"}, machine(lib)); err != nil {
			t.Fatal(err)
		}
		said := lines(t, out.Bytes())
		h := said[0].Hello
		if h == nil || len(h.Cards) != 8 || h.Driver != lib.DriverVersion || !cmp.Equal(h.Events, []string{"xid", "recovery"}) {
			t.Fatalf("%+v", h)
		}
		c := h.Cards[3]
		if c.Index != 3 || c.Name != name || !strings.HasPrefix(c.UUID, "GPU-") || c.PCI != "00000000:3B:00.0" {
			t.Errorf("%+v, want %s", c, name)
		}
		m := lib.Devices[0].(*server.Device).MemoryInfo
		want := map[string]float64{"utilization_gpu_ratio": 0.87, "utilization_memory_ratio": 0.12, "memory_total_bytes": float64(m.Total), "memory_used_bytes": float64(m.Used), "memory_free_bytes": float64(m.Free),
			"temperature_gpu": 41, "power_draw_watts": 69.85, "enforced_power_limit_watts": 400, "clocks_current_sm_clock_hz": 1001e6, "clocks_current_memory_clock_hz": 1002e6, "pstate": 2,
			"clocks_event_reasons_active": 0x44, "ecc_errors_corrected_volatile_total": 5, "ecc_errors_uncorrected_volatile_total": 6, "remapped_rows_correctable": 1, "remapped_rows_uncorrectable": 2,
			"remapped_rows_pending": 1, "remapped_rows_failure": 0, "mig_mode_current": 0, "gpu_recovery_action": 2, "clocks_event_reasons_counters_sw_power_cap_seconds": 1}
		s := said[1].Sample
		if d := cmp.Diff(want, s.Values); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if d := cmp.Diff([]gpu.NVMLProcess{{PID: 7, Name: "python3", Bytes: 1 << 30}, {PID: 8, Name: "python3", Bytes: -1}}, s.Processes); d != "" || s.UUID != h.Cards[0].UUID || s.Unix == 0 {
			t.Errorf("%s%s", s.UUID, d)
		}
		const lacks = "GPU 0 does not tell clocks_event_reasons_counters_hw_power_brake_slowdown_seconds, clocks_event_reasons_counters_hw_thermal_slowdown_seconds, clocks_event_reasons_counters_sw_thermal_slowdown_seconds, clocks_event_reasons_counters_sync_boost_seconds, pcie_replays"
		if said[2].Error != lacks || said[2].Fatal {
			t.Errorf("%+v", said[2])
		}
	}
}

func TestEvents(t *testing.T) {
	r, w := io.Pipe()
	outR, out := io.Pipe()
	lib := machine(dgxa100.New(), nvml.EventData{EventType: nvml.EventTypeXidCriticalError, EventData: 79}, nvml.EventData{EventType: nvml.EventTypeGpuRecoveryAction, EventData: 2}, nvml.EventData{})
	done := make(chan error, 1)
	go func() { done <- run(t.Context(), r, out, []string{"--interval", "1h"}, lib); out.Close() }()
	d := json.NewDecoder(outR)
	var got []string
	for len(got) < 3 {
		var l gpu.NVMLLine
		if err := d.Decode(&l); err != nil {
			t.Fatal(err)
		}
		switch {
		case l.Event != nil:
			if l.Event.UUID != lib.Devices[1].(*server.Device).UUID || l.Event.Unix == 0 || l.Event.PCI == "" {
				t.Errorf("%+v", l.Event)
			}
			got = append(got, l.Event.Kind+" "+string(rune('0'+l.Event.Data%10)))
		case strings.HasPrefix(l.Error, "wait for events: "):
			got = append(got, "lost")
		}
	}
	if d := cmp.Diff([]string{"xid 9", "recovery 2", "lost"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	w.Close() // whoever started it has gone
	go io.Copy(io.Discard, outR)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTrouble(t *testing.T) {
	none := machine(dgxa100.New())
	none.Devices = nil
	none.DeviceGetCountFunc = func() (int, nvml.Return) { return 0, nvml.SUCCESS }
	closed := machine(dgxa100.New())
	asked := false
	closed.InitFunc = func() nvml.Return { return nvml.ERROR_LIBRARY_NOT_FOUND }
	closed.DeviceGetCountFunc = func() (int, nvml.Return) { asked = true; return 0, nvml.SUCCESS }
	deaf := machine(dgxa100.New())
	deaf.EventSetCreateFunc = func() (nvml.EventSet, nvml.Return) { return nil, nvml.ERROR_NOT_SUPPORTED }
	for _, tc := range []struct {
		name string
		lib  nvml.Interface
		args []string
		err  string
		line string
	}{
		{"no library", closed, nil, "open the driver's library: ERROR_LIBRARY_NOT_FOUND (NVML error 12)", `"fatal":true`},
		{"no card", none, nil, "the driver shows no GPU", `"fatal":true`},
		{"no events", deaf, []string{"--probe"}, "", `"hello":{"driver":"550.54.15"`},
		{"wrong flag", deaf, []string{"--x"}, "want --interval", ""},
		{"too often", deaf, []string{"--interval", "1us"}, "want --interval", ""},
	} {
		var out bytes.Buffer
		err := run(t.Context(), strings.NewReader(""), &out, tc.args, tc.lib)
		if (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) || !strings.Contains(out.String(), tc.line) {
			t.Errorf("%s: %v, said %s", tc.name, err, out.String())
		}
		if tc.name == "no events" && strings.Contains(out.String(), `"events"`) {
			t.Errorf("events are promised: %s", out.String())
		}
	}
	if asked {
		t.Error("a library that did not open was asked: the process would end")
	}
}

// TestWithoutDriver opens the real library, which is not there on most machines that build this.
func TestWithoutDriver(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), strings.NewReader(""), &out, []string{"--probe"}, nvml.New())
	if err == nil {
		t.Skip("there is a driver here: ", out.String())
	}
	if said := lines(t, out.Bytes()); len(said) != 1 || !said[0].Fatal || !strings.Contains(said[0].Error, "open the driver's library: ") {
		t.Errorf("%v, %s", err, out.String())
	}
}
