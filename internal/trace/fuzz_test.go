package trace

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// FuzzRead reads any text as each format: it must end, in order, with items or an error.
func FuzzRead(f *testing.F) {
	for i, k := range Kinds {
		paths, _ := filepath.Glob("testdata/" + k.Name + "*")
		for _, p := range paths {
			raw, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), raw, 1.0)
			f.Add(uint8(i), bytes.ReplaceAll(raw, []byte("1"), []byte("-9999999999")), 2.5)
		}
	}
	f.Add(uint8(6), []byte("t,n\n1,\n,\n"), 0.5)
	f.Add(uint8(7), []byte(`{"t":1e99,"n":"x"}`), 0.5)
	path := filepath.Join(f.TempDir(), "fuzz")
	f.Fuzz(func(t *testing.T, kind uint8, text []byte, scale float64) {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		s := Settings{Kind: Kinds[int(kind)%len(Kinds)].Name, Paths: []string{path}, RateScale: max(scale, 0.01), Max: 1000, To: 1000 * time.Hour}
		if k := s.Kind; k == "csv" || k == "jsonl" {
			s.Columns = Columns{Time: "t", In: "n", Out: "?m"}
		}
		last, n := int64(0), 0
		for it, err := range s.Each(1, nil) {
			if n++; err != nil {
				if it.Line != 0 {
					t.Fatal("an item beside an error")
				}
				continue
			}
			if it.At < last || it.In < Unknown || it.Out < Unknown || it.In == 0 || it.Out == 0 || it.Took < 0 {
				t.Fatalf("item %+v after %d", it, last)
			}
			last = it.At
		}
		if n > 1001 {
			t.Fatalf("%d items, want at most 1000", n)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct{ kind, file string }{{"csv", "azure-llm.csv"}, {"jsonl", "mooncake.jsonl"}} {
		raw, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			b.Fatal(err)
		}
		head, rows, _ := bytes.Cut(raw, []byte("\n"))
		if c.kind == "jsonl" {
			head, rows = nil, raw
		}
		rows = append(bytes.TrimSpace(rows), '\n')
		text := append(append(append([]byte{}, head...), '\n'), bytes.Repeat(rows, 1)...)
		for range 400 { // the same row many times: a sorted trace
			line, _, _ := bytes.Cut(rows, []byte("\n"))
			text = append(append(text, line...), '\n')
		}
		path := filepath.Join(b.TempDir(), c.file)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			b.Fatal(err)
		}
		b.Run(c.kind, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for _, err := range (Settings{Paths: []string{path}}).Each(1, nil) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/item")
		})
	}
}
