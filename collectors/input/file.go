package input

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
)

// Bounds of a file.
const (
	MaxRow  = 4 << 20 // bytes of one row: a quote or an element that never ends must not fill the memory
	MaxHead = 4 << 10 // bytes that tell what a file is
)

// A File is one file, unpacked. Read goes no further than a row may reach: whoever reads row by row calls Row before each.
type File struct {
	Path     string         // as people know it
	Disk     string         // where it lies; "" where it is no file on disk
	Zone     *time.Location // of stamps that name none
	zoneless int64          // stamps without one
	Last     byte           // that was read last
	long     int64          // lines that were passed over, since they are too long

	in    *bufio.Reader
	from  *source
	close func()
	left  int // bytes until the current row is too long
	most  int // bytes of a row
}

// ErrLong tells of a row that is too long.
var ErrLong = fmt.Errorf("a row of more than %d MiB", MaxRow>>20)

// OpenFile opens a file; one that is gzip's is unpacked.
func OpenFile(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s is a directory: want a file", path)
	}
	packed := bufio.NewReader(f)
	from := &source{in: packed, left: math.MaxInt64}
	if magic, _ := packed.Peek(2); strings.HasSuffix(path, ".gz") || bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if from.in, err = gzip.NewReader(packed); err != nil {
			f.Close()
			return nil, fmt.Errorf("unpack %s: %w", path, err)
		}
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			from.left = max(minUnpacked, st.Size()*maxPacked)
		}
	}
	i := NewFile(path, from, func() { f.Close() })
	i.Disk, i.from = path, from
	return i, nil
}

// A source gives the bytes of a file until its reading is stopped, and no more of one that is packed than it can hold in earnest.
type source struct {
	in   io.Reader
	stop context.Context // nil: nothing stops it
	left int64           // bytes that it may unpack to
}

func (s *source) Read(p []byte) (int, error) {
	if s.stop != nil && s.stop.Err() != nil {
		return 0, s.stop.Err()
	}
	n, err := s.in.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, fmt.Errorf("it unpacks to more than %d times its size", maxPacked)
	}
	return n, err
}

// Until stops the reading of a file that was opened when ctx is done: not every byte of a file gives a record, at which whoever takes them could stop it.
func (i *File) Until(ctx context.Context) {
	if i.from != nil {
		i.from.stop = ctx
	}
}

// NewFile reads in as the file at path; close, which may be nil, is called by Close.
func NewFile(path string, in io.Reader, close func()) *File {
	i := &File{Path: path, Zone: time.UTC, in: bufio.NewReaderSize(in, 64<<10), close: close, left: MaxRow, most: MaxRow}
	if b, _ := i.in.Peek(3); bytes.Equal(b, []byte("\xef\xbb\xbf")) {
		_, _ = i.in.Discard(3)
	}
	return i
}

// Read implements io.Reader.
func (i *File) Read(p []byte) (int, error) {
	if i.left <= 0 {
		return 0, i.tooLong()
	}
	n, err := i.in.Read(p[:min(len(p), i.left)])
	i.left -= n
	if n > 0 {
		i.Last = p[n-1]
	}
	return n, err
}

// Close gives the file back.
func (i *File) Close() {
	if i.close != nil {
		i.close()
	}
}

// Row allows the next row.
func (i *File) Row() { i.left = i.most }

// Limit sets how many bytes a row may have, for formats whose rows are batches, and allows the next.
func (i *File) Limit(bytes int) { i.most, i.left = bytes, bytes }

func (i *File) tooLong() error {
	if i.most == MaxRow {
		return ErrLong
	}
	return fmt.Errorf("a row of more than %d MiB", i.most>>20)
}

// Peek returns how the file begins.
func (i *File) Peek() ([]byte, error) {
	b, err := i.in.Peek(MaxHead)
	if len(b) == 0 && err == io.EOF {
		return nil, fmt.Errorf("%s is empty", i.Path)
	}
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %s: %w", i.Path, err)
	}
	return b, nil
}

// Bad says what is wrong with a value on a line.
func (i *File) Bad(line int, what, value, want string) error {
	if len(value) > 60 {
		value = value[:57] + "..."
	}
	return fmt.Errorf("%s:%d: %s %q: want %s", i.Path, line, what, value, want)
}

// Long returns how many lines were passed over, since they are longer than a row may be.
func (i *File) Long() int64 { return i.long }

// Lines reads a file line by line. A line that is too long is passed over and counted: one that holds a prompt must not cost the rest of a log.
type Lines struct {
	*File
	N    int  // number of the line that was read last
	Torn bool // the line that was read last has no end

	long []byte
}

// Next returns the next line that is not empty, without its end; it is valid until the call after. It returns io.EOF at the end.
func (l *Lines) Next() ([]byte, error) {
	for {
		b, err := l.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			l.long = append(l.long[:0], b...)
			for errors.Is(err, bufio.ErrBufferFull) {
				b, err = l.in.ReadSlice('\n')
				if len(l.long) <= l.most {
					l.long = append(l.long, b...)
				}
			}
			if b = l.long; len(b) > l.most && (err == nil || err == io.EOF) {
				l.N++
				l.File.long++
				continue
			}
		}
		if CutShort(err) {
			err, l.Torn = io.EOF, true
		}
		if err != nil && (err != io.EOF || len(b) == 0) {
			if err == io.EOF {
				return nil, io.EOF
			}
			return nil, fmt.Errorf("read %s: %w", l.Path, err)
		}
		l.N++
		l.Torn = err == io.EOF
		if b = bytes.TrimSpace(b); len(b) > 0 {
			return b, nil
		}
	}
}

// CutShort reports whether a packed file was cut.
func CutShort(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }
