package logs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// Tail follows the log of an engine that is written on this machine, and emits the events of its life. It begins where the file ends when Run
// begins: what was written before is not of this run. A file that is replaced is read to its end and then the new one from its beginning, as is one that is
// not there yet; one that is cut is read from its beginning.
type Tail struct {
	Path     string
	Instance string         // "": as the lines or the file's name tell
	Zone     *time.Location // of stamps that name none; nil: this machine's
	Interval time.Duration  // between two looks; 0: 250 ms
	Clock    collectors.Clock

	file  *os.File
	stat  fs.FileInfo
	at    int64  // bytes read of file
	rest  []byte // of a line whose end is not written yet
	long  bool   // the line is too long and passed over
	tally input.Tally
	un    unwrapper
	dec   *decoder
	told  string // the trouble that was told last
	emit  func(assay.Record) error
}

var _ assay.Source = (*Tail)(nil)

const (
	tailInterval = 250 * time.Millisecond
	maxTail      = 1 << 20 // bytes of one line
)

// Run follows the file until ctx is done.
func (t *Tail) Run(ctx context.Context, emit func(assay.Record) error) error {
	t.emit = emit
	zone := t.Zone
	if zone == nil {
		zone = time.Local
	}
	t.dec = newDecoder(&t.tally, cmp.Or(t.Instance, instanceFrom(t.Path)), zone, time.Now(), t.take)
	defer func() {
		if t.file != nil {
			t.file.Close()
		}
	}()
	tick := time.NewTicker(cmp.Or(t.Interval, tailInterval))
	defer tick.Stop()
	for first := true; ; first = false {
		if err := t.look(first); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// take moves an event to run time. Instants in its attributes stay in Unix time, as facts read them.
func (t *Tail) take(r assay.Record) error {
	if e, ok := r.(*assay.Event); ok {
		e.Time = t.Clock.FromUnix(e.Time)
	}
	return t.emit(r)
}

// look reads what is new. An error is one of emit.
func (t *Tail) look(first bool) error {
	if t.file != nil {
		if err := t.read(); err != nil {
			return err
		}
	}
	st, err := os.Stat(t.Path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && t.file != nil {
			return nil // being replaced
		}
		return t.trouble(err)
	}
	switch {
	case t.file == nil, !os.SameFile(st, t.stat):
		f, err := os.Open(t.Path)
		if err != nil {
			return t.trouble(err)
		}
		if t.file != nil {
			t.file.Close()
		}
		t.file, t.stat, t.at, t.rest, t.long = f, st, 0, nil, false
		if first {
			if t.at, err = f.Seek(0, io.SeekEnd); err != nil {
				return t.trouble(err)
			}
		}
	case st.Size() < t.at: // cut
		t.at, t.rest, t.long = 0, nil, false
	default:
		return nil
	}
	return t.read()
}

// trouble tells the run why nothing is read, once.
func (t *Tail) trouble(err error) error {
	text := fmt.Sprintf("%s cannot be followed: %v", t.Path, err)
	if text == t.told {
		return nil
	}
	t.told = text
	return t.emit(&assay.Event{Time: cmp.Or(t.Clock.Now(), 1), Kind: assay.EventWarning, Source: "logs", Text: text})
}

// read takes the whole lines from where it was to the end of the file.
func (t *Tail) read() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := t.file.ReadAt(buf, t.at)
		t.at += int64(n)
		if err := t.lines(buf[:n]); err != nil {
			return err
		}
		if err == io.EOF || n == 0 && err == nil {
			return nil
		}
		if err != nil {
			return t.trouble(err)
		}
	}
}

func (t *Tail) lines(b []byte) error {
	for {
		line, after, whole := bytes.Cut(b, []byte("\n"))
		if !t.long && len(t.rest)+len(line) > maxTail {
			t.rest, t.long = nil, true
			if err := t.trouble(fmt.Errorf("a line of more than %d MiB, which is passed over", maxTail>>20)); err != nil {
				return err
			}
		}
		if !whole {
			if !t.long {
				t.rest = append(t.rest, line...)
			}
			return nil
		}
		raw := bytes.TrimSpace(append(t.rest, line...))
		skip := t.long
		t.rest, t.long, b = t.rest[:0], false, after
		if skip || len(raw) == 0 {
			continue
		}
		if l, n, done := t.un.unwrap(raw); done {
			if t.Instance != "" {
				l.instance = ""
			}
			if err := t.dec.take(&l, n); err != nil {
				return err
			}
		}
	}
}

// Known returns how many of a file's last lines there are, at most those of 256 KiB, and how many of them say something that is recorded.
func Known(path string) (lines, known int64, err error) {
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
	t := &Tail{}
	t.dec = newDecoder(&t.tally, "x", time.UTC, time.Now(), func(assay.Record) error { return nil })
	if err := t.lines(b); err != nil {
		return 0, 0, err
	}
	return t.tally.Read(), t.tally.Kept, nil
}
