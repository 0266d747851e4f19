// Package tail follows a file that a program on this machine writes line by line, over rotation and truncation.
package tail

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
)

// A File is followed from where it ends when Run begins: what was written before is not of this run. A file that is replaced is read to its
// end and then the new one from its beginning, as is one that is not there yet; one that is cut is read from its beginning.
type File struct {
	Path     string
	Interval time.Duration // between two looks; 0: 250 ms
	MaxLine  int           // bytes; 0: 1 MiB

	Line  func(line []byte) error // a line without its end and the blanks around it; valid until Line returns
	Wrong func(err error) error   // why nothing is read, or a line is passed over; told once as long as it stays the same
	Look  func() error            // after each look; may be nil

	file *os.File
	stat fs.FileInfo
	at   int64  // bytes read of file
	rest []byte // of a line whose end is not written yet
	long bool   // the line is too long and passed over
	told string
	buf  []byte
}

const (
	interval = 250 * time.Millisecond
	maxLine  = 1 << 20
)

// Run follows the file until ctx is done, and then looks once more, so that what was written until then is not missed. An error is one of Line, Wrong or Look.
func (t *File) Run(ctx context.Context) error {
	defer func() {
		if t.file != nil {
			t.file.Close()
		}
	}()
	tick := time.NewTicker(cmp.Or(t.Interval, interval))
	defer tick.Stop()
	for first := true; ; first = false {
		done := ctx.Err() != nil
		if err := t.look(first); err != nil {
			return err
		}
		if t.Look != nil {
			if err := t.Look(); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// look reads what is new.
func (t *File) look(first bool) error {
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
		return t.wrong(err)
	}
	switch {
	case t.file == nil, !os.SameFile(st, t.stat):
		if !st.Mode().IsRegular() {
			return t.wrong(fmt.Errorf("%s is no file that can be followed", t.Path))
		}
		f, err := os.Open(t.Path)
		if err != nil {
			return t.wrong(err)
		}
		if t.file != nil {
			t.file.Close()
		}
		t.file, t.stat, t.at, t.rest, t.long, t.told = f, st, 0, t.rest[:0], false, ""
		if first {
			if t.at, err = f.Seek(0, io.SeekEnd); err != nil {
				return t.wrong(err)
			}
		}
	case st.Size() < t.at: // cut
		t.at, t.rest, t.long = 0, t.rest[:0], false
	default:
		return nil
	}
	return t.read()
}

// wrong tells what is wrong unless that was the last thing told.
func (t *File) wrong(err error) error {
	if err.Error() == t.told {
		return nil
	}
	t.told = err.Error()
	return t.Wrong(err)
}

// read takes the whole lines from where it was to the end of the file.
func (t *File) read() error {
	if t.buf == nil {
		t.buf = make([]byte, 64<<10)
	}
	for {
		n, err := t.file.ReadAt(t.buf, t.at)
		t.at += int64(n)
		if err := t.lines(t.buf[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return t.wrong(err)
		}
	}
}

func (t *File) lines(b []byte) error {
	most := cmp.Or(t.MaxLine, maxLine)
	for {
		line, after, whole := bytes.Cut(b, []byte("\n"))
		if !t.long && len(t.rest)+len(line) > most {
			t.rest, t.long = t.rest[:0], true
			if err := t.wrong(fmt.Errorf("%s: a line of more than %d KiB is passed over", t.Path, most>>10)); err != nil {
				return err
			}
		}
		if !whole {
			if !t.long {
				t.rest = append(t.rest, line...)
			}
			return nil
		}
		if len(t.rest) > 0 {
			t.rest = append(t.rest, line...)
			line = t.rest
		}
		skip := t.long
		t.rest, t.long, b = t.rest[:0], false, after
		if line = bytes.TrimSpace(line); skip || len(line) == 0 {
			continue
		}
		if err := t.Line(line); err != nil {
			return err
		}
	}
}
