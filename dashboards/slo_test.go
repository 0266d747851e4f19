package dashboards

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func promisedReport() *assay.Report {
	const s = int64(time.Second)
	known := func(v, lo, hi, confidence float64, u assay.Unit) assay.Quantity {
		return assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: confidence, Unit: u, N: 3, Of: "clusters", Method: "m", Basis: assay.Estimated}
	}
	short := known(171, 171, 171, 1, assay.Count)
	short.Method = "m; the run is shorter: within what there was until then"
	slo := assay.SLO{Name: "a", Target: .999, Window: int64(30 * 24 * time.Hour), Good: assay.Indicator{Metric: "availability"}}
	took := func(v float64) assay.Quantity { return known(v, v-1, v, 1, assay.Seconds) }
	open := assay.Quantity{Value: math.NaN(), Lo: 40, Hi: math.Inf(1), Confidence: 1, Unit: assay.Seconds, N: 1, Of: "alerts", Method: "m", Basis: assay.Measured}
	firing := assay.NotMeasured(assay.Seconds, "it was firing already")
	warnings := []string{"it looks back further than the 100 s of the run"}
	return &assay.Report{
		Begin: 0, End: 100 * s,
		SLOs: []assay.SLOResult{
			{SLO: slo, Burn: known(50, 2, 300, .95, assay.Count), Spent: known(.002, .0001, .01, .95, assay.Ratio), Worst: []assay.Burn{{Window: 300 * s, Rate: short}}, Lasts: assay.NotEstimable(assay.Seconds, 1, "clusters", "there is one"),
				Causes: []assay.Share{{Name: "fault http", Ratio: known(.0015, .0015, .0015, 1, assay.Ratio), Evidence: []string{"30 server_error"}}, {Name: "unexplained", Ratio: known(.0005, .0005, .0005, 1, assay.Ratio)}}},
			{SLO: assay.SLO{Name: "b", Target: .95, Window: int64(7 * 24 * time.Hour), Calendar: true, Method: assay.Timeslices, Slice: 60 * s, SliceTarget: .9, Good: assay.Indicator{Metric: "e2e", Max: 2 * s}}, Burn: assay.NotMeasured(assay.Count, "no event of it was seen")},
		},
		Series: []assay.Series{{Name: "slo/burn/a/5m", Unit: assay.Count, Kind: "line", Times: []int64{0, 50 * s, 100 * s}, Values: []assay.Num{0, 171, 100}}},
		Replays: []assay.Replay{
			{Alert: "ASLO", Severity: "page", SLO: "a", On: "series made of the run's requests", Step: 5 * s, Fired: []assay.Interval{{Begin: 20 * s, End: 30 * s}, {Begin: 60 * s, End: 100 * s}}, Open: true, Warnings: warnings,
				Looks: []assay.Detection{{Kind: "http", Fault: "f1", Begin: 15 * s, End: 25 * s, Hurt: true, Fires: 1, Delay: took(5), Resolve: took(5)}, {Kind: "natural", Begin: 55 * s, End: 60 * s, Hurt: true, Fires: 2, Delay: took(5), Resolve: open}}},
			{Alert: "Own", File: "own.yaml", On: "recorded metrics", Step: 5 * s, Fired: []assay.Interval{{Begin: 3 * s, End: 4 * s}}, False: 1, FalseAt: 3 * s, Warnings: append(warnings[:1:1], "the run has no series x"),
				Over: []assay.Overspend{{At: 2 * s, SLO: "a", Window: 3600 * s, Bad: known(.2, .2, .2, 1, assay.Ratio), Allowed: .001}},
				Looks: []assay.Detection{{Kind: "http", Fault: "f1", Begin: 15 * s, End: 25 * s, Hurt: true, Delay: open, Resolve: open}, {Kind: "overload", Begin: 70 * s, End: 80 * s, Delay: assay.NotMeasured(assay.Seconds, "nothing")},
					{Kind: "natural", Begin: 82 * s, End: 83 * s, Hurt: true, Delay: firing}, {Kind: "natural", Begin: 84 * s, End: 85 * s, Hurt: true, Delay: firing}}},
		},
	}
}

// What became of a budget reads as people say it, with its interval, and what a rule would have done too.
func TestSLOText(t *testing.T) {
	r := promisedReport()
	var got []string
	for i := range r.SLOs {
		got = append(got, sloTitle(&r.SLOs[i]))
		got = append(got, sloLines(&r.SLOs[i])...)
	}
	got = append(got, replayHead(r))
	for i := range r.Replays {
		got = append(got, replayName(&r.Replays[i])+" "+replayLine(r, &r.Replays[i]))
	}
	got = append(got, replayDoubts(r)...)
	want := []string{
		"a: 99.9 % of requests served over 30 days",
		"spent 0.2 % [0.01, 1 %] of the budget in 1m44s; burn rate 50x [2..300] (3 clusters)",
		"at worst over 5m 171x (over all of the run, which is shorter) (3 clusters)",
		"spent on fault http 75 % (3 clusters: 30 server error), unexplained 25 % (3 clusters)",
		"how long a budget lasts by itself: not estimable, because there is one",
		"b: 95 % of requests with e2e ≤ 2 s over 7 days by the calendar, by slices of 60 s that are 90 % good",
		"not measured, because no event of it was seen",
		"2 alerting rules evaluated on series made of the run's requests and on recorded metrics each 5 s: instants are known to that",
		"page ASLO fault http at 15 s: would have fired 5 s [4, 5] after it began, gone 5 s [4, 5] after it ended; failure at 55 s: would have fired 5 s [4, 5] after it began and FLAPPED, 2 times, still firing at the end of the run",
		"Own of own.yaml fault http at 15 s: DID NOT FIRE in 40 s; was firing already when 2 incidents began, the first at 82 s; rightly quiet in 1 incident that hurt nobody; fired once WITHOUT AN INCIDENT, at 3 s; " +
			"fired at 2 s without an incident, but RIGHTLY by the budget: in the 1h before what the metrics tell of was bad to 20 % (3 clusters), and a allows 0.1 %",
		"it looks back further than the 100 s of the run",
		"Own of own.yaml: the run has no series x",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The views hold them all, and the page draws the burn rate with the alerts below it.
func TestSLOViews(t *testing.T) {
	r := promisedReport()
	var text, md, page strings.Builder
	for view, render := range map[*strings.Builder]Render{&text: Text(TextOptions{Width: 120}), &md: Markdown, &page: HTML} {
		if err := render(view, r); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		got  string
		want []string
	}{
		"text":     {text.String(), []string{"SLO        a: 99.9 % of requests served over 30 days", "REPLAY     2 alerting rules", "  page ASLO fault http at 15 s"}},
		"markdown": {md.String(), []string{"### Error budgets", "### Alerting rules, replayed", "* **page ASLO** fault http at 15 s"}},
		"html":     {page.String(), []string{"<h2>Error budgets", "Burn rate of a", "ASLO (page) fires from 20 s to 30 s", "ASLO (page) fires from 60 s on, until the end of the run", "page above 14.4x in both", "would have fired"}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.got, want) {
				t.Errorf("%s: %q is not in it", name, want)
			}
		}
	}
}
