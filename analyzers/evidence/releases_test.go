package evidence

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// TestReleases: which releases are added up is said, and doubted where one fails more often than chance makes it.
func TestReleases(t *testing.T) {
	of := func(release, id string, from float64, fails ...float64) *Run {
		m, r := natural(id, from, 10, fails...)
		m.Target.Release = release
		return runOf(m, r)
	}
	even := pooled(t, Options{}, of("r1", "a", 0, 5), of("", "b", 20, 6))
	if d := cmp.Diff([]string{"r1", ""}, even.Releases); d != "" {
		t.Errorf("releases (-want +got):\n%s", d)
	}
	if got := strings.Join(even.Units[0].Doubts, "; "); strings.Contains(got, "releases") {
		t.Errorf("one failure each: %q", got)
	}
	worse := pooled(t, Options{}, of("r1", "a", 0, 5), of("r1", "b", 20), of("r2", "c", 40, 1, 2, 4, 6, 7, 9))
	want := []assay.ReleaseRate{{Release: "r1", Exposure: 20 * 3600, Failures: 1}, {Release: "r2", Exposure: 10 * 3600, Failures: 6}}
	if d := cmp.Diff(want, worse.Units[0].Releases, cmpopts.EquateApprox(0, 1e-3)); d != "" {
		t.Errorf("by release (-want +got):\n%s", d)
	}
	// Of 7 failures, 6 or 7 in a third of the watch: 7·(1/3)^6·(2/3) + (1/3)^7 = 15/2187, twice.
	if got := strings.Join(worse.Units[0].Doubts, "; "); !strings.Contains(got, "releases failed at different rates (r1 1 in 20 h, r2 6 in 10 h; p 0.014, exact") {
		t.Errorf("doubts %q", got)
	}
	one := pooled(t, Options{}, of("r1", "a", 0, 5), of("r1", "b", 20, 1, 2, 3, 4))
	if one.Units[0].Releases != nil || strings.Contains(strings.Join(one.Units[0].Doubts, ""), "releases") {
		t.Errorf("one release: %+v", one.Units[0])
	}
}
