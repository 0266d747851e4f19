package importers

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	maxRow  = 4 << 20 // bytes of one row: a quote or an element that never ends must not fill the memory
	maxHead = 4 << 10 // bytes that tell what a file is
)

// An input is one file, unpacked. It reads no further than a row may reach.
type input struct {
	path  string
	in    *bufio.Reader
	close func()
	left  int  // bytes until the current row is too long
	last  byte // that was read last
}

var errLong = fmt.Errorf("a row of more than %d MiB", maxRow>>20)

func openInput(path string) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, fmt.Errorf("%s is a directory: want a file", path)
	}
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("unpack %s: %w", path, err)
		}
	}
	return newInput(path, in, func() { f.Close() }), nil
}

func newInput(path string, in io.Reader, close func()) *input {
	i := &input{path: path, in: bufio.NewReaderSize(in, 64<<10), close: close, left: maxRow}
	if b, _ := i.in.Peek(3); bytes.Equal(b, []byte("\xef\xbb\xbf")) {
		_, _ = i.in.Discard(3)
	}
	return i
}

// Read implements io.Reader.
func (i *input) Read(p []byte) (int, error) {
	if i.left <= 0 {
		return 0, errLong
	}
	n, err := i.in.Read(p[:min(len(p), i.left)])
	i.left -= n
	if n > 0 {
		i.last = p[n-1]
	}
	return n, err
}

// row allows the next row.
func (i *input) row() { i.left = maxRow }

// peek returns how the file begins.
func (i *input) peek() ([]byte, error) {
	b, err := i.in.Peek(maxHead)
	if len(b) == 0 && err == io.EOF {
		return nil, fmt.Errorf("%s is empty", i.path)
	}
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %s: %w", i.path, err)
	}
	return b, nil
}

// bad says what is wrong with a value on a line.
func (i *input) bad(line int, what, value, want string) error {
	if len(value) > 60 {
		value = value[:57] + "..."
	}
	return fmt.Errorf("%s:%d: %s %q: want %s", i.path, line, what, value, want)
}

// lines reads an input line by line.
type lines struct {
	*input
	n    int // number of the line that was read last
	long []byte
	torn bool // the line that was read last has no end
}

// next returns the next line that is not empty, without its end; it is valid until the call after. It returns io.EOF at the end.
func (l *lines) next() ([]byte, error) {
	for {
		b, err := l.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			l.long = append(l.long[:0], b...)
			for errors.Is(err, bufio.ErrBufferFull) {
				if len(l.long) > maxRow {
					return nil, fmt.Errorf("%s:%d: %w", l.path, l.n+1, errLong)
				}
				b, err = l.in.ReadSlice('\n')
				l.long = append(l.long, b...)
			}
			b = l.long
		}
		if cutShort(err) {
			err, l.torn = io.EOF, true
		}
		if err != nil && (err != io.EOF || len(b) == 0) {
			if err == io.EOF {
				return nil, io.EOF
			}
			return nil, fmt.Errorf("read %s: %w", l.path, err)
		}
		l.n++
		l.torn = err == io.EOF
		if b = bytes.TrimSpace(b); len(b) > 0 {
			return b, nil
		}
	}
}

// cutShort reports whether a packed file was cut.
func cutShort(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }
