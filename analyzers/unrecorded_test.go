package analyzers

import (
	"strings"
	"testing"
)

// What others told of another century makes nothing of ours invalid; what we lost of our own does.
func TestRecordsLeftOut(t *testing.T) {
	run := startRun()
	run.M.End.Unrecorded = map[string]int64{"events/future": 2, "spans/order": 1}
	trust := assess(t, run, "validity").Trust
	if text := strings.Join(trust.Doubts, "\n"); !strings.Contains(text, "3 records of others were left out, since their times cannot be true (2 events/future, 1 spans/order): is the clock of their source right?") || strings.Contains(strings.Join(trust.Problems, "\n"), "lost") {
		t.Errorf("doubts %q, problems %q", trust.Doubts, trust.Problems)
	}
	run.M.End.Unrecorded = map[string]int64{"requests/order": 2, "samples/disk_slow": 1}
	if got := strings.Join(assess(t, run, "validity").Trust.Problems, "\n"); !strings.Contains(got, "records were lost: 2 requests/order, 1 samples/disk_slow") {
		t.Errorf("problems %q", got)
	}
}
