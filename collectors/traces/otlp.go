package traces

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors"
	"github.com/assay-dev/assay/collectors/input"
)

// maxBatch bounds one batch of spans.
const maxBatch = 64 << 20

// maxEmpty bounds the empty messages that may follow one another: zeros without end are each the length of one.
const maxEmpty = 1000

func isOTLP(_ string, head []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) && (bytes.Contains(head, []byte(`"resourceSpans"`)) || bytes.Contains(head, []byte(`"scopeSpans"`)) || bytes.Contains(head, []byte(`"resourceMetrics"`)))
}

// readOTLP tells the three forms apart by the first byte: that of JSON, the tag of a bare message's first field, or that of a length.
func readOTLP(_ context.Context, in *input.Input, emit func(assay.Record) error) error {
	in.Limit(maxBatch)
	t := &otlp{taker: newTaker(in, 1, emit)}
	defer func() {
		if left := t.metrics.Left(); left != "" {
			in.Tally.Note(left, 1)
		}
	}()
	head, err := in.Peek()
	if err != nil {
		return err
	}
	switch b := bytes.TrimLeft(head, " \t\r\n"); {
	case len(b) > 0 && (b[0] == '{' || b[0] == '['):
		return t.end(t.json(in.File))
	case head[0] == 0x0a:
		msg, err := io.ReadAll(in)
		if err != nil {
			return fmt.Errorf("read %s: %w", in.Path, err)
		}
		return t.end(t.batch(msg, false))
	}
	return t.end(t.prefixed())
}

type otlp struct {
	*taker
	metrics collectors.Points
}

// batch takes one encoded message.
func (t *otlp) batch(msg []byte, json bool) error {
	err := t.spans.OTLP(msg, json, t.keep, t.refuse)
	if errors.Is(err, collectors.ErrNoTraces) && !json { // a message does not say of which signal it is
		return t.points(msg, false)
	}
	if errors.Is(err, collectors.ErrNoTraces) {
		t.refuse("a batch that cannot be decoded as OTLP traces")
		return nil
	}
	return err
}

// prefixed takes messages that each have their length before them in four bytes, the highest first, as the collector's file exporter writes them. Those
// that it packed by zstd are unpacked.
func (t *otlp) prefixed() error {
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBatch))
	if err != nil {
		return err
	}
	defer unpack.Close()
	var size [4]byte
	var msg []byte
	empty := 0
	for {
		t.in.Row()
		switch _, err := io.ReadFull(t.in, size[:]); {
		case err == io.EOF:
			return nil
		case input.CutShort(err):
			return errCut
		case err != nil:
			return fmt.Errorf("read %s: %w", t.in.Path, err)
		}
		n := binary.BigEndian.Uint32(size[:])
		if n > maxBatch-4 {
			return fmt.Errorf("%s: a message of %d bytes: want at most %d MiB; is it OTLP JSON, or protobuf with a length of four bytes before each message?", t.in.Path, n, maxBatch>>20)
		}
		if n == 0 {
			t.refuse("an empty message")
			if empty++; empty > maxEmpty {
				return fmt.Errorf("%s: more than %d empty messages one after another: is it OTLP JSON, or protobuf with a length of four bytes before each message?", t.in.Path, maxEmpty)
			}
			continue
		}
		empty = 0
		msg = append(msg[:0], make([]byte, n)...)
		if _, err := io.ReadFull(t.in, msg); err != nil {
			if err == io.EOF || input.CutShort(err) {
				return errCut
			}
			return fmt.Errorf("read %s: %w", t.in.Path, err)
		}
		one := msg
		if bytes.HasPrefix(msg, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
			if one, err = unpack.DecodeAll(msg, nil); err != nil {
				return fmt.Errorf("unpack a message of %s: %w", t.in.Path, err)
			}
		}
		if bytes.HasPrefix(one, []byte("{")) {
			f := input.NewFile(t.in.Path, bytes.NewReader(one), nil)
			f.Limit(maxBatch)
			err = t.json(f)
		} else {
			err = t.batch(one, false)
		}
		if err != nil {
			return err
		}
	}
}

// json takes documents, one after another. Resources are read one by one, so that a document may be larger than a batch.
func (t *otlp) json(in *input.File) error {
	d := newDocument(in)
	var object func() error
	object = func() error {
		return d.members(func(name string) error {
			switch name {
			case "resourceSpans", "resource_spans", "batches": // the last is Tempo's
				return d.list(func() error {
					var raw json.RawMessage
					if err := d.value(&raw); err != nil {
						return err
					}
					return t.batch(slip(raw), true)
				})
			case "resourceMetrics", "resource_metrics":
				return d.list(func() error {
					var raw json.RawMessage
					if err := d.value(&raw); err != nil {
						return err
					}
					return t.points(slices.Concat([]byte(`{"resourceMetrics":[`), raw, []byte("]}")), true)
				})
			case "resourceLogs":
				return d.list(func() error {
					t.refuse("a resource's logs, which are neither traces nor metrics")
					return d.skip()
				})
			case fetchedName:
				var f fetched
				if err := d.value(&f); err != nil {
					return err
				}
				f.note(t.taker)
				return nil
			case "trace": // Tempo's v2
				delim, err := d.begin()
				if err != nil || delim != '{' {
					return err
				}
				return object()
			}
			return d.skip()
		})
	}
	return d.all(func(delim json.Delim) error {
		switch delim {
		case '{':
			return object()
		case '[':
			return d.elements(func() error {
				delim, err := d.begin()
				if err != nil || delim != '{' {
					return err
				}
				return object()
			})
		}
		t.refuse("neither traces, metrics nor logs")
		return nil
	})
}

// based are ids in base64, as protobuf's own mapping to JSON writes them and OTLP's does not.
var based = regexp.MustCompile(`"(traceId|spanId|parentSpanId)"\s*:\s*"([A-Za-z0-9+/]{11}=|[A-Za-z0-9+/]{22}==)"`)

// slip makes a message of one resource's spans.
func slip(raw []byte) []byte {
	raw = based.ReplaceAllFunc(raw, func(b []byte) []byte {
		m := based.FindSubmatch(b)
		id, err := base64.StdEncoding.DecodeString(string(m[2]))
		if err != nil {
			return b
		}
		return []byte(`"` + string(m[1]) + `":"` + hex.EncodeToString(id) + `"`)
	})
	out := make([]byte, 0, len(raw)+24)
	return append(append(append(out, `{"resourceSpans":[`...), raw...), "]}"...)
}
