package cloud

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// What CloudWatch gives in part is told of, and each datapoint of it that cannot be is counted.
func TestCloudWatchInPart(t *testing.T) {
	const text = `{"MetricDataResults":[{"Id":"m1","Label":"Invocations","Timestamps":["2026-11-20T10:00:00Z","2026-11-20T10:01:00Z","2026-11-20T10:02:00Z"],"Values":[100,50,-5],"StatusCode":"Complete"},
		{"Id":"m2","Label":"Errors","Timestamps":["2026-11-20T10:00:00Z","2026-11-20T10:01:00Z"],"Values":[1],"StatusCode":"PartialData"},{"Id":"m3","Label":"Throttles","Timestamps":[],"Values":[],"StatusCode":"Complete"}]}`
	in := &input.Input{File: input.NewFile("x", strings.NewReader(text), nil), Tally: &input.Tally{}}
	samples := 0
	if err := readCloudWatch(t.Context(), in, func(r assay.Record) error {
		if r.(*assay.Sample).Name != CountedRequests {
			samples++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"a value below zero, which no metric of AWS/Lambda has": 1, "a datapoint with a stamp and no value, or a value and no stamp": 1}
	if d := cmp.Diff(want, in.Tally.Rejected); d != "" || samples != 3 || in.Tally.Kept != 3 {
		t.Errorf("%d samples, %d kept (-want +got):\n%s", samples, in.Tally.Kept, d)
	}
	if d := cmp.Diff([]string{"of 1 series CloudWatch says that it gave a part, or none (PartialData)", "of 1 periods there are Invocations and no Errors: their requests are not counted by outcome"}, in.Tally.Notes()); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
}
