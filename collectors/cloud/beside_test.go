package cloud

import (
	"testing"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// What the platform logged of requests whose clients tell of them too is not counted twice, unless that is asked for.
func TestBesideWhatClientsSaw(t *testing.T) {
	lambda := inputtest.File(t, "fn.log", "2026-01-01T00:00:01.300Z REPORT RequestId: 11111111-1111-4111-8111-111111111111\tDuration: 100.00 ms\tInit Duration: 200.00 ms\t\n")
	ai := inputtest.File(t, "ai.jsonl", `{"time":"2026-01-01T00:00:01Z","itemType":"request","duration":10,"success":"True","resultCode":"200"}`+"\n")
	for requests, want := range map[string]int64{"": 0, "yes": 1} {
		s, err := input.Open(t.Context(), []input.Spec{{Kind: &lambdaKind, Path: lambda}, {Kind: &appInsightsKind, Path: ai, Options: map[string]string{"requests": requests}}}, input.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if a, b := s.Summaries[0].Requests, s.Summaries[1].Requests; a != 1 || b != want {
			t.Errorf("requests=%s: %d and %d requests, want 1 and %d", requests, a, b, want)
		}
	}
}
