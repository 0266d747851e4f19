package trace

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
)

// Columns name the columns of a CSV file, or the members of JSON objects, that hold each value. Time is needed; "" means that there is none,
// and a name that begins with ? may be missing.
type Columns struct {
	Time        string // stamp of the request: a number, or a date with a time, in UTC unless it says otherwise
	Unit        string // of numbers in Time and Took: s, ms, us or ns; "": s
	In          string // prompt tokens
	Out         string // answer tokens
	Class       string
	Session     string
	Took        string // how long the request took
	Blocks      string // JSON list of the ids of prefix blocks
	BlockTokens int    // tokens in a block
	End         bool   // Time is when the request ended: it began Took earlier
}

// over returns c where it says something, else the columns of the kind.
func (c Columns) over(kind Columns) Columns {
	pick := func(a *string, b string) {
		if *a == "" {
			*a = b
		}
	}
	pick(&c.Time, kind.Time)
	pick(&c.Unit, kind.Unit)
	pick(&c.In, kind.In)
	pick(&c.Out, kind.Out)
	pick(&c.Class, kind.Class)
	pick(&c.Session, kind.Session)
	pick(&c.Took, kind.Took)
	pick(&c.Blocks, kind.Blocks)
	if c.BlockTokens == 0 {
		c.BlockTokens = kind.BlockTokens
	}
	c.End = c.End || kind.End
	return c
}

func (c Columns) check(kind string) error {
	switch {
	case kind == "functions-2019" || kind == "servegen":
		return nil
	case c.Time == "":
		return fmt.Errorf("trace columns: no time: say which column of the %s file holds it", kind)
	case !slices.Contains([]string{"", "s", "ms", "us", "ns"}, c.Unit):
		return fmt.Errorf("trace columns: unit %q: want s, ms, us or ns", c.Unit)
	case c.End && c.Took == "":
		return errors.New("trace columns: time is when a request ended, so took is needed to tell when it began")
	case c.Blocks != "" && c.BlockTokens < 1:
		return errors.New("trace columns: blocks without the number of tokens in a block")
	}
	return nil
}

// rows reads a CSV or JSON lines file with named columns.
type rows struct {
	src    *source
	cols   Columns
	left   []string // paths
	in     *lines
	header map[string]int
	fields [][]byte
	object map[string]json.RawMessage
	names  map[string]string // one copy of each class
}

func newRows(s *source) reader {
	return &rows{src: s, cols: s.Columns, left: s.Paths, names: map[string]string{}}
}

// maxClasses bounds the classes of a trace; those beyond it are one.
const maxClasses = 10_000

func (r *rows) next(it *Item) error {
	for {
		if r.in == nil {
			if len(r.left) == 0 {
				return io.EOF
			}
			if err := r.begin(); err != nil {
				return err
			}
		}
		b, err := r.in.next()
		if err == io.EOF {
			r.in.close()
			r.in = nil
			continue
		}
		if err != nil {
			return err
		}
		if err := r.split(b); err != nil {
			return err
		}
		return r.fill(it)
	}
}

// begin opens the next file and reads its header.
func (r *rows) begin() error {
	in, err := r.src.file(r.left[0])
	if err != nil {
		return err
	}
	r.left, r.in = r.left[1:], in
	if r.src.kind.json {
		return nil
	}
	b, err := in.next()
	if err == io.EOF {
		return fmt.Errorf("read trace %s: it is empty", in.path)
	}
	if err != nil {
		return err
	}
	if err := r.split(b); err != nil {
		return err
	}
	r.header = map[string]int{}
	for i, f := range r.fields {
		r.header[strings.ToLower(strings.TrimSpace(string(f)))] = i
	}
	for _, c := range []string{r.cols.Time, r.cols.In, r.cols.Out, r.cols.Class, r.cols.Session, r.cols.Took, r.cols.Blocks} {
		if _, ok := r.header[strings.ToLower(c)]; !ok && c != "" && c[0] != '?' {
			return in.bad("the header", b, "a column "+strconv.Quote(c))
		}
	}
	return nil
}

// split cuts a line into fields.
func (r *rows) split(b []byte) error {
	r.fields = r.fields[:0]
	switch {
	case r.src.kind.json:
		clear(r.object)
		if err := json.Unmarshal(b, &r.object); err != nil || r.object == nil {
			return r.in.bad("the line", b, "a JSON object")
		}
	case slices.Contains(b, '"'):
		record, err := csv.NewReader(strings.NewReader(string(b))).Read()
		if err != nil {
			return r.in.bad("the line", b, "CSV")
		}
		for _, f := range record {
			r.fields = append(r.fields, []byte(f))
		}
	default:
		from := 0
		for i, c := range b {
			if c == ',' {
				r.fields = append(r.fields, b[from:i])
				from = i + 1
			}
		}
		r.fields = append(r.fields, b[from:])
	}
	return nil
}

// get returns the text of a column; false where there is none or nothing in it.
func (r *rows) get(column string) ([]byte, bool, error) {
	if column == "" {
		return nil, false, nil
	}
	name, optional := strings.CutPrefix(column, "?")
	var b []byte
	if r.src.kind.json {
		if b = r.object[name]; string(b) == "null" {
			b = nil
		}
		if len(b) > 1 && b[0] == '"' {
			var s string
			if json.Unmarshal(b, &s) == nil {
				b = []byte(s)
			}
		}
	} else if i, ok := r.header[strings.ToLower(name)]; ok {
		if i >= len(r.fields) {
			return nil, false, fmt.Errorf("%s:%d: %d fields: want one for column %q", r.in.path, r.in.n, len(r.fields), name)
		}
		b = trim(r.fields[i])
	}
	if len(b) == 0 && !optional && column == r.cols.Time {
		return nil, false, r.in.bad("column "+name, b, "a time")
	}
	return b, len(b) > 0, nil
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// fill reads the item out of the fields.
func (r *rows) fill(it *Item) error {
	*it = Item{In: Unknown, Out: Unknown, Line: r.in.n, path: r.in.path}
	b, _, err := r.get(r.cols.Time)
	if err != nil {
		return err
	}
	var ok bool
	if it.At, ok = stamp(b, r.cols.Unit); !ok {
		return r.in.bad(plain(r.cols.Time), b, "a number of "+unitName(r.cols.Unit)+" or a date with a time")
	}
	for _, c := range []struct {
		column string
		to     *int32
	}{{r.cols.In, &it.In}, {r.cols.Out, &it.Out}} {
		b, ok, err := r.get(c.column)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		v, err := strconv.ParseFloat(string(b), 64) // some tools write counts as 12.0
		if err != nil || !(v >= 0 && v <= 1<<30) || v != math.Trunc(v) {
			return r.in.bad(plain(c.column), b, "a count of tokens")
		}
		*c.to = int32(v)
	}
	if b, ok, err := r.get(r.cols.Took); err != nil {
		return err
	} else if ok {
		if it.Took, ok = stamp(b, r.cols.Unit); !ok || it.Took < 0 {
			return r.in.bad(plain(r.cols.Took), b, "a number of "+unitName(r.cols.Unit))
		}
	}
	if r.cols.End {
		it.At -= it.Took
	}
	if b, ok, err := r.get(r.cols.Class); err != nil {
		return err
	} else if ok {
		it.Class = r.name(b)
	}
	if b, ok, err := r.get(r.cols.Session); err != nil {
		return err
	} else if ok {
		it.Session = session(b)
	}
	b, ok, err = r.get(r.cols.Blocks)
	if err != nil || !ok {
		return err
	}
	it.BlockTokens = r.cols.BlockTokens
	if it.Blocks, ok = list(b); !ok {
		return r.in.bad(plain(r.cols.Blocks), b, "a JSON list of block ids")
	}
	return nil
}

// session returns what stands for a session or user: the same bits as its pseudonym, so that a run that replays a trace has the users of one that imports it.
func session(b []byte) uint64 {
	v, _ := strconv.ParseUint(assay.Pseudonym(string(b)), 16, 64) // "" has none, and none is 0
	return v
}

// plain names a column in an error.
func plain(column string) string { return "column " + strings.TrimPrefix(column, "?") }

// name returns the class, one string for all that are equal.
func (r *rows) name(b []byte) string {
	if s, ok := r.names[string(b)]; ok {
		return s
	}
	if len(r.names) >= maxClasses {
		return "other"
	}
	s := string(b)
	r.names[s] = s
	return s
}

// list reads a JSON list of whole numbers or strings.
func list(b []byte) ([]uint64, bool) {
	if len(b) < 2 || b[0] != '[' || b[len(b)-1] != ']' {
		return nil, false
	}
	var out []uint64
	if inner := trim(b[1 : len(b)-1]); len(inner) > 0 {
		out = make([]uint64, 0, bytes.Count(inner, []byte(","))+1)
		for f := range bytes.SplitSeq(inner, []byte(",")) {
			n, err := strconv.ParseUint(string(trim(f)), 10, 64)
			if err != nil {
				return named(b)
			}
			out = append(out, n)
		}
	}
	return out, true
}

// named reads a JSON list of strings.
func named(b []byte) ([]uint64, bool) {
	var names []string
	if json.Unmarshal(b, &names) != nil {
		return nil, false
	}
	out := make([]uint64, len(names))
	for i, s := range names {
		h := fnv.New64a()
		h.Write([]byte(s))
		out[i] = h.Sum64()
	}
	return out, true
}
