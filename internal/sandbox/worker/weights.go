package worker

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// HeaderBytes is the length of the header of a weights file.
//
// After it come all tensors in order, float32, little endian. The header holds, also little endian, magic, version, six
// dimensions, seed, payload length, SHA-256 of the payload and, last, a CRC-32C of itself.
const HeaderBytes = 128

// ErrCorrupt marks a weights file that cannot be used and may be made again.
var ErrCorrupt = errors.New("corrupt weights file")

// Weights describes one weights file: all that its header and its contents follow from.
type Weights struct {
	Path    string
	Model   string // for messages
	Magic   string // 8 bytes: the kind of model
	Version int
	Dims    [6]int // shape of the model
	Seed    uint64
	Tensors []Tensor
}

// A Tensor describes one matrix (or vector, with one row) of the file: its shape
// and how its values are made: all Fill, plus a normal draw with standard deviation Std.
type Tensor struct {
	Rows, Cols int
	Std, Fill  float64
}

// Size returns the number of values.
func (t Tensor) Size() int { return t.Rows * t.Cols }

// Bytes returns the size of the payload.
func (w Weights) Bytes() int64 {
	var n int64
	for _, t := range w.Tensors {
		n += 4 * int64(t.Size())
	}
	return n
}

// Ensure makes the weights file if it is missing or damaged. It reads an existing file once, at full
// speed, to check it. Several processes may call it at once: each writes its own temporary file and renames it.
func (w Weights) Ensure() error {
	if w.verify() == nil {
		return nil
	}
	return w.build()
}

func (w Weights) verify() error {
	f, err := os.Open(w.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := w.readHeader(f)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if n != w.Bytes() || !bytes.Equal(h.Sum(nil), sum[:]) {
		return fmt.Errorf("%w: length or checksum", ErrCorrupt)
	}
	return nil
}

// build writes the file beside its place and renames it, so that a reader sees all of it or none.
func (w Weights) build() (err error) {
	if err := os.MkdirAll(filepath.Dir(w.Path), 0o755); err != nil {
		return fmt.Errorf("make weights cache: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(w.Path), filepath.Base(w.Path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("make weights file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // closed already, or no use any more
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write weights %s: %w", w.Path, err)
		}
	}()
	if _, err = f.Seek(HeaderBytes, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<18)
	if err = w.writeTensors(out); err != nil {
		return err
	}
	if err = out.Flush(); err != nil {
		return err
	}
	if _, err = f.WriteAt(w.header([32]byte(h.Sum(nil))), 0); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), w.Path)
}

func (w Weights) writeTensors(out io.Writer) error {
	rng := rand.New(rand.NewPCG(w.Seed, 0x617373617977))
	var row []byte
	for _, t := range w.Tensors {
		for range t.Rows {
			row = row[:0]
			for range t.Cols {
				v := t.Fill
				if t.Std > 0 {
					v += rng.NormFloat64() * t.Std
				}
				row = binary.LittleEndian.AppendUint32(row, math.Float32bits(float32(v)))
			}
			if _, err := out.Write(row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w Weights) header(sum [32]byte) []byte {
	b := make([]byte, 0, HeaderBytes)
	b = append(b, w.Magic...)
	b = binary.LittleEndian.AppendUint32(b, uint32(w.Version))
	for _, v := range w.Dims {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	b = binary.LittleEndian.AppendUint64(b, w.Seed)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.Bytes()))
	b = append(b, sum[:]...)
	b = append(b, make([]byte, HeaderBytes-4-len(b))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// readHeader reads the header and returns the payload's checksum. Whatever differs from what w says is ErrCorrupt.
func (w Weights) readHeader(r io.Reader) (sum [32]byte, err error) {
	b := make([]byte, HeaderBytes)
	if _, err := io.ReadFull(r, b); err != nil {
		return sum, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	copy(sum[:], b[52:84])
	if !bytes.Equal(b, w.header(sum)) {
		return sum, fmt.Errorf("%w: header is not that of model %s, version %d, seed %d", ErrCorrupt, w.Model, w.Version, w.Seed)
	}
	return sum, nil
}
