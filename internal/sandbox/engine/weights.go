package engine

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

const (
	weightsMagic   = "ASSAYWTS"
	weightsVersion = 1
)

// tensors returns the tensors of a model in file order: embedding; for each layer
// attention norm, query-key-value, attention output, feed-forward norm, gate-and-up and
// down; final norm; output head. Each matrix is stored with a row for each output; norms are all ones.
func (s ModelSize) tensors() []worker.Tensor {
	w, residual := 1/math.Sqrt(float64(s.Width)), 1/math.Sqrt(2*float64(s.Layers))
	matrix := func(rows, cols int, std float64) worker.Tensor {
		return worker.Tensor{Rows: rows, Cols: cols, Std: std}
	}
	norm := worker.Tensor{Rows: 1, Cols: s.Width, Fill: 1}
	list := []worker.Tensor{matrix(s.Vocab, s.Width, 1)}
	for range s.Layers {
		list = append(list,
			norm, matrix(3*s.Width, s.Width, w), matrix(s.Width, s.Width, w*residual),
			norm, matrix(2*s.FFN, s.Width, w), matrix(s.Width, s.FFN, residual/math.Sqrt(float64(s.FFN))))
	}
	return append(list, norm, matrix(s.Vocab, s.Width, w))
}

// weightsOf describes the weights file of a model in a directory.
func weightsOf(dir string, s ModelSize, seed uint64) worker.Weights {
	name := fmt.Sprintf("%s-l%d-w%d-h%d-f%d-v%d-s%d.weights", s.Name, s.Layers, s.Width, s.Heads, s.FFN, s.Vocab, seed)
	return worker.Weights{Path: filepath.Join(dir, name), Model: s.Name, Magic: weightsMagic, Version: weightsVersion,
		Dims: [6]int{s.Layers, s.Width, s.Heads, s.FFN, s.Vocab, s.Context}, Seed: seed, Tensors: s.tensors()}
}

// EnsureWeights makes the weights file of cfg if it is missing or damaged, and returns its path
// and size. It reads an existing file once, at full speed, to check it. Several processes may
// call it at once: each writes its own temporary file and renames it.
func EnsureWeights(cfg Config) (path string, size int64, err error) {
	cfg = cfg.WithDefaults()
	s, err := sizeOf(cfg.Model)
	if err != nil {
		return "", 0, err
	}
	w := weightsOf(cfg.WeightsDir, s, cfg.Seed)
	return w.Path, worker.HeaderBytes + w.Bytes(), w.Ensure()
}
