package importers

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// A Kind is one format of results.
type Kind struct {
	Name   string
	Help   string // one sentence
	Proven collectors.Proof
	By     string // what exactly was proven

	resolution int64 // ns: of its times

	open func(in *input.File, s *Settings, t *tally) (reader, error)
	is   func(head []byte) bool // whether a file begins like this; nil: cannot be told
}

// A reader reads the requests of one file.
type reader interface {
	// next fills in the next request, or returns io.EOF. The row is new each time.
	next(r *row) error
}

// Kinds is the table of formats.
var Kinds = []Kind{
	{"jtl", "JMeter results: CSV with or without a header, or XML.", collectors.Documents, "the format's documentation", 1e6, openJTL, isJTL},
	{"k6-json", "k6's JSON output (k6 run --out json=FILE).", collectors.Live, "k6 2.2.0", 1e3, openK6, isK6},
	{"vegeta", "vegeta's results as CSV or JSON (vegeta encode).", collectors.Live, "vegeta 12.13.0", 1e3, openVegeta, isVegeta},
	{"csv", "Any CSV with a header line; --map names its columns.", collectors.Recorded, "files of our own", 1e6, openCSV, nil},
	{"jsonl", "Any file of JSON objects, one a line; --map names its members.", collectors.Recorded, "files of our own", 1e6, openJSONL, nil},
	{"parquet", "Any Parquet file; --map names its columns.", collectors.Recorded, "files of our own", 1e6, openParquet, isParquet},
}

// kindOf finds the kind by its name, or by how the file begins.
func kindOf(name string, in *input.File) (*Kind, error) {
	if name != "" {
		if i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name }); i >= 0 {
			return &Kinds[i], nil
		}
		var names []string
		for _, k := range Kinds {
			names = append(names, k.Name)
		}
		return nil, fmt.Errorf("kind %q is unknown: want one of %s", name, strings.Join(names, ", "))
	}
	head, err := in.Peek()
	if err != nil {
		return nil, err
	}
	for i := range Kinds {
		if k := &Kinds[i]; k.is != nil && k.is(head) {
			return k, nil
		}
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	return nil, in.Bad(1, "the first line", string(first), "that of a known format; else say its kind after the name, as in FILE,kind=csv,due=COLUMN,latency=COLUMN: assay list options names what columns can be")
}
