package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/assay-dev/assay"
)

// JSON writes the report as it is: result.json, from which every other view can be made again.
func JSON(w io.Writer, r *assay.Report) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// maxResult bounds what Decode reads; a report holds bounded series and stays far below.
const maxResult = 256 << 20

// Decode reads what [JSON] wrote. A file of another schema is refused.
func Decode(rd io.Reader) (*assay.Report, error) {
	b, err := io.ReadAll(io.LimitReader(rd, maxResult+1))
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	if len(b) > maxResult {
		return nil, fmt.Errorf("read report: larger than %d bytes", maxResult)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("decode report: %w", err)
	}
	if head.Schema != assay.Schema {
		return nil, fmt.Errorf("decode report: schema is %q, this program reads %q", head.Schema, assay.Schema)
	}
	r := new(assay.Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("decode report: %w", err)
	}
	return r, nil
}
