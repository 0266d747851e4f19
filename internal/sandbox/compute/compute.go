// Package compute is the arithmetic that the sandbox's models share: a [Pool] of goroutines that run the parts of a
// [Job], and products of matrices ([Product], [Tile]) whose result for one row does not depend on what else is
// computed with it, nor on the number of threads.
package compute

import (
	"sync"
	"sync/atomic"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// BLAS is the implementation that all models compute with.
var BLAS gonum.Implementation

// A Job is work that falls into parts which may run in any order and at once. worker says which scratch space to use.
type Job interface{ Do(part, worker int) }

// A Pool runs the parts of a job on a fixed number of goroutines, the caller's included.
type Pool struct {
	Workers int

	start   []chan struct{}
	done    sync.WaitGroup
	current Job
	parts   int64
	next    atomic.Int64
}

// NewPool returns a pool of so many workers.
func NewPool(workers int) *Pool {
	p := &Pool{Workers: workers}
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

// Close ends the pool's goroutines.
func (p *Pool) Close() {
	for _, c := range p.start {
		close(c)
	}
	p.start = nil
}

// Run does all parts of j and returns when they are done. It is for one goroutine at a time.
func (p *Pool) Run(j Job, parts int) {
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

func (p *Pool) drain(worker int) {
	for {
		i := p.next.Add(1) - 1
		if i >= p.parts {
			return
		}
		p.current.Do(int(i), worker)
	}
}

// TileSize is the largest number of rows and of columns of a [Tile].
//
// Below that size gonum's Sgemm runs in its caller and computes each element as
// one dot product over all of k. So an element's value does not depend on the number of rows or threads, and b's
// tile stays in the first-level cache while the rows pass over it.
const TileSize = 64

// Tile computes C = A·Bᵀ for A rows×k, B cols×k and C rows×cols with ldc values from row to row, none larger than TileSize.
func Tile(c, a, b []float32, rows, cols, k, ldc int) {
	BLAS.Sgemm(blas.NoTrans, blas.Trans, rows, cols, k, 1, a, k, b, k, 0, c, ldc)
}

// A Product is C = A·Bᵀ with A rows×k, B cols×k and C rows×cols, in tiles.
type Product struct {
	a, b, c       []float32
	rows, cols, k int
	rowTiles      int
}

// Do computes one tile.
func (p *Product) Do(part, _ int) {
	i, j := part%p.rowTiles*TileSize, part/p.rowTiles*TileSize
	Tile(p.c[i*p.cols+j:], p.a[i*p.k:], p.b[j*p.k:], min(TileSize, p.rows-i), min(TileSize, p.cols-j), p.k, p.cols)
}

// Multiply computes c = a·bᵀ on the pool.
func (p *Product) Multiply(on *Pool, c, a, b []float32, rows, cols, k int) {
	p.a, p.b, p.c, p.rows, p.cols, p.k = a, b, c, rows, cols, k
	p.rowTiles = (rows + TileSize - 1) / TileSize
	on.Run(p, p.rowTiles*((cols+TileSize-1)/TileSize))
}
