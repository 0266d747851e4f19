package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/internal/stat"
)

const shared = "../../../shared/data"

// call runs the command and wants it to succeed.
func call(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), &out, &errs, args); code != 0 {
		t.Fatalf("%v: exit %d: %s", args, code, errs.String())
	}
	return out.String()
}

// decoded runs the command with --output json.
func decoded[T any](t *testing.T, args ...string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(call(t, append(args, "--output", "json")...)), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// writeNoise writes a series of two machines with the given noise, and returns its directory.
func writeNoise(t *testing.T, sd float64) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	b.WriteString("value,runtime,starttime,VM_id\n")
	for i := range 400 { // rows need not be in order
		fmt.Fprintf(&b, "%.3f,30,2024-06-06 %05d,%d\n", 1000*math.Exp(sd*rng.NormFloat64()), 99999-i, i%2)
	}
	if err := os.WriteFile(filepath.Join(dir, "made.csv"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGate(t *testing.T) {
	got := decoded[gateScore](t, "gate", writeNoise(t, .01))
	if got.Comparisons != 20 || got.FalseFail != 0 || got.Found < .95 || got.TruePass < .8 || got.FalsePass != 0 {
		t.Errorf("calm: %+v", got)
	}
	wild := writeNoise(t, .2)
	got = decoded[gateScore](t, "gate", wild)
	if got.Found > .3 || got.FalsePass != 0 || got.Series[0].Missed < .7 {
		t.Errorf("wild: %+v", got)
	}
	if big := decoded[gateScore](t, "gate", wild, "--loss", "0.6"); big.Found < .95 {
		t.Errorf("a loss of 60 %%: %+v", big)
	}
	if n := decoded[gateScore](t, "gate", wild, "--n", "50"); n.Comparisons != 4 {
		t.Errorf("n 50: %+v", n)
	}
	a, b, c := call(t, "gate", wild, "--seed", "5"), call(t, "gate", wild, "--seed", "5"), call(t, "gate", wild, "--seed", "6")
	if a != b || a == c {
		t.Errorf("seeds: %v %v", a == b, a == c)
	}
	for _, want := range []string{"made", "false fails: ", "odd series (1)", "10 runs of each side, in turn; margin 2 %"} {
		if !strings.Contains(a, want) {
			t.Errorf("no %q in\n%s", want, a)
		}
	}
	if s := call(t, "gate", wild, "--adjacent"); !strings.Contains(s, "one side after the other") {
		t.Error(s)
	}
}

// The published protocol on the shared noise: at most one false fail in a thousand, 85 % of losses of 5 % found, and no miss that passes.
func TestGateOnNoise(t *testing.T) {
	dir := filepath.Join(shared, "azure-vm-noise")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the shared data are not here")
	}
	seeds := []string{"0"}
	if os.Getenv("ASSAY_FULL") != "" {
		seeds = []string{"0", "1", "2", "3", "4"}
	}
	for _, seed := range seeds {
		got := decoded[gateScore](t, "gate", dir, "--seed", seed)
		t.Logf("seed %s: false fails %.5f, found %.4f, passed %d of %d; halves %+v", seed, got.FalseFail, got.Found, got.Passes, got.Comparisons, got.Halves)
		if got.FalseFail > .001 || got.Found < .85 || got.Passes > 0 || len(got.Series) != 18 {
			t.Errorf("seed %s: false fails %.5f, found %.4f, passed %d, %d series", seed, got.FalseFail, got.Found, got.Passes, len(got.Series))
		}
		// One side after the other a drift looks like a change: no more false fails for it, at the price of losses that are not found.
		apart := decoded[gateScore](t, "gate", dir, "--adjacent", "--seed", seed)
		t.Logf("seed %s, adjacent: false fails %.5f, found %.4f", seed, apart.FalseFail, apart.Found)
		if apart.FalseFail > .001 || apart.Found < .65 {
			t.Errorf("seed %s, adjacent: false fails %.5f, found %.4f", seed, apart.FalseFail, apart.Found)
		}
	}
}

func TestChangePoints(t *testing.T) {
	file := filepath.Join(t.TempDir(), "steps.json")
	const steps = `{"series": [1,1.1,1,1.1,1,1.1,1,1.1,1,1.1,2,2.1,2,2.1,2,2.1,2,2.1,2,2.1], "cases": [
		{"name": "right", "window_len": 20, "max_pvalue": 0.01, "expected": [10]}, {"name": "wrong", "window_len": 20, "max_pvalue": 0.01, "expected": [11]}]}`
	if err := os.WriteFile(file, []byte(steps), 0o644); err != nil {
		t.Fatal(err)
	}
	got := decoded[changeScore](t, "changepoints", file)
	if !(got.Speed > 0) {
		t.Errorf("speed %g", got.Speed)
	}
	got.Speed = 0
	want := changeScore{Cases: 2, Exact: 1, Values: 20, Results: []changeCase{
		{Name: "right", Window: 20, MaxP: .01, Expected: []int{10}, Found: []int{10}, Missing: []int{}, Extra: []int{}},
		{Name: "wrong", Window: 20, MaxP: .01, Expected: []int{11}, Found: []int{10}, Missing: []int{11}, Extra: []int{10}}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s := call(t, "changepoints", file); !strings.Contains(s, "exact: 1 of 2 cases, over 20 values") {
		t.Error(s)
	}
	tigers := filepath.Join(shared, "change-points", "tigerbeetle.json")
	if _, err := os.Stat(tigers); err != nil {
		t.Skip("the shared data are not here")
	}
	if got := decoded[changeScore](t, "changepoints", tigers); got.Cases != 5 || got.Exact != 5 {
		t.Errorf("%+v", got)
	}
}

func TestCoverage(t *testing.T) {
	args := []string{"coverage", "--runs", "230", "--only", "MTBF, watched"}
	got := decoded[coverageScore](t, args...)
	if len(got.Rows) != 7 || got.Short != 0 || got.Rows[0].Runs != 230 || got.Rows[0].OfTold < .9 || got.Rows[0].Abstained != 0 {
		t.Errorf("%+v", got)
	}
	before := call(t, args...)
	old := runtime.GOMAXPROCS(1)
	after := call(t, args...)
	runtime.GOMAXPROCS(old)
	if before != after {
		t.Error("the table depends on the number of cores")
	}
	if other := call(t, append(args, "--seed", "2")...); other == before {
		t.Error("the seed changes nothing")
	}
	all := call(t, "coverage", "--runs", "20", "--only", "3 starts")
	for _, want := range []string{"COLD STARTS", "p50 of 3 starts that hold 20 requests each  ", "0.75", "nothing claimed", "for comparison only", "0 of 6 rows fall short, in 20 runs each; seed 1", "not estimable in 2 rows, because not even the range"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

// A row that claims too much is told.
func TestCoverageFallsShort(t *testing.T) {
	r := row{"g", "n", .95, 0, false, nil}
	claims := make([]claim, 100)
	for i := range claims {
		claims[i] = claim{told: i%2 == 0, truth: float64(i % 3), nines: i == 0}
		claims[i].in.Hi = 1
	}
	got := r.count(claims)
	want := coverageRow{Group: "g", Name: "n", Nominal: .95, Runs: 100, Abstained: 50, Covered: 33, OfTold: .66, OfAll: .33, Width: 1, Nines: 1, Least: .95}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s := (coverageScore{Runs: 100, Short: 1, Rows: []coverageRow{got}}); !strings.Contains(tableOf(s), "FALLS SHORT") {
		t.Error(tableOf(s))
	}
}

func tableOf(s score) string {
	var b bytes.Buffer
	s.table(&b)
	return b.String()
}

// Every row holds, over a thousand runs each.
func TestCoverageOfAll(t *testing.T) {
	runs := "20"
	if os.Getenv("ASSAY_FULL") != "" {
		runs = "1000"
	}
	got := decoded[coverageScore](t, "coverage", "--runs", runs)
	for _, r := range got.Rows {
		if !r.Holds && !r.Check {
			t.Errorf("%s, %s: %.3f of %d told, want %.3f", r.Group, r.Name, r.OfTold, r.Runs-r.Abstained, r.Least)
		}
		if strings.HasPrefix(r.Name, "0 to 3 failures") && r.Nines > r.Runs/50 {
			t.Errorf("%s: nines were claimed in %d of %d", r.Name, r.Nines, r.Runs)
		}
	}
	if len(got.Rows) < 150 {
		t.Errorf("%d rows", len(got.Rows))
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		d := filepath.Join(dir, name)
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "x.csv"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return d
	}
	cases := filepath.Join(dir, "cases.json")
	if err := os.WriteFile(cases, []byte(`{"series": [1], "cases": [{"window_len": 1, "max_pvalue": 0.1}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"gate"}, "want one directory of series, or --synthetic"},
		{[]string{"gate", dir, "--synthetic"}, "want one directory of series, or --synthetic"},
		{[]string{"gate", filepath.Join(dir, "none")}, "no such file"},
		{[]string{"gate", dir}, "holds no *.csv; want one file for each series"},
		{[]string{"gate", file("a", "value,start\n1,2\n")}, "x.csv:1: no column starttime among value, start"},
		{[]string{"gate", file("b", "value,starttime,VM_id\n1,2,3\n-1,2,3\n")}, `x.csv:3: value "-1"; want a number above 0`},
		{[]string{"gate", file("c", "value,starttime,VM_id\n1,2,3\n")}, "series x: no machine has 20 repeats, which one comparison with --n 10 needs"},
		{[]string{"gate", dir, "--n", "1"}, "--n 1 is out of range; 2 to 1000"},
		{[]string{"gate", dir, "--loss", "0.01"}, "--loss 0.01 is out of range; more than the margin 0.02"},
		{[]string{"gate", dir, "--margin", "1"}, "--margin 1 is out of range"},
		{[]string{"gate", dir, "--output", "xml"}, `--output "xml" is unknown; text or json`},
		{[]string{"changepoints", filepath.Join(dir, "none")}, "no such file"},
		{[]string{"changepoints", cases}, "cases[0]: window_len 1"},
		{[]string{"coverage", "--runs", "1"}, "--runs 1 is out of range; 20 to 1000000"},
		{[]string{"coverage", "--only", "no such"}, "the groups are availability by request, availability by time, cold starts"},
		{[]string{"other"}, "unknown command"},
	} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), &out, &errs, tc.args); code != 2 || !strings.Contains(errs.String(), tc.want) || out.Len() > 0 {
			t.Errorf("%v: exit %d, %q, want %q", tc.args, code, errs.String(), tc.want)
		}
	}
	if s := call(t); !strings.Contains(s, "changepoints") {
		t.Error(s)
	}
}

// Whatever a file holds, reading it ends with values above 0 or an error.
func FuzzReadSeries(f *testing.F) {
	f.Add("value,runtime,starttime,VM_id\n3109.0,33.15,2024-06-06 12:18:46.110,0\n")
	f.Add("VM_id,value,starttime\n\"a\nb\",1e300,x\n")
	f.Fuzz(func(t *testing.T, text string) {
		machines, err := readSeries(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, m := range machines {
			for _, v := range m {
				if !(v > 0) {
					t.Errorf("value %g", v)
				}
			}
		}
	})
}

// On noise that is made, of kinds on which nothing was chosen, equal sides fail next to never and no loss passes, but where the noise keeps step with the turns.
func TestGateOnMadeNoise(t *testing.T) {
	each := 40
	if os.Getenv("ASSAY_FULL") != "" {
		each = eachOfNoise
	}
	s := gateScore{Runs: 10, Loss: .05, Margin: .02, Interleaved: true}
	all, groups := made(s.Runs, 3)
	for i := range all {
		all[i].machines = all[i].machines[:each]
	}
	if err := s.compare(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	s.group(groups)
	if len(s.Groups) != 3 || s.Groups[0].Series != 18 || s.Groups[0].Name != likeShared {
		t.Fatalf("groups %+v", s.Groups)
	}
	for i, x := range s.Series {
		if groups[i] == inStep {
			continue
		}
		if x.FalsePass > 0 {
			t.Errorf("%s: a loss passed in %g of %d", x.Name, x.FalsePass, x.Comparisons)
		}
		if p := stat.AtLeast(float64(x.Fails), float64(x.Comparisons), .004); p < 1e-4 {
			t.Errorf("%s: %d of %d equal sides fail, more than one in 250", x.Name, x.Fails, x.Comparisons)
		}
	}
	for _, g := range s.Groups[:2] {
		if g.FalseFail > .002 {
			t.Errorf("noise %s: %g of equal sides fail", g.Name, g.FalseFail)
		}
	}
	if g := s.Groups[0]; g.Found < .85 {
		t.Errorf("noise %s: %.3f of losses are found, want 0.85", g.Name, g.Found)
	}
	if out := tableOf(s); !strings.Contains(out, "noise in step with the turns (3 kinds): false fails ") || strings.Contains(out, "odd series") {
		t.Error(out)
	}
}
