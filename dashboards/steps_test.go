package dashboards

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// A step is told with its place, its levels and its size, once for a latency that is slower as a whole.
func TestStepLines(t *testing.T) {
	q := func(v, lo, hi float64, u assay.Unit) assay.Quantity { return est(u, v, lo, hi, 9, "requests", "m") }
	step := func(of string, block int) assay.PhaseStep {
		return assay.PhaseStep{Of: of, Phase: "load", At: 7201 * sec, Block: block, Blocks: 100, P: 3.9e-20, Before: q(0.2, 0.199, 0.201, assay.Seconds), After: q(0.26, 0.258, 0.262, assay.Seconds), Size: q(0.3, 0.29, 0.31, assay.Ratio)}
	}
	leak := assay.PhaseStep{Of: "memory", Labels: map[string]string{"series": "rss{pod=i0}"}, At: 3601 * sec, Block: 26, Blocks: 90, P: 1e-9, Before: q(1e9, 0.9e9, 1.1e9, assay.Bytes), After: q(2e9, 1.9e9, 2.1e9, assay.Bytes), Size: q(1e9, 0.9e9, 1.1e9, assay.Bytes)}
	loaded := step("ttft/p95", 80)
	loaded.Beside = "the offered load changed there too, from 4/s to 6/s"
	r := &assay.Report{Begin: sec, Changes: []assay.PhaseStep{step("e2e", 51), step("e2e/p95", 52), loaded, leak}}
	want := []string{
		"step: load E2E p50 by 30 % [29, 31 %] at 2h00m, block 51 of 100: from 200 ms [199, 201] to 260 ms [258, 262], p = 3.9e-20",
		"step: load TTFT p95 by 30 % [29, 31 %] at 2h00m, block 80 of 100: from 200 ms [199, 201] to 260 ms [258, 262], p = 3.9e-20; the offered load changed there too, from 4/s to 6/s",
		"step: memory (rss{pod=i0}) by 1 GB [900 MB..1.1 GB] at 1h00m, block 26 of 90: from 1 GB [900 MB..1.1 GB] to 2 GB [1.9, 2.1], p = 1e-09",
	}
	if d := cmp.Diff(want, stepLines(r)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	for range 10 {
		r.Changes = append(r.Changes, leak)
	}
	if got := stepLines(r); len(got) != mostSteps+1 || got[mostSteps] != "and more steps: 14 in all" {
		t.Errorf("got %q", got)
	}
}
