package store

import (
	"slices"

	"github.com/parquet-go/parquet-go"

	"github.com/assay-dev/assay"
)

// Most of reading a run is carrying values from pages to records. The readers here take a page as the arrays that it was decoded
// into; a column without one, or a page of another encoding, goes value by value.

// A pageReader gives the values of a page to the rows, of which row was the last to get one, and returns the new last.
type pageReader[T any] func(page parquet.Page, rows []T, row int, rd *columnReader) (int, error)

// eachValue calls put with the row of each value of a column that has at most one a row, and the value's number in the page.
func eachValue(page parquet.Page, rows, row int, put func(row, k int) error) (int, error) {
	if page.RepetitionLevels() != nil {
		return row, errShape
	}
	n, defined := int(page.NumValues()), page.DefinitionLevels()
	if row+n >= rows {
		return row, errShape
	}
	k := 0
	for i := range n {
		row++
		if defined != nil && defined[i] == 0 {
			continue
		}
		if err := put(row, k); err != nil {
			return row, err
		}
		k++
	}
	return row, nil
}

func readInt64s[T any](field func(*T) *int64) pageReader[T] {
	return func(page parquet.Page, rows []T, row int, _ *columnReader) (int, error) {
		data := page.Data()
		values := data.Int64()
		return eachValue(page, len(rows), row, func(row, k int) error { *field(&rows[row]) = values[k]; return nil })
	}
}

func readInt32s[T any](field func(*T) *int32) pageReader[T] {
	return func(page parquet.Page, rows []T, row int, _ *columnReader) (int, error) {
		data := page.Data()
		values := data.Int32()
		return eachValue(page, len(rows), row, func(row, k int) error { *field(&rows[row]) = values[k]; return nil })
	}
}

func readBytes[T any](take func(r *T, b []byte) error) pageReader[T] {
	return func(page parquet.Page, rows []T, row int, _ *columnReader) (int, error) {
		data := page.Data()
		b, ends := data.ByteArray()
		return eachValue(page, len(rows), row, func(row, k int) error { return take(&rows[row], b[ends[k]:ends[k+1]]) })
	}
}

// readEntries reads a page of references to a dictionary: each entry is decoded once a page, for the first row that has it, and copied from there.
func readEntries[T any](c *column[T], page parquet.Page, rows []T, row int, rd *columnReader) (int, error) {
	dict, data := page.Dictionary(), page.Data()
	entries := data.Int32()
	rd.first = slices.Grow(rd.first[:0], dict.Len())[:dict.Len()]
	clear(rd.first)
	return eachValue(page, len(rows), row, func(row, k int) error {
		at := &rd.first[entries[k]]
		if *at != 0 {
			c.same(&rows[row], &rows[*at-1])
			return nil
		}
		*at = row + 1
		return c.get(&rows[row], dict.Index(entries[k]), rd)
	})
}

// readArrivals reads a page of the lists of arrivals. The first may go on with a row of the page before.
func readArrivals(page parquet.Page, rows []assay.Request, row int, rd *columnReader) (int, error) {
	data, again, defined := page.Data(), page.RepetitionLevels(), page.DefinitionLevels()
	values := data.Int64()
	if again == nil || len(again) != len(defined) {
		return row, errShape
	}
	rd.arrivals = slices.Grow(rd.arrivals, len(values))
	for i := 0; i < len(again); {
		if again[i] == 0 {
			row++
		}
		if row < 0 || row >= len(rows) {
			return row, errShape
		}
		n := 1
		for i+n < len(again) && again[i+n] != 0 {
			n++
		}
		if defined[i] == 0 { // an empty list
			i += n
			continue
		}
		if n > len(values) {
			return row, errShape
		}
		r := &rows[row]
		rd.arrivals = append(rd.arrivals, values[:n]...)
		end := len(rd.arrivals)
		r.Arrivals = rd.arrivals[end-n-len(r.Arrivals) : end : end]
		values, i = values[n:], i+n
	}
	return row, nil
}
