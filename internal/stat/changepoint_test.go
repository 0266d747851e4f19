package stat

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestChangePointsOnTigerBeetle: the published indexes of a real series of benchmarks, at each published setting.
func TestChangePointsOnTigerBeetle(t *testing.T) {
	raw, err := os.ReadFile("../../../shared/data/change-points/tigerbeetle.json")
	if err != nil {
		t.Skipf("the shared data is not beside the repository: %v", err)
	}
	var data struct {
		Series []float64
		Cases  []struct {
			Name         string
			Window       int     `json:"window_len"`
			MaxP         float64 `json:"max_pvalue"`
			MinMagnitude float64 `json:"min_magnitude"`
			Expected     []int
		}
	}
	if err := json.Unmarshal(raw, &data); err != nil {
		t.Fatal(err)
	}
	if len(data.Cases) == 0 || len(data.Series) != 365 {
		t.Fatalf("%d cases, %d values", len(data.Cases), len(data.Series))
	}
	// Two more of the published settings.
	type one = struct {
		Name         string
		Window       int     `json:"window_len"`
		MaxP         float64 `json:"max_pvalue"`
		MinMagnitude float64 `json:"min_magnitude"`
		Expected     []int
	}
	cases := append(data.Cases, one{"p .001", 30, 0.001, 0, []int{15, 61, 71, 95, 117, 131, 142, 148, 192, 212, 260}}, one{"p .00001", 30, 0.00001, 0, []int{71, 95, 131, 192, 212}},
		one{"p .2 and 5 %", 30, 0.2, 0.05, []int{10, 11, 15, 71}}, one{"p .05 and 5 %", 30, 0.05, 0.05, []int{15, 71}})
	for _, c := range cases {
		if diff := cmp.Diff(c.Expected, indexes(ChangePoints(data.Series, c.Window, c.MaxP, c.MinMagnitude))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Name, diff)
		}
	}
}

func indexes(points []ChangePoint) []int {
	var out []int
	for _, p := range points {
		out = append(out, p.Index)
	}
	return out
}

func TestChangePointsOfAStep(t *testing.T) {
	var x []float64
	for i := range 20 {
		v := 0.5
		if i >= 10 {
			v = 1
		}
		x = append(x, v+0.01*float64(i%3))
	}
	got := ChangePoints(x, 30, 0.001, 0)
	if len(got) != 1 || got[0].Index != 10 || math.Abs(got[0].Before-0.509) > 1e-9 || math.Abs(got[0].After-1.01) > 1e-9 || got[0].P > 1e-12 {
		t.Errorf("%+v", got)
	}
	if c := got[0].Change(); math.Abs(c-(1.01/0.509-1)) > 1e-9 {
		t.Errorf("change %v", c)
	}
	for name, series := range map[string][]float64{"nothing": nil, "one": {1}, "two": {1, 9}, "flat": make([]float64, 50)} {
		if got := ChangePoints(series, 30, 0.01, 0); len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func BenchmarkChangePoints(b *testing.B) {
	x := make([]float64, 365)
	for i := range x {
		x[i] = math.Sin(float64(i)) + float64(i/90)
	}
	b.ReportAllocs()
	for b.Loop() {
		ChangePoints(x, 50, 0.001, 0)
	}
}

func ExampleChangePoints() {
	for _, c := range ChangePoints([]float64{10, 10.1, 9.9, 10, 10.1, 12, 12.1, 11.9, 12, 12.1}, 30, 0.01, 0.05) {
		fmt.Printf("from %.1f to %.1f at %d\n", c.Before, c.After, c.Index)
	}
	// Output: from 10.0 to 12.0 at 5
}
