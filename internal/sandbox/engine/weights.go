package engine

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

// The weights file is a header of 128 bytes and then all tensors in the order of
// ModelSize.tensors, float32, little endian. The header holds, also little endian, magic, version, the
// six dimensions, seed, payload length, SHA-256 of the payload and, last, a CRC-32C of itself.
const (
	weightsMagic   = "ASSAYWTS"
	weightsVersion = 1
	headerBytes    = 128
)

// errCorrupt marks a weights file that cannot be used and may be made again.
var errCorrupt = errors.New("corrupt weights file")

// tensor describes one matrix (or vector, with one row) of the file: its shape
// and the standard deviation its values are drawn with; zero stands for all ones.
type tensor struct {
	rows, cols int
	std        float64
}

func (t tensor) size() int { return t.rows * t.cols }

// tensors returns the tensors of a model in file order: embedding; for each layer
// attention norm, query-key-value, attention output, feed-forward norm, gate-and-up and
// down; final norm; output head. Each matrix is stored with a row for each output.
func (s ModelSize) tensors() []tensor {
	w, residual := 1/math.Sqrt(float64(s.Width)), 1/math.Sqrt(2*float64(s.Layers))
	list := []tensor{{s.Vocab, s.Width, 1}}
	for range s.Layers {
		list = append(list,
			tensor{1, s.Width, 0}, tensor{3 * s.Width, s.Width, w}, tensor{s.Width, s.Width, w * residual},
			tensor{1, s.Width, 0}, tensor{2 * s.FFN, s.Width, w}, tensor{s.Width, s.FFN, residual / math.Sqrt(float64(s.FFN))})
	}
	return append(list, tensor{1, s.Width, 0}, tensor{s.Vocab, s.Width, w})
}

func weightsPath(dir string, s ModelSize, seed uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s-l%d-w%d-h%d-f%d-v%d-s%d.weights", s.Name, s.Layers, s.Width, s.Heads, s.FFN, s.Vocab, seed))
}

// EnsureWeights makes the weights file of cfg if it is missing or damaged, and returns its path
// and size. It reads an existing file once, at full speed, to check it. Several processes may
// call it at once: each writes its own temporary file and renames it.
func EnsureWeights(cfg Config) (path string, size int64, err error) {
	cfg = cfg.WithDefaults()
	s, err := sizeOf(cfg.Model)
	if err != nil {
		return "", 0, err
	}
	path, size = weightsPath(cfg.WeightsDir, s, cfg.Seed), headerBytes+s.WeightBytes()
	if verifyFile(path, s, cfg.Seed) == nil {
		return path, size, nil
	}
	return path, size, buildWeights(path, s, cfg.Seed)
}

func verifyFile(path string, s ModelSize, seed uint64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := readHeader(f, s, seed)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if n != s.WeightBytes() || !bytes.Equal(h.Sum(nil), sum[:]) {
		return fmt.Errorf("%w: length or checksum", errCorrupt)
	}
	return nil
}

// buildWeights writes the file beside its place and renames it, so that a reader sees all of it or none.
func buildWeights(path string, s ModelSize, seed uint64) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make weights cache: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*")
	if err != nil {
		return fmt.Errorf("make weights file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // closed already, or no use any more
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write weights %s: %w", path, err)
		}
	}()
	if _, err = f.Seek(headerBytes, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<18)
	if err = writeTensors(out, s, seed); err != nil {
		return err
	}
	if err = out.Flush(); err != nil {
		return err
	}
	if _, err = f.WriteAt(header(s, seed, [32]byte(h.Sum(nil))), 0); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeTensors(w io.Writer, s ModelSize, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 0x617373617977))
	var row []byte
	for _, t := range s.tensors() {
		for range t.rows {
			row = row[:0]
			for range t.cols {
				v := float32(1)
				if t.std > 0 {
					v = float32(rng.NormFloat64() * t.std)
				}
				row = binary.LittleEndian.AppendUint32(row, math.Float32bits(v))
			}
			if _, err := w.Write(row); err != nil {
				return err
			}
		}
	}
	return nil
}

func header(s ModelSize, seed uint64, sum [32]byte) []byte {
	b := make([]byte, 0, headerBytes)
	b = append(b, weightsMagic...)
	for _, v := range []int{weightsVersion, s.Layers, s.Width, s.Heads, s.FFN, s.Vocab, s.Context} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	b = binary.LittleEndian.AppendUint64(b, seed)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.WeightBytes()))
	b = append(b, sum[:]...)
	b = append(b, make([]byte, headerBytes-4-len(b))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// readHeader reads the header and returns the payload's checksum. Whatever differs from what s and seed ask for is errCorrupt.
func readHeader(r io.Reader, s ModelSize, seed uint64) (sum [32]byte, err error) {
	b := make([]byte, headerBytes)
	if _, err := io.ReadFull(r, b); err != nil {
		return sum, fmt.Errorf("%w: header: %w", errCorrupt, err)
	}
	copy(sum[:], b[52:84])
	if !bytes.Equal(b, header(s, seed, sum)) {
		return sum, fmt.Errorf("%w: header is not that of model %s, version %d, seed %d", errCorrupt, s.Name, weightsVersion, seed)
	}
	return sum, nil
}
