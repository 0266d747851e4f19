package stat

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// faithful is how many minutes people waited for eruptions of Old Faithful (Azzalini and Bowman 1990; R's faithful$waiting).
var faithful = []float64{79, 54, 74, 62, 85, 55, 88, 85, 51, 85, 54, 84, 78, 47, 83, 52, 62, 84, 52, 79, 51, 47, 78, 69, 74, 83, 55, 76, 78, 79, 73, 77, 66, 80, 74, 52, 48, 80, 59, 90, 80, 58, 84, 58, 73, 83, 64, 53,
	82, 59, 75, 90, 54, 80, 54, 83, 71, 64, 77, 81, 59, 84, 48, 82, 60, 92, 78, 78, 65, 73, 82, 56, 79, 71, 62, 76, 60, 78, 76, 83, 75, 82, 70, 65, 73, 88, 76, 80, 48, 86, 60, 90, 50, 78, 63, 72,
	84, 75, 51, 82, 62, 88, 49, 83, 81, 47, 84, 52, 86, 81, 75, 59, 89, 79, 59, 81, 50, 85, 59, 87, 53, 69, 77, 56, 88, 81, 45, 82, 55, 90, 45, 83, 56, 89, 46, 82, 51, 86, 53, 79, 81, 60, 82, 77,
	76, 59, 80, 49, 96, 53, 77, 77, 65, 81, 71, 70, 81, 93, 53, 89, 45, 86, 58, 78, 66, 76, 63, 88, 52, 93, 49, 57, 77, 68, 81, 81, 73, 50, 85, 74, 55, 77, 83, 83, 51, 78, 84, 46, 83, 55, 81, 57,
	76, 84, 77, 81, 87, 77, 51, 78, 60, 82, 91, 53, 78, 46, 77, 84, 49, 83, 71, 80, 49, 75, 64, 76, 53, 94, 55, 76, 50, 82, 54, 75, 78, 79, 78, 78, 70, 79, 70, 54, 86, 50, 90, 54, 54, 77, 79, 64,
	75, 47, 86, 63, 85, 82, 57, 82, 67, 74, 54, 83, 73, 73, 88, 80, 71, 83, 56, 79, 78, 84, 58, 83, 43, 60, 75, 81, 46, 90, 46, 74}

// The fit that mixtools (Benaglia and others 2009, J. Stat. Softw. 32(6)) prints for the waiting times of Old Faithful.
func TestMixtureFaithful(t *testing.T) {
	m, ok := FitMixture(faithful, nil, 2, 0.1)
	if !ok {
		t.Fatal("no fit")
	}
	want := []Component{{0.3609, 54.61, 5.87}, {0.6391, 80.09, 5.87}}
	if diff := cmp.Diff(want, m.Components, cmpopts.EquateApprox(0, 0.006)); diff != "" || math.Abs(m.LogL+1034.0) > 0.05 {
		t.Errorf("log likelihood %v of %d values (-want +got):\n%s", m.LogL, len(faithful), diff)
	}
	one, _ := FitMixture(faithful, nil, 1, 0.1)
	three, _ := FitMixture(faithful, nil, 3, 0.1)
	if m.BIC >= one.BIC || m.BIC >= three.BIC {
		t.Errorf("BIC %v, %v, %v: two components must be best", one.BIC, m.BIC, three.BIC)
	}
}

// A small slow share is found, whatever its size, and none where there is none.
func TestMixtureShares(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, share := range []float64{0, 0.005, 0.05, 0.4} {
		var x []float64
		for range 6000 {
			v := math.Log(0.1) + 0.2*rng.NormFloat64()
			if rng.Float64() < share {
				v = math.Log(4) + 0.3*rng.NormFloat64()
			}
			x = append(x, v)
		}
		one, _ := FitMixture(x, nil, 1, 0.005)
		two, ok := FitMixture(x, nil, 2, 0.005)
		if share == 0 {
			if two.BIC < one.BIC {
				t.Errorf("one distribution: BIC %v of one, %v of two", one.BIC, two.BIC)
			}
			continue
		}
		slow := two.Components[1]
		if !ok || two.BIC > one.BIC || math.Abs(slow.Weight-share) > 3*math.Sqrt(share*(1-share)/6000) || math.Abs(slow.Mean-math.Log(4)) > 0.15 {
			t.Errorf("share %v: %+v, BIC %v of one, %v of two", share, two.Components, one.BIC, two.BIC)
		}
	}
	if _, ok := FitMixture([]float64{1, 1, 1, 1, 2, 2, 2}, nil, 2, 0.1); ok {
		t.Error("a fit of two different values")
	}
}
