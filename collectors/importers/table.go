package importers

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/assay-dev/assay/collectors/input"
)

// tornText tells of a last line without its end.
const tornText = "the last row of %d files is torn, as a killed generator leaves it, and was left out"

// A table reads the rows of a CSV file.
type table struct {
	in     *input.File
	csv    *csv.Reader
	tally  *tally
	header map[string]int
	twice  map[string]bool // names that several columns have
	width  int             // fields that a row must have
	fields []string
	line   int
	again  bool  // fields are yet to be used, or err to be told
	err    error // of the row that is yet to be used
}

// newTable starts to read with the delimiter that cuts the first line into most fields.
func newTable(in *input.File, t *tally) (*table, error) {
	head, err := in.Peek()
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
	tb := &table{in: in, csv: csv.NewReader(in), tally: t}
	tb.csv.Comma, tb.csv.FieldsPerRecord, tb.csv.ReuseRecord = comma, -1, true
	return tb, nil
}

// named takes the row that was read last for the header.
func (t *table) named() {
	t.header, t.twice, t.width = map[string]int{}, map[string]bool{}, len(t.fields)
	for i, f := range t.fields {
		f = strings.Trim(strings.TrimSpace(f), `"`)
		if _, ok := t.header[f]; ok {
			t.twice[f] = true
		} else {
			t.header[f] = i
		}
	}
}

// next reads the next row that is not empty; io.EOF at the end.
func (t *table) next() error {
	if err := t.read(); err != nil {
		var row *input.RowError
		if errors.As(err, &row) {
			return t.torn(err)
		}
		return err
	}
	if n := len(t.fields); n < t.width {
		return t.torn(&input.RowError{Reason: "fewer fields than the header has", Line: t.line, Err: fmt.Errorf("%s:%d: %d fields: want %d", t.in.Path, t.line, n, t.width)})
	}
	return nil
}

// read reads the next row that is not empty, whatever its width.
func (t *table) read() error {
	if t.again {
		t.again = false
		return t.err
	}
	for {
		t.in.Row()
		fields, err := t.csv.Read()
		if err == io.EOF {
			return err
		}
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad):
			return &input.RowError{Reason: "want CSV with quotes doubled inside quotes", Line: bad.Line, Err: fmt.Errorf("%s:%d: %w: want CSV with quotes doubled inside quotes", t.in.Path, bad.Line, bad.Err)}
		case input.CutShort(err):
			t.tally.note(tornText, 1)
			return io.EOF
		case errors.Is(err, input.ErrLong):
			return fmt.Errorf("%s:%d: %w", t.in.Path, t.line+1, err)
		case err != nil:
			return fmt.Errorf("read %s: %w", t.in.Path, err)
		}
		t.fields = fields
		t.line, _ = t.csv.FieldPos(0)
		if len(fields) == 1 && strings.TrimSpace(fields[0]) == "" {
			continue
		}
		return nil
	}
}

// torn returns err, or io.EOF where what is wrong is a last line without its end. The row after it is read next.
func (t *table) torn(err error) error {
	if end := t.read(); end == io.EOF && t.in.Last != '\n' {
		t.tally.note(tornText, 1)
		return io.EOF
	} else {
		t.again, t.err = true, end
	}
	return err
}

// get returns a field by the name of its column, "" where there is none.
func (t *table) get(name string) string {
	if i, ok := t.header[name]; ok && i < len(t.fields) {
		return t.fields[i]
	}
	return ""
}
