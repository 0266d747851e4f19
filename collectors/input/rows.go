package input

import (
	"bytes"
	"fmt"
	"strings"
)

// Rows are the rows of a table, whatever it is written in: CSV, JSON lines or Parquet.
type Rows interface {
	// Next goes to the next row and returns the number of its line or, in Parquet, of the row; io.EOF at the end.
	Next() (line int, err error)
	// Get returns a cell of the row as text, "" where it is empty or absent, and whether the column is there. In JSON and Parquet a dot leads into an
	// object. Times of Parquet are text in RFC 3339.
	Get(column string) (text string, ok bool)
	// Columns returns the names of the columns: in JSON, those of the present row.
	Columns() []string
	Close()
}

const maxColumns = 10_000

var parquetMagic = []byte("PAR1")

// OpenRows reads f as a table: Parquet and JSON lines are known by how they begin, anything else is CSV with a header.
func OpenRows(f *File) (Rows, error) {
	head, err := f.Peek()
	if err != nil {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, parquetMagic):
		return openParquet(f)
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")):
		return &jsonRows{lines: Lines{File: f}}, nil
	}
	return openCSV(f)
}

// Need returns the cell of a column that must be there.
func Need(r Rows, f *File, line int, column, what string) (string, error) {
	text, ok := r.Get(column)
	if c, table := r.(*csvRows); table && c.twice[column] {
		return "", TwoColumns(f.Path, 1, column)
	}
	if !ok {
		err := fmt.Errorf("%s:%d: no column %q for %s: there are %s", f.Path, line, column, what, list(r.Columns()))
		if _, object := r.(*jsonRows); object && line > 1 { // objects need not be alike
			return "", &RowError{Reason: fmt.Sprintf("no column %q for %s", column, what), Line: line, Err: err}
		}
		return "", err
	}
	return text, nil
}

// TwoColumns says that two columns have the same name, so that it does not tell which is meant.
func TwoColumns(path string, line int, name string) error {
	return fmt.Errorf("%s:%d: two columns are called %q: want a name of its own for each", path, line, name)
}

func list(names []string) string {
	if len(names) > 20 {
		names = append(names[:20:20], "…")
	}
	return strings.Join(names, ", ")
}
