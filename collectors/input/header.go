package input

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxHeader bounds the rows of a header.
const maxHeader = 16

// A Header is that of a table whose columns are named by several rows, as pivots and spreadsheets have them: one row for each level, such as the node, the
// metric and the statistic.
type Header struct {
	Levels []string            // names of the levels: what stands in the column of the times, else row1, row2, …
	Of     map[string][]string // of each column of values, what it is on each level; "" for nothing
}

// Level returns which level has that name, -1 for none.
func (h *Header) Level(name string) int {
	if h == nil {
		return -1
	}
	return slices.Index(h.Levels, name)
}

// OpenRowsUnder reads f as a table whose header has n rows, or, where n is 0, goes down to the row that names the column key. The Header is nil where it is one row.
func OpenRowsUnder(f *File, n int, key string) (Rows, *Header, error) {
	head, err := f.Peek()
	if err != nil {
		return nil, nil, err
	}
	if bytes.HasPrefix(head, parquetMagic) || bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		if n > 1 {
			return nil, nil, fmt.Errorf("%s: header=%d is for CSV: Parquet and JSON name their columns once", f.Path, n)
		}
		rows, err := OpenRows(f)
		return rows, nil, err
	}
	rows, err := openCSV(f)
	if err != nil {
		return nil, nil, err
	}
	r := rows.(*csvRows)
	if _, ok := r.index[key]; n == 1 || n == 0 && ok {
		return r, nil, nil
	}
	first := r.names
	over := [][]string{slices.Clone(r.fields)}
	for len(over) < n || n == 0 && !slices.ContainsFunc(over[len(over)-1], func(cell string) bool { return bare(cell) == key }) {
		if len(over) == maxHeader && n == 0 {
			return nil, nil, fmt.Errorf("%s:1: no column %q for time: there are %s; where several rows name the columns, the last of the header is the one that names that of the times, or header=N says how many there are", f.Path, key, list(first))
		}
		if _, err := r.Next(); err == io.EOF {
			if n == 0 {
				return nil, nil, fmt.Errorf("%s:1: no column %q for time: there are %s; header=N says where several rows name the columns", f.Path, key, list(first))
			}
			return nil, nil, fmt.Errorf("%s: header=%d: there are %d rows", f.Path, n, len(over))
		} else if err != nil {
			return nil, nil, err
		}
		over = append(over, slices.Clone(r.fields))
	}
	h, err := r.under(over, key)
	return r, h, err
}

// bare is a cell of a header without what may stand around it.
func bare(cell string) string { return strings.Trim(strings.TrimSpace(cell), `"`) }

// under names the columns by the rows of a header.
func (r *csvRows) under(over [][]string, key string) (*Header, error) {
	width := 0
	for _, row := range over {
		for i := range row {
			row[i] = bare(row[i])
		}
		width = max(width, len(row))
	}
	if width > maxColumns {
		return nil, fmt.Errorf("%s:1: %d columns: want at most %d", r.f.Path, width, maxColumns)
	}
	cell := func(row, i int) string {
		if i < len(over[row]) {
			return over[row][i]
		}
		return ""
	}
	keys, at := -1, -1 // the row and the column of the key
	for k := range over {
		if i := slices.Index(over[k], key); i >= 0 {
			keys, at = k, i
			break
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("%s:1: no column %q for time in the %d rows of the header", r.f.Path, key, len(over))
	}
	var levels []int // rows that say something of columns of values
	for k := range over {
		for i := at + 1; i < width; i++ {
			if cell(k, i) != "" {
				levels = append(levels, k)
				break
			}
		}
	}
	h := &Header{Of: map[string][]string{}}
	for _, k := range levels {
		name := fmt.Sprintf("row%d", k+1)
		if k != keys && cell(k, at) != "" {
			name = cell(k, at)
		}
		h.Levels = append(h.Levels, name)
	}
	r.index, r.names, r.twice = map[string]int{}, nil, nil
	add := func(name string, i int) string {
		if _, ok := r.index[name]; ok {
			name = fmt.Sprintf("%s (column %d)", name, i+1)
		}
		r.index[name] = i
		r.names = append(r.names, name)
		return name
	}
	last := make([]string, len(levels)) // what stands left: a cell that spreadsheets merged is told once
	for i := range width {
		if i <= at { // the columns of the row itself: the times, and what stands before them
			if name := cell(keys, i); name != "" {
				add(name, i)
			}
			continue
		}
		of := make([]string, len(levels))
		for n, k := range levels {
			below := func(k int) bool { return cell(k, i) != "" }
			if of[n] = cell(k, i); of[n] != "" {
				last[n] = of[n]
				clear(last[n+1:])
			} else if slices.ContainsFunc(levels[n+1:], below) {
				of[n] = last[n]
			}
		}
		name := strings.Join(slices.DeleteFunc(slices.Clone(of), func(s string) bool { return s == "" }), "/")
		if name == "" {
			continue // a column of nothing
		}
		h.Of[add(name, i)] = of
	}
	return h, nil
}
