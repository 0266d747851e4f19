package input

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
)

// lineKind keeps each line as an event, so that what is read is seen.
var lineKind = Kind{Name: "line", Things: "lines", Options: []Option{{Name: "note"}}, Read: func(_ context.Context, in *Input, emit func(assay.Record) error) error {
	l := Lines{File: in.File}
	for n := int64(0); ; n++ {
		_, err := l.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		in.Tally.Keep(1)
		if err := emit(&assay.Event{Time: year2000 + n, Kind: assay.EventAnnotation}); err != nil {
			return err
		}
	}
}}

// FuzzArchive: any bytes as a tar archive, packed or not, end in records or an error, and nothing is written but below the directory for it.
func FuzzArchive(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range map[string]string{"a.log": "1\n2\n", "../../escape.log": "3\n", "d/.hidden": "4\n"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
			f.Fatal(err)
		}
		io.WriteString(w, text)
	}
	w.Close()
	var z bytes.Buffer
	g := gzip.NewWriter(&z)
	g.Write(b.Bytes())
	g.Close()
	f.Add(b.Bytes(), false)
	f.Add(z.Bytes(), true)
	f.Add(b.Bytes()[:700], false)
	f.Fuzz(func(t *testing.T, raw []byte, packed bool) {
		dir, temp := t.TempDir(), t.TempDir()
		path := filepath.Join(dir, "x.tar")
		if packed {
			path += ".gz"
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := Open(t.Context(), []Spec{{Kind: &lineKind, Path: path}}, Settings{Temp: temp})
		if err == nil {
			set.Close()
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Errorf("written beside the archive: %v", left)
		}
		if left, _ := os.ReadDir(temp); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// FuzzInstant: what is read as an instant is one, and a number is what it says.
func FuzzInstant(f *testing.F) {
	for _, s := range []string{"1767225600", "1767225600.123456789", "-0.5", "1e9", "2026-01-01T00:00:00Z", "2026/01/01 00:00:00.5", "01/02/26 15:04:05", "NaN", "99999999999999999999", "0x1p-2"} {
		f.Add(s, int64(1e9))
		f.Add(s, int64(1))
	}
	f.Fuzz(func(t *testing.T, text string, unit int64) {
		if unit != 1 && unit != 1e3 && unit != 1e6 {
			unit = 1e9
		}
		ns, dated, ok := Instant(text, unit, time.UTC)
		if v, number := Number(text, unit); number && (dated || !ok || v != ns) {
			t.Errorf("%q: %d as a number, %d, %v, %v as an instant", text, v, ns, dated, ok)
		}
		if dated && ok {
			if y := time.Unix(0, ns).UTC().Year(); y < 1700 || y > 2250 {
				t.Errorf("%q lies in the year %d", text, y)
			}
		}
	})
}

// FuzzSpec: what a person writes after a flag is a path and options of the kind, and nothing of it is lost.
func FuzzSpec(f *testing.F) {
	for _, s := range []string{"a.log", "a.log,zone=UTC", "a,b.log,note=x,shift=1h", ",note=", "a,=", "x,note=1,note=2", "http://h/p?a=b,c=d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpec(&lineKind, text)
		if err != nil {
			return
		}
		n := len(s.Path)
		for name, value := range s.Options {
			n += len(name) + len(value) + 2
		}
		if n != len(text) || !strings.HasPrefix(text, s.Path) {
			t.Errorf("%q became %q with %q", text, s.Path, s.Options)
		}
	})
}

// FuzzHeader: a table whose columns are named by several rows is read or refused, each column has its levels, and cells are those of the table.
func FuzzHeader(f *testing.F) {
	f.Add([]byte("node,n1,n2\nts,,\n1,2,3\n"), uint8(0))
	f.Add([]byte("ts,a,,b\n,x,y\n1,2,3,4\n"), uint8(2))
	f.Add([]byte("\"\n\n\nts"), uint8(0))
	f.Fuzz(func(t *testing.T, text []byte, n uint8) {
		rows, h, err := OpenRowsUnder(NewFile("x", bytes.NewReader(text), nil), int(n%5), "ts")
		if err != nil {
			return
		}
		defer rows.Close()
		for range 3 {
			if _, err := rows.Next(); err != nil {
				break
			}
			for _, c := range rows.Columns() {
				if v, ok := rows.Get(c); !ok || !bytes.Contains(text, []byte(strings.Trim(v, `"`))) && !strings.Contains(v, `"`) && !strings.ContainsAny(v, "\r\n") {
					t.Errorf("column %q holds %q, %v", c, v, ok)
				}
			}
		}
		if h != nil {
			for c, of := range h.Of {
				if len(of) != len(h.Levels) {
					t.Errorf("column %q is %q on the levels %q", c, of, h.Levels)
				}
			}
		}
	})
}
