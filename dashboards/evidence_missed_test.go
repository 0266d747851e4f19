package dashboards

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// TestMissed: the first lines name which objective of which service failed, before pages of those that are only undecided.
func TestMissed(t *testing.T) {
	judged := func(v assay.Verdict) []assay.Judgement {
		return []assay.Judgement{{Title: "MTBF, service", Verdict: v, Why: "its bound misses the goal"}}
	}
	e := &assay.Evidence{Decision: assay.NoGo, Services: []assay.ServiceEvidence{{Target: "a", Objectives: judged(assay.VerdictInconclusive)}, {Target: "b", Model: "m", Objectives: judged(assay.VerdictFail)}}}
	if d := cmp.Diff([]string{"fail: MTBF, service of b, model m: its bound misses the goal"}, missed(e)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for range 20 {
		e.Services = append(e.Services, assay.ServiceEvidence{Target: "c", Objectives: judged(assay.VerdictFail)})
	}
	if got := missed(e); len(got) != 9 || got[8] != "13 more below" || !strings.HasPrefix(got[1], "fail: MTBF, service of c") {
		t.Errorf("got %q", got)
	}
	e.Services = e.Services[:1]
	if got := missed(e); len(got) != 1 || !strings.HasPrefix(got[0], "inconclusive: ") {
		t.Errorf("got %q", got)
	}
}
