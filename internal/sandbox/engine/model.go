package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
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

// loadModel checks the payload against its checksum and builds the tensors. A value that is not finite is
// as bad as a wrong checksum, because it would spread through the KV cache.
func loadModel(s ModelSize, f *fetched) (*model, error) {
	if sha256.Sum256(f.payload) != f.sum {
		return nil, fmt.Errorf("%w: checksum of the payload differs", errCorrupt)
	}
	b, finite := f.payload, true
	var list [][]float32
	for _, t := range s.tensors() {
		v := make([]float32, t.size())
		for i := range v {
			bits := binary.LittleEndian.Uint32(b[4*i:])
			finite = finite && bits&0x7f800000 != 0x7f800000
			v[i] = math.Float32frombits(bits)
		}
		list, b = append(list, v), b[4*len(v):]
	}
	if !finite {
		return nil, fmt.Errorf("%w: a value is not finite", errCorrupt)
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
