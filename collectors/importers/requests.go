package importers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Requests are all formats of this package as one kind of input, beside which others may lie.
var Requests = input.Kind{
	Name: "requests", Things: "requests", Proven: collectors.Recorded, By: "each format by itself: see assay list importer",
	Help:    "Results of load generators, or any table of requests: the formats of assay import FILE.",
	Options: requestOptions(),
	Is: func(_ string, head []byte) bool {
		for i := range Kinds {
			if is := Kinds[i].is; is != nil && is(head) {
				return true
			}
		}
		return false
	},
	Read: readRequests,
}

// requestOptions are those of --requests FILE: the format, and the columns of a table.
func requestOptions() []input.Option {
	options := []input.Option{{Name: "kind", Help: "format of the file; found by how it begins where none is given"}, {Name: unitKey, Help: "of times whose column names none: s, ms, us or ns"}}
	for _, f := range fields {
		options = append(options, input.Option{Name: f.name, Help: "column: " + f.help})
	}
	return options
}

// mapping is what the options say of the columns, as ParseColumns reads it.
func mapping(in *input.Input) string {
	var pairs []string
	if text := in.Option("columns"); text != "" {
		pairs = append(pairs, text)
	}
	for _, name := range append([]string{unitKey}, fieldNames()...) {
		if column := in.Option(name); column != "" {
			pairs = append(pairs, name+"="+column)
		}
	}
	return strings.Join(pairs, ",")
}

// readRequests emits what one file holds, in Unix time.
func readRequests(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	im, _ := in.State.(*Import)
	if im == nil {
		columns, err := ParseColumns(mapping(in))
		if err != nil {
			return err
		}
		if im, err = Open(ctx, Settings{Kind: KindFor(in.Path, in.Option("kind"), columns), Paths: []string{in.Disk}, Shown: in.Path, Columns: columns, Zone: in.Zone}); err != nil {
			return err
		}
		in.State = im
	}
	in.Tally.Keep(int64(im.Requests))
	in.NoZone(im.zoneless)
	for reason, n := range im.Rejected {
		in.Tally.Reject(reason, n)
	}
	in.Tally.Resolution = im.Resolution
	unix := *im
	if len(im.Rejected) > 0 {
		unix.Warnings = im.Warnings[:len(im.Warnings)-1] // the tally tells it
	}
	if im.Duplicates > 0 { // counted, and so told
		in.Tally.Reject("duplicates: another has the same id and was due at the same instant", int64(im.Duplicates))
		unix.Warnings = slices.DeleteFunc(slices.Clone(unix.Warnings), func(w string) bool { return w == fmt.Sprintf(twiceText, im.Duplicates) })
	}
	unix.again = func(r *row) bool {
		if r.id == "" || !in.Again(strconv.FormatInt(r.due, 10)+" "+r.id) {
			return false
		}
		n := int64(max(1, r.times))
		in.Tally.Keep(-n)
		in.Tally.Reject(input.Duplicate, n)
		return true
	}
	unix.zero, unix.End = im.zero-im.Epoch, im.End+im.Epoch
	return unix.Run(ctx, emit)
}

// KindFor returns the format of a file: what is named, or that of a table where columns are; "" where it is to be found.
func KindFor(path, named string, columns Columns) string {
	path = strings.TrimSuffix(path, ".gz")
	switch {
	case named != "" || len(columns) == 0:
		return named
	case strings.HasSuffix(path, ".jsonl") || strings.HasSuffix(path, ".ndjson"):
		return "jsonl"
	case strings.HasSuffix(path, ".parquet"):
		return "parquet"
	}
	return "csv"
}

// Tabular reports whether a format has columns to name.
func Tabular(kind string) bool { return kind == "csv" || kind == "jsonl" || kind == "parquet" }
