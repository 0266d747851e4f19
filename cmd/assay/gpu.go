package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/gpu"
	"github.com/assay-dev/assay/dashboards"
	gputable "github.com/assay-dev/assay/internal/gpu"
)

// gpuSources adds what watches the GPUs of this machine, as the plan asks.
func (s *session) gpuSources(out map[string]assay.Source) {
	c := &s.plan.Collect
	if c.NvidiaSMI != nil {
		out["collect.nvidiaSMI"] = &gpu.NvidiaSMI{Interval: c.NvidiaSMI.Interval.D(), Path: c.NvidiaSMI.Path, Clock: s.clock}
	}
	if c.NVML != nil {
		out["collect.nvml"] = &gpu.NVML{Interval: c.NVML.Interval.D(), Path: c.NVML.Path, Clock: s.clock}
	}
	if c.KernelLog != nil {
		out["collect.kernelLog"] = &gpu.FollowKernel{Path: c.KernelLog.Path, Clock: s.clock}
	}
}

// readXIDTable reads rows of the table of GPU errors from a file, for a run to keep.
func readXIDTable(path string) ([]assay.XIDRow, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, exit(assay.ExitUsage, "--xid-table: %v", err)
	}
	t, err := gputable.ParseTable(b)
	if err != nil {
		return nil, exit(assay.ExitUsage, "--xid-table %s: %v", path, err)
	}
	var rows []assay.XIDRow
	for _, x := range t.Sorted() {
		rows = append(rows, assay.XIDRow{Code: x.Code, Meaning: x.Meaning, Action: x.Action, Cause: x.Cause, Class: string(x.Class)})
	}
	return rows, nil
}

// examineGPUs asks what watches GPUs, once.
func examineGPUs(ctx context.Context, p *patient) {
	const without = "without it the run goes on and knows less"
	c := &p.plan.Collect
	if c.NvidiaSMI != nil {
		cards, missing, err := (&gpu.NvidiaSMI{Path: c.NvidiaSMI.Path, Clock: p.clock}).Ask(ctx)
		p.try(err, doubt, without, "collect.nvidiaSMI: %s", dashboards.Things(cards, "GPUs"))
		if err == nil && len(missing) > 0 {
			p.add(doubt, "a newer driver has them", "collect.nvidiaSMI: this driver does not tell, and the run will not have: %s", strings.Join(missing, ", "))
		}
	}
	if c.NVML != nil {
		path, err := c.NVML.Path, error(nil)
		if path == "" {
			exe, _ := os.Executable()
			path, err = gputable.FindNVML(exe)
		}
		var hello *gputable.NVMLHello
		if err == nil {
			hello, err = (&gpu.NVML{}).Ask(ctx, path)
		}
		text := ""
		if err == nil {
			text = fmt.Sprintf("%d GPUs, driver %s; events told: %s", len(hello.Cards), hello.Driver, or(strings.Join(hello.Events, ", "), "none"))
		}
		p.try(err, doubt, without, "collect.nvml: %s", text)
	}
	if c.KernelLog != nil {
		p.try(gpu.CanFollow(c.KernelLog.Path), doubt, "without it errors of GPUs are not told", "collect.kernelLog: %s can be followed", or(c.KernelLog.Path, gpu.Kmsg))
	}
}
