package vision

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// A Size is the shape of a convolution network.
type Size struct {
	Name     string
	Input    int   // images are resized to Input × Input
	Channels []int // of each convolution's output; each is followed by a pool that halves the image
	Classes  int
}

var sizes = []Size{
	{Name: "nano", Input: 32, Channels: []int{4, 8}, Classes: 10},
	{Name: "tiny", Input: 64, Channels: []int{16, 32, 64, 64}, Classes: 10},
	{Name: "small", Input: 64, Channels: []int{32, 48, 96, 128}, Classes: 10},
	{Name: "base", Input: 128, Channels: []int{32, 64, 96, 128}, Classes: 10},
}

// Sizes returns the sizes a Config may name, smallest first: nano for tests,
// tiny as the default, small for about three and base for about ten times its work.
func Sizes() []Size { return slices.Clone(sizes) }

func sizeOf(name string) (Size, error) {
	var names []string
	for _, s := range sizes {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Size{}, fmt.Errorf("model %q is not one of %q", name, names)
}

// layers calls each for each convolution with the side of its input and its channels in and out.
func (s Size) layers(each func(layer, side, in, out int)) {
	side, in := s.Input, 3
	for i, out := range s.Channels {
		each(i, side, in, out)
		side, in = side/2, out
	}
}

// flat returns the number of values that the head sees.
func (s Size) flat() int {
	side := s.Input >> len(s.Channels)
	return side * side * s.Channels[len(s.Channels)-1]
}

// Multiplications returns the number of multiplications of one image.
func (s Size) Multiplications() int64 {
	n := int64(s.flat() * s.Classes)
	s.layers(func(_, side, in, out int) { n += int64(side * side * 9 * in * out) })
	return n
}

// WeightBytes returns the size of the weights in memory.
func (s Size) WeightBytes() int64 { return worker.Weights{Tensors: s.tensors()}.Bytes() }

// tensors returns the tensors of the network in file order: kernel and bias of each convolution, then those of the head. A
// kernel has a row for each output channel, and in it the 3×3 places row by row, each with all input channels.
func (s Size) tensors() []worker.Tensor {
	var list []worker.Tensor
	s.layers(func(_, _, in, out int) {
		list = append(list, worker.Tensor{Rows: out, Cols: 9 * in, Std: math.Sqrt(2 / float64(9*in))}, worker.Tensor{Rows: 1, Cols: out, Std: 0.05})
	})
	k := s.flat()
	return append(list, worker.Tensor{Rows: s.Classes, Cols: k, Std: math.Sqrt(1 / float64(k))}, worker.Tensor{Rows: 1, Cols: s.Classes, Std: 0.05})
}

func weightsOf(dir string, s Size, seed uint64) worker.Weights {
	dims := [6]int{s.Input, 0, 0, 0, 0, s.Classes}
	copy(dims[1:5], s.Channels)
	name := fmt.Sprintf("vision-%s-i%d-c%d-%d-%d-%d-o%d-s%d.weights", s.Name, dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], seed)
	return worker.Weights{Path: filepath.Join(dir, name), Model: s.Name, Magic: "ASSAYCNN", Version: 1, Dims: dims, Seed: seed, Tensors: s.tensors()}
}

// EnsureWeights makes the weights file of cfg if it is missing or damaged, and returns its path and size.
func EnsureWeights(cfg Config) (path string, size int64, err error) {
	cfg = cfg.WithDefaults()
	s, err := sizeOf(cfg.Model)
	if err != nil {
		return "", 0, err
	}
	w := weightsOf(cfg.WeightsDir, s, cfg.Seed)
	return w.Path, worker.HeaderBytes + w.Bytes(), w.Ensure()
}

// className returns the name of a class.
func className(i int) string { return fmt.Sprintf("class-%d", i) }
