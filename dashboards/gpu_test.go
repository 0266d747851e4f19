package dashboards

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestGPULines(t *testing.T) {
	mtbf := finding("mtbf/gpu", assay.Natural, est(assay.Seconds, 1800, 600, 9000, 2, "failures", "m"))
	mtbf.Evidence = []string{"2 cards by dcgm; 1 h of their natural time watched"}
	errors := finding("gpu/errors", assay.Natural, exact(assay.Count, 1, 1, "errors"), "severity", "failure")
	errors.Evidence = []string{"XID 79 ×1 on 1 card"}
	held := finding("gpu/throttled", assay.Natural, exact(assay.Ratio, 0.25, 2, "cards"), "class", "capacity")
	held.Evidence = []string{"software power cap 25 % by a counter"}
	unknown := finding("mtbf/gpu", assay.Natural, assay.NotMeasured(assay.Seconds, "nothing told"))
	unknown.Evidence = []string{"1 card seen by dcgm"}
	for _, tc := range []struct {
		name string
		r    assay.Report
		want []string
	}{
		{"none", assay.Report{}, nil},
		{"cards alone", assay.Report{Findings: []assay.Finding{unknown}}, nil},
		{"cards that were held down", assay.Report{Findings: []assay.Finding{unknown, held}}, []string{"1 card seen by dcgm", "MTBF/gpu not measured, because nothing told", "clocks held down: capacity 25 % (software power cap 25 % by a counter)"}},
		{"all", assay.Report{Findings: []assay.Finding{mtbf, finding("failure_rate/gpu", assay.Natural, est(assay.PerHour, 2, 0.4, 6, 2, "failures", "m")), errors, finding("gpu/ecc/corrected", assay.Natural, exact(assay.Count, 1, 2, "cards"))},
			Episodes: []assay.Episode{{Subject: assay.GPU, Ledger: assay.Injected}, {Subject: assay.GPU, Ledger: assay.Natural}}},
			[]string{"2 cards by dcgm; 1 h of their natural time watched", "MTBF/gpu 30m00s [10m00s, 2h30m] (2 failures); rate 2/h [0.4, 6] (95 %); not counted: 1 failure in faults", "1 serious error: XID 79 ×1 on 1 card", "1 corrected ECC error"}},
	} {
		if d := cmp.Diff(tc.want, gpuLines(&tc.r)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
	}
}
