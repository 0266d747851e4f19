package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/assay-dev/assay/internal/sandbox/worker"
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
	if err != nil || int64(len(first)) != n || n != worker.HeaderBytes+size.WeightBytes() {
		t.Fatalf("file has %d bytes, said %d, want %d (%v)", len(first), n, worker.HeaderBytes+size.WeightBytes(), err)
	}
	if left, _ := os.ReadDir(cfg.WeightsDir); len(left) != 1 {
		t.Errorf("%d files in the cache, want only the weights", len(left))
	}
	cfg.Seed = 4
	other, _, err := EnsureWeights(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(other); bytes.Equal(first[worker.HeaderBytes:], second[worker.HeaderBytes:]) {
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
		"payload": flip(worker.HeaderBytes + 1000), "truncated": func(b []byte) []byte { return b[:len(b)-1] },
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
		f, err := weightsOf(filepath.Dir(path), size, 0).Fetch(t.Context(), 0)
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
		if err := read(); !errors.Is(err, worker.ErrCorrupt) {
			t.Errorf("%s: got %v, want worker.ErrCorrupt", name, err)
		}
	}
}

func TestLoadRefusesValuesThatAreNotFinite(t *testing.T) {
	size, _ := sizeOf("nano")
	f := &worker.Fetched{Payload: make([]byte, size.WeightBytes())}
	binary.LittleEndian.PutUint32(f.Payload[4000:], math.Float32bits(float32(math.Inf(1))))
	f.Sum = sum256(f.Payload)
	if _, err := loadModel(size, f); !errors.Is(err, worker.ErrCorrupt) {
		t.Errorf("got %v, want worker.ErrCorrupt", err)
	}
}

func sum256(b []byte) [32]byte { return sha256.Sum256(b) }
