// Package gpu watches the GPUs of machines, and reads what was recorded of them.
//
// What nvidia-smi says of a card becomes samples under the names that nvidia_gpu_exporter gives them (nvidia_smi_utilization_gpu_ratio), so that
// the profile of that exporter reads what we queried, what we asked the driver's library for and what was scraped. What the driver writes into
// the kernel log becomes events of the kind gpu.xid. An event holds what was seen; what it counts as is looked up in the table of
// internal/gpu again when the run is assessed, with the rows that a person put in place of ours.
//
// Times of nvidia-smi name no zone, and a kernel log counts from the start of its machine: see the options zone and boot.
package gpu
