package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// A fetched file is the weights as read, not yet checked.
type fetched struct {
	sum     [32]byte
	payload []byte
}

// fetchPlan returns how long reading size bytes is to take at least.
func fetchPlan(size int64, floor time.Duration, rate int64) time.Duration {
	floor = max(floor, 0)
	if rate > 0 {
		floor = max(floor, time.Duration(float64(size)/float64(rate)*float64(time.Second)))
	}
	return floor
}

// fetchWeights reads the weights file at no more than the planned speed. The read is
// spread evenly: each chunk is read, and then the reader waits until that share of the
// duration has passed, so the whole takes at least the plan and a slow disk adds no second wait.
func fetchWeights(ctx context.Context, path string, s ModelSize, seed uint64, atLeast time.Duration) (*fetched, error) {
	start := time.Now()
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	defer f.Close()
	sum, err := readHeader(f, s, seed)
	if err != nil {
		return nil, fmt.Errorf("read weights %s: %w", path, err)
	}
	buf := make([]byte, s.WeightBytes())
	chunk := min(max(len(buf)/64, 4<<10), 1<<20)
	for done := 0; done < len(buf); {
		n := min(chunk, len(buf)-done)
		if _, err := io.ReadFull(f, buf[done:done+n]); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				err = fmt.Errorf("%w: ends after %d of %d bytes", errCorrupt, done, len(buf))
			}
			return nil, fmt.Errorf("read weights %s: %w", path, err)
		}
		done += n
		due := time.Duration(float64(atLeast) * float64(done) / float64(len(buf)))
		if err := sleep(ctx, due-time.Since(start)); err != nil {
			return nil, err
		}
	}
	return &fetched{sum, buf}, nil
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
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
