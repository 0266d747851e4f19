package gpu

import (
	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
)

// Sources are the live collectors of GPUs.
var Sources = []collectors.Kind{
	{Name: "nvidia-smi", Help: "Asks nvidia-smi of this machine at an interval about each card and the processes on it.",
		Proven: collectors.Recorded, By: "a stand-in that answers as captures of an L40S and an H100 do, hangs, floods and loses its card; never a GPU of ours", New: func(c collectors.Clock) assay.Source { return &NvidiaSMI{Clock: c} }},
	{Name: "kernel-log", Help: "Follows the kernel log, or a file that it is written to, for errors of GPUs (XIDs).",
		Proven: collectors.Live, By: "/dev/kmsg of Linux with errors that we made up; their form by lines that people published", New: func(c collectors.Clock) assay.Source { return &FollowKernel{Clock: c} }},
	{Name: "nvml", Help: "Asks the driver's library through the command assay-nvml about each card and its processes, and for errors as they happen.",
		Proven: collectors.Documents, By: "NVIDIA's own mocks of machines with A100 and H100 (go-nvml) and stand-ins of the command; without a driver, live; never a GPU of ours", New: func(c collectors.Clock) assay.Source { return &NVML{Clock: c} }},
}
