package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
)

// Types of values in a GGUF file.
const (
	ggufUint32  = 4
	ggufInt32   = 5
	ggufFloat32 = 6
	ggufString  = 8
	ggufArray   = 9
)

// writeGGUF writes a model of the llama architecture with random weights that a real engine loads: 4 layers of width 256, byte tokens, 11 MB.
// What it says makes no sense; that it says something, token by token, is all that is wanted.
func writeGGUF(t *testing.T, path string) {
	t.Helper()
	const layers, width, inner, heads, align = 4, 256, 512, 4, 32
	tokens, kinds := []string{"<unk>", "<s>", "</s>"}, []int32{2, 3, 3} // unknown, control, control
	for i := range 256 {
		tokens, kinds = append(tokens, fmt.Sprintf("<0x%02X>", i)), append(kinds, 6) // byte
	}
	for i := range 16 {
		tokens, kinds = append(tokens, fmt.Sprintf("▁w%d", i)), append(kinds, 1)
	}
	scores := make([]float32, len(tokens))

	type tensor struct {
		name string
		dims []uint64
	}
	square, row := []uint64{width, width}, []uint64{width}
	tensors := []tensor{{"token_embd.weight", []uint64{width, uint64(len(tokens))}}, {"output_norm.weight", row}, {"output.weight", []uint64{width, uint64(len(tokens))}}}
	for i := range layers {
		for _, x := range []tensor{{"attn_norm", row}, {"attn_q", square}, {"attn_k", square}, {"attn_v", square}, {"attn_output", square},
			{"ffn_norm", row}, {"ffn_gate", []uint64{width, inner}}, {"ffn_up", []uint64{width, inner}}, {"ffn_down", []uint64{inner, width}}} {
			tensors = append(tensors, tensor{fmt.Sprintf("blk.%d.%s.weight", i, x.name), x.dims})
		}
	}

	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	b := bufio.NewWriter(f)
	n := 0
	put := func(v any) {
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
		n += binary.Size(v)
	}
	text := func(s string) { put(uint64(len(s))); put([]byte(s)) }
	pairs := []struct {
		key   string
		kind  uint32
		value any
	}{
		{"general.architecture", ggufString, "llama"}, {"general.name", ggufString, "random"}, {"general.file_type", ggufUint32, uint32(0)},
		{"llama.context_length", ggufUint32, uint32(2048)}, {"llama.embedding_length", ggufUint32, uint32(width)}, {"llama.block_count", ggufUint32, uint32(layers)},
		{"llama.feed_forward_length", ggufUint32, uint32(inner)}, {"llama.rope.dimension_count", ggufUint32, uint32(width / heads)},
		{"llama.attention.head_count", ggufUint32, uint32(heads)}, {"llama.attention.head_count_kv", ggufUint32, uint32(heads)},
		{"llama.attention.layer_norm_rms_epsilon", ggufFloat32, float32(1e-5)}, {"llama.vocab_size", ggufUint32, uint32(len(tokens))},
		{"tokenizer.ggml.model", ggufString, "llama"}, {"tokenizer.ggml.tokens", ggufString, tokens}, {"tokenizer.ggml.scores", ggufFloat32, scores},
		{"tokenizer.ggml.token_type", ggufInt32, kinds}, {"tokenizer.ggml.bos_token_id", ggufUint32, uint32(1)},
		{"tokenizer.ggml.eos_token_id", ggufUint32, uint32(2)}, {"tokenizer.ggml.unknown_token_id", ggufUint32, uint32(0)},
	}
	put([]byte("GGUF"))
	put(uint32(3))
	put(uint64(len(tensors)))
	put(uint64(len(pairs)))
	for _, p := range pairs {
		text(p.key)
		switch v := p.value.(type) {
		case string:
			put(p.kind)
			text(v)
		case []string:
			put(uint32(ggufArray))
			put(p.kind)
			put(uint64(len(v)))
			for _, s := range v {
				text(s)
			}
		case []float32, []int32:
			put(uint32(ggufArray))
			put(p.kind)
			put(uint64(len(tokens)))
			put(v)
		default:
			put(p.kind)
			put(v)
		}
	}
	offset := uint64(0)
	size := func(x tensor) uint64 {
		s := uint64(4)
		for _, d := range x.dims {
			s *= d
		}
		return s
	}
	for _, x := range tensors {
		text(x.name)
		put(uint32(len(x.dims)))
		put(x.dims)
		put(uint32(0)) // F32
		put(offset)
		offset += (size(x) + align - 1) / align * align
	}
	pad := func() {
		for n%align != 0 {
			put(byte(0))
		}
	}
	pad()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, x := range tensors {
		values := make([]float32, size(x)/4)
		for i := range values {
			values[i] = float32(rng.NormFloat64() / math.Sqrt(width))
			if len(x.dims) == 1 {
				values[i] = 1 // of a norm
			}
		}
		put(values)
		pad()
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
