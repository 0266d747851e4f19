package importers

import (
	"bytes"
	"slices"

	"github.com/assay-dev/assay/collectors/input"
)

func isParquet(head []byte) bool { return bytes.HasPrefix(head, []byte("PAR1")) }

// parquetRows are requests in a Parquet file.
type parquetRows struct {
	columned
	rows input.Rows
}

func openParquet(in *input.File, s *Settings, t *tally) (reader, error) {
	rows, err := input.OpenRows(in)
	if err != nil {
		return nil, err
	}
	p := &parquetRows{columned{in: in, tally: t, names: names{}}, rows}
	p.get = func(name string) string {
		text, _ := rows.Get(name)
		return text
	}
	if err := p.resolve(s.Columns, func(name string) bool { return slices.Contains(rows.Columns(), name) }, false, 1); err != nil {
		rows.Close()
		return nil, err
	}
	return p, nil
}

func (p *parquetRows) next(r *row) error {
	line, err := p.rows.Next()
	if err != nil {
		p.rows.Close()
		return err
	}
	return p.fill(line, r)
}
