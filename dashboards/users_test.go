package dashboards

import (
	"testing"

	"github.com/assay-dev/assay"
)

func TestUsersLine(t *testing.T) {
	share := func(over string, v float64) assay.Finding {
		f := assay.Finding{Metric: "users/hurt", Quantity: est(assay.Ratio, v, v/2, v*2, 40, "users", "Wilson")}
		if over != "" {
			f.Labels = map[string]string{"over": over}
		}
		return f
	}
	r := &assay.Report{Findings: []assay.Finding{share("", .1), share("1%", .1), share("10%", .075), share("50%", .025),
		{Metric: "users/seen", Quantity: exact(assay.Count, 40, 40, "users")}, {Metric: "users/lost_time", Quantity: exact(assay.Seconds, 90, 40, "users")}}}
	if got, want := usersLine(r), "users: 4 of 40 had a failed request, 10 % [5, 20 %], 4 lost more than 1 % of theirs, 3 more than 10 %, 1 more than half; down for 90 s of users' time"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := usersTime(r); got != "users' time" {
		t.Errorf("time of %q", got)
	}
	none := &assay.Report{Findings: []assay.Finding{{Metric: "users/seen", Quantity: assay.NotMeasured(assay.Count, "no request tells its user")}}}
	if usersLine(none) != "" || usersTime(none) != "classes' time (no request tells its user)" {
		t.Errorf("without users: %q, %q", usersLine(none), usersTime(none))
	}
}
