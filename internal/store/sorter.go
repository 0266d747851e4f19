package store

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
)

const (
	sortBudget = 16 << 20 // decoded records kept in memory
	spillFrame = 32 << 10 // of a spilled run
)

// sortLog gives fn all records of the log at path in the codec's order, borrowed. What does not fit into budget bytes
// of memory goes by way of files in dir, which are gone when it returns. It also returns where the log is torn.
func sortLog[T any](ctx context.Context, c *codec[T], path, dir string, budget int, fn func(*T) error) (*torn, error) {
	s := &sorter[T]{codec: c, dir: dir, budget: budget}
	defer s.close()
	var d decoder
	cut, err := scanLog(path, c.magic, func(f frame, payload []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := s.block()
		if err := c.decodeFrame(&d, payload, f.n, b); err != nil {
			return fmt.Errorf("%s: the frame at byte %d: %w", path, f.at-frameHeader, err)
		}
		return s.add(b)
	})
	if err != nil {
		return cut, err
	}
	if err := s.finish(); err != nil {
		return cut, err
	}
	return cut, s.each(ctx, fn)
}

// A sorter is an external merge sort: records are added in blocks, and after finish they can be read in order, as often as wanted.
type sorter[T any] struct {
	codec  *codec[T]
	dir    string
	budget int

	blocks []*block[T] // in memory now
	spare  []*block[T]
	used   int
	runs   []*os.File // what went out of memory, each in order
	rows   []*T       // all of it in order, if none went
}

func (s *sorter[T]) block() *block[T] {
	if n := len(s.spare); n > 0 {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return b
	}
	return new(block[T])
}

// add takes the block over.
func (s *sorter[T]) add(b *block[T]) error {
	s.blocks = append(s.blocks, b)
	if s.used += b.bytes(); s.used > s.budget {
		return s.spill()
	}
	return nil
}

// sorted returns what is in memory, in order.
func (s *sorter[T]) sorted() []*T {
	n := 0
	for _, b := range s.blocks {
		n += len(b.rows)
	}
	rows := make([]*T, 0, n)
	for _, b := range s.blocks {
		for i := range b.rows {
			rows = append(rows, &b.rows[i])
		}
	}
	slices.SortFunc(rows, s.codec.compare)
	return rows
}

// spill writes what is in memory, in order, to a file.
func (s *sorter[T]) spill() (err error) {
	f, err := os.CreateTemp(s.dir, "sort-*.tmp")
	if err != nil {
		return fmt.Errorf("sort %s: %w", s.codec.kind, err)
	}
	s.runs = append(s.runs, f)
	w, b := logWriter{f: f}, newBatch()
	for _, r := range s.sorted() {
		s.codec.encode(b, r)
		if len(b.buf) >= spillFrame {
			if err := w.write(b); err != nil {
				return fmt.Errorf("sort %s: %w", s.codec.kind, err)
			}
			b.reset()
		}
	}
	if b.n > 0 {
		if err := w.write(b); err != nil {
			return fmt.Errorf("sort %s: %w", s.codec.kind, err)
		}
	}
	s.spare, s.blocks, s.used = append(s.spare, s.blocks...), s.blocks[:0], 0
	return nil
}

// each gives fn all records in order.
func (s *sorter[T]) each(ctx context.Context, fn func(*T) error) error {
	next, err := s.merge()
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if i%(1<<12) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if r, err := next(); err != nil || r == nil {
			return err
		} else if err := fn(r); err != nil {
			return err
		}
	}
}

// finish ends the adding.
func (s *sorter[T]) finish() error {
	if len(s.runs) == 0 {
		s.rows = s.sorted()
	} else if len(s.blocks) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	if s.spare = nil; len(s.runs) > 0 {
		s.blocks = nil
	}
	return nil
}

// merge returns a func that gives the records in order, each borrowed until the next call, and then nil.
func (s *sorter[T]) merge() (next func() (*T, error), err error) {
	if len(s.runs) == 0 {
		rows := s.rows
		return func() (r *T, _ error) {
			if len(rows) > 0 {
				r, rows = rows[0], rows[1:]
			}
			return r, nil
		}, nil
	}
	h := &mergeHeap[T]{compare: s.codec.compare}
	for i, f := range s.runs {
		r := &runReader[T]{codec: s.codec, index: i, name: filepath.Base(f.Name()), r: &offsetReader{r: io.NewSectionReader(f, 0, math.MaxInt64)}}
		if ok, err := r.next(); err != nil {
			return nil, err
		} else if ok {
			h.runs = append(h.runs, r)
		}
	}
	heap.Init(h)
	given := false
	return func() (*T, error) {
		if given { // the record on top was given: its run goes on
			if ok, err := h.runs[0].next(); err != nil {
				return nil, err
			} else if ok {
				heap.Fix(h, 0)
			} else {
				heap.Pop(h)
			}
		}
		if given = len(h.runs) > 0; !given {
			return nil, nil
		}
		return h.runs[0].cur, nil
	}, nil
}

func (s *sorter[T]) close() {
	for _, f := range s.runs {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
}

// A runReader reads one spilled run.
type runReader[T any] struct {
	codec   *codec[T]
	r       io.Reader
	name    string
	index   int
	d       decoder
	payload []byte
	b       block[T]
	i       int
	cur     *T
}

// next moves cur to the next record.
func (r *runReader[T]) next() (bool, error) {
	if r.i == len(r.b.rows) {
		var head [frameHeader]byte
		if _, err := io.ReadFull(r.r, head[:]); errors.Is(err, io.EOF) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("read %s: %w", r.name, err)
		}
		n := int(binary.LittleEndian.Uint32(head[:]))
		r.payload = slices.Grow(r.payload[:0], n)[:n]
		_, err := io.ReadFull(r.r, r.payload)
		if err == nil {
			err = r.codec.decodeFrame(&r.d, r.payload, int(binary.LittleEndian.Uint32(head[8:])), &r.b)
		}
		if err != nil {
			return false, fmt.Errorf("read %s: %w", r.name, err)
		}
		r.i = 0
	}
	r.cur = &r.b.rows[r.i]
	r.i++
	return true, nil
}

// A mergeHeap has the run with the least record on top; ties go to the run that was spilled first.
type mergeHeap[T any] struct {
	runs    []*runReader[T]
	compare func(a, b *T) int
}

func (h *mergeHeap[T]) Len() int { return len(h.runs) }
func (h *mergeHeap[T]) Less(i, j int) bool {
	if c := h.compare(h.runs[i].cur, h.runs[j].cur); c != 0 {
		return c < 0
	}
	return h.runs[i].index < h.runs[j].index
}
func (h *mergeHeap[T]) Swap(i, j int) { h.runs[i], h.runs[j] = h.runs[j], h.runs[i] }
func (h *mergeHeap[T]) Push(x any)    { h.runs = append(h.runs, x.(*runReader[T])) }
func (h *mergeHeap[T]) Pop() any {
	r := h.runs[len(h.runs)-1]
	h.runs = h.runs[:len(h.runs)-1]
	return r
}
