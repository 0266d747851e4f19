package engine

import (
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

var blas32 gonum.Implementation

// A job is work that falls into parts which may run in any order and at once. worker says which scratch space to use.
type job interface{ do(part, worker int) }

// A pool runs the parts of a job on a fixed number of goroutines, the caller's included.
type pool struct {
	workers int
	start   []chan struct{}
	done    sync.WaitGroup
	current job
	parts   int64
	next    atomic.Int64
}

func newPool(workers int) *pool {
	p := &pool{workers: workers}
	for w := 1; w < workers; w++ {
		start := make(chan struct{})
		p.start = append(p.start, start)
		go func() {
			for range start {
				p.drain(w)
				p.done.Done()
			}
		}()
	}
	return p
}

// close ends the pool's goroutines.
func (p *pool) close() {
	for _, c := range p.start {
		close(c)
	}
	p.start = nil
}

// run does all parts of j and returns when they are done.
func (p *pool) run(j job, parts int) {
	p.current, p.parts = j, int64(parts)
	p.next.Store(0)
	if parts > 1 {
		p.done.Add(len(p.start))
		for _, c := range p.start {
			c <- struct{}{}
		}
	}
	p.drain(0)
	p.done.Wait()
}

func (p *pool) drain(worker int) {
	for {
		i := p.next.Add(1) - 1
		if i >= p.parts {
			return
		}
		p.current.do(int(i), worker)
	}
}

// A product is C = A·Bᵀ with A rows×k, B cols×k and C rows×cols, in tiles.
//
// Tiles are at most 64 by 64: below that size gonum's Sgemm runs in its caller and computes each element as
// one dot product over all of k. So an element's value does not depend on the number of rows or threads, and B's
// tile stays in the first-level cache while the rows pass over it.
type product struct {
	a, b, c       []float32
	rows, cols, k int
	rowTiles      int
}

const tile = 64

func (p *product) do(part, _ int) {
	i, j := part%p.rowTiles*tile, part/p.rowTiles*tile
	blas32.Sgemm(blas.NoTrans, blas.Trans, min(tile, p.rows-i), min(tile, p.cols-j), p.k,
		1, p.a[i*p.k:], p.k, p.b[j*p.k:], p.k, 0, p.c[i*p.cols+j:], p.cols)
}

// multiply computes c = a·bᵀ on the pool.
func (p *product) multiply(on *pool, c, a, b []float32, rows, cols, k int) {
	p.a, p.b, p.c, p.rows, p.cols, p.k = a, b, c, rows, cols, k
	p.rowTiles = (rows + tile - 1) / tile
	on.run(p, p.rowTiles*((cols+tile-1)/tile))
}
