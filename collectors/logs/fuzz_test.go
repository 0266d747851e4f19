package logs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// FuzzRead reads any text as each format: it must end, in records that make sense or an error that names the file.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*")
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i := range Kinds {
			f.Add(uint8(i), raw[:min(len(raw), 2000)])
		}
	}
	for _, s := range []string{
		vllm,
		"2026-01-01T00:00:01.5Z stdout P Load weight begin\n2026-01-01T00:00:01.5Z stdout F Load weight end\n",
		`{"log":"Load weight end. elapsed=NaN s","stream":"x","ts":1e300}` + "\n" + `{"ts":-5,"msg":"vLLM API server version 1"}`,
		"[pod/a-1/c] 2026-01-01T00:00:01.5Z {\"message\":\"x\"}\n[pod/a-1/c]\na-1 c x\n\x1b[1ma-1 c 2026-01-01T00:00:01.5Z \n",
		"E9999 99:99:99.999999 1 x] loading: a\n" + strings.Repeat("{", 1000),
	} {
		for i := range Kinds {
			f.Add(uint8(i), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		_, _ = inputtest.Made(t, &Kinds[int(kind)%len(Kinds)], text, nil, 8, nil)
	})
}

func BenchmarkLine(b *testing.B) {
	d := newDecoder(&input.Tally{}, "p", time.UTC, time.Now(), func(assay.Record) error { return nil })
	texts := strings.Split(strings.TrimSpace(vllm), "\n")
	for b.Loop() {
		for _, s := range texts {
			if err := d.take(&line{text: s}, 1); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(texts)), "lines/op")
}
