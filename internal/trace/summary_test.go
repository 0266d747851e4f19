package trace

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSummarize(t *testing.T) {
	var coarse strings.Builder
	coarse.WriteString("t,in,out,tenant,session,blocks\n")
	for i := range 400 { // ten at once, every third second, with a step left out
		at := 3 * (i / 10)
		if at > 30 {
			at += 3
		}
		fmt.Fprintf(&coarse, "%d,%d,%d,%s,%d,\"[1,%d]\"\n", at, i%2*100, 7, "ab"[i%2:i%2+1], i/4, i)
	}
	path := write(t, "coarse.csv", coarse.String())
	columns := Columns{Time: "t", In: "in", Out: "out", Class: "tenant", Session: "session", Blocks: "blocks", BlockTokens: 16}
	near := cmpopts.EquateApprox(1e-3, 0)
	for name, c := range map[string]struct {
		s    Settings
		want Summary
	}{
		"coarse": {Settings{Kind: "csv", Paths: []string{path}, Columns: columns}, Summary{Kind: "csv", Stats: Stats{Rows: 400, Zero: 200, Items: 400}, Items: 400,
			Seconds: 120, Rate: 400. / 120, Peak: 10, GapCV: 3.0780, GapMax: 6, Distinct: 40, Grain: 3, Step: 3, In: Lengths{400, 50.5, 100, 100, 100}, Out: Lengths{400, 7, 7, 7, 7},
			Sessions: 100, Classes: []Class{{"a", 200}, {"b", 200}}, BlockTokens: 16, Blocks: 800, Reused: 0.5}},
		"spread over the step": {Settings{Kind: "csv", Paths: []string{path}, Columns: Columns{Time: "t"}, Spread: "even", Step: 3e9}, Summary{Kind: "csv", Stats: Stats{Rows: 400, Items: 400}, Items: 400,
			Seconds: 122.7, Rate: 400 / 122.7, Peak: 4, GapCV: 0.48777, GapMax: 3.3, Distinct: 400, Grain: 1e-9}},
		"a window of half of them": {Settings{Kind: "csv", Paths: []string{path}, Columns: Columns{Time: "t"}, To: 31e9, TimeScale: 0.5}, Summary{Kind: "csv", Stats: Stats{Rows: 400, Outside: 1, Items: 110}, Items: 110,
			Seconds: 15, Rate: 110. / 15, Peak: 10, GapCV: 3.1464, GapMax: 1.5, Distinct: 11, Grain: 1.5, Step: 1.5}},
		"a kind that is coarse": {Settings{Paths: []string{"testdata/burstgpt.csv"}, Zero: "drop"}, Summary{Kind: "burstgpt", Stats: Stats{Rows: 6, Zero: 1, Dropped: 1, Items: 5}, Items: 5,
			Seconds: 7, Rate: 5. / 7, Peak: 3, GapCV: 1.1693, GapMax: 5, Distinct: 3, Grain: 1, Step: 1, Spread: "even", In: Lengths{5, 182, 100, 400, 400}, Out: Lengths{5, 22.4, 20, 40, 40},
			Sessions: 2, Classes: []Class{{"GPT-4", 3}, {"ChatGPT", 2}}, TookMean: 3, TookShare: 1}},
		"nothing in the window": {Settings{Paths: []string{"testdata/azure-llm.csv"}, From: 1e15}, Summary{Kind: "azure-llm", Stats: Stats{Rows: 12, Outside: 12}}},
	} {
		got, err := c.s.Summarize(1)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&c.want, got, near); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if _, err := (Settings{Kind: "csv", Paths: []string{path}, Columns: Columns{Time: "nix"}}).Summarize(1); err == nil || !strings.Contains(err.Error(), "coarse.csv:1") {
		t.Errorf("a column that is not there: %v", err)
	}
}

// TestPublicSummaries holds what is known of the public traces.
func TestPublicSummaries(t *testing.T) {
	for file, want := range map[string]struct{ n, rate, cv, in, out, reused float64 }{
		"AzureLLMInferenceTrace_conv.csv": {19366, 5.53, 1.09, 1155, 211, 0}, "mooncake-synthetic.jsonl": {3993, 3.906, 1.01, 15325, 149, 0.640},
	} {
		path := filepath.Join("../../../shared/data/workloads", file)
		if _, err := os.Stat(path); err != nil {
			t.Logf("skipped: %v", err)
			continue
		}
		s, err := Settings{Paths: []string{path}}.Summarize(1)
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string][2]float64{"requests": {float64(s.Items), want.n}, "rate": {s.Rate, want.rate}, "gap CV": {s.GapCV, want.cv}, "in": {s.In.Mean, want.in}, "out": {s.Out.Mean, want.out}, "reused": {s.Reused, want.reused}} {
			if math.Abs(v[0]-v[1]) > 0.006*v[1] {
				t.Errorf("%s: %s %g, want %g", file, name, v[0], v[1])
			}
		}
		if s.Step != 0 || s.Stats.Zero != 0 {
			t.Errorf("%s: step %g, %d rows without tokens; want fine stamps and none", file, s.Step, s.Stats.Zero)
		}
	}
}

// TestServeGenLaw draws one window and compares the gaps with the law that it names, by the test of Kolmogorov and Smirnov.
func TestServeGenLaw(t *testing.T) {
	gammaCDF := func(shape float64) func(float64) float64 { // of mean 1, by its series
		return func(x float64) float64 {
			x *= shape
			sum, term := 1/shape, 1/shape
			for k := 1.0; k < 1000 && term > 1e-12*sum; k++ {
				term *= x / (shape + k)
				sum += term
			}
			lg, _ := math.Lgamma(shape)
			return math.Exp(-x+shape*math.Log(x)-lg) * sum
		}
	}
	weibullCDF := func(shape float64) func(float64) float64 {
		scale := 1 / math.Gamma(1+1/shape)
		return func(x float64) float64 { return 1 - math.Exp(-math.Pow(x/scale, shape)) }
	}
	for row, cdf := range map[string]func(float64) float64{
		"Gamma,0.5,1": gammaCDF(0.5), "Gamma,4,1": gammaCDF(4), "Weibull,0.7,1": weibullCDF(0.7), "Weibull,2,1": weibullCDF(2),
	} {
		path := write(t, "client.csv", "0,20,1,"+row+"\n600,0,1,"+row+"\n")
		items, _, err := collect(Settings{Kind: "servegen", Paths: []string{path}}, 7)
		if err != nil {
			t.Fatal(err)
		}
		var gaps []float64
		for i := 1; i < len(items); i++ {
			gaps = append(gaps, 20*float64(items[i].At-items[i-1].At)/1e9)
		}
		if n := float64(len(gaps)); n < 10_000 || distance(gaps, cdf) > 1.95/math.Sqrt(n) { // 0.1 % under the law; the seed is fixed
			t.Errorf("%s: %d gaps are %g from the law, want at most %g", row, len(gaps), distance(gaps, cdf), 1.95/math.Sqrt(n))
		}
		if other := distance(gaps, gammaCDF(1)); other < 0.05 {
			t.Errorf("%s: the gaps are %g from Poisson's, want them told apart", row, other)
		}
	}
}

// distance is that of Kolmogorov and Smirnov between a sample and a law.
func distance(sample []float64, cdf func(float64) float64) float64 {
	sorted := slices.Sorted(slices.Values(sample))
	worst, n := 0.0, float64(len(sorted))
	for i, x := range sorted {
		f := cdf(x)
		worst = max(worst, f-float64(i)/n, float64(i+1)/n-f)
	}
	return worst
}
