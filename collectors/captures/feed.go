package captures

import (
	"io"
	"strings"

	"github.com/assay-dev/assay/collectors/input"
)

// A feed hands the lines of a capture to a reader of server-sent events, one a Read, and remembers when each came.
type feed struct {
	lines input.Lines
	tally *input.Tally
	head  func(line string) // told of each line of a head, nil for none

	rest   []byte
	inHead bool
	first  int64 // Unix ns: of the first line of all
	at     int64 // of the last line that is not empty: those that end events are stamped when whoever caught them got round to it
	fresh  int64 // that were read and not yet counted
}

// Read implements io.Reader.
func (f *feed) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		raw, err := f.lines.Next()
		if err != nil {
			return 0, err
		}
		stamp, text, _ := strings.Cut(string(raw), " ")
		at, _, ok := f.lines.Instant(stamp, 1e9)
		switch {
		case !ok || at <= 0:
			f.tally.Reject("no stamp before the line", 1)
			continue
		case strings.HasPrefix(text, "HTTP/"):
			f.inHead = true
		case strings.HasPrefix(text, ":"):
			f.tally.Reject("a comment of the stream", 1)
			continue
		}
		if f.first == 0 {
			f.first = at
		}
		if f.inHead {
			f.tally.Keep(1)
			f.head(text)
			f.inHead = text != ""
			continue
		}
		if text != "" {
			f.at = at
		}
		f.fresh++
		f.rest = append(append(f.rest[:0], text...), '\n')
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// counted returns how many lines were read since it was asked last.
func (f *feed) counted() int64 {
	n := f.fresh
	f.fresh = 0
	return n
}

var _ io.Reader = (*feed)(nil)
