package vision

import (
	"time"

	"github.com/assay-dev/assay/internal/sandbox/compute"
)

// A convolution is the job of one layer over a batch: 3×3, stride 1, zero padding, bias and ReLU, from the runner's
// from to its to. A part is one tile of pixels of one image: their patches are gathered as rows of a matrix, which is
// multiplied with the kernel while it is in the cache.
type convolution struct {
	r             *runner
	side, in, out int
	kernel, bias  []float32
	tiles         int // of one image
}

// Do computes one tile.
func (c *convolution) Do(part, worker int) {
	began := time.Now()
	s := &c.r.scratch[worker]
	pixels, k := c.side*c.side, 9*c.in
	image, first := part/c.tiles, part%c.tiles*compute.TileSize
	count := min(compute.TileSize, pixels-first)
	src := c.r.from[image*pixels*c.in : (image+1)*pixels*c.in]
	for i := range count {
		c.patch(s.rows[i*k:(i+1)*k], src, (first+i)/c.side, (first+i)%c.side)
	}
	gathered := time.Now()
	dst := c.r.to[(image*pixels+first)*c.out : (image*pixels+first+count)*c.out]
	for j := 0; j < c.out; j += compute.TileSize {
		compute.Tile(dst[j:], s.rows, c.kernel[j*k:], count, min(compute.TileSize, c.out-j), k, c.out)
	}
	multiplied := time.Now()
	for i := range count {
		row := dst[i*c.out : (i+1)*c.out]
		for j, b := range c.bias {
			row[j] = max(row[j]+b, 0)
		}
	}
	s.matrix += multiplied.Sub(gathered)
	s.other += gathered.Sub(began) + time.Since(multiplied)
}

// patch copies the 3×3 neighbourhood of one pixel, with zeros beyond the edge.
func (c *convolution) patch(row, src []float32, y, x int) {
	width := 3 * c.in
	left, right := max(x-1, 0), min(x+2, c.side)
	skip := (left - x + 1) * c.in
	for dy := range 3 {
		to, sy := row[dy*width:(dy+1)*width], y+dy-1
		if sy < 0 || sy >= c.side {
			clear(to)
			continue
		}
		clear(to[:skip])
		n := copy(to[skip:], src[(sy*c.side+left)*c.in:(sy*c.side+right)*c.in])
		clear(to[skip+n:])
	}
}

// A maxPool is the job that halves the images of a batch, from the runner's to back into its from. A part is one row of the result.
type maxPool struct {
	r              *runner
	side, channels int
}

// Do computes one row.
func (p *maxPool) Do(part, worker int) {
	began := time.Now()
	half, line := p.side/2, p.side*p.channels
	image, y := part/half, part%half
	top := p.r.to[(image*p.side+2*y)*line : (image*p.side+2*y+1)*line]
	bottom := p.r.to[(image*p.side+2*y+1)*line : (image*p.side+2*y+2)*line]
	out := p.r.from[part*half*p.channels : (part+1)*half*p.channels]
	for x := range half {
		at := 2 * x * p.channels
		a, b := top[at:at+p.channels], top[at+p.channels:at+2*p.channels]
		c, d := bottom[at:at+p.channels], bottom[at+p.channels:at+2*p.channels]
		o := out[x*p.channels : (x+1)*p.channels]
		for j := range o {
			o[j] = max(max(a[j], b[j]), max(c[j], d[j]))
		}
	}
	p.r.scratch[worker].other += time.Since(began)
}
