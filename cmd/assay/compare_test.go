package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
	"github.com/assay-dev/assay/internal/store"
)

// A madeRun is a run of a simulated deployment, on disk.
type madeRun struct {
	dir     string
	release string
	at      int64   // s since some day
	ttft    float64 // s, median
	plan    string
	status  string
}

// plannedLoad is the part of a plan that runs must have in common.
const plannedLoad = `{"load":[{"name":"steady","arrivals":{"poisson":{"rate":"5/s"}}}],"target":{"kind":"sandbox"}}`

// makeRuns writes runs, with a spread between them of 1 %.
func makeRuns(t *testing.T, runs ...madeRun) {
	t.Helper()
	for i, m := range runs {
		r := rand.New(rand.NewPCG(uint64(m.at), uint64(i)))
		if m.ttft == 0 {
			m.ttft = 0.1
		}
		run, _ := factstest.Deployment{Rate: 10, For: 8 * factstest.Second, Sigma: .05, TTFT: m.ttft * math.Exp(0.01*r.NormFloat64())}.Simulate(r)
		run.M.ID, run.M.Name, run.M.Version = fmt.Sprintf("%016x", r.Uint64()), "made", "1.0"
		run.M.Epoch = 1_790_000_000e9 + m.at*1e9
		run.M.Target.Release = m.release
		run.M.Plan = json.RawMessage(plannedLoad)
		if m.plan != "" {
			run.M.Plan = json.RawMessage(m.plan)
		}
		w, err := store.Create(m.dir, &run.M)
		if err != nil {
			t.Fatal(err)
		}
		for j := range run.E {
			if err := w.EmitSync(&run.E[j]); err != nil {
				t.Fatal(err)
			}
		}
		for j := range run.R {
			if err := w.EmitWait(t.Context(), &run.R[j]); err != nil {
				t.Fatal(err)
			}
		}
		end := run.M.End
		if m.status != "" {
			end.Status = m.status
		}
		if err := w.Seal(end); err != nil {
			t.Fatal(err)
		}
	}
}

// sidesOf makes n runs a side in turns: v1 in base, v2 in cand, slower by a factor.
func sidesOf(t *testing.T, dir string, n int, slower float64) {
	t.Helper()
	for i := range n {
		makeRuns(t, madeRun{dir: filepath.Join(dir, "base", fmt.Sprint(i)), release: "v1", at: int64(200 * i)},
			madeRun{dir: filepath.Join(dir, "cand", fmt.Sprint(i)), release: "v2", at: int64(200*i + 100), ttft: 0.1 * slower})
	}
}

func comparisonOf(t *testing.T, got result) *assay.Comparison {
	t.Helper()
	c := new(assay.Comparison)
	if err := json.Unmarshal([]byte(got.out), c); err != nil {
		t.Fatalf("exit %d: %v\n%s%s", got.code, err, got.out, got.err)
	}
	return c
}

func TestCompareRuns(t *testing.T) {
	dir := t.TempDir()
	sidesOf(t, dir, 8, 1.12)
	got := assayIn(t, dir, "compare", "base", "cand", "-o", "json")
	c := comparisonOf(t, got)
	if got.code != assay.ExitNoGo || c.Verdict != assay.VerdictFail || c.Schema != assay.ComparisonSchema || c.Base.Name != "v1" || c.Candidates[0].Name != "v2" || c.Candidates[0].Turns != assay.TurnsTaken {
		t.Errorf("exit %d, %s: %s", got.code, c.Verdict, c.Why)
	}
	for _, ch := range c.Changes {
		if ch.Metric == "ttft/p50" && (math.Abs(ch.Change.Value-0.12) > 0.03 || len(ch.BaseValues) != 8 || ch.Margin != 0.05) {
			t.Errorf("TTFT: %+v", ch)
		}
		if ch.Role == assay.ChangeGate && (ch.Change.Known() == (ch.Change.Reason != "") || ch.Change.Of == "" || ch.Change.Known() && ch.Change.Method == "") {
			t.Errorf("%s is bare: %s", ch.Title, ch.Change)
		}
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"base", "cand", "--margin", "30%", "--metric", "ttft/p50"}, assay.ExitGo, "PASS"},
		{[]string{"base", "cand", "--margin", "30%"}, assay.ExitInconclusive, "runs that all tell it"},
		{[]string{"cand", "base", "--metric", "ttft/p50"}, assay.ExitGo, "PASS"},
		{[]string{"base", "cand", "--metric", "itl/p50"}, assay.ExitGo, "PASS"},
		{[]string{"--by", "release", "base", "cand"}, assay.ExitNoGo, "CANDIDATE  v2: 8 runs"},
		{[]string{"--by", "release", "--base", "v2", "base", "cand", "--metric", "ttft/p50"}, assay.ExitGo, "CANDIDATE  v1: 8 runs"},
		{[]string{"base/0", "cand/0"}, assay.ExitInconclusive, "about 4 more runs a side"},
		{[]string{"base/0,base/1,base/2", "cand/[012]"}, assay.ExitInconclusive, "CANDIDATE  v2: 3 runs"},
		{[]string{"base", "cand", "-o", "markdown"}, assay.ExitNoGo, "## v1 against v2: FAIL"},
		{[]string{"base", "cand", "-o", "html"}, assay.ExitNoGo, "<title>FAIL: v2 against v1</title>"},
		{[]string{"base"}, assay.ExitUsage, "name two sides or more"},
		{[]string{"base", "base/3"}, assay.ExitUsage, "base/3 and base/3 are the same run"},
		{[]string{"base", "nowhere"}, assay.ExitUsage, "nowhere: no run and no directory of runs"},
		{[]string{"base", "."}, assay.ExitUsage, ". holds no run"},
		{[]string{"base", "cand", "--metric", "e2e/q"}, assay.ExitUsage, "no analyzer reports"},
		{[]string{"base", "cand", "--margin", "5"}, assay.ExitUsage, "below 100%"},
		{[]string{"base", "cand", "--margin", "latency=5%"}, assay.ExitUsage, "no metric is called latency"},
		{[]string{"base", "cand", "--confidence", "10%"}, assay.ExitUsage, "out of range"},
		{[]string{"base", "cand", "--confidence", "NaN"}, assay.ExitUsage, "out of range"},
		{[]string{"--history", "base", "--confidence", "NaN"}, assay.ExitUsage, "out of range"},
		{[]string{"base", "cand", "--metric", "mtbf/service"}, assay.ExitUsage, "ask for failure_rate/service"},
		{[]string{"base", "cand", "--metric", "availability/natural"}, assay.ExitUsage, "ask for failure_rate/service"},
		{[]string{"base", "cand", "--base", "v1"}, assay.ExitUsage, "--base goes with --by"},
		{[]string{"--by", "release", "--base", "v9", "base", "cand"}, assay.ExitUsage, "one of v1, v2"},
		{[]string{"--by", "release", "base"}, assay.ExitUsage, "the same release"},
		{[]string{"--by", "colour", "base"}, assay.ExitUsage, "release, target, model or name"},
		{[]string{"base", "cand", "-o", "xml"}, assay.ExitUsage, "text, markdown, html or json"},
	} {
		got := assayIn(t, dir, append([]string{"compare"}, test.args...)...)
		if got.code != test.code || !strings.Contains(got.out+got.err, test.want) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", test.args, got.code, test.code, test.want, got.out, got.err)
		}
	}
}

func TestCompareRefusesOtherPlans(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		makeRuns(t, madeRun{dir: filepath.Join(dir, "a", fmt.Sprint(i)), at: int64(200 * i)},
			madeRun{dir: filepath.Join(dir, "b", fmt.Sprint(i)), at: int64(200*i + 100), plan: strings.Replace(plannedLoad, "5/s", "9/s", 1)},
			madeRun{dir: filepath.Join(dir, "c", fmt.Sprint(i)), at: int64(200*i + 150), status: assay.EndAborted})
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"a", "b"}, assay.ExitInvalid, "differ in load"},
		{[]string{"a", "b", "--other-plans"}, assay.ExitInconclusive, "differ in load"},
		{[]string{"a", "c"}, assay.ExitInvalid, "it ended early: aborted"},
	} {
		got := assayIn(t, dir, append([]string{"compare"}, test.args...)...)
		if got.code != test.code || !strings.Contains(strings.Join(strings.Fields(got.out), " "), test.want) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", test.args, got.code, test.code, test.want, got.out, got.err)
		}
	}
}

func TestCompareHistory(t *testing.T) {
	dir := t.TempDir()
	for i := range 16 {
		m := madeRun{dir: filepath.Join(dir, "runs", fmt.Sprint(i)), release: "v1", at: int64(200 * i)}
		if i >= 8 {
			m.release, m.ttft = "v2", 0.13
		}
		makeRuns(t, m)
	}
	got := assayIn(t, dir, "compare", "--history", "runs", "-o", "json")
	h := new(assay.History)
	if err := json.Unmarshal([]byte(got.out), h); err != nil || got.code != 0 {
		t.Fatalf("exit %d, %v: %s", got.code, err, got.err)
	}
	if len(h.Points) == 0 || h.Points[0].Index != 8 || h.Points[0].From != "v1" || h.Points[0].To != "v2" || !h.Points[0].Worse || len(h.Runs) != 16 {
		t.Errorf("%+v", h.Points)
	}
	for format, want := range map[string]string{"text": "v1 → v2", "markdown": "| TTFT p50 | 9: "} {
		if got := assayIn(t, dir, "compare", "--history", "runs", "-o", format); got.code != 0 || !strings.Contains(got.out, want) {
			t.Errorf("%s: exit %d\n%s%s", format, got.code, got.out, got.err)
		}
	}
	if got := assayIn(t, dir, "compare", "--history", "runs/1,runs/2"); got.code != assay.ExitUsage || !strings.Contains(got.err, "at least 4 runs") {
		t.Errorf("two runs: exit %d, %s", got.code, got.err)
	}
}
