package kubernetes

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzWatchStream: the events of a watch are the lines of its stream, however long they are; nothing of it is lost.
func FuzzWatchStream(f *testing.F) {
	f.Add([]byte(`{"type":"ADDED","object":{}}`+"\n"+`{"type":"BOOKMARK"}`), uint8(0))
	f.Add([]byte("\n\n"+strings.Repeat("x", 200)+"\ny"), uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, small uint8) {
		r := bufio.NewReaderSize(bytes.NewReader(text), 16+int(small))
		var all []byte
		for {
			line, err := readEvent(r)
			all = append(all, line...)
			if err == nil && (len(line) == 0 || line[len(line)-1] != '\n' || bytes.Count(line, []byte("\n")) != 1) {
				t.Fatalf("%q is no line", line)
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				break
			}
		}
		if !bytes.Equal(all, text) {
			t.Errorf("%q came out as %q", text, all)
		}
	})
}
