package importers

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// A request that two files tell of, by its id and instant, counts once.
func TestIDsAcrossFiles(t *testing.T) {
	var specs []input.Spec
	for _, text := range []string{"due,latency,rid\n1767225600,1,a\n1767225601,1,b\n", "due,latency,rid\n1767225600,1,a\n1767225601,1,b\n1767225602,1,a\n1767225602,1,\n"} {
		specs = append(specs, input.Spec{Kind: &Requests, Path: write(t, "r.csv", text), Options: map[string]string{"kind": "csv", "id": "rid"}})
	}
	s, err := input.Open(t.Context(), specs, input.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	if err := s.Run(t.Context(), func(r assay.Record) error {
		if _, ok := r.(*assay.Request); ok {
			n++
		}
		return nil
	}); err != nil || n != 4 {
		t.Errorf("%d requests, %v, want 4", n, err)
	}
	var got []map[string]int64
	for _, sum := range s.Summaries {
		got = append(got, map[string]int64{"kept": sum.Kept, "requests": sum.Requests, "again": sum.Rejected[input.Duplicate]})
	}
	if d := cmp.Diff([]map[string]int64{{"kept": 2, "requests": 2, "again": 0}, {"kept": 2, "requests": 2, "again": 2}}, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
