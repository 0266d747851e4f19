package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestEnsureWeights(t *testing.T) {
	cfg := Config{WeightsDir: t.TempDir() + "/new/dir", Model: "nano", Seed: 3}
	size, _ := sizeOf("nano")
	var wg sync.WaitGroup
	for range 4 { // several workers may start at once
		wg.Go(func() {
			if _, _, err := EnsureWeights(cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	path, n, err := EnsureWeights(cfg)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil || int64(len(first)) != n || n != headerBytes+size.WeightBytes() {
		t.Fatalf("file has %d bytes, said %d, want %d (%v)", len(first), n, headerBytes+size.WeightBytes(), err)
	}
	if left, _ := os.ReadDir(cfg.WeightsDir); len(left) != 1 {
		t.Errorf("%d files in the cache, want only the weights", len(left))
	}
	cfg.Seed = 4
	other, _, err := EnsureWeights(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(other); bytes.Equal(first[headerBytes:], second[headerBytes:]) {
		t.Error("two seeds gave the same weights")
	}
	for name, damage := range damages() {
		if err := os.WriteFile(path, damage(bytes.Clone(first)), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg.Seed = 3
		if _, _, err := EnsureWeights(cfg); err != nil {
			t.Fatal(err)
		}
		if again, _ := os.ReadFile(path); !bytes.Equal(again, first) {
			t.Errorf("%s: the file was not made again as it was", name)
		}
	}
}

func damages() map[string]func([]byte) []byte {
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at] ^= 1; return b } }
	return map[string]func([]byte) []byte{
		"magic": flip(0), "version": flip(8), "layers": flip(12), "seed": flip(36), "checksum": flip(60), "header sum": flip(127),
		"payload": flip(headerBytes + 1000), "truncated": func(b []byte) []byte { return b[:len(b)-1] },
		"cut in the header": func(b []byte) []byte { return b[:50] }, "empty": func([]byte) []byte { return nil },
	}
}

// Each way of damage is found when the worker reads the file: by the fetch or by the load.
func TestDamagedWeightsAreFound(t *testing.T) {
	cfg := Config{WeightsDir: t.TempDir(), Model: "nano"}
	size, _ := sizeOf("nano")
	path, _, err := EnsureWeights(cfg)
	if err != nil {
		t.Fatal(err)
	}
	good, _ := os.ReadFile(path)
	read := func() error {
		f, err := fetchWeights(t.Context(), path, size, 0, 0)
		if err == nil {
			_, err = loadModel(size, f)
		}
		return err
	}
	if err := read(); err != nil {
		t.Fatalf("good file: %v", err)
	}
	for name, damage := range damages() {
		if err := os.WriteFile(path, damage(bytes.Clone(good)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := read(); !errors.Is(err, errCorrupt) {
			t.Errorf("%s: got %v, want errCorrupt", name, err)
		}
	}
}

func TestLoadRefusesValuesThatAreNotFinite(t *testing.T) {
	size, _ := sizeOf("nano")
	f := &fetched{payload: make([]byte, size.WeightBytes())}
	binary.LittleEndian.PutUint32(f.payload[4000:], math.Float32bits(float32(math.Inf(1))))
	f.sum = sum256(f.payload)
	if _, err := loadModel(size, f); !errors.Is(err, errCorrupt) {
		t.Errorf("got %v, want errCorrupt", err)
	}
}

func TestFetchIsRateLimited(t *testing.T) {
	cfg := Config{WeightsDir: t.TempDir(), Model: "nano"}
	size, _ := sizeOf("nano")
	path, _, err := EnsureWeights(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		floor time.Duration
		rate  int64
		want  time.Duration
	}{
		{400 * time.Millisecond, 0, 400 * time.Millisecond},
		{400 * time.Millisecond, size.WeightBytes() / 2, 2 * time.Second},
		{3 * time.Second, size.WeightBytes(), 3 * time.Second},
		{-1, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			f, err := fetchWeights(t.Context(), path, size, 0, fetchPlan(size.WeightBytes(), test.floor, test.rate))
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != test.want {
				t.Errorf("floor %v, rate %d: took %v, want %v", test.floor, test.rate, got, test.want)
			}
			if sum256(f.payload) != f.sum {
				t.Error("the bytes read differ from those written")
			}
		})
	}
}

func TestFetchStopsWhenCancelled(t *testing.T) {
	cfg := Config{WeightsDir: t.TempDir(), Model: "nano"}
	size, _ := sizeOf("nano")
	path, _, err := EnsureWeights(cfg)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := fetchWeights(ctx, path, size, 0, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func sum256(b []byte) [32]byte { return sha256.Sum256(b) }
