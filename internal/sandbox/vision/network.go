package vision

import (
	"math"
	"time"

	"github.com/assay-dev/assay/internal/sandbox/compute"
	"github.com/assay-dev/assay/internal/sandbox/worker"
)

// A network is the weights in memory, ready to compute with.
type network struct {
	Size
	kernels, biases [][]float32 // of each convolution
	head, headBias  []float32
}

// loadNetwork checks the payload and builds the tensors.
func loadNetwork(s Size, f *worker.Fetched) (*network, error) {
	list, err := worker.Weights{Tensors: s.tensors()}.Decode(f)
	if err != nil {
		return nil, err
	}
	n := &network{Size: s}
	for range s.Channels {
		n.kernels, n.biases = append(n.kernels, list[0]), append(n.biases, list[1])
		list = list[2:]
	}
	n.head, n.headBias = list[0], list[1]
	return n, nil
}

// A runner computes forward passes of one network. It owns all
// scratch space, so that a pass allocates nothing. It is for one goroutine.
type runner struct {
	net  *network
	pool *compute.Pool

	from, to []float32 // activations before and after a layer: image, row, column, channel
	scores   []float32 // one row for each image
	scratch  []scratch // for each worker of the pool
	conv     convolution
	max      maxPool
	head     compute.Product
}

// A scratch is what one worker computes with and how long it took.
type scratch struct {
	rows          []float32 // the patches of one tile
	matrix, other time.Duration
	_             [64]byte // keeps the counts of two workers apart in the cache
}

func newRunner(n *network, on *compute.Pool, maxBatch int) *runner {
	largest, patch := 3*n.Input*n.Input, 0
	n.layers(func(_, side, in, out int) {
		largest, patch = max(largest, side*side*out), max(patch, 9*in)
	})
	r := &runner{net: n, pool: on, from: make([]float32, maxBatch*largest), to: make([]float32, maxBatch*largest),
		scores: make([]float32, maxBatch*n.Classes), scratch: make([]scratch, on.Workers)}
	for i := range r.scratch {
		r.scratch[i].rows = make([]float32, compute.TileSize*patch)
	}
	return r
}

// forward computes the probabilities of all images in one pass and writes them to out, a row of Classes each.
// It returns the share of the work that was spent in products of matrices.
func (r *runner) forward(images, out [][]float32) float64 {
	n, count := r.net, len(images)
	for i := range r.scratch {
		r.scratch[i].matrix, r.scratch[i].other = 0, 0
	}
	size := 3 * n.Input * n.Input
	for i, img := range images {
		copy(r.from[i*size:(i+1)*size], img)
	}
	n.layers(func(l, side, in, channels int) {
		r.conv = convolution{r: r, side: side, in: in, out: channels, kernel: n.kernels[l], bias: n.biases[l],
			tiles: (side*side + compute.TileSize - 1) / compute.TileSize}
		r.pool.Run(&r.conv, count*r.conv.tiles)
		r.max = maxPool{r: r, side: side, channels: channels}
		r.pool.Run(&r.max, count*(side/2)) // back into from
	})
	began := time.Now()
	r.head.Multiply(r.pool, r.scores, r.from, n.head, count, n.Classes, n.flat())
	matrix := time.Since(began)
	var other time.Duration
	for i := range r.scratch {
		matrix += r.scratch[i].matrix
		other += r.scratch[i].other
	}
	for i := range out {
		softmax(out[i], r.scores[i*n.Classes:(i+1)*n.Classes], n.headBias)
	}
	return float64(matrix) / float64(max(matrix+other, 1))
}

// softmax turns scores, with the bias added, into probabilities.
func softmax(out, scores, bias []float32) {
	top := float32(math.Inf(-1))
	for i, v := range scores {
		top = max(top, v+bias[i])
	}
	var sum float64
	for i, v := range scores {
		e := math.Exp(float64(v + bias[i] - top))
		out[i] = float32(e)
		sum += e
	}
	for i := range out {
		out[i] = float32(float64(out[i]) / sum)
	}
}
