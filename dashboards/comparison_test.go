package dashboards

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/assay-dev/assay"
)

// sampleComparison holds every role, scale and verdict once.
func sampleComparison() *assay.Comparison {
	est := func(v, lo, hi float64, u assay.Unit, n int, of string) assay.Quantity {
		return assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: 0.9, Unit: u, N: n, Of: of, Method: "Hodges-Lehmann, ranks with normal scores, exact", Basis: assay.Estimated}
	}
	few := assay.NotEstimable(assay.Ratio, 12, "runs", "the base is compared with itself from 10 runs on")
	c := &assay.Comparison{Schema: assay.ComparisonSchema, Kind: "runs", Verdict: assay.VerdictFail, Exit: assay.ExitNoGo, Confidence: 0.9,
		Why: "end to end p95 is 12 % higher (9 % to 14 %), and 5 % is the margin", Next: "look at <v2>",
		Base:       assay.Side{Name: "v1", Runs: []assay.ComparedRun{{Dir: "runs/a", ID: "01", Name: "t", Release: "v1", Version: "1", Begin: 1_790_000_000e9}, {Dir: "runs/x", LeftOut: "it was killed"}}},
		Candidates: []assay.Side{{Name: "v2", Runs: []assay.ComparedRun{{Dir: "runs/b", ID: "02", Release: "v2", Begin: 1_790_000_100e9}}, Order: "AABB", Turns: assay.TurnsNone}},
		Doubts:     []string{"the runs of v2 were made apart"}}
	c.Changes = []assay.Change{
		{Metric: "e2e/p95", Title: "end to end p95", Better: "lower", Role: assay.ChangeGate, Base: est(0.4, 0.39, 0.41, assay.Seconds, 6, "runs"), Other: est(0.448, 0.44, 0.46, assay.Seconds, 6, "runs"),
			Scale: assay.ScaleRatio, Change: est(0.12, 0.09, 0.14, assay.Ratio, 12, "runs, 6 and 6"), Margin: 0.05, P: 0.001, Adjusted: 0.002, Verdict: assay.VerdictFail, Why: "the whole interval lies beyond the margin",
			Smallest: est(0.08, 0.08, 0.08, assay.Ratio, 12, "runs, 6 and 6"), Self: few, BaseValues: []float64{0.39, 0.4, 0.41}, OtherValues: []float64{0.44, 0.45, 0.46}},
		{Metric: "goodput", Title: "goodput", Better: "higher", Role: assay.ChangeGate, Base: est(10, 9, 11, assay.PerSecond, 6, "runs"), Other: est(9.8, 9, 11, assay.PerSecond, 6, "runs"),
			Scale: assay.ScaleRatio, Change: est(-0.02, -0.1, 0.05, assay.Ratio, 12, "runs, 6 and 6"), Margin: 0.05, P: 0.4, Adjusted: 0.4, Verdict: assay.VerdictInconclusive, Why: "the interval holds the margin",
			Enough: "about 9 more runs a side", More: 9, Smallest: few, Self: est(0.01, -0.02, 0.03, assay.Ratio, 6, "runs of the base")},
		{Metric: "error_ratio", Title: "error ratio", Better: "lower", Role: assay.ChangeWatch, Base: est(0.001, 0, 0.002, assay.Ratio, 6, "runs"), Other: est(0.002, 0, 0.003, assay.Ratio, 6, "runs"),
			Scale: assay.ScaleDifference, Change: est(0.001, -0.001, 0.003, assay.Ratio, 12, "runs, 6 and 6"), Margin: 0.005, P: 0.9, Adjusted: 1, Verdict: assay.VerdictPass, Smallest: few, Self: few},
		{Metric: "failure_rate/service", Title: "failure rate, service", Better: "lower", Role: assay.ChangeWatch, Base: est(0, 0, 2, assay.PerHour, 0, "failures"), Other: est(3, 1, 9, assay.PerHour, 3, "failures"),
			Scale: assay.ScaleRate, Change: est(math.Inf(1), 0.2, math.Inf(1), assay.Ratio, 3, "failures, 0 and 3"), Margin: 1, P: 0.2, Adjusted: 0.6, Verdict: assay.VerdictInconclusive, Why: "3 failures in 1h0m0s show neither", Smallest: few, Self: few},
		{Metric: "cold/start/p50", Title: "cold start p50", Better: "lower", Role: assay.ChangeShow, Base: est(2, 1, 3, assay.Seconds, 6, "runs"), Other: assay.NotMeasured(assay.Seconds, "no start"),
			Scale: assay.ScaleRatio, Change: assay.NotMeasured(assay.Ratio, "one side does not tell it"), Margin: 0.05, P: assay.Num(math.NaN()), Adjusted: assay.Num(math.NaN()), Verdict: assay.VerdictInconclusive, Smallest: few, Self: few},
	}
	for i := range c.Changes {
		c.Changes[i].Candidate = "v2"
	}
	return c
}

func sampleHistory() *assay.History {
	q := assay.Quantity{Value: 0.2, Lo: 0.19, Hi: 0.21, Confidence: 0.9, Unit: assay.Seconds, N: 12, Of: "runs"}
	after := q
	after.Value, after.Lo, after.Hi = 0.25, 0.24, 0.26
	return &assay.History{Schema: assay.HistorySchema, Name: "nightly", Plan: "abc", Window: 50, MaxP: 0.001, Least: 0.05, Sure: 0.9, Looked: []string{"TTFT p50", "goodput"}, Short: []string{"recovery, kill: only 2 runs tell it"},
		Runs:   []assay.ComparedRun{{Dir: "runs/1", Begin: 1_790_000_000e9}, {Dir: "runs/2", Begin: 1_790_086_400e9}},
		Points: []assay.LevelChange{{Metric: "ttft/p50", Title: "TTFT p50", Better: "lower", Index: 12, Run: assay.ComparedRun{Begin: 1_790_086_400e9}, From: "v1", To: "v2", Before: q, After: after, Change: 0.25, P: 1e-9, Worse: true}},
		Doubts: []string{"the runs were made on 2 different machines"}}
}

func TestComparisonViews(t *testing.T) {
	c, h := sampleComparison(), sampleHistory()
	for name, write := range map[string]func(io.Writer) error{
		"comparison.txt":    func(w io.Writer) error { return ComparisonText(TextOptions{})(w, c) },
		"comparison.md":     func(w io.Writer) error { return ComparisonMarkdown(w, c) },
		"comparison.html":   func(w io.Writer) error { return ComparisonHTML(w, c) },
		"comparison.json":   func(w io.Writer) error { return ComparisonJSON(w, c) },
		"level-changes.txt": func(w io.Writer) error { return HistoryText(TextOptions{ASCII: true})(w, h) },
		"level-changes.md":  func(w io.Writer) error { return HistoryMarkdown(w, h) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", "comparison", name), b.Bytes())
	}
}

func TestComparisonJSONReadsBack(t *testing.T) {
	want := sampleComparison()
	var b bytes.Buffer
	if err := ComparisonJSON(&b, want); err != nil {
		t.Fatal(err)
	}
	got := new(assay.Comparison)
	if err := json.Unmarshal(b.Bytes(), got); err != nil {
		t.Fatal(err)
	}
	want.Changes[3].Change.Value = math.NaN() // JSON has no infinity
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmp.Comparer(func(a, b assay.Num) bool { return a == b || a != a && b != b })); diff != "" {
		t.Error(diff)
	}
}

// A race bounds times and losses by different methods: each is told with what it is of.
func TestRaceMethods(t *testing.T) {
	change := func(title, method string) *assay.Change {
		return &assay.Change{Title: title, Change: assay.Quantity{Method: method}}
	}
	for _, test := range []struct {
		judged []*assay.Change
		want   string
	}{
		{nil, "no interval could be given yet"},
		{[]*assay.Change{change("TTFT p50", "ranks"), change("TTFT p95", "ranks"), change("open", "")}, "ranks"},
		{[]*assay.Change{change("TTFT p50", "ranks"), change("error ratio", "means"), change("TTFT p95", "ranks")}, "TTFT p50, TTFT p95: ranks; error ratio: means"},
	} {
		if got := raceMethods(test.judged); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
