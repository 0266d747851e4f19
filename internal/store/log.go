package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// A log is a file of eight bytes of magic and then frames: the length of the
// payload, its CRC32C together with the number of records, that number, and the
// payload. All numbers are little-endian uint32.
const (
	logName     = "records.log"
	logMagic    = 8
	frameHeader = 12
	maxFrame    = 1 << 28 // larger lengths are damage
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// logFile is what a log needs of a file; tests put a failing disk in its place.
type logFile interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// openFile creates the file at path for appending.
func openFile(path string) (logFile, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
}

// finishFrame fills in the header of b and returns the frame.
func finishFrame(b *batch) []byte {
	binary.LittleEndian.PutUint32(b.buf[0:], uint32(len(b.buf)-frameHeader))
	binary.LittleEndian.PutUint32(b.buf[8:], uint32(b.n))
	binary.LittleEndian.PutUint32(b.buf[4:], crc32.Checksum(b.buf[8:], castagnoli))
	return b.buf
}

// A logWriter appends frames to one file.
type logWriter struct {
	f    logFile
	size int64 // of what is known to be whole
}

// write appends the records of b as one frame. After an error it cuts off what was written of it.
func (l *logWriter) write(b *batch) error {
	n, err := l.f.Write(finishFrame(b))
	if err != nil {
		if n > 0 {
			_ = l.f.Truncate(l.size) // a torn frame is no worse than a warning when read
		}
		return err
	}
	l.size += int64(n)
	return nil
}

// A frame is where the records of one batch stand in a log.
type frame struct {
	at   int64 // of the payload
	size int
	n    int
}

// A torn describes the end of what can be read of a log that was cut short.
type torn struct {
	path  string
	at    int64 // first byte that was not read
	lost  int64 // bytes from there
	cause string
}

func (t *torn) String() string {
	return fmt.Sprintf("%s: %s at byte %d; the %d bytes from there were not read, the records before were", t.path, t.cause, t.at, t.lost)
}

// scanLog reads the log at path and calls fn for each whole frame with its
// payload, which is borrowed. It returns where the log is torn, or nil.
func scanLog(path, magic string, fn func(f frame, payload []byte) error) (*torn, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := st.Size()
	cut := func(at int64, cause string) *torn { return &torn{path, at, size - at, cause} }

	r := &offsetReader{r: f}
	head := make([]byte, frameHeader)
	if _, err := io.ReadFull(r, head[:logMagic]); err != nil {
		return cut(0, "its first bytes are missing"), ignoreEOF(err)
	}
	if string(head[:logMagic]) != magic {
		return cut(0, fmt.Sprintf("it does not begin with %q", magic)), nil
	}
	var payload []byte
	for {
		at := r.n
		if _, err := io.ReadFull(r, head); errors.Is(err, io.EOF) {
			return nil, nil
		} else if err != nil {
			return cut(at, "a frame is incomplete"), ignoreEOF(err)
		}
		n := int64(binary.LittleEndian.Uint32(head))
		if n > maxFrame || n > size-r.n {
			return cut(at, "a frame is incomplete"), nil
		}
		if int64(cap(payload)) < n {
			payload = make([]byte, n+n/4)
		}
		payload = payload[:n]
		if _, err := io.ReadFull(r, payload); err != nil {
			return cut(at, "a frame is incomplete"), ignoreEOF(err)
		}
		sum := crc32.Update(crc32.Checksum(head[8:], castagnoli), castagnoli, payload)
		if sum != binary.LittleEndian.Uint32(head[4:]) {
			return cut(at, "the checksum of a frame is wrong"), nil
		}
		if err := fn(frame{at + frameHeader, int(n), int(binary.LittleEndian.Uint32(head[8:]))}, payload); err != nil {
			return nil, err
		}
	}
}

// ignoreEOF returns err unless it says that a file ended early.
func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// offsetReader counts what was read, through a buffer.
type offsetReader struct {
	r   io.Reader
	n   int64
	buf []byte
	off int
}

func (o *offsetReader) Read(p []byte) (int, error) {
	if o.off == len(o.buf) {
		if len(p) >= 1<<16 {
			n, err := o.r.Read(p)
			o.n += int64(n)
			return n, err
		}
		if o.buf == nil {
			o.buf = make([]byte, 0, 1<<16)
		}
		n, err := o.r.Read(o.buf[:cap(o.buf)])
		o.buf, o.off = o.buf[:n], 0
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, o.buf[o.off:])
	o.off += n
	o.n += int64(n)
	return n, nil
}
