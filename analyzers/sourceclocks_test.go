package analyzers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// The coarsest clock of each family of findings stands with the run: who reads a figure knows what it rests on.
func TestSourceClocks(t *testing.T) {
	run := startRun()
	run.M.Offsets = []assay.Offset{{Source: "kubernetes", Offset: 2 * sec, Error: 500 * msec}}
	run.E = append(run.E, looked(150*sec, "readiness", "ok", 1))
	want := []assay.Clock{
		{Family: "ttft, e2e, availability", Source: "the recording", Resolution: 1000},
		{Family: "cold", Source: "kubernetes", Resolution: sec, Error: 500 * msec},
		{Family: "mtbf/instance, recovery/capacity", Source: "kubernetes", Resolution: sec, Error: 500 * msec},
		{Family: "availability/live, availability/ready", Source: "probes", Resolution: sec},
	}
	if d := cmp.Diff(want, assess(t, run, "cold", "validity").Trust.Clocks); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
