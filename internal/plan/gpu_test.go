package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

const gpuPlan = `
apiVersion: assay/v1
name: gpus
target: {kind: sandbox}
load:
  - {name: steady, preset: load, rate: 5/s, for: 3m}
collect:
`

func TestCollectGPUs(t *testing.T) {
	p, err := Parse("plan.yaml", []byte(gpuPlan+`  nvidiaSMI: {}
  nvml: {interval: 250ms, path: /opt/assay-nvml}
  kernelLog: {path: /var/log/kern.log}
  xidTable:
    - {codes: "63 92-93", meaning: worn, action: replace, cause: wear, class: gpu}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := p.Collect
	if c.NvidiaSMI.Interval.D() != time.Second || c.NVML.Interval.D() != 250*time.Millisecond || c.NVML.Path != "/opt/assay-nvml" || c.KernelLog.Path != "/var/log/kern.log" {
		t.Errorf("%+v %+v %+v", c.NvidiaSMI, c.NVML, c.KernelLog)
	}
	rows, _, err := c.XIDRows()
	var want []assay.XIDRow
	for _, code := range []int{63, 92, 93} {
		want = append(want, assay.XIDRow{Code: code, Meaning: "worn", Action: "replace", Cause: "wear", Class: "gpu"})
	}
	if d := cmp.Diff(want, rows); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for text, want := range map[string]string{
		"  nvidiaSMI: {interval: 10ms}\n":          "collect.nvidiaSMI.interval",
		"  nvml: {interval: 10ms}\n":               "10ms is too short; at least 100ms",
		"  xidTable: [{codes: x, class: gpu}]\n":   "collect.xidTable[0]",
		"  xidTable: [{codes: '5', class: bad}]\n": "bad",
		"  xidTable: [{codes: 5 5, class: gpu}]\n": "code 5 stands twice",
		"  kernelLog: {pathh: x}\n":                "pathh",
	} {
		if _, err := Parse("plan.yaml", []byte(gpuPlan+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
