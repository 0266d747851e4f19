package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/parquet-go/parquet-go"
	"golang.org/x/sync/errgroup"

	"github.com/assay-dev/assay"
)

// blockRows is how many requests or spans a callback gets at most at once.
const blockRows = 1 << 13

// Requests calls fn with the run's requests in order of due, ties by number and
// attempt, in blocks. A block and what it holds is borrowed until fn returns. An error of fn ends the scan and is returned.
func (r *Run) Requests(ctx context.Context, fn func(block []assay.Request) error) error {
	return r.scanRequests(ctx, false, fn)
}

// Outline is Requests without Arrivals and Counts: a scan that does not need them takes about half the time.
func (r *Run) Outline(ctx context.Context, fn func(block []assay.Request) error) error {
	return r.scanRequests(ctx, true, fn)
}

func (r *Run) scanRequests(ctx context.Context, light bool, fn func(block []assay.Request) error) error {
	return scan(ctx, r, &r.requests, requestTable, light, func(rows []assay.Request) error {
		for len(rows) > 0 {
			n := min(len(rows), blockRows)
			if err := fn(rows[:n]); err != nil {
				return err
			}
			rows = rows[n:]
		}
		return nil
	})
}

// A rowGroup is one row group of one part.
type rowGroup struct {
	file  string
	group parquet.RowGroup
}

// scan decodes the row groups of s in parallel and gives them to fn in order.
func scan[T any](ctx context.Context, r *Run, s *source, t *table[T], light bool, fn func(rows []T) error) (err error) {
	x, dir, err := r.parts(ctx, s)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	type job struct {
		b    *decoded[T]
		done chan error
	}
	workers := min(runtime.GOMAXPROCS(0), 8)
	free := make(chan *decoded[T], workers+1) // one more for the block that fn has
	for range workers + 1 {
		free <- new(decoded[T])
	}
	jobs := make(chan job, workers+1)
	g.Go(func() error {
		defer close(jobs)
		return eachGroup(x, dir, func(rg rowGroup, release func()) error {
			var b *decoded[T]
			select {
			case b = <-free:
			case <-ctx.Done():
				release()
				return ctx.Err()
			}
			j := job{b, make(chan error, 1)}
			g.Go(func() error {
				defer release()
				j.done <- t.readSafely(rg, b, light)
				return nil
			})
			jobs <- j // has room for every block there is
			return nil
		})
	})
	g.Go(func() error {
		for j := range jobs {
			if err := <-j.done; err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := fn(j.b.rows); err != nil {
				return err
			}
			free <- j.b
		}
		return nil
	})
	return g.Wait()
}

// decoded is a block with what decodes into it.
type decoded[T any] struct {
	block[T]
	rd columnReader
}

// readSafely decodes rg into b. The Parquet library panics on some damaged files.
func (t *table[T]) readSafely(rg rowGroup, b *decoded[T], light bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read %s: it is damaged: %v", rg.file, p)
		}
	}()
	if err := t.readGroup(rg.group, &b.block, &b.rd, light); err != nil {
		return fmt.Errorf("read %s: %w", rg.file, err)
	}
	return nil
}

// eachGroup calls fn with each row group of the parts. A part is closed when the releases of all its groups were called.
func eachGroup(x *index, dir string, fn func(g rowGroup, release func()) error) error {
	for _, p := range x.Parts {
		if p.Rows == 0 {
			continue
		}
		path := filepath.Join(dir, p.File)
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		shared := newShared(f)
		err = func() error {
			file, err := parquet.OpenFile(f, p.Bytes, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(1<<17))
			if err != nil {
				return fmt.Errorf("read %s: %w", path, err)
			}
			if file.NumRows() != p.Rows {
				return fmt.Errorf("read %s: it has %d rows instead of %d", path, file.NumRows(), p.Rows)
			}
			for _, g := range file.RowGroups() {
				shared.hold()
				if err := fn(rowGroup{path, g}, shared.release); err != nil {
					return err
				}
			}
			return nil
		}()
		shared.release()
		if err != nil {
			return err
		}
	}
	return nil
}
