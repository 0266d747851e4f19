package input

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// csvRows are those of a CSV file with a header, with the delimiter that cuts the header into most fields.
type csvRows struct {
	f      *File
	csv    *csv.Reader
	index  map[string]int
	twice  map[string]bool // names that several columns have
	names  []string
	fields []string
	line   int
}

func openCSV(f *File) (Rows, error) {
	head, err := f.Peek()
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(head), "\n")
	comma, most := ',', 0
	for _, c := range ",;\t|" {
		if n := strings.Count(first, string(c)); n > most {
			comma, most = c, n
		}
	}
	r := &csvRows{f: f, csv: csv.NewReader(f), index: map[string]int{}, twice: map[string]bool{}}
	r.csv.Comma, r.csv.FieldsPerRecord, r.csv.ReuseRecord = comma, -1, true
	if _, err := r.Next(); err != nil {
		if err == io.EOF {
			err = fmt.Errorf("%s: no header", f.Path)
		}
		return nil, err
	}
	if len(r.fields) > maxColumns {
		return nil, fmt.Errorf("%s:1: %d columns: want at most %d", f.Path, len(r.fields), maxColumns)
	}
	for i, name := range r.fields {
		name = strings.Trim(strings.TrimSpace(name), `"`)
		if _, ok := r.index[name]; ok {
			r.twice[name] = name != ""
		} else {
			r.index[name] = i
			r.names = append(r.names, name)
		}
	}
	return r, nil
}

func (r *csvRows) Next() (int, error) {
	for {
		r.f.Row()
		fields, err := r.csv.Read()
		var bad *csv.ParseError
		switch {
		case err == io.EOF:
			return 0, err
		case errors.As(err, &bad):
			return bad.Line, r.f.BadRow(bad.Line, "quotes", bad.Err.Error(), "CSV with quotes doubled inside quotes")
		case errors.Is(err, ErrLong):
			return 0, fmt.Errorf("%s:%d: %w", r.f.Path, r.line+1, err)
		case err != nil:
			return 0, fmt.Errorf("read %s: %w", r.f.Path, err)
		}
		r.line, _ = r.csv.FieldPos(0)
		if len(fields) == 1 && strings.TrimSpace(fields[0]) == "" {
			continue
		}
		r.fields = fields
		return r.line, nil
	}
}

func (r *csvRows) Get(column string) (string, bool) {
	i, ok := r.index[column]
	if !ok || i >= len(r.fields) {
		return "", ok
	}
	return strings.TrimSpace(r.fields[i]), true
}

func (r *csvRows) Columns() []string { return r.names }

func (r *csvRows) Close() {}
