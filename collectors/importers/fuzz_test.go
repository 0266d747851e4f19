package importers

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay/collectors/input"
)

// FuzzRead reads any text as each format: it must end, in rows that make sense or an error that names the file.
func FuzzRead(f *testing.F) {
	for i, files := range [][]string{{"plain.jtl", "headless.jtl", "nested.jtl"}, {"out.k6.json"}, {"hits.csv", "hits.json"}, {"planned.csv"}, {"any.jsonl"}} {
		for _, name := range files {
			raw, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), raw)
			f.Add(uint8(i), bytes.ReplaceAll(raw, []byte("1"), []byte("-999999999999999999")))
			f.Add(uint8(i), bytes.ReplaceAll(raw, []byte(`"`), nil))
		}
	}
	f.Add(uint8(3), []byte("due,latency,sent,end,retry_after_ms\n1,1e9,2,3,-4\n"))
	f.Add(uint8(4), []byte(`{"due":1e18,"latency":{},"sent":null}`))
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		k := &Kinds[int(kind)%len(Kinds)]
		in := input.NewFile("x", bytes.NewReader(text), func() {})
		var ta tally
		rd, err := k.open(in, &Settings{}, &ta)
		for n := 0; err == nil; n++ {
			if n > len(text)+1 {
				t.Fatalf("%d rows of %d bytes", n, len(text))
			}
			var r row
			if err = rd.next(&r); err != nil {
				break
			}
			if r.line < 1 || r.path != "x" || r.Phase == "" || r.times < 0 || r.times > 1e6 || r.TokensIn < 0 || r.BytesIn < 0 || r.RetryAfter < 0 ||
				strings.ContainsAny(r.Error, "\n\x00") || len(r.Error) > 200 {
				t.Fatalf("row %+v", r)
			}
		}
		if err != io.EOF && !strings.Contains(err.Error(), "x") {
			t.Fatalf("error %v names no file", err)
		}
		ta.warnings()
	})
}

func BenchmarkRead(b *testing.B) {
	for _, c := range []struct{ kind, head, row string }{
		{"jtl", "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect\n",
			"1767225600250,120,GET /models,200,OK,Users 1-1,text,true,,512,180,2,3,http://host/models,80,0,5\n"},
		{"jsonl", "", `{"due":1767225600.25,"latency":0.12,"status":200,"tokens_in":12,"tokens_out":40}` + "\n"},
	} {
		b.Run(c.kind, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "x")
			if err := os.WriteFile(path, []byte(c.head+strings.Repeat(c.row, 10_000)), 0o644); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				im, err := Open(b.Context(), Settings{Kind: c.kind, Paths: []string{path}})
				if err != nil {
					b.Fatal(err)
				}
				n += im.Requests
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/row")
		})
	}
}

// FuzzColumns: what a person says of columns is refused or names fields that there are.
func FuzzColumns(f *testing.F) {
	for _, s := range []string{"due=a:ms,latency=b", "unit=ms", "outcome=state:FAILED|LOST", "due=", "=", "due=a,due=b", "status=x:ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseColumns(text)
		if err != nil {
			return
		}
		for name, col := range c {
			if name != unitKey && (!slices.Contains(fieldNames(), name) || col.Name == "") || col.Unit != "" && input.Units[col.Unit] == 0 {
				t.Errorf("%q: %s is %+v", text, name, col)
			}
		}
	})
}
