package vision

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/assay-dev/assay/internal/sandbox/compute"
)

func loadTest(t testing.TB, s Size) *network {
	t.Helper()
	w := weightsOf(t.TempDir(), s, 1)
	if err := w.Ensure(); err != nil {
		t.Fatal(err)
	}
	f, err := w.Fetch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := loadNetwork(s, f)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func testRunner(t testing.TB, s Size, threads, maxBatch int) *runner {
	p := compute.NewPool(threads)
	t.Cleanup(p.Close)
	return newRunner(loadTest(t, s), p, maxBatch)
}

func noise(s Size, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	in := make([]float32, 3*s.Input*s.Input)
	for i := range in {
		in[i] = 2*rng.Float32() - 1
	}
	return in
}

// reference computes the probabilities of one image in the plainest way: float64, one loop for each index.
func reference(n *network, image []float32) []float64 {
	x := make([]float64, len(image))
	for i, v := range image {
		x[i] = float64(v)
	}
	side, in := n.Input, 3
	for l, out := range n.Channels {
		full := make([]float64, side*side*out)
		for y := range side {
			for xx := range side {
				for o := range out {
					sum := float64(n.biases[l][o])
					for dy := -1; dy <= 1; dy++ {
						for dx := -1; dx <= 1; dx++ {
							if sy, sx := y+dy, xx+dx; sy >= 0 && sy < side && sx >= 0 && sx < side {
								for c := range in {
									sum += x[(sy*side+sx)*in+c] * float64(n.kernels[l][o*9*in+((dy+1)*3+dx+1)*in+c])
								}
							}
						}
					}
					full[(y*side+xx)*out+o] = max(sum, 0)
				}
			}
		}
		half := side / 2
		x = make([]float64, half*half*out)
		for y := range half {
			for xx := range half {
				for o := range out {
					best := math.Inf(-1)
					for _, d := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
						best = max(best, full[((2*y+d[0])*side+2*xx+d[1])*out+o])
					}
					x[(y*half+xx)*out+o] = best
				}
			}
		}
		side, in = half, out
	}
	scores, sum := make([]float64, n.Classes), 0.0
	for i := range scores {
		score := float64(n.headBias[i])
		for j, v := range x {
			score += v * float64(n.head[i*len(x)+j])
		}
		scores[i] = math.Exp(score)
		sum += scores[i]
	}
	for i := range scores {
		scores[i] /= sum
	}
	return scores
}

func (r *runner) run(images ...[]float32) [][]float32 {
	out := make([][]float32, len(images))
	for i := range out {
		out[i] = make([]float32, r.net.Classes)
	}
	r.forward(images, out)
	return out
}

func TestForwardAgainstReference(t *testing.T) {
	for _, s := range []Size{
		sizes[0],
		{Name: "one", Input: 8, Channels: []int{5}, Classes: 3},
		{Name: "wide", Input: 12, Channels: []int{70, 3}, Classes: 4}, // more channels than a tile, tiles that end within an image
		{Name: "deep", Input: 16, Channels: []int{2, 3, 4, 5}, Classes: 70},
	} {
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/%d", s.Name, threads), func(t *testing.T) {
				r := testRunner(t, s, threads, 4)
				images := [][]float32{noise(s, 1), noise(s, 2), noise(s, 3)}
				for i, got := range r.run(images...) {
					for c, want := range reference(r.net, images[i]) {
						if math.Abs(float64(got[c])-want) > 1e-5 {
							t.Errorf("image %d, class %d: got %g, want %g", i, c, got[c], want)
						}
					}
				}
			})
		}
	}
}

// The scores of an image are the same to the last bit alone and in any batch, at any place in it and on any number of threads.
func TestBatchInvariance(t *testing.T) {
	for _, s := range sizes[:2] {
		one := testRunner(t, s, 1, 8)
		alone := map[uint64][]float32{}
		for seed := range uint64(8) {
			alone[seed] = one.run(noise(s, seed))[0]
		}
		distinct := slices.CompactFunc([][]float32{alone[0], alone[1], alone[2]}, slices.Equal)
		if len(distinct) != 3 {
			t.Errorf("%s: different images have the same scores", s.Name)
		}
		for _, threads := range []int{1, 2, 3} {
			r := testRunner(t, s, threads, 8)
			rng := rand.New(rand.NewPCG(uint64(threads), 0))
			for range 6 {
				var seeds []uint64
				var images [][]float32
				for range 1 + rng.IntN(8) {
					seed := rng.Uint64N(8)
					seeds, images = append(seeds, seed), append(images, noise(s, seed))
				}
				for i, got := range r.run(images...) {
					if !slices.Equal(got, alone[seeds[i]]) {
						t.Fatalf("%s: image %d of %d on %d threads: got %v, alone %v", s.Name, i, len(images), threads, got, alone[seeds[i]])
					}
				}
			}
		}
	}
}

func TestSizes(t *testing.T) {
	var last int64
	for _, s := range Sizes() {
		if got := s.Multiplications(); got <= last {
			t.Errorf("%s has %d multiplications, no more than the size before", s.Name, got)
		} else {
			last = got
		}
		if s.Input>>len(s.Channels)<<len(s.Channels) != s.Input || len(s.Channels) > 4 {
			t.Errorf("%s: a side of %d cannot be halved %d times", s.Name, s.Input, len(s.Channels))
		}
	}
}

// A network that answers one class whatever it sees would make all canaries pass.
func TestClassesDependOnTheImage(t *testing.T) {
	s := sizes[1]
	r := testRunner(t, s, 1, 1)
	seen := map[int]bool{}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		in := make([]float32, 3*s.Input*s.Input)
		fx, fy, base := rng.Float64()*8, rng.Float64()*8, rng.Float64()*2-1
		for i := range in {
			p := i / 3
			in[i] = float32(max(-1, min(1, base+math.Sin(fx*float64(p%s.Input)/8+float64(i%3))*math.Cos(fy*float64(p/s.Input)/8))))
		}
		scores := r.run(in)[0]
		seen[slices.Index(scores, slices.Max(scores))] = true
	}
	if len(seen) < 2 {
		t.Errorf("40 images are all of class %v", seen)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, s := range sizes {
		for _, batch := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/batch=%d", s.Name, batch), func(b *testing.B) {
				r := testRunner(b, s, 1, batch)
				images, out := make([][]float32, batch), make([][]float32, batch)
				for i := range images {
					images[i], out[i] = noise(s, uint64(i)), make([]float32, s.Classes)
				}
				b.ReportAllocs()
				for b.Loop() {
					r.forward(images, out)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e6/float64(b.N*batch), "ms/image")
			})
		}
	}
}
