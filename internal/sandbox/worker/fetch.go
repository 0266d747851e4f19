package worker

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// A Fetched file is the weights as read, not yet checked.
type Fetched struct {
	Sum     [32]byte
	Payload []byte
}

// fetchPlan returns how long reading size bytes is to take at least.
func fetchPlan(size int64, floor time.Duration, rate int64) time.Duration {
	floor = max(floor, 0)
	if rate > 0 {
		floor = max(floor, time.Duration(float64(size)/float64(rate)*float64(time.Second)))
	}
	return floor
}

// Fetch reads the weights file at no more than the planned speed. The read is
// spread evenly: each chunk is read, and then the reader waits until that share of the
// duration has passed, so the whole takes at least the plan and a slow disk adds no second wait.
func (w Weights) Fetch(ctx context.Context, atLeast time.Duration) (*Fetched, error) {
	start := time.Now()
	f, err := os.Open(w.Path)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	defer f.Close()
	sum, err := w.readHeader(f)
	if err != nil {
		return nil, fmt.Errorf("read weights %s: %w", w.Path, err)
	}
	buf := make([]byte, w.Bytes())
	chunk := min(max(len(buf)/64, 4<<10), 1<<20)
	for done := 0; done < len(buf); {
		n := min(chunk, len(buf)-done)
		if _, err := io.ReadFull(f, buf[done:done+n]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w: ends after %d of %d bytes", ErrCorrupt, done, len(buf))
			}
			return nil, fmt.Errorf("read weights %s: %w", w.Path, err)
		}
		done += n
		due := time.Duration(float64(atLeast) * float64(done) / float64(len(buf)))
		if err := Sleep(ctx, due-time.Since(start)); err != nil {
			return nil, err
		}
	}
	return &Fetched{sum, buf}, nil
}

// Decode checks the payload against its checksum and returns the values of each tensor. A value that is not finite is
// as bad as a wrong checksum, because it would spread through all that is computed.
func (w Weights) Decode(f *Fetched) ([][]float32, error) {
	if sha256.Sum256(f.Payload) != f.Sum {
		return nil, fmt.Errorf("%w: checksum of the payload differs", ErrCorrupt)
	}
	b, finite := f.Payload, true
	var list [][]float32
	for _, t := range w.Tensors {
		v := make([]float32, t.Size())
		for i := range v {
			bits := binary.LittleEndian.Uint32(b[4*i:])
			finite = finite && bits&0x7f800000 != 0x7f800000
			v[i] = math.Float32frombits(bits)
		}
		list, b = append(list, v), b[4*len(v):]
	}
	if !finite {
		return nil, fmt.Errorf("%w: a value is not finite", ErrCorrupt)
	}
	return list, nil
}

// Sleep waits for d, or until ctx is done.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
