package engine

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"
)

// dcgm exposes the worker as if it were a GPU seen by dcgm-exporter. There is no GPU: every
// value is derived from the time inside forward passes and from the bytes held, and says that it is simulated.
type dcgm struct {
	registry *prometheus.Registry
	meter    *meter
	unix     func() int64
	memory   func() (used, total int64)
	descs    [6]*prometheus.Desc
}

func newDCGM(cfg Config, mt *meter, unix func() int64, memory func() (used, total int64)) *dcgm {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	labels := prometheus.Labels{"gpu": "0", "UUID": "GPU-simulated-" + cfg.Instance, "modelName": "assay sandbox CPU engine",
		"Hostname": host, "simulated": "true"}
	d := &dcgm{registry: prometheus.NewRegistry(), meter: mt, unix: unix, memory: memory}
	for i, f := range [...][2]string{
		{"DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %). SIMULATED: share of the last second inside forward passes on the CPU."},
		{"DCGM_FI_PROF_GR_ENGINE_ACTIVE", "Ratio of time the graphics engine is active. SIMULATED: share of the last second inside forward passes on the CPU."},
		{"DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "Ratio of cycles the tensor (HMMA) pipe is active. SIMULATED: the busy share times the share of prefill rows in each pass."},
		{"DCGM_FI_PROF_DRAM_ACTIVE", "Ratio of cycles the device memory interface is active. SIMULATED: the busy share times the share of decode rows in each pass."},
		{"DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB). SIMULATED: weights and the KV blocks in use, with fractions."},
		{"DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB). SIMULATED: KV blocks not in use, with fractions."},
	} {
		d.descs[i] = prometheus.NewDesc(f[0], f[1], nil, labels)
	}
	d.registry.MustRegister(d)
	return d
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
	l := d.meter.since(now-1e9, now)
	used, total := d.memory()
	for i, v := range [...]float64{100 * l.busy, l.busy, l.prefill, l.decode, float64(used) / mib, float64(total-used) / mib} {
		ch <- prometheus.MustNewConstMetric(d.descs[i], prometheus.GaugeValue, v)
	}
}
