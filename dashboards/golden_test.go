package dashboards

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

var update = flag.Bool("update", false, "write the golden files and the sample reports")

// golden compares got with the file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s differs (-want +got); -update writes it:\n%s", path, d)
	}
}

func render(t *testing.T, f Render, r *assay.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			golden(t, filepath.Join("..", "testdata", "reports", s.name+".json"), render(t, JSON, s.report))
			golden(t, filepath.Join("testdata", s.name+".md"), render(t, Markdown, s.report))
			golden(t, filepath.Join("testdata", s.name+".junit.xml"), render(t, JUnit, s.report))
			golden(t, filepath.Join("testdata", s.name+".annotations.jsonl"), render(t, Annotations, s.report))
			files := []string{"runs/20261123-demo/report.html", "result.json"}
			golden(t, filepath.Join("testdata", s.name+".80.txt"), render(t, Text(TextOptions{Files: files}), s.report))
		})
	}
	for _, name := range []string{"clean", "full", "long"} {
		for _, s := range samples() {
			if s.name != name {
				continue
			}
			for _, width := range []int{60, 120} {
				golden(t, filepath.Join("testdata", fmt.Sprintf("%s.%d.txt", name, width)), render(t, Text(TextOptions{Width: width}), s.report))
			}
			golden(t, filepath.Join("testdata", name+".ascii.txt"), render(t, Text(TextOptions{ASCII: true}), s.report))
			golden(t, filepath.Join("testdata", name+".colour.txt"), render(t, Text(TextOptions{Colour: true}), s.report))
		}
	}
}
