package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The SPEC SDM91 benchmark, and what the vignette of R's package usl prints for it.
var (
	sdmN = []float64{1, 18, 36, 72, 108, 144, 216}
	sdmX = []float64{64.9, 995.9, 1652.4, 1853.2, 1828.9, 1775.0, 1702.2}
)

func TestUSLOnSDM91(t *testing.T) {
	u, err := FitUSL(sdmN, sdmX, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, x, inN, inX, ok := u.Peak(.95)
	for _, c := range []struct {
		what      string
		got, want float64
		to        float64
	}{
		{"sigma", u.Sigma, .0277285, 5e-8}, {"its error", u.SE[1], .0091217, 5e-8}, {"kappa", u.Kappa, .0001044, 5e-8}, {"its error", u.SE[2], .0000199, 5e-8},
		{"lambda", u.Lambda, 89.9952, 5e-5}, {"its error", u.SE[0], 14.2135, 5e-5}, {"peak N", n, 96.52, 5e-3}, {"peak X", x, 1883.9, .2},
		{"residual at 1", sdmX[0] - u.At(1), -25.1, .05}, {"residual at 18", sdmX[1] - u.At(18), -81.7, .05}, {"residual at 36", sdmX[2] - u.At(36), 111.1, .05},
		{"residual at 72", sdmX[3] - u.At(72), 3.1, .05}, {"residual at 108", sdmX[4] - u.At(108), -50.0, .05}, {"residual at 216", sdmX[6] - u.At(216), 56.0, .05},
	} {
		if math.Abs(c.got-c.want) > c.to {
			t.Errorf("%s: %.8g, want %.8g", c.what, c.got, c.want)
		}
	}
	if !ok || !(inN.Lo < n && n < inN.Hi && inX.Lo < x && x < inX.Hi) {
		t.Errorf("peak at %g in %+v with %g in %+v: want it inside", n, inN, x, inX)
	}
	if u.R2 < .98 || u.DoF != 4 {
		t.Errorf("R² %g on %d degrees of freedom, want at least .98 on 4", u.R2, u.DoF)
	}
}

// M/M/1 is a USL of its own: N = ρ/(1−ρ) and X = μρ give λ = μ/2, σ = 1/2, κ = 0, and Kleinrock's knee at ρ = 1/2.
func TestUSLOfAQueue(t *testing.T) {
	var n, x []float64
	for _, rho := range []float64{.1, .3, .5, .7, .8, .9} {
		n, x = append(n, rho/(1-rho)), append(x, 40*rho)
	}
	u, err := FitUSL(n, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(u.Lambda-20) > 1e-6 || math.Abs(u.Sigma-.5) > 1e-6 || math.Abs(u.Kappa) > 1e-6 {
		t.Errorf("%+v, want lambda 20, sigma .5, kappa 0", u)
	}
	if kn, kx := u.Knee(); math.Abs(kn-1) > 1e-4 || math.Abs(kx-20) > 1e-3 {
		t.Errorf("knee at N=%g, X=%g, want 1 and 20", kn, kx)
	}
}

func TestUSLAtItsBounds(t *testing.T) {
	line := []float64{1, 2, 4, 8, 16}
	u, err := FitUSL(line, []float64{10, 20.5, 39, 82, 161}, nil) // a little better than linear
	if err != nil {
		t.Fatal(err)
	}
	if u.Sigma < 0 || u.Kappa < 0 || math.Abs(u.Lambda-10) > .2 {
		t.Errorf("%+v, want lambda about 10 and nothing negative", u)
	}
	if _, _, _, _, ok := u.Peak(.95); ok && u.Kappa == 0 {
		t.Error("a peak without kappa")
	}
	if n, _ := u.Knee(); u.Sigma == 0 && u.Kappa == 0 && !math.IsInf(n, 1) {
		t.Errorf("knee at %g of a straight line", n)
	}
	for _, c := range []struct{ n, x []float64 }{{[]float64{1, 2, 3, 4, 4}, []float64{1, 2, 3, 4, 4}}, {line, []float64{1, 2, 0, 3, 4}}, {line, line[:3]}} {
		if _, err := FitUSL(c.n, c.x, nil); err == nil {
			t.Errorf("%v, %v: no error", c.n, c.x)
		}
	}
}

func TestUSLCoverage(t *testing.T) {
	times := repeats(200, 2000)
	rng := rand.New(rand.NewPCG(5, 1))
	for _, truth := range [][3]float64{{100, .05, .002}, {100, .05, 0}, {100, 0, .002}, {100, 0, 0}} {
		var hit [4]int
		told := [4]int{times, times, times, 0}
		for range times {
			var n, x []float64
			for v := 1.0; v <= 64; v *= 1.6 {
				m, _ := uslModel(truth, v)
				n, x = append(n, v), append(x, m*(1+.04*rng.NormFloat64()))
			}
			u, err := FitUSL(n, x, x) // each throughput is known to the same share of itself
			if err != nil {
				t.Fatal(err)
			}
			var in [4]Interval
			var ok bool
			in[0], in[1], in[2] = u.Coefficients(.95)
			if _, _, in[3], _, ok = u.Peak(.95); ok {
				told[3]++
			}
			peak := math.Sqrt((1 - truth[1]) / truth[2])
			for i, v := range append(truth[:], peak) {
				if in[i].Lo <= v && v <= in[i].Hi && (i < 3 || ok) {
					hit[i]++
				}
				if i < 3 && !(in[i].Lo < in[i].Hi) {
					t.Fatalf("%+v: an interval of %+v", u, in[i])
				}
			}
		}
		for i, name := range []string{"lambda", "sigma", "kappa", "peak"} {
			if i == 3 && truth[2] == 0 {
				continue // there is none
			}
			got := float64(hit[i]) / float64(told[i])
			t.Logf("%v: %s: coverage %.3f of %d", truth, name, got, told[i])
			if got < floor(.93, told[i]) { // the errors of a law that bends are only nearly normal
				t.Errorf("%v: %s: coverage %.3f", truth, name, got)
			}
		}
	}
}

func FuzzFitUSL(f *testing.F) {
	f.Add(1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 17.0, 20.0, 21.0, 19.0)
	f.Fuzz(func(t *testing.T, a, b, c, d, e, v, w, x, y, z float64) {
		u, err := FitUSL([]float64{a, b, c, d, e}, []float64{v, w, x, y, z}, nil)
		if err == nil && (u.Sigma < 0 || u.Kappa < 0) {
			t.Errorf("%+v", u)
		}
	})
}
