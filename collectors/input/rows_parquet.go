package input

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

const parquetAtOnce = 256 // rows

// parquetRows are those of a Parquet file without repeated columns: those are left out.
type parquetRows struct {
	file   *os.File
	rows   *parquet.Reader
	path   string
	index  map[string]int // leaf, by dotted name
	names  []string
	text   []func(parquet.Value) string // by leaf
	buf    []parquet.Row
	n, at  int // rows in buf, and the next of them
	line   int
	values []parquet.Value // of the present row, by leaf
}

// openParquet opens the file again, since Parquet is read from its end.
func openParquet(f *File) (_ Rows, err error) {
	file, err := os.Open(f.Disk)
	if err != nil {
		return nil, err
	}
	r := &parquetRows{file: file, path: f.Path, index: map[string]int{}, buf: make([]parquet.Row, parquetAtOnce)}
	defer func() {
		if p := recover(); p != nil { // what the library cannot read it may panic about
			err = fmt.Errorf("%s: it cannot be read as Parquet: %v", f.Path, p)
		}
		if err != nil {
			file.Close()
		}
	}()
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	pf, err := parquet.OpenFile(file, st.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w: want Parquet that is neither cut nor packed again", f.Path, err)
	}
	leaves := pf.Schema().Columns()
	if len(leaves) > maxColumns {
		return nil, fmt.Errorf("%s: %d columns: want at most %d", f.Path, len(leaves), maxColumns)
	}
	for i, path := range leaves {
		leaf, _ := pf.Schema().Lookup(path...)
		if leaf.MaxRepetitionLevel > 0 {
			r.text = append(r.text, nil)
			continue
		}
		name := strings.Join(path, ".")
		r.index[name] = i
		r.names = append(r.names, name)
		r.text = append(r.text, textOf(leaf.Node))
	}
	r.values = make([]parquet.Value, len(leaves))
	r.rows = parquet.NewReader(pf)
	return r, nil
}

// textOf returns how a value of a leaf is told as text.
func textOf(n parquet.Node) func(parquet.Value) string {
	if lt := n.Type().LogicalType(); lt != nil {
		switch t := lt.Value.(type) {
		case *format.TimestampType:
			layout := "2006-01-02T15:04:05.999999999" // in the zone of the input
			if t.IsAdjustedToUTC {
				layout = time.RFC3339Nano
			}
			unit := int64(t.Unit.Value.Duration())
			return func(v parquet.Value) string { return time.Unix(0, v.Int64()*unit).UTC().Format(layout) }
		case *format.DateType:
			return func(v parquet.Value) string {
				return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly + "T15:04:05")
			}
		}
	} else if ct := n.Type().ConvertedType(); ct != nil {
		switch *ct {
		case deprecated.TimestampMillis:
			return func(v parquet.Value) string { return time.UnixMilli(v.Int64()).UTC().Format(time.RFC3339Nano) }
		case deprecated.TimestampMicros:
			return func(v parquet.Value) string { return time.UnixMicro(v.Int64()).UTC().Format(time.RFC3339Nano) }
		}
	}
	return func(v parquet.Value) string {
		switch v.Kind() {
		case parquet.Double:
			return strconv.FormatFloat(v.Double(), 'g', -1, 64)
		case parquet.Float:
			return strconv.FormatFloat(float64(v.Float()), 'g', -1, 32)
		case parquet.Int96: // nanoseconds of the day and the Julian day, as Spark writes stamps
			i := v.Int96()
			return time.Unix((int64(i[2])-2440588)*86400, int64(i[0])|int64(i[1])<<32).UTC().Format(time.RFC3339Nano)
		}
		return v.String()
	}
}

func (r *parquetRows) Next() (line int, err error) {
	if r.at == r.n {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%s: row %d: it cannot be read as Parquet: %v", r.path, r.line+1, p)
			}
		}()
		r.at = 0
		if r.n, err = r.rows.ReadRows(r.buf); r.n == 0 {
			if err == nil || err == io.EOF {
				return 0, io.EOF
			}
			return 0, fmt.Errorf("%s: row %d: %w", r.path, r.line+1, err)
		}
	}
	clear(r.values)
	for _, v := range r.buf[r.at] {
		r.values[v.Column()] = v
	}
	r.at++
	r.line++
	return r.line, nil
}

func (r *parquetRows) Get(column string) (string, bool) {
	i, ok := r.index[column]
	if !ok || r.values[i].IsNull() {
		return "", ok
	}
	return r.text[i](r.values[i]), true
}

func (r *parquetRows) Columns() []string { return r.names }

func (r *parquetRows) Close() {
	r.rows.Close()
	r.file.Close()
}
