package engine

import (
	"math"
	"slices"
	"testing"

	"github.com/assay-dev/assay/internal/sandbox/compute"
)

// reference computes the scores after each position of a sequence in the plainest way: float64, no
// cache, no batch, attention over all earlier positions.
func reference(m *model, tokens []int32) [][]float64 {
	d, hd := m.Width, m.headDim()
	mul := func(x []float64, w []float32) []float64 {
		out := make([]float64, len(w)/len(x))
		for i := range out {
			for j, v := range x {
				out[i] += v * float64(w[i*len(x)+j])
			}
		}
		return out
	}
	norm := func(x []float64, w []float32) []float64 {
		var sum float64
		for _, v := range x {
			sum += v * v
		}
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = v / math.Sqrt(sum/float64(len(x))+1e-6) * float64(w[i])
		}
		return out
	}
	turn := func(v []float64, pos int) {
		for i := range hd / 2 {
			sin, cos := math.Sincos(float64(pos) * math.Pow(10000, -2*float64(i)/float64(hd)))
			a, b := v[i], v[hd/2+i]
			v[i], v[hd/2+i] = a*cos-b*sin, a*sin+b*cos
		}
	}
	x := make([][]float64, len(tokens))
	for i, t := range tokens {
		for _, v := range m.embed[int(t)*d : (int(t)+1)*d] {
			x[i] = append(x[i], float64(v))
		}
	}
	for _, l := range m.layers {
		qkv := make([][]float64, len(x))
		for i := range x {
			qkv[i] = mul(norm(x[i], l.attnNorm), l.qkv)
			for h := range 2 * m.Heads {
				turn(qkv[i][h*hd:(h+1)*hd], i)
			}
		}
		for i := range x {
			att := make([]float64, d)
			for h := range m.Heads {
				weights, sum := make([]float64, i+1), 0.0
				for j := range weights {
					var dot float64
					for k := range hd {
						dot += qkv[i][h*hd+k] * qkv[j][d+h*hd+k]
					}
					weights[j] = math.Exp(dot / math.Sqrt(float64(hd)))
					sum += weights[j]
				}
				for j, w := range weights {
					for k := range hd {
						att[h*hd+k] += w / sum * qkv[j][2*d+h*hd+k]
					}
				}
			}
			for k, v := range mul(att, l.out) {
				x[i][k] += v
			}
			gateUp := mul(norm(x[i], l.ffnNorm), l.gateUp)
			act := make([]float64, m.FFN)
			for j := range act {
				act[j] = gateUp[j] / (1 + math.Exp(-gateUp[j])) * gateUp[m.FFN+j]
			}
			for k, v := range mul(act, l.down) {
				x[i][k] += v
			}
		}
	}
	out := make([][]float64, len(x))
	for i := range x {
		out[i] = mul(norm(x[i], m.norm), m.head)
	}
	return out
}

func testRunner(t testing.TB, size string, threads, kvTokens int) *runner {
	m := loadTest(t, size)
	p := compute.NewPool(threads)
	t.Cleanup(p.Close)
	return newRunner(m, newKVCache(m.ModelSize, kvTokens), p, 128, 16)
}

// scoresInChunks feeds a sequence in chunks of the given sizes and returns the scores after each chunk, by position.
func scoresInChunks(r *runner, tokens []int32, sizes []int) map[int][]float32 {
	var table []int32
	defer r.kv.release(&table)
	out, at := map[int][]float32{}, 0
	for _, n := range sizes {
		r.kv.grow(&table, at+n)
		chunks := []chunk{{tokens: tokens[at : at+n], from: at, table: table, want: true}}
		r.forward(chunks)
		at += n
		out[at-1] = slices.Clone(chunks[0].logits)
	}
	return out
}

func ones(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

func TestForwardAgreesWithReference(t *testing.T) {
	r := testRunner(t, "nano", 1, 256)
	tokens := testPrompt(50, 3, r.m.Vocab)
	want := reference(r.m, tokens)
	for pos, got := range scoresInChunks(r, tokens, ones(50)) {
		for i := range got {
			if d := math.Abs(float64(got[i]) - want[pos][i]); !(d < 1e-3) {
				t.Fatalf("position %d, word %d: got %g, want %g", pos, i, got[i], want[pos][i])
			}
		}
	}
}

// Scores must not depend on chunking, threads or what lies in a block from before: to the last bit.
func TestForwardIsTheSameHoweverItIsChunked(t *testing.T) {
	for _, size := range []string{"nano", "tiny"} {
		r := testRunner(t, size, 1, 256)
		tokens := testPrompt(50, 5, r.m.Vocab)
		want := scoresInChunks(r, tokens, ones(50))
		scoresInChunks(r, testPrompt(128, 9, r.m.Vocab), []int{128}) // leaves other keys in the blocks
		parallel := testRunner(t, size, 3, 256)
		for _, run := range []struct {
			r     *runner
			sizes []int
		}{{r, []int{50}}, {r, []int{16, 16, 16, 2}}, {r, []int{7, 30, 1, 12}}, {parallel, []int{50}}, {parallel, ones(50)}} {
			for pos, got := range scoresInChunks(run.r, tokens, run.sizes) {
				if !slices.Equal(got, want[pos]) {
					t.Fatalf("%s, chunks %v, %d threads: scores after position %d differ from decoding one by one", size, run.sizes, run.r.pool.Workers, pos)
				}
			}
		}
	}
}

func TestBatchedDecodeEqualsSingle(t *testing.T) {
	r := testRunner(t, "tiny", 2, 1024)
	const n = 8
	var single [n][]float32
	var tables [n][]int32
	var chunks []chunk
	for i := range n {
		tokens := testPrompt(20+5*i, i, r.m.Vocab)
		last := len(tokens) - 1
		single[i] = scoresInChunks(r, tokens, []int{last, 1})[last]
		r.kv.grow(&tables[i], len(tokens))
		r.forward([]chunk{{tokens: tokens[:last], table: tables[i]}})
		chunks = append(chunks, chunk{tokens: tokens[last:], from: last, table: tables[i], want: true})
	}
	other := testPrompt(40, 77, r.m.Vocab) // a prompt in the same pass, whose scores nobody wants
	var table []int32
	r.kv.grow(&table, len(other))
	chunks = slices.Insert(chunks, 3, chunk{tokens: other, table: table})
	r.forward(chunks)
	for i := range n {
		c := chunks[i]
		if i >= 3 {
			c = chunks[i+1]
		}
		if !slices.Equal(c.logits, single[i]) {
			t.Errorf("sequence %d of the batch differs from the same sequence alone", i)
		}
	}
}

func TestForwardDoesNotAllocate(t *testing.T) {
	r := testRunner(t, "nano", 2, 256)
	var table []int32
	r.kv.grow(&table, 32)
	chunks := []chunk{{tokens: testPrompt(32, 1, r.m.Vocab), table: table, want: true}}
	if n := testing.AllocsPerRun(20, func() { r.forward(chunks) }); n > 0 {
		t.Errorf("a pass allocates %v times", n)
	}
}

func TestSample(t *testing.T) {
	scores, scratch := make([]float32, 64), make([]float32, 64)
	scores[0], scores[40] = 100, 5 // 0 is no word
	if got := sample(scores, scratch, 0, 1, 1); got != 40 {
		t.Errorf("greedy: got %d, want 40", got)
	}
	count, seen := 0, map[int32]bool{}
	for pos := range 20000 {
		id := sample(scores, scratch, 1, 7, pos)
		if id < firstWord {
			t.Fatalf("sampled token %d, which is not a word", id)
		}
		if id != sample(scores, scratch, 1, 7, pos) {
			t.Fatal("the same seed and position gave two tokens")
		}
		seen[id] = true
		if id == 40 {
			count++
		}
	}
	want := math.Exp(5) / (math.Exp(5) + 59)
	if got := float64(count) / 20000; math.Abs(got-want) > 0.015 || len(seen) != 60 {
		t.Errorf("the best word came in a share of %.3f, want %.3f; %d of 60 words seen", got, want, len(seen))
	}
}
