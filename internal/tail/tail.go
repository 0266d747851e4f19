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
// end and then the new one from its beginning, as is one that is not there yet; one that is cut is read from its beginning. A line that was not
// finished by then is told of.
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
	stop func() bool // asked before each line; nil: never
	last bool        // this is the last look
	left int64       // bytes that it did not come to
}

const (
	interval = 250 * time.Millisecond
	maxLine  = 1 << 20
	lastLook = 2 * time.Second // bounds the last look
)

// Run follows the file until ctx is done, and then looks once more, so that what was written until then is not missed. The last look goes no further than
// the file did when it began and takes at most 2 s; what it leaves is told. An error is one of Line, Wrong or Look.
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
		t.stop = func() bool { return ctx.Err() != nil }
		if done {
			end := time.Now().Add(lastLook)
			t.last, t.stop = true, func() bool { return !time.Now().Before(end) }
		}
		if err := t.look(first); err != nil {
			return err
		}
		if t.left > 0 {
			if err := t.wrong(fmt.Errorf("%s: its last %d bytes were not read: the time after the end, %v, was too short for them", t.Path, t.left, lastLook)); err != nil {
				return err
			}
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
		if err := t.read(); err != nil || t.stopped() {
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
		if t.file != nil { // more may have come to it before it was replaced
			if err := t.read(); err != nil || t.stopped() {
				f.Close()
				return err
			}
			t.file.Close()
			if err := t.unfinished("replaced"); err != nil {
				f.Close()
				return err
			}
		}
		t.file, t.stat, t.at, t.rest, t.long, t.told = f, st, 0, t.rest[:0], false, ""
		if first {
			if t.at, err = f.Seek(0, io.SeekEnd); err != nil {
				return t.wrong(err)
			}
		}
	case st.Size() < t.at: // cut
		if err := t.unfinished("cut"); err != nil {
			return err
		}
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

// unfinished tells of the beginning of a line whose end never came.
func (t *File) unfinished(how string) error {
	if len(t.rest) == 0 {
		return nil
	}
	return t.wrong(fmt.Errorf("%s: a line of which %d bytes were written was not finished before the file was %s", t.Path, len(t.rest), how))
}

// stopped reports whether this look ends here, to be followed by the last one.
func (t *File) stopped() bool { return !t.last && t.stop != nil && t.stop() }

// read takes the whole lines from where it was to where the file ends now, however fast it grows.
func (t *File) read() error {
	if t.buf == nil {
		t.buf = make([]byte, 64<<10)
	}
	st, err := t.file.Stat()
	if err != nil {
		return t.wrong(err)
	}
	for end := st.Size(); t.at < end; {
		n, err := t.file.ReadAt(t.buf[:min(int64(len(t.buf)), end-t.at)], t.at)
		took, lerr := t.lines(t.buf[:n])
		t.at += int64(took)
		switch {
		case lerr != nil:
			return lerr
		case took < n:
			if t.last {
				t.left += end - t.at
			}
			return nil
		case err == io.EOF: // cut meanwhile
			return nil
		case err != nil:
			return t.wrong(err)
		}
	}
	return nil
}

// lines takes the lines in b and returns how many bytes of it that were: all, unless it was stopped.
func (t *File) lines(b []byte) (took int, err error) {
	most, all := cmp.Or(t.MaxLine, maxLine), len(b)
	for {
		if t.stop != nil && t.stop() {
			return all - len(b), nil
		}
		line, after, whole := bytes.Cut(b, []byte("\n"))
		if !t.long && len(t.rest)+len(line) > most {
			t.rest, t.long = t.rest[:0], true
			if err := t.wrong(fmt.Errorf("%s: a line of more than %d KiB is passed over", t.Path, most>>10)); err != nil {
				return all - len(b), err
			}
		}
		if !whole {
			if !t.long {
				t.rest = append(t.rest, line...)
			}
			return all, nil
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
			return all - len(b), err
		}
	}
}
