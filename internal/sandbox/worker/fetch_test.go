package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// testWeights is a file of two small tensors, made.
func testWeights(t *testing.T) Weights {
	w := Weights{Path: filepath.Join(t.TempDir(), "w.weights"), Model: "m", Magic: "TESTWTS0", Version: 1, Dims: [6]int{1, 2, 3}, Seed: 5,
		Tensors: []Tensor{{Rows: 40, Cols: 100, Std: 1}, {Rows: 1, Cols: 7, Fill: 0.5}}}
	if err := w.Ensure(); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWeightsSurviveTheFile(t *testing.T) {
	w := testWeights(t)
	f, err := w.Fetch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Decode(f)
	if err != nil || len(got) != 2 || len(got[0]) != 4000 || len(got[1]) != 7 {
		t.Fatalf("got %d tensors, %v", len(got), err)
	}
	var sum float64
	for _, v := range got[0] {
		sum += float64(v) * float64(v)
	}
	if sd := sum / 4000; sd < 0.9 || sd > 1.1 {
		t.Errorf("the variance of the draws is %g, want about 1", sd)
	}
	for _, v := range got[1] {
		if v != 0.5 {
			t.Errorf("got %g, want the fill", v)
		}
	}
	other := w
	other.Dims[5] = 9
	if _, err := other.Fetch(t.Context(), 0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another shape: got %v, want ErrCorrupt", err)
	}
}

func TestEnsureBySeveralAtOnce(t *testing.T) {
	w := testWeights(t)
	first, _ := os.ReadFile(w.Path)
	os.Truncate(w.Path, 200)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := w.Ensure(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if again, _ := os.ReadFile(w.Path); !bytes.Equal(first, again) {
		t.Error("the file was not made again as it was")
	}
	if left, _ := os.ReadDir(filepath.Dir(w.Path)); len(left) != 1 {
		t.Errorf("%d files, want only the weights", len(left))
	}
}

func TestFetchIsRateLimited(t *testing.T) {
	w := testWeights(t)
	for _, test := range []struct {
		floor time.Duration
		rate  int64
		want  time.Duration
	}{
		{400 * time.Millisecond, 0, 400 * time.Millisecond},
		{400 * time.Millisecond, w.Bytes() / 2, 2 * time.Second},
		{3 * time.Second, w.Bytes(), 3 * time.Second},
		{-1, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			f, err := w.Fetch(t.Context(), fetchPlan(w.Bytes(), test.floor, test.rate))
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != test.want {
				t.Errorf("floor %v, rate %d: took %v, want %v", test.floor, test.rate, got, test.want)
			}
			if sha256.Sum256(f.Payload) != f.Sum {
				t.Error("the bytes read differ from those written")
			}
		})
	}
}

func TestFetchStopsWhenCancelled(t *testing.T) {
	w := testWeights(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := w.Fetch(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}
