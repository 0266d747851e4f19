package plan

import (
	"fmt"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/gpu"
)

// NvidiaSMI is how nvidia-smi is asked.
type NvidiaSMI struct {
	Interval Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Between two looks. Default 1s."`
	Path     string   `yaml:"path" json:"path,omitempty" jsonschema:"description=Of the program. Default nvidia-smi on PATH."`
}

// NVML is how the driver's library is asked.
type NVML struct {
	Interval Duration `yaml:"interval" json:"interval,omitempty" jsonschema:"description=Between two looks. Default 1s."`
	Path     string   `yaml:"path" json:"path,omitempty" jsonschema:"description=Of the command assay-nvml. Default: beside assay or on PATH."`
}

// KernelLog is which log is followed.
type KernelLog struct {
	Path string `yaml:"path" json:"path,omitempty" jsonschema:"description=/dev/kmsg or a file that the kernel's log is written to. Default /dev/kmsg."`
}

// XIDRow is what errors of GPUs mean, in place of the built-in table.
type XIDRow struct {
	Codes   string `yaml:"codes" json:"codes" jsonschema:"required,description=Codes and ranges of them such as 13 39-41."`
	Meaning string `yaml:"meaning" json:"meaning,omitempty" jsonschema:"description=In a few words."`
	Action  string `yaml:"action" json:"action,omitempty" jsonschema:"description=What is to be done: how far the damage reaches."`
	Cause   string `yaml:"cause" json:"cause,omitempty" jsonschema:"description=Who is at fault as far as the code can tell."`
	Class   string `yaml:"class" json:"class" jsonschema:"required,enum=app,enum=platform,enum=link,enum=gpu,enum=node,enum=information,enum=warning,enum=follows,enum=action,enum=unclassified,description=What it counts as."`
}

// gpuIntervals are the intervals at which GPUs are asked, by where they stand in the plan.
func (g *Collect) gpuIntervals() map[string]*Duration {
	out := map[string]*Duration{}
	if g.NvidiaSMI != nil {
		out["collect.nvidiaSMI.interval"] = &g.NvidiaSMI.Interval
	}
	if g.NVML != nil {
		out["collect.nvml.interval"] = &g.NVML.Interval
	}
	return out
}

func (c *checker) gpus(g *Collect) {
	for at, every := range g.gpuIntervals() {
		if every.D() < 100*time.Millisecond {
			c.bad(at, "%v is too short; at least 100ms", every.D())
		}
	}
	if _, at, err := g.XIDRows(); err != nil {
		c.bad(at, "%v", err)
	}
}

// XIDRows returns the rows of the table of errors as a run keeps them; with an error, the place of the setting that is wrong.
func (g *Collect) XIDRows() (rows []assay.XIDRow, at string, err error) {
	seen := map[int]bool{}
	for i, r := range g.XIDTable {
		at := fmt.Sprintf("collect.xidTable[%d]", i)
		xids, err := gpu.XID{Meaning: r.Meaning, Action: r.Action, Cause: r.Cause, Class: gpu.Class(r.Class)}.For(r.Codes)
		if err != nil {
			return nil, at, err
		}
		for _, x := range xids {
			if seen[x.Code] {
				return nil, at + ".codes", fmt.Errorf("code %d stands twice", x.Code)
			}
			seen[x.Code] = true
			rows = append(rows, assay.XIDRow{Code: x.Code, Meaning: x.Meaning, Action: x.Action, Cause: x.Cause, Class: string(x.Class)})
		}
	}
	return rows, "", nil
}
