package dashboards

import (
	"bytes"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// A length that was made up is not shown.
func TestTimesUnknown(t *testing.T) {
	for _, untimed := range []bool{false, true} {
		r := &assay.Report{Begin: 1, End: 9_090_000_001, Untimed: untimed, Decision: assay.Go, Segments: []assay.Segment{{Begin: 1, End: 9_090_000_001, Ledger: assay.Natural}},
			Findings: []assay.Finding{{Metric: "error_ratio", Ledger: assay.Natural, Quantity: assay.Quantity{Value: 0, N: 4, Unit: assay.Ratio}}}}
		for _, k := range Kinds() {
			name, render := k.Name, k.Render
			var b bytes.Buffer
			if err := render(&b, r); err != nil {
				t.Fatal(err)
			}
			switch name {
			case "junit":
				if strings.Contains(b.String(), `time="9.090"`) == untimed || untimed && strings.Contains(b.String(), "time=") {
					t.Errorf("junit of a report with untimed %v: %s", untimed, b.String())
				}
				continue
			case "text", "markdown", "html":
			default:
				continue
			}
			if n := strings.Count(b.String(), TimesUnknown); n > 0 != untimed || strings.Contains(b.String(), "9.09 s") == untimed {
				t.Errorf("%s of a report with untimed %v says %d times %q, and 9.09 s: %v", name, untimed, n, TimesUnknown, strings.Contains(b.String(), "9.09 s"))
			}
		}
	}
}
