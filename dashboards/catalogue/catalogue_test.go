package catalogue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

func TestOverview(t *testing.T) {
	d := Overview()
	ids := map[uint32]string{}
	for _, r := range d.Rows {
		if other, twice := ids[r.ID]; twice || r.ID == 0 {
			t.Errorf("row %q: id %d is missing or that of %q", r.Title, r.ID, other)
		}
		ids[r.ID] = r.Title
		for _, p := range r.Panels {
			if other, twice := ids[p.ID]; twice || p.ID == 0 {
				t.Errorf("panel %q: id %d is missing or that of %q", p.Title, p.ID, other)
			}
			ids[p.ID] = p.Title
			if len(p.Queries) == 0 || p.Width == 0 || p.Height == 0 || p.Unit == "" || !strings.Contains(p.Question, "?") {
				t.Errorf("panel %q: a query, a size, a unit and a question are needed", p.Title)
			}
			for _, q := range p.Queries {
				if q.Goal && q.EmptyOK == "" {
					t.Errorf("panel %q: a goal line must be allowed to be absent", p.Title)
				}
			}
		}
	}
	if len(d.Panels()) < 15 {
		t.Errorf("%d panels", len(d.Panels()))
	}
}

// TestOutcomes holds the queries to the vocabulary: what counts as failed there counts as failed here.
func TestOutcomes(t *testing.T) {
	in := func(o assay.Outcome, list string) bool {
		for _, name := range strings.Split(list, "|") {
			if name == o.String() {
				return true
			}
		}
		return false
	}
	for o := assay.OutcomeUnknown; o <= assay.Credential; o++ {
		if in(o, failed()) != o.Bad() || in(o, judged()) != o.Counts() {
			t.Errorf("%s: failed %v, judged %v in the queries", o, in(o, failed()), in(o, judged()))
		}
	}
}

func ExampleExpand() {
	fmt.Println(Expand(`sum(rate(assay_requests_total{run="$run", phase=~"$phase"}[$__rate_interval]))`, "demo", ".+", "5s"))
	// Output: sum(rate(assay_requests_total{run="demo", phase=~".+"}[5s]))
}
