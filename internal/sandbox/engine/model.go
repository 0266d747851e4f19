package engine

import (
	"math"

	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// A model is the weights in memory, ready to compute with.
type model struct {
	ModelSize
	embed    []float32
	layers   []layer
	norm     []float32
	head     []float32
	cos, sin []float32 // rotary table, a row of headDim/2 for each position
}

type layer struct {
	attnNorm, qkv, out, ffnNorm, gateUp, down []float32
}

// loadModel checks the payload and builds the tensors.
func loadModel(s ModelSize, f *worker.Fetched) (*model, error) {
	list, err := worker.Weights{Tensors: s.tensors()}.Decode(f)
	if err != nil {
		return nil, err
	}
	next := func() []float32 { t := list[0]; list = list[1:]; return t }
	m := &model{ModelSize: s, embed: next()}
	for range s.Layers {
		m.layers = append(m.layers, layer{next(), next(), next(), next(), next(), next()})
	}
	m.norm, m.head = next(), next()
	m.rotary()
	return m, nil
}

func (m *model) rotary() {
	half := m.headDim() / 2
	m.cos, m.sin = make([]float32, m.Context*half), make([]float32, m.Context*half)
	for p := range m.Context {
		for i := range half {
			angle := float64(p) * math.Pow(10000, -float64(i)/float64(half))
			m.cos[p*half+i], m.sin[p*half+i] = float32(math.Cos(angle)), float32(math.Sin(angle))
		}
	}
}
