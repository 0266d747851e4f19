package importers

import (
	"context"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Requests are all formats of this package as one kind of input, beside which others may lie.
var Requests = input.Kind{
	Name: "requests", Things: "requests", Proven: collectors.Recorded, By: "each format by itself: see assay list importer",
	Help:    "Results of load generators, or any table of requests: the formats of assay import FILE.",
	Options: []input.Option{{Name: "kind", Help: "format of the file; found by how it begins where none is given"}},
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

// readRequests emits what one file holds, in Unix time.
func readRequests(ctx context.Context, in *input.Input, emit func(assay.Record) error) error {
	im, _ := in.State.(*Import)
	if im == nil {
		columns, err := ParseColumns(in.Option("columns"))
		if err != nil {
			return err
		}
		if im, err = Open(ctx, Settings{Kind: in.Option("kind"), Paths: []string{in.Path}, Columns: columns}); err != nil {
			return err
		}
		in.State = im
	}
	in.Tally.Keep(int64(im.Requests))
	in.Tally.Resolution = im.Resolution
	unix := *im
	unix.zero, unix.End = im.zero-im.Epoch, im.End+im.Epoch
	return unix.Run(ctx, emit)
}
