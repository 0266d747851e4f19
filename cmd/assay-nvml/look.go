package main

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/assay-dev/assay/internal/gpu"
)

// A reading asks a card for some values, by the names that nvidia_gpu_exporter gives them, in base units.
type reading struct {
	name string
	ask  func(d nvml.Device, v map[string]float64) nvml.Return
}

// one is a reading of a single number, which is multiplied by scale, or divided where that is a fraction.
func one[N ~int | ~int32 | ~uint32 | ~uint64](name string, scale float64, ask func(nvml.Device) (N, nvml.Return)) reading {
	return reading{name, func(d nvml.Device, v map[string]float64) nvml.Return {
		n, ret := ask(d)
		if ret == nvml.SUCCESS {
			v[name] = scaled(float64(n), scale)
		}
		return ret
	}}
}

// scaled divides by a whole number where scale is a fraction, so that 69850 mW are 69.85 W.
func scaled(v, scale float64) float64 {
	if scale < 1 {
		return v / math.Round(1/scale)
	}
	return v * scale
}

// readings are what each card is asked for.
var readings = []reading{
	{"utilization", func(d nvml.Device, v map[string]float64) nvml.Return {
		u, ret := d.GetUtilizationRates()
		if ret == nvml.SUCCESS {
			v["utilization_gpu_ratio"], v["utilization_memory_ratio"] = float64(u.Gpu)/100, float64(u.Memory)/100
		}
		return ret
	}},
	{"memory", func(d nvml.Device, v map[string]float64) nvml.Return {
		m, ret := d.GetMemoryInfo()
		if ret == nvml.SUCCESS {
			v["memory_total_bytes"], v["memory_used_bytes"], v["memory_free_bytes"] = float64(m.Total), float64(m.Used), float64(m.Free)
		}
		return ret
	}},
	one("temperature_gpu", 1, func(d nvml.Device) (uint32, nvml.Return) { return d.GetTemperature(nvml.TEMPERATURE_GPU) }),
	one("power_draw_watts", 0.001, nvml.Device.GetPowerUsage),
	one("enforced_power_limit_watts", 0.001, nvml.Device.GetEnforcedPowerLimit),
	one("clocks_current_sm_clock_hz", 1e6, func(d nvml.Device) (uint32, nvml.Return) { return d.GetClockInfo(nvml.CLOCK_SM) }),
	one("clocks_current_memory_clock_hz", 1e6, func(d nvml.Device) (uint32, nvml.Return) { return d.GetClockInfo(nvml.CLOCK_MEM) }),
	one("pstate", 1, func(d nvml.Device) (int32, nvml.Return) { p, ret := d.GetPerformanceState(); return int32(p), ret }),
	one("clocks_event_reasons_active", 1, nvml.Device.GetCurrentClocksEventReasons),
	one("ecc_errors_corrected_volatile_total", 1, func(d nvml.Device) (uint64, nvml.Return) {
		return d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_CORRECTED, nvml.VOLATILE_ECC)
	}),
	one("ecc_errors_uncorrected_volatile_total", 1, func(d nvml.Device) (uint64, nvml.Return) {
		return d.GetTotalEccErrors(nvml.MEMORY_ERROR_TYPE_UNCORRECTED, nvml.VOLATILE_ECC)
	}),
	{"remapped_rows", func(d nvml.Device, v map[string]float64) nvml.Return {
		corrected, uncorrected, pending, failed, ret := d.GetRemappedRows()
		if ret == nvml.SUCCESS {
			v["remapped_rows_correctable"], v["remapped_rows_uncorrectable"] = float64(corrected), float64(uncorrected)
			v["remapped_rows_pending"], v["remapped_rows_failure"] = flag01(pending), flag01(failed)
		}
		return ret
	}},
	{"mig_mode", func(d nvml.Device, v map[string]float64) nvml.Return {
		now, _, ret := d.GetMigMode()
		if ret == nvml.SUCCESS {
			v["mig_mode_current"] = float64(now)
		}
		return ret
	}},
	one("pcie_replays", 1, nvml.Device.GetPcieReplayCounter),
	field("clocks_event_reasons_counters_sw_power_cap_seconds", 1e-9, nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP),
	field("clocks_event_reasons_counters_sync_boost_seconds", 1e-9, nvml.FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST),
	field("clocks_event_reasons_counters_sw_thermal_slowdown_seconds", 1e-9, nvml.FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN),
	field("clocks_event_reasons_counters_hw_thermal_slowdown_seconds", 1e-9, nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN),
	field("clocks_event_reasons_counters_hw_power_brake_slowdown_seconds", 1e-9, nvml.FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN),
	field("gpu_recovery_action", 1, nvml.FI_DEV_GET_GPU_RECOVERY_ACTION),
}

func flag01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// field is a reading of one of the driver's fields, which are whole numbers of some width.
func field(name string, scale float64, id uint32) reading {
	return reading{name, func(d nvml.Device, v map[string]float64) nvml.Return {
		values := []nvml.FieldValue{{FieldId: id}}
		if ret := d.GetFieldValues(values); ret != nvml.SUCCESS {
			return ret
		}
		f := values[0]
		if ret := nvml.Return(f.NvmlReturn); ret != nvml.SUCCESS {
			return ret
		}
		switch nvml.ValueType(f.ValueType) {
		case nvml.VALUE_TYPE_UNSIGNED_INT:
			v[name] = scaled(float64(binary.NativeEndian.Uint32(f.Value[:])), scale)
		case nvml.VALUE_TYPE_UNSIGNED_LONG, nvml.VALUE_TYPE_UNSIGNED_LONG_LONG:
			v[name] = scaled(float64(binary.NativeEndian.Uint64(f.Value[:])), scale)
		default:
			return nvml.ERROR_NOT_SUPPORTED
		}
		return nvml.SUCCESS
	}}
}

// look asks a card for everything that it has not refused for good.
func (c *card) look(lib nvml.Interface) *gpu.NVMLSample {
	s := &gpu.NVMLSample{Unix: time.Now().UnixNano(), UUID: c.UUID, Values: map[string]float64{}}
	for _, r := range readings {
		if c.untold[r.name] {
			continue
		}
		switch r.ask(c.Device, s.Values) {
		case nvml.ERROR_NOT_SUPPORTED, nvml.ERROR_FUNCTION_NOT_FOUND, nvml.ERROR_NO_PERMISSION, nvml.ERROR_ARGUMENT_VERSION_MISMATCH, nvml.ERROR_INVALID_ARGUMENT:
			c.untold[r.name] = true
		}
	}
	if c.untold["processes"] {
		return s
	}
	running, ret := c.Device.GetComputeRunningProcesses()
	if ret == nvml.ERROR_NOT_SUPPORTED || ret == nvml.ERROR_NO_PERMISSION {
		c.untold["processes"] = true
	}
	for _, p := range running[:min(len(running), 1000)] {
		one := gpu.NVMLProcess{PID: int(p.Pid), Bytes: float64(p.UsedGpuMemory)}
		if p.UsedGpuMemory == ^uint64(0) { // not told
			one.Bytes = -1
		}
		one.Name, _ = lib.SystemGetProcessName(int(p.Pid))
		s.Processes = append(s.Processes, one)
	}
	return s
}
