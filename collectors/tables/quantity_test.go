package tables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// A column can be said to be a quantity, whatever it is called, and its unit is brought to that of the quantity.
func TestQuantities(t *testing.T) {
	gpu := inputtest.File(t, "gpu.csv", "ts,pod,DUTY,mem_gb\n1767225600,a,75,32\n1767225601,a,101,16\n")
	for spec, want := range map[string]struct {
		records []string
		sum     input.Summary
	}{
		gpu + ",time=ts,labels=pod,values=DUTY:gpu_busy:percent|mem_gb:gpu.mem.used:GB": {
			[]string{"table_gpu_busy{pod=a} 0.75 @0", "table_gpu_mem_used{pod=a} 3.2e+10 @0", "table_gpu_mem_used{pod=a} 1.6e+10 @1000"},
			input.Summary{Read: 4, Kept: 3, Rejected: map[string]int64{"gpu_busy in percent is 0 to 100, and the cell another number": 1}},
		},
		gpu + ",time=ts,labels=pod,values=DUTY:DCGM_FI_DEV_GPU_UTIL|mem_gb": {
			[]string{"DCGM_FI_DEV_GPU_UTIL{pod=a} 75 @0", "mem_gb{pod=a} 32 @0", "DCGM_FI_DEV_GPU_UTIL{pod=a} 101 @1000", "mem_gb{pod=a} 16 @1000"},
			input.Summary{Read: 4, Kept: 4, Notes: []string{"kept under names whose meaning is not known, so that no finding reads them: mem_gb; values=COLUMN:QUANTITY says what a column is (assay list quantities)"}},
		},
		inputtest.File(t, "long.csv", "ts,metric,v\n1767225600,queue size,6\n1767225601,running,2\n") + ",time=ts,name=metric,value=v,values=queue size:waiting": {
			[]string{"table_waiting{} 6 @0", "running{} 2 @1000"},
			input.Summary{Read: 2, Kept: 2, Notes: []string{"kept under names whose meaning is not known, so that no finding reads them: running; values=COLUMN:QUANTITY says what a column is (assay list quantities)"}},
		},
	} {
		got, sum, err := read(t, "samples", spec)
		if err != nil {
			t.Error(err)
			continue
		}
		if d := cmp.Diff(want.records, got); d != "" {
			t.Errorf("%s: samples (-want +got):\n%s", spec, d)
		}
		if d := cmp.Diff(want.sum, input.Summary{Read: sum.Read, Kept: sum.Kept, Rejected: sum.Rejected, Notes: sum.Notes}); d != "" {
			t.Errorf("%s: counts (-want +got):\n%s", spec, d)
		}
	}
}

func TestUnknownQuantities(t *testing.T) {
	path := inputtest.File(t, "x.csv", "ts,duty\n1767225600,1\n")
	for values, want := range map[string]string{
		"duty:gpu.utilization":    `"gpu.utilization" of column "duty" is no quantity: near are gpu_busy, `,
		"duty:gpu_busi":           `"gpu_busi" of column "duty" is no quantity: did you mean "gpu_busy"?`,
		"duty:queue.length":       `"queue.length" of column "duty" is no quantity: near are waiting; assay list quantities`,
		"duty:frob.x":             `"frob.x" of column "duty" is no quantity: want one of cache_hit_ratio, gpu_busy, `,
		"duty:gpu_busy:pct":       `"pct" of column "duty" is no unit of gpu_busy: want percent, or none for a share of 1`,
		"duty:gpu_mem_used:gig":   `is no unit of gpu_mem_used: want GB, GiB, KiB, MB, MiB, kB, or none for "By"`,
		"duty:gpu_memory_used:GB": `"gpu_memory_used" of column "duty" is no quantity: near are gpu_mem_used, `,
		"duty:running:x":          `"x" of column "duty" is no unit of running: want "{n}" or none`,
	} {
		if _, _, err := read(t, "samples", path+",time=ts,values="+values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", values, err, want)
		}
	}
}
