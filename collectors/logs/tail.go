package logs

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/internal/tail"
)

// Tail follows the log of an engine that is written on this machine, from where it ends when Run begins, and emits the events of its life.
type Tail struct {
	Path     string
	Instance string         // "": as the lines or the file's name tell
	Zone     *time.Location // of stamps that name none; nil: this machine's
	Interval time.Duration  // between two looks; 0: 250 ms
	Clock    collectors.Clock
}

var _ assay.Source = (*Tail)(nil)

// Run follows the file until ctx is done.
func (t *Tail) Run(ctx context.Context, emit func(assay.Record) error) error {
	emit = tail.Through(emit)
	zone := t.Zone
	if zone == nil {
		zone = time.Local
	}
	var tally input.Tally
	begin := time.Now().UnixNano()
	in := &lines{instance: t.Instance}
	in.dec = newDecoder(&tally, cmp.Or(t.Instance, instanceFrom(t.Path)), zone, time.Now(), func(r assay.Record) error {
		if e, ok := r.(*assay.Event); ok { // instants in its attributes stay in Unix time, as facts read them
			e.Time = t.Clock.FromUnix(e.Time)
		}
		return emit(r)
	})
	in.dec.fits = fits(begin)
	warn := func(text string) error {
		return emit(&assay.Event{Time: cmp.Or(t.Clock.Now(), 1), Kind: assay.EventWarning, Source: "logs", Text: "following a log: " + text})
	}
	f := &tail.File{Path: t.Path, Interval: t.Interval, Line: in.take, Wrong: func(err error) error { return warn(err.Error()) }}
	if err := f.Run(ctx); err != nil {
		return err
	}
	for _, why := range []string{tooEarly, tooLate} {
		if n := tally.Rejected[why]; n > 0 {
			if err := warn(fmt.Sprintf("%s: %d of %d lines were left out: %s; is its clock right, and its zone?", t.Path, n, tally.Read(), why)); err != nil {
				return err
			}
		}
	}
	return nil
}

// slack is how far, in ns, a stamp of a line that is written now may lie before the run or after now: clocks differ, and programs write late.
const slack = int64(time.Minute)

// Why a stamp of a line that is written now cannot be true.
const (
	tooEarly = "stamped more than a minute before they were followed"
	tooLate  = "stamped more than a minute ahead"
)

// fits tells why a stamp cannot be true of a line that is followed since begin, in Unix ns; "" where it can.
func fits(begin int64) func(at int64) string {
	return func(at int64) string {
		switch {
		case at < begin-slack:
			return tooEarly
		case at > time.Now().UnixNano()+slack:
			return tooLate
		}
		return ""
	}
}

// lines takes raw lines out of their wrapping and to the decoder.
type lines struct {
	un       unwrapper
	dec      *decoder
	instance string // that counts in place of what lines name
}

func (l *lines) take(raw []byte) error {
	ln, n, done := l.un.unwrap(raw)
	if !done {
		return nil
	}
	if l.instance != "" {
		ln.instance = ""
	}
	return l.dec.take(&ln, n)
}

// Known returns how many of a file's last lines there are, at most those of 256 KiB, and how many of them say something that is recorded.
func Known(path string) (n, known int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	const end = 256 << 10
	b, err := io.ReadAll(io.NewSectionReader(f, max(0, st.Size()-end), end))
	if err != nil {
		return 0, 0, err
	}
	var tally input.Tally
	in := &lines{dec: newDecoder(&tally, "x", time.UTC, time.Now(), func(assay.Record) error { return nil })}
	for raw := range bytes.Lines(b) {
		if raw = bytes.TrimSpace(raw); len(raw) > 0 {
			if err := in.take(raw); err != nil {
				return 0, 0, err
			}
		}
	}
	return tally.Read(), tally.Kept, nil
}
