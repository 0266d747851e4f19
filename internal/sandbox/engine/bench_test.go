package engine

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/assay-dev/assay/internal/sandbox/compute"
	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// loadTest returns a model of the named size with seed 1, loaded once for all tests.
var loadTest = func() func(tb testing.TB, name string) *model {
	var mu sync.Mutex
	loaded := map[string]*model{}
	return func(tb testing.TB, name string) *model {
		tb.Helper()
		mu.Lock()
		defer mu.Unlock()
		if m := loaded[name]; m != nil {
			return m
		}
		s, err := sizeOf(name)
		if err != nil {
			tb.Fatal(err)
		}
		path, _, err := EnsureWeights(Config{WeightsDir: tb.TempDir(), Model: name, Seed: 1})
		if err != nil {
			tb.Fatal(err)
		}
		f, err := weightsOf(filepath.Dir(path), s, 1).Fetch(tb.Context(), 0)
		if err != nil {
			tb.Fatal(err)
		}
		m, err := loadModel(s, f)
		if err != nil {
			tb.Fatal(err)
		}
		loaded[name] = m
		return m
	}
}()

func testPrompt(n, salt, vocab int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((i*i*7 + i*31 + salt*101) % vocab)
	}
	return ids
}

func BenchmarkPrefill64(b *testing.B) {
	for _, size := range []string{"tiny", "small"} {
		b.Run(size, func(b *testing.B) {
			m := loadTest(b, size)
			p := compute.NewPool(1)
			defer p.Close()
			r := newRunner(m, newKVCache(m.ModelSize, 1024), p, 128, 8)
			var table []int32
			r.kv.grow(&table, 64)
			chunks := []chunk{{tokens: testPrompt(64, 1, m.Vocab), table: table, want: true}}
			b.ReportAllocs()
			for b.Loop() {
				r.forward(chunks)
			}
		})
	}
}

// BenchmarkDecodeStep measures the whole step of the scheduler, at a context of about 80 tokens.
func BenchmarkDecodeStep(b *testing.B) {
	for _, batch := range []int{1, 4, 8} {
		b.Run(fmt.Sprintf("tiny/batch=%d", batch), func(b *testing.B) {
			m := loadTest(b, "tiny")
			p := compute.NewPool(1)
			defer p.Close()
			s := newScheduler(Config{Instance: "b", KVTokens: 4096}.WithDefaults(),
				newRunner(m, newKVCache(m.ModelSize, 4096), p, 1024, 8), unixClock(), &worker.Meter{}, newMetrics("b"))
			s.stepTokens = 1024
			const context = 64
			refill := func() {
				s.drop(func(*sequence) bool { return true }, cancelled, s.unix())
				for i := range batch {
					if err := s.submit(newSequence(testPrompt(context, i, m.Vocab), 64, 1, 1, s.unix())); err != nil {
						b.Fatal(err)
					}
				}
				s.step(b.Context())
			}
			refill()
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if i%32 == 31 {
					b.StopTimer()
					refill()
					b.StartTimer()
				}
				s.step(b.Context())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e6/float64(b.N)/float64(batch), "ms/token")
		})
	}
}
