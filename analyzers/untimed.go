package analyzers

import (
	"fmt"
	"strings"

	"github.com/assay-dev/assay"
)

// noTime is why requests that were laid end to end give no rate and no exposure.
const noTime = "the source tells no time"

// timed are the metrics, by how they begin, that rest on when requests came and on how long was watched.
var timed = []string{"mtbf/service", "mtbf/instance", "failure_rate/service", "failure_rate/instance", "load/offered", "load/sent"}

// untimed takes out of the report what would be read as a rate where requests have only the times that we gave them. How long each took, and how it ended, still stands.
func untimed(f *assay.Facts, r *assay.Report) {
	if !f.Manifest.Untimed {
		return
	}
	r.Untimed = true
	var sure []assay.Episode
	for _, e := range r.Episodes {
		if e.Subject != assay.InstanceOf || e.Confidence != assay.ConfidenceLow {
			sure = append(sure, e)
		}
	}
	if n := len(r.Episodes) - len(sure); n > 0 {
		r.Episodes = sure
		r.Warnings = append(r.Warnings, fmt.Sprintf("an instance was started anew %d times, and without times nothing tells a failure from having been idle: none is counted", n))
	}
	for i := range r.Findings {
		x := &r.Findings[i]
		rate := x.Metric == "goodput" && x.Quantity.Unit == assay.PerSecond || x.Metric == "availability/natural" && x.Labels["by"] == "time"
		for _, m := range timed {
			rate = rate || strings.HasPrefix(x.Metric, m)
		}
		if rate {
			*x = assay.Finding{Metric: x.Metric, Labels: x.Labels, Ledger: x.Ledger, Quantity: assay.NotMeasured(x.Quantity.Unit, noTime)}
		}
	}
}
