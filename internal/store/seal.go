package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/assay-dev/assay"
)

const (
	indexName = "_sealed.json"
	partRows  = 1 << 20 // requests in one file
	// A partition of the spans is about this large in the log, so that what belongs to one fits into memory with its requests.
	partitionBytes = 32 << 20
	maxBits        = 8 // at most 256 partitions
)

// An index is _sealed.json: the parts that replace the log of a directory. Its presence is what makes them count.
type index struct {
	Schema     string      `json:"schema"`
	Rows       int64       `json:"rows"`
	Duplicates int64       `json:"duplicates,omitempty"` // spans exported more than once
	Bits       int         `json:"partition_bits,omitempty"`
	Parts      []indexPart `json:"parts"`
	Torn       string      `json:"torn,omitempty"` // where the log they came from was cut short
}

type indexPart struct {
	File  string `json:"file"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

const (
	requestSchema = "assay/requests/v2"
	spanSchema    = "assay/spans/v1"
)

// oldSchemas are what a schema was called when its parts lacked the columns that stand last.
var oldSchemas = map[string]string{requestSchema: "assay/requests/v1"}

// A partWriter writes the Parquet files of one directory, under temporary names until commit.
type partWriter[T any] struct {
	dir   string
	table *table[T]
	cur   *part[T]
	index index
}

// begin ends the part being written and starts the next.
func (w *partWriter[T]) begin() error {
	if err := w.end(); err != nil {
		return err
	}
	name := fmt.Sprintf("part-%05d.parquet", len(w.index.Parts))
	p, err := createPart(w.table, filepath.Join(w.dir, name+".tmp"))
	if err != nil {
		return err
	}
	w.cur = p
	w.index.Parts = append(w.index.Parts, indexPart{File: name})
	return nil
}

func (w *partWriter[T]) end() error {
	if w.cur == nil {
		return nil
	}
	size, err := w.cur.close()
	last := &w.index.Parts[len(w.index.Parts)-1]
	last.Rows, last.Bytes = w.cur.rows, size
	w.index.Rows += w.cur.rows
	w.cur = nil
	return err
}

// commit puts the parts in force.
func (w *partWriter[T]) commit() error {
	if err := w.end(); err != nil {
		return err
	}
	for _, p := range w.index.Parts {
		path := filepath.Join(w.dir, p.File)
		if err := os.Rename(path+".tmp", path); err != nil {
			return err
		}
	}
	if err := syncDir(w.dir); err != nil {
		return err
	}
	data, err := json.MarshalIndent(&w.index, "", "  ")
	if err != nil {
		return err
	}
	return writeAtomic(filepath.Join(w.dir, indexName), append(data, '\n'))
}

// discard removes what a failed attempt left behind.
func (w *partWriter[T]) discard() {
	if w.cur != nil {
		w.cur.abandon()
	}
	removeParts(w.dir)
}

// removeParts removes parts, whole or not, that no index speaks of.
func removeParts(dir string) {
	for _, pattern := range []string{"part-*.parquet", "*.tmp"} {
		paths, _ := filepath.Glob(filepath.Join(dir, pattern)) // errs on a bad pattern only
		for _, p := range paths {
			_ = os.Remove(p)
		}
	}
}

// sealRequests sorts the log at path into parts in dir.
func sealRequests(ctx context.Context, path, dir string, budget int) (_ *index, err error) {
	w := &partWriter[assay.Request]{dir: dir, table: requestTable, index: index{Schema: requestSchema, Parts: []indexPart{}}}
	defer func() {
		if err != nil {
			w.discard()
			err = fmt.Errorf("seal requests: %w", err)
		}
	}()
	cut, err := sortLog(ctx, requestCodec, path, dir, budget, func(r *assay.Request) error {
		if w.cur == nil || w.cur.rows == partRows {
			if err := w.begin(); err != nil {
				return err
			}
		}
		if w.cur.group == rowGroupRows {
			if err := w.cur.endGroup(); err != nil {
				return err
			}
		}
		return w.cur.add(r)
	})
	if err != nil {
		return nil, err
	}
	if cut != nil {
		w.index.Torn = cut.String()
	}
	return &w.index, w.commit()
}

// maxTraceRows bounds a row group: a trace with more spans than this is given in pieces.
const maxTraceRows = 1 << 18

// sealSpans sorts the log at path into partitions in dir. A trace is within one row group, unless it is enormous.
func sealSpans(ctx context.Context, path, dir string, budget int) (_ *index, err error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("seal spans: %w", err)
	}
	bits := 0
	for bits < maxBits && st.Size()>>bits > partitionBytes {
		bits++
	}
	w := &partWriter[assay.Span]{dir: dir, table: spanTable, index: index{Schema: spanSchema, Bits: bits, Parts: []indexPart{}}}
	defer func() {
		if err != nil {
			w.discard()
			err = fmt.Errorf("seal spans: %w", err)
		}
	}()
	var trace assay.TraceID
	var seen duplicates
	cut, err := sortLog(ctx, spanCodec, path, dir, budget, func(s *assay.Span) error {
		fresh := w.cur == nil || s.TraceID != trace
		if fresh {
			// Parts are numbered as partitions, so those without spans are empty files.
			for len(w.index.Parts) <= partition(s.TraceID, bits) {
				if err := w.begin(); err != nil {
					return err
				}
			}
			trace = s.TraceID
			seen.reset()
		}
		if seen.again(s.SpanID) {
			w.index.Duplicates++
		}
		if g := w.cur.group; g >= rowGroupRows && (fresh || trace.IsZero() || g >= maxTraceRows) {
			if err := w.cur.endGroup(); err != nil {
				return err
			}
		}
		return w.cur.add(s)
	})
	if err != nil {
		return nil, err
	}
	if cut != nil {
		w.index.Torn = cut.String()
	}
	return &w.index, w.commit()
}

// duplicates finds ids that come again within one trace.
type duplicates struct {
	few  []assay.SpanID
	many map[assay.SpanID]bool
}

func (d *duplicates) reset() { d.few, d.many = d.few[:0], nil }

// again reports whether id was there before. An absent id is never a repetition.
func (d *duplicates) again(id assay.SpanID) bool {
	if id.IsZero() {
		return false
	}
	if d.many != nil {
		if d.many[id] {
			return true
		}
		d.many[id] = true
		return false
	}
	for _, f := range d.few {
		if f == id {
			return true
		}
	}
	d.few = append(d.few, id)
	if len(d.few) > 64 {
		d.many = make(map[assay.SpanID]bool, 2*len(d.few))
		for _, f := range d.few {
			d.many[f] = true
		}
	}
	return false
}

// readIndex reads the index of dir and checks that its parts are there; it returns nil where there is none.
func readIndex(dir, schema string) (*index, error) {
	path := filepath.Join(dir, indexName)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	x := new(index)
	if err := json.Unmarshal(data, x); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if x.Schema != schema && x.Schema != oldSchemas[schema] {
		return nil, fmt.Errorf("read %s: its schema is %q, this version reads %q", path, x.Schema, schema)
	}
	for _, p := range x.Parts {
		file := filepath.Join(dir, p.File)
		if st, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		} else if st.Size() != p.Bytes {
			return nil, fmt.Errorf("read %s: %s has %d bytes instead of %d", path, file, st.Size(), p.Bytes)
		}
	}
	return x, nil
}
