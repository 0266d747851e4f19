package store

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// A table says how one kind of record stands in Parquet. The schema comes from
// a struct with parquet tags, which also gives the order of the columns; each
// leaf column has the two functions that carry a field there and back.
type table[T any] struct {
	schema  *parquet.Schema
	least   int         // columns that a part has at least: those of the schema's first version
	columns []column[T] // in the order of the schema's leaves
}

// A column is one leaf of a table.
type column[T any] struct {
	path  string
	heavy bool // left out of light scans
	// put appends the values of one record; text it needs to build goes to scratch.
	put func(dst []parquet.Value, r *T, scratch *[]byte) []parquet.Value
	// get takes one value of the record's row.
	get func(r *T, v parquet.Value, rd *columnReader) error
	// page, if there is one, takes all values of a page that has no dictionary.
	page pageReader[T]
	// same, if there is one, copies the column's field, so that an entry of a dictionary need not be decoded again.
	same func(to, from *T)
}

// newTable orders columns as the leaves of the struct type that model is of; a part may lack those after the first least, where that is not 0.
func newTable[T any](model any, least int, columns []column[T]) *table[T] {
	t := &table[T]{schema: parquet.SchemaOf(model), least: cmp.Or(least, len(columns))}
	for _, path := range t.schema.Columns() {
		name := strings.Join(path, ".")
		i := 0
		for i < len(columns) && columns[i].path != name {
			i++
		}
		if i == len(columns) {
			panic("store: no column " + name) // found by any test
		}
		t.columns = append(t.columns, columns[i])
	}
	if len(t.columns) != len(columns) {
		panic("store: columns and schema differ")
	}
	return t
}

const (
	chunkRows    = 1 << 10 // rows given to the Parquet writer at once
	rowGroupRows = 1 << 15 // rows that a reader decodes at once
)

// A part is one Parquet file being written.
type part[T any] struct {
	t       *table[T]
	f       *os.File
	w       *parquet.Writer
	vals    [][]parquet.Value
	scratch []byte
	chunk   int // rows in vals
	group   int // rows in the row group
	rows    int64
}

// createPart makes the file at path.
func createPart[T any](t *table[T], path string) (*part[T], error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	w := parquet.NewWriter(f, t.schema,
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
		parquet.CreatedBy("assay", "1", ""),
		parquet.DataPageStatistics(false))
	return &part[T]{t: t, f: f, w: w, vals: make([][]parquet.Value, len(t.columns))}, nil
}

// add appends one record.
func (p *part[T]) add(r *T) error {
	for i := range p.t.columns {
		p.vals[i] = p.t.columns[i].put(p.vals[i], r, &p.scratch)
	}
	p.chunk++
	p.group++
	p.rows++
	if p.chunk == chunkRows {
		return p.flush()
	}
	return nil
}

// flush hands the collected values to the Parquet writer, which copies them.
func (p *part[T]) flush() error {
	if p.chunk == 0 {
		return nil
	}
	for i, c := range p.w.ColumnWriters() {
		if _, err := c.WriteRowValues(p.vals[i]); err != nil {
			return fmt.Errorf("column %s: %w", p.t.columns[i].path, err)
		}
		clear(p.vals[i]) // lets go of the strings
		p.vals[i] = p.vals[i][:0]
	}
	p.chunk, p.scratch = 0, p.scratch[:0]
	return nil
}

// endGroup ends the row group.
func (p *part[T]) endGroup() error {
	p.group = 0
	if err := p.flush(); err != nil {
		return err
	}
	return p.w.Flush()
}

// close ends the file and returns its size, with everything on disk.
func (p *part[T]) close() (int64, error) {
	err := p.flush()
	if err == nil {
		err = p.w.Close()
	}
	if err == nil {
		err = p.f.Sync()
	}
	size, serr := p.f.Seek(0, io.SeekEnd)
	return size, errors.Join(err, serr, p.f.Close())
}

// abandon closes the file as it is.
func (p *part[T]) abandon() { _ = p.f.Close() }

// A columnReader decodes row groups. It is for one goroutine at a time and is reused.
type columnReader struct {
	*arena
	vals  []parquet.Value
	seen  map[string]string // strings that come again share their memory
	first []int             // number, from 1, of the first row of a page that has an entry of its dictionary
}

// maxSeen bounds the strings remembered; of those beyond, each gets memory of its own.
const maxSeen = 1 << 14

// text returns b as a string.
func (c *columnReader) text(v parquet.Value) string {
	b := v.ByteArray()
	if s, ok := c.seen[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(c.seen) < maxSeen && len(s) <= maxEntryLen {
		c.seen[s] = s
	}
	return s
}

// readGroup decodes row group g into b, in place of what it holds. light leaves the heavy columns out.
func (t *table[T]) readGroup(g parquet.RowGroup, b *block[T], rd *columnReader, light bool) error {
	if rd.vals == nil {
		rd.vals, rd.seen = make([]parquet.Value, 1<<12), map[string]string{}
	}
	b.reset()
	rd.arena = &b.arena
	n := int(g.NumRows())
	if cap(b.rows) < n {
		b.rows = make([]T, n)
	}
	b.rows = b.rows[:n]
	clear(b.rows)
	chunks := g.ColumnChunks()
	if len(chunks) < t.least || len(chunks) > len(t.columns) {
		return fmt.Errorf("it has %d columns instead of %d", len(chunks), len(t.columns))
	}
	for i := range chunks {
		c := &t.columns[i]
		if light && c.heavy {
			continue
		}
		if err := readColumn(c, chunks[i], b.rows, rd); err != nil {
			return fmt.Errorf("column %s: %w", c.path, err)
		}
	}
	return nil
}

// errShape is what a reader finds in a Parquet file that this package did not write.
var errShape = errors.New("its values do not fit its rows")

func readColumn[T any](c *column[T], chunk parquet.ColumnChunk, rows []T, rd *columnReader) (err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	row := -1
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		row, err = readPage(c, page, rows, row, rd)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
	if row != len(rows)-1 {
		return errShape
	}
	return nil
}

// readPage gives the values of page to their rows, of which row was the last to get one, and returns the new last.
func readPage[T any](c *column[T], page parquet.Page, rows []T, row int, rd *columnReader) (int, error) {
	switch dict := page.Dictionary(); {
	case dict != nil && c.same != nil:
		return readEntries(c, page, rows, row, rd)
	case dict == nil && c.page != nil:
		return c.page(page, rows, row, rd)
	}
	values := page.Values()
	for {
		n, err := values.ReadValues(rd.vals)
		for _, v := range rd.vals[:n] {
			if v.RepetitionLevel() == 0 {
				row++
			}
			if row < 0 || row >= len(rows) {
				return row, errShape
			}
			if v.IsNull() {
				continue
			}
			if err := c.get(&rows[row], v, rd); err != nil {
				return row, err
			}
		}
		if errors.Is(err, io.EOF) {
			return row, nil
		} else if err != nil {
			return row, err
		}
	}
}

// bytesOf is the text of s as Parquet takes it, without a copy; nobody writes to it.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
