package traces

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// A document reads JSON piece by piece, so that a file may be larger than memory. A piece is as large as a row of the file may be.
type document struct {
	in  *input.File
	dec *json.Decoder
}

func newDocument(in *input.File) *document {
	d := &document{in: in, dec: json.NewDecoder(in)}
	d.dec.UseNumber()
	return d
}

// errCut says that a document ends before it is complete.
var errCut = errors.New("cut short")

// fail tells the end of a document that is incomplete from one that is wrong.
func (d *document) fail(err error) error {
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errCut
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: byte %d: %w", d.in.Path, syntax.Offset, err)
	}
	return err
}

// token returns the next token.
func (d *document) token() (json.Token, error) {
	d.in.Row()
	t, err := d.dec.Token()
	return t, d.fail(err)
}

// value decodes the next value. One that has another shape than v leaves v as it is: what that means its caller knows.
func (d *document) value(v any) error {
	d.in.Row()
	err := d.dec.Decode(v)
	var shape *json.UnmarshalTypeError
	if errors.As(err, &shape) {
		return nil
	}
	return d.fail(err)
}

// begin returns how the next value begins: '{', '[', or 0 for another, which is passed over.
func (d *document) begin() (json.Delim, error) {
	t, err := d.token()
	delim, _ := t.(json.Delim)
	return delim, err
}

// members calls fn with each name of an object that has begun; fn takes the value.
func (d *document) members(fn func(name string) error) error {
	for d.dec.More() {
		t, err := d.token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if err := fn(name); err != nil {
			return err
		}
	}
	_, err := d.token()
	return err
}

// elements calls fn at each element of an array that has begun; fn takes it.
func (d *document) elements(fn func() error) error {
	for d.dec.More() {
		if err := fn(); err != nil {
			return err
		}
	}
	_, err := d.token()
	return err
}

// list calls fn at each element of the value that comes, which is passed over where it is no array.
func (d *document) list(fn func() error) error {
	switch delim, err := d.begin(); {
	case err != nil:
		return err
	case delim == '[':
		return d.elements(fn)
	case delim == '{':
		return d.members(func(string) error { return d.skip() })
	}
	return nil
}

func (d *document) skip() error {
	var v skipped
	return d.value(&v)
}

// skipped takes any value and keeps nothing.
type skipped struct{}

func (*skipped) UnmarshalJSON([]byte) error { return nil }

// all calls fn at the beginning of each value of the file, one after another.
func (d *document) all(fn func(delim json.Delim) error) error {
	for {
		d.in.Row()
		t, err := d.dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return d.fail(err)
		}
		delim, _ := t.(json.Delim)
		if err := fn(delim); err != nil {
			return err
		}
	}
}

// A number is one that may stand in quotes, as 64-bit ones do for the sake of JavaScript.
type number string

// UnmarshalJSON takes a number, a number in quotes, or null.
func (n *number) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" {
		s = ""
	}
	*n = number(s)
	return nil
}

// ns returns the number times unit, and whether it is one and fits. It is exact for integers and for decimals of up to 18 digits.
func (n number) ns(unit int64) (int64, bool) {
	if v, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		if v > math.MaxInt64/unit || v < math.MinInt64/unit {
			return 0, false
		}
		return v * unit, true
	}
	whole, frac, _ := strings.Cut(string(n), ".")
	if w, err := strconv.ParseInt(whole, 10, 64); err == nil && w >= 0 && w < math.MaxInt64/unit-1 && len(frac) <= 18 && strings.Trim(frac, "0123456789") == "" {
		f, _ := strconv.ParseFloat("0."+frac+"0", 64)
		return w*unit + int64(math.Round(f*float64(unit))), true
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if f *= float64(unit); err != nil || math.IsNaN(f) || math.Abs(f) >= math.MaxInt64 {
		return 0, false
	}
	return int64(f), true
}

// text returns a scalar of JSON as attributes have it; lists and objects as they stand.
func text(raw json.RawMessage) string {
	if len(raw) > 0 && raw[0] == '"' {
		var s string
		_ = json.Unmarshal(raw, &s)
		return s
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}

// traceID reads an id of up to 32 hexadecimal digits; of another text it returns a hash, and true.
func traceID(s string) (id assay.TraceID, hashed bool) {
	hashed = readID(id[:], s)
	return id, hashed
}

// spanID is traceID for one of up to 16 digits.
func spanID(s string) (id assay.SpanID, hashed bool) {
	hashed = readID(id[:], s)
	return id, hashed
}

func readID(to []byte, s string) (hashed bool) {
	if s == "" {
		return false
	}
	if len(s) <= 2*len(to) {
		if b, err := hex.DecodeString(strings.Repeat("0", 2*len(to)-len(s)) + s); err == nil {
			copy(to, b)
			return false
		}
	}
	h := fnv.New128a()
	h.Write([]byte(s))
	copy(to, h.Sum(nil))
	return true
}

// truth returns a flag as its text should be, so that True and TRUE are not lost on who looks for true.
func truth(s string) string {
	switch l := strings.ToLower(s); l {
	case "true", "false":
		return l
	}
	return s
}
