package series

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

const (
	pieceSize = 1 << 20   // bytes of lines that are decoded at once
	maxSeries = 1_000_000 // of one look

	text        = "text/plain; version=0.0.4"
	openMetrics = "application/openmetrics-text; version=1.0.0"
)

var seriesLine = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})? +([-+]?[0-9.]+([eE][-+]?[0-9]+)?|NaN|[-+]?Inf)( +[0-9.]+)?$`)

// isExposition tells an exposition by its first line that says anything.
func isExposition(_ string, head []byte) bool {
	for line := range bytes.Lines(head) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			continue
		case bytes.HasPrefix(line, []byte("# HELP ")), bytes.HasPrefix(line, []byte("# TYPE ")), bytes.HasPrefix(line, []byte("# UNIT ")):
			return true
		}
		return seriesLine.Match(line)
	}
	return false
}

// readMetrics emits the samples of expositions. Lines are gathered into pieces, each decoded at once; where one cannot be, its lines are decoded one by
// one, so that what is wrong costs itself alone.
func readMetrics(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	when, err := newWhen(in)
	if err != nil {
		return err
	}
	r := &reader{in: in, emit: emit, when: when, format: text, seen: map[string]bool{},
		dec: collectors.NewExpositions(map[string]string{"job": in.Option("job"), "instance": in.Option("instance"), "instance_id": in.Option("instance")})}
	lines := input.Lines{File: in.File}
	for {
		line, err := lines.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := r.line(line); err != nil {
			return err
		}
	}
	if err := r.decode(); err != nil {
		return err
	}
	when.note()
	return nil
}

// A reader gathers lines and decodes them.
type reader struct {
	in     *input.Input
	emit   func(assay.Record) error
	when   *when
	dec    *collectors.Expositions
	format string

	piece   []byte
	count   int64           // lines of samples in the piece
	seen    map[string]bool // series without a time in the present look
	untimed bool            // the piece has samples without a time
	lost    bool            // nothing tells when the present look was
	out     []assay.Sample
}

// whyBlank is why a sample of DCGM is none.
const whyBlank = "a number of DCGM that stands for no value"

// line takes up a line.
func (r *reader) line(line []byte) error {
	if line[0] == '#' {
		if bytes.Equal(line, []byte("# EOF")) {
			r.format = openMetrics
			return r.decode()
		}
		return nil // what it says of a family is of no use here
	}
	if key, stamped := cut(line); !stamped {
		if len(r.seen) == 0 || r.seen[key] {
			if err := r.decode(); err != nil { // the look before ends here
				return err
			}
			clear(r.seen)
			r.lost = !r.when.next()
		}
		if r.seen[key], r.untimed = true, true; len(r.seen) > maxSeries {
			return fmt.Errorf("%s: more than %d series in one exposition", r.in.Path, maxSeries)
		}
	}
	r.piece = append(append(r.piece, line...), '\n')
	r.count++
	if len(r.piece) > pieceSize {
		return r.decode()
	}
	return nil
}

// cut returns the series of a line as it is written, and whether a time stands behind its value.
func cut(line []byte) (key string, stamped bool) {
	end := bytes.IndexAny(line, "{ \t")
	if end < 0 {
		return string(line), false
	}
	if line[end] == '{' {
		quoted := false
		for i := end; i < len(line); i++ {
			switch c := line[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case !quoted && c == '}':
				end = i + 1
				i = len(line)
			}
		}
	}
	rest, _, _ := bytes.Cut(line[end:], []byte("#"))
	return string(line[:end]), len(bytes.Fields(rest)) > 1
}

// decode emits the samples of the piece and begins another.
func (r *reader) decode() error {
	piece, count := r.piece, r.count
	r.piece, r.count = r.piece[:0], 0
	if count == 0 {
		return nil
	}
	if r.lost && r.untimed {
		r.untimed = false
		r.in.Tally.Reject("of a second look without a time: the option every says how far apart looks were", count)
		return nil
	}
	at := int64(0)
	if r.untimed {
		var err error
		if at, err = r.when.at(); err != nil {
			return err
		}
	}
	r.untimed = false
	samples, events, again, err := r.read(piece, at)
	if err == nil {
		return r.take(samples, events, again)
	}
	for line := range bytes.Lines(piece) {
		samples, events, again, err := r.read(line, at)
		if err != nil {
			r.in.Tally.Reject(reason(err), 1)
			continue
		}
		if err := r.take(samples, events, again); err != nil {
			return err
		}
	}
	return nil
}

// read decodes a piece in the format of the last one, else in the other.
func (r *reader) read(piece []byte, at int64) (samples []assay.Sample, events []assay.Event, again int, err error) {
	other := openMetrics
	if r.format == openMetrics {
		other = text
	}
	var first error
	for _, format := range []string{r.format, other} {
		b := piece
		if format == openMetrics {
			b = append(b[:len(b):len(b)], "# EOF\n"...)
		}
		samples, events, again, err = r.dec.Read(b, format, at, r.out[:0])
		r.out = samples[:0]
		if err == nil {
			r.format = format
			return samples, events, again, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, nil, 0, first
}

// reason is why a line was not read, without what stood in it.
func reason(err error) string {
	for _, bound := range []string{"labels, more than max_labels", "more than max_label_length"} {
		if strings.Contains(err.Error(), bound) {
			return "of a series with too many labels, or too long ones"
		}
	}
	return "no line of an exposition"
}

func (r *reader) take(samples []assay.Sample, events []assay.Event, again int) error {
	r.in.Tally.Keep(int64(len(samples)))
	if n := r.dec.Blanks(); n > 0 {
		r.in.Tally.Reject(whyBlank, int64(n))
	}
	if again > 0 {
		r.in.Tally.Reject("of a series that stood twice for one instant", int64(again))
	}
	var errs error
	for i := range samples {
		if errs = r.emit(&samples[i]); errs != nil {
			return errs
		}
	}
	for i := range events {
		errs = errors.Join(errs, r.emit(&events[i]))
	}
	return errs
}
