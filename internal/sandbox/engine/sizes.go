package engine

import "fmt"

// A ModelSize is the shape of a decoder-only transformer: RMSNorm, rotary
// multi-head attention, SwiGLU, float32.
type ModelSize struct {
	Name    string
	Layers  int
	Width   int
	Heads   int
	FFN     int // width of the hidden layer of the feed-forward part
	Vocab   int
	Context int // longest sequence in tokens
}

var modelSizes = []ModelSize{
	{Name: "nano", Layers: 2, Width: 64, Heads: 2, FFN: 160, Vocab: 512, Context: 1024},
	{Name: "tiny", Layers: 5, Width: 192, Heads: 6, FFN: 512, Vocab: 512, Context: 2048},
	{Name: "small", Layers: 6, Width: 256, Heads: 8, FFN: 688, Vocab: 512, Context: 2048},
	{Name: "base", Layers: 8, Width: 512, Heads: 8, FFN: 1376, Vocab: 1024, Context: 4096},
}

// ModelSizes returns the sizes a Config may name, smallest first: nano for tests,
// tiny as the default, small for about twice and base for about ten times its work.
func ModelSizes() []ModelSize { return append([]ModelSize(nil), modelSizes...) }

func sizeOf(name string) (ModelSize, error) {
	var names []string
	for _, s := range modelSizes {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return ModelSize{}, fmt.Errorf("model %q is not one of %q", name, names)
}

// Parameters returns the number of weights.
func (s ModelSize) Parameters() int64 {
	var n int64
	for _, t := range s.tensors() {
		n += int64(t.Size())
	}
	return n
}

// WeightBytes returns the size of the weights in memory.
func (s ModelSize) WeightBytes() int64 { return 4 * s.Parameters() }

// KVBytesPerToken returns the KV cache bytes that one token takes.
func (s ModelSize) KVBytesPerToken() int64 { return int64(s.Layers) * 2 * int64(s.Width) * 4 }

func (s ModelSize) headDim() int { return s.Width / s.Heads }
