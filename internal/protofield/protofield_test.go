package protofield

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
)

var errNone = errors.New("no message")

func message() []byte {
	b := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte("ab"))
	b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), 300)
	b = protowire.AppendFixed64(protowire.AppendTag(b, 3, protowire.Fixed64Type), 5)
	return protowire.AppendFixed32(protowire.AppendTag(b, 4, protowire.Fixed32Type), 6)
}

func walk(b []byte, stop protowire.Number) (out []string, err error) {
	err = Each(b, errNone, func(field protowire.Number, kind protowire.Type, value []byte, number uint64) error {
		if out = append(out, fmt.Sprintf("%d %d %q %d", field, kind, value, number)); field == stop {
			return errors.New("enough")
		}
		return nil
	})
	return out, err
}

func TestEach(t *testing.T) {
	all := []string{`1 2 "ab" 0`, `2 0 "" 300`, `3 1 "" 5`, `4 5 "" 0`}
	if got, err := walk(message(), 0); err != nil || cmp.Diff(all, got) != "" {
		t.Errorf("%v, %q", err, got)
	}
	if got, err := walk(message(), 2); err == nil || err.Error() != "enough" || cmp.Diff(all[:2], got) != "" {
		t.Errorf("stopped at the second: %v, %q", err, got)
	}
	for _, b := range [][]byte{{0xff}, {0x0a, 5, 'a'}, {0x08, 0xff}, {0x19, 1, 2}, {0x2f}} {
		if got, err := walk(b, 0); err != errNone || got != nil {
			t.Errorf("% x: %v, %q", b, err, got)
		}
	}
}

// FuzzEach: any bytes end in their fields or in the error, and values are parts of them.
func FuzzEach(f *testing.F) {
	f.Add(message())
	f.Add([]byte{0x0b, 0x0c})
	f.Fuzz(func(t *testing.T, b []byte) {
		size := 0
		err := Each(b, errNone, func(field protowire.Number, _ protowire.Type, value []byte, _ uint64) error {
			if size += len(value) + 1; field < 1 {
				t.Errorf("field %d", field)
			}
			return nil
		})
		if err == nil && size > len(b) {
			t.Errorf("%d bytes of fields in %d", size, len(b))
		}
	})
}
