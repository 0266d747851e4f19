package worker

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

// DCGMText says in the help texts what the fields of one kind of model are derived from.
type DCGMText struct{ Device, Tensor, Memory, Used, Free string }

// dcgm exposes the worker as if it were a GPU seen by dcgm-exporter. There is no GPU: every
// value is derived from the time inside forward passes and from the bytes held, and says that it is simulated.
type dcgm struct {
	meter  *Meter
	unix   func() int64
	memory func() (used, total int64)
	descs  [6]*prometheus.Desc
}

// NewDCGM returns a registry with the exposition of one worker. memory returns the bytes held and those there are.
func NewDCGM(instance string, text DCGMText, mt *Meter, unix func() int64, memory func() (used, total int64)) *prometheus.Registry {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	labels := prometheus.Labels{"gpu": "0", "UUID": "GPU-simulated-" + instance, "modelName": text.Device,
		"Hostname": host, "simulated": "true"}
	d := &dcgm{meter: mt, unix: unix, memory: memory}
	for i, f := range [...][2]string{
		{"DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %). SIMULATED: share of the last second inside forward passes on the CPU."},
		{"DCGM_FI_PROF_GR_ENGINE_ACTIVE", "Ratio of time the graphics engine is active. SIMULATED: share of the last second inside forward passes on the CPU."},
		{"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "Ratio of cycles the tensor (HMMA) pipe is active. SIMULATED: " + text.Tensor},
		{"DCGM_FI_PROF_DRAM_ACTIVE", "Ratio of cycles the device memory interface is active. SIMULATED: " + text.Memory},
		{"DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB). SIMULATED: " + text.Used},
		{"DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB). SIMULATED: " + text.Free},
	} {
		d.descs[i] = prometheus.NewDesc(f[0], f[1], nil, labels)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(d)
	return registry
}

// Describe sends the descriptions of all fields.
func (d *dcgm) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range d.descs {
		ch <- desc
	}
}

// Collect sends the values of this instant.
func (d *dcgm) Collect(ch chan<- prometheus.Metric) {
	const mib = 1 << 20
	now := d.unix()
	l := d.meter.Since(now-1e9, now)
	used, total := d.memory()
	for i, v := range [...]float64{100 * l.Busy, l.Busy, l.Tensor, l.Memory, float64(used) / mib, float64(total-used) / mib} {
		ch <- prometheus.MustNewConstMetric(d.descs[i], prometheus.GaugeValue, v)
	}
}
