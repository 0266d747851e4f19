package engine

import (
	"math"

	"gonum.org/v1/gonum/blas"

	"github.com/assay-dev/assay/internal/sandbox/compute"
)

// A chunk is the part of one sequence that a forward pass computes: tokens that
// stand at positions from, from+1, …, and the block table that already has room for them.
type chunk struct {
	tokens []int32
	from   int
	table  []int32
	logits []float32 // set by forward when want: scores of the token after the last one
	want   bool
}

// A runner computes forward passes of one model over one KV cache. It owns all
// scratch space, so that a pass allocates nothing. It is for one goroutine.
type runner struct {
	m    *model
	kv   *kvCache
	pool *compute.Pool

	x, h, qkv, att, gateUp, act []float32 // one row for each token of the pass
	last, logits                []float32 // one row for each chunk that wants scores
	rows                        []row
	scores                      [][]float32 // for each worker
	mul                         compute.Product
	attend                      attention
}

type row struct {
	chunk int32
	pos   int32
}

func newRunner(m *model, kv *kvCache, on *compute.Pool, maxRows, maxSeqs int) *runner {
	f := func(n int) []float32 { return make([]float32, n) }
	r := &runner{m: m, kv: kv, pool: on,
		x: f(maxRows * m.Width), h: f(maxRows * m.Width), qkv: f(maxRows * 3 * m.Width), att: f(maxRows * m.Width),
		gateUp: f(maxRows * 2 * m.FFN), act: f(maxRows * m.FFN),
		last: f(maxSeqs * m.Width), logits: f(maxSeqs * m.Vocab), rows: make([]row, 0, maxRows)}
	for range on.Workers {
		r.scores = append(r.scores, f(blocksFor(m.Context)*blockTokens))
	}
	return r
}

// forward computes all chunks in one pass and leaves the scores in those that want them; they are
// valid until the next pass.
func (r *runner) forward(chunks []chunk) {
	m := r.m
	d := m.Width
	r.rows = r.rows[:0]
	for c := range chunks {
		for i, t := range chunks[c].tokens {
			n := len(r.rows)
			copy(r.x[n*d:(n+1)*d], m.embed[int(t)*d:])
			r.rows = append(r.rows, row{int32(c), int32(chunks[c].from + i)})
		}
	}
	n := len(r.rows)
	for l := range m.layers {
		w := &m.layers[l]
		rmsNorm(r.h, r.x, w.attnNorm, n)
		r.mul.Multiply(r.pool, r.qkv, r.h, w.qkv, n, 3*d, d)
		r.store(l, chunks)
		r.attend = attention{r, l, chunks}
		r.pool.Run(&r.attend, n)
		r.mul.Multiply(r.pool, r.h, r.att, w.out, n, d, d)
		add(r.x[:n*d], r.h)
		rmsNorm(r.h, r.x, w.ffnNorm, n)
		r.mul.Multiply(r.pool, r.gateUp, r.h, w.gateUp, n, 2*m.FFN, d)
		swiGLU(r.act, r.gateUp, n, m.FFN)
		r.mul.Multiply(r.pool, r.h, r.act, w.down, n, d, m.FFN)
		add(r.x[:n*d], r.h)
	}
	r.score(chunks)
}

// score computes the output head for the last row of each chunk that wants it.
func (r *runner) score(chunks []chunk) {
	m := r.m
	d, at, n := m.Width, 0, 0
	for c := range chunks {
		at += len(chunks[c].tokens)
		if chunks[c].want {
			copy(r.last[n*d:(n+1)*d], r.x[(at-1)*d:at*d])
			chunks[c].logits = r.logits[n*m.Vocab : (n+1)*m.Vocab]
			n++
		}
	}
	if n > 0 {
		rmsNorm(r.last, r.last, m.norm, n)
		r.mul.Multiply(r.pool, r.logits, r.last, m.head, n, m.Vocab, d)
	}
}

// store turns queries and keys by their position and writes keys and values to the cache.
func (r *runner) store(layer int, chunks []chunk) {
	m := r.m
	d, hd := m.Width, m.headDim()
	half := hd / 2
	for i, at := range r.rows {
		pos := int(at.pos)
		cos, sin := m.cos[pos*half:(pos+1)*half], m.sin[pos*half:(pos+1)*half]
		qkv := r.qkv[i*3*d : (i+1)*3*d]
		for h := range 2 * m.Heads { // queries, then keys
			v := qkv[h*hd : (h+1)*hd]
			for j := range half {
				a, b := v[j], v[half+j]
				v[j], v[half+j] = a*cos[j]-b*sin[j], a*sin[j]+b*cos[j]
			}
		}
		block, slot := chunks[at.chunk].table[pos/blockTokens], pos%blockTokens
		for h := range m.Heads {
			k, v := r.kv.head(layer, block, h)
			copy(k[slot*hd:(slot+1)*hd], qkv[d+h*hd:])
			copy(v[slot*hd:(slot+1)*hd], qkv[2*d+h*hd:2*d+(h+1)*hd])
		}
	}
}

// attention is the job of one layer: a part is one row.
type attention struct {
	r      *runner
	layer  int
	chunks []chunk
}

// Do computes one row. It always reads whole blocks: what lies behind the
// row's position (older contents of the block) gets weight zero, and the order of the
// sums is the same whether the row is part of a prefill or decoded alone.
func (a *attention) Do(i, worker int) {
	r, m := a.r, a.r.m
	d, hd := m.Width, m.headDim()
	n := int(r.rows[i].pos) + 1
	table := a.chunks[r.rows[i].chunk].table[:blocksFor(n)]
	scores := r.scores[worker][:len(table)*blockTokens]
	scale := float32(1 / math.Sqrt(float64(hd)))
	for h := range m.Heads {
		q, out := r.qkv[i*3*d+h*hd:i*3*d+(h+1)*hd], r.att[i*d+h*hd:i*d+(h+1)*hd]
		for b, block := range table {
			k, _ := r.kv.head(a.layer, block, h)
			compute.BLAS.Sgemv(blas.NoTrans, blockTokens, hd, scale, k, hd, q, 1, 0, scores[b*blockTokens:], 1)
		}
		inv := softmax(scores[:n])
		clear(scores[n:])
		clear(out)
		for b, block := range table {
			_, v := r.kv.head(a.layer, block, h)
			compute.BLAS.Sgemv(blas.Trans, blockTokens, hd, inv, v, hd, scores[b*blockTokens:], 1, 1, out, 1)
		}
	}
}

// softmax replaces scores by their exponentials, less the greatest, and returns one over their sum.
func softmax(s []float32) float32 {
	top := s[0]
	for _, v := range s {
		top = max(top, v)
	}
	var sum float32
	for i, v := range s {
		e := float32(math.Exp(float64(v - top)))
		s[i] = e
		sum += e
	}
	return 1 / sum
}

func rmsNorm(dst, src, weight []float32, rows int) {
	d := len(weight)
	for i := range rows {
		x, y := src[i*d:(i+1)*d], dst[i*d:(i+1)*d]
		var sum float32
		for _, v := range x {
			sum += v * v
		}
		inv := float32(1 / math.Sqrt(float64(sum)/float64(d)+1e-6))
		for j, v := range x {
			y[j] = v * inv * weight[j]
		}
	}
}

func add(x, y []float32) {
	for i := range x {
		x[i] += y[i]
	}
}

// swiGLU computes silu(gate)·up; a row of gateUp is gate, then up.
func swiGLU(dst, gateUp []float32, rows, ffn int) {
	for i := range rows {
		gate, up := gateUp[i*2*ffn:i*2*ffn+ffn], gateUp[i*2*ffn+ffn:(i+1)*2*ffn]
		out := dst[i*ffn : (i+1)*ffn]
		for j, g := range gate {
			out[j] = g / (1 + float32(math.Exp(float64(-g)))) * up[j]
		}
	}
}
