package store

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/assay-dev/assay"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestParquet reads the sealed files as a stranger does: by column names, with a reader that knows nothing of this package.
func TestParquet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, requests, spans := writeRun(t, dir, 60)
	if err := w.Seal(assay.Ending{Status: assay.EndComplete}); err != nil {
		t.Fatal(err)
	}
	type row struct {
		RequestID  int64   `parquet:"request_id"`
		Due        int64   `parquet:"due_ns"`
		FirstToken *int64  `parquet:"first_token_ns,optional"`
		Arrivals   []int64 `parquet:"arrivals_ns,list"`
		Outcome    string  `parquet:"outcome"`
		Cold       string  `parquet:"cold"`
		Status     *int32  `parquet:"status,optional"`
		TraceID    *string `parquet:"trace_id,optional"`
		Class      *string `parquet:"class,optional"`
	}
	var want []row
	for i := range requests {
		r := &requests[i]
		w := row{RequestID: int64(r.ID), Due: r.Due, Arrivals: r.Arrivals, Outcome: r.Outcome.String(), Cold: r.Cold.String()}
		if r.FirstToken != 0 {
			w.FirstToken = &r.FirstToken
		}
		if r.Status != 0 {
			w.Status = &r.Status
		}
		if !r.TraceID.IsZero() {
			id := r.TraceID.String()
			w.TraceID = &id
		}
		if r.Class != "" {
			w.Class = &r.Class
		}
		want = append(want, w)
	}
	got, err := parquet.ReadFile[row](filepath.Join(dir, requestsDir, "part-00000.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if len(got[i].Arrivals) == 0 {
			got[i].Arrivals = nil
		}
	}
	if diff := diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}

	type spanOut struct {
		TraceID string            `parquet:"trace_id"`
		SpanID  string            `parquet:"span_id"`
		Name    string            `parquet:"name"`
		Kind    string            `parquet:"kind"`
		Start   int64             `parquet:"start_ns"`
		Attrs   map[string]string `parquet:"attrs"`
	}
	var wantSpans []spanOut
	for _, s := range spans {
		o := spanOut{s.TraceID.String(), s.SpanID.String(), s.Name, s.Kind.String(), s.Start, map[string]string{}}
		for _, a := range s.Attrs {
			o.Attrs[a.Key] = a.Value
		}
		wantSpans = append(wantSpans, o)
	}
	gotSpans, err := parquet.ReadFile[spanOut](filepath.Join(dir, spansDir, "part-00000.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range gotSpans {
		if gotSpans[i].Attrs == nil {
			gotSpans[i].Attrs = map[string]string{}
		}
	}
	if diff := cmp.Diff(wantSpans, gotSpans); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

var update = flag.Bool("update", false, "write testdata anew")

// TestSchema pins the columns: others' queries name them.
func TestSchema(t *testing.T) {
	got := requestTable.schema.String() + "\n" + spanTable.schema.String() + "\n"
	path := filepath.Join("testdata", "schema.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, []byte(got))
	}
	if diff := cmp.Diff(string(readFile(t, path)), got); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

// TestSealTwice seals two copies of one run and gets the same bytes.
func TestSealTwice(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "run")
	w, _, _ := writeRun(t, dir, 300)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	seal := func(name string, budget int) map[string][]byte {
		files := map[string][]byte{}
		for kind, seal := range map[string]func(path, out string) (*index, error){
			requestsDir: func(path, out string) (*index, error) { return sealRequests(t.Context(), path, out, budget) },
			spansDir:    func(path, out string) (*index, error) { return sealSpans(t.Context(), path, out, budget) },
		} {
			out := filepath.Join(base, name, kind)
			if err := os.MkdirAll(out, 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := seal(filepath.Join(dir, kind, logName), out); err != nil {
				t.Fatal(err)
			}
			paths, _ := filepath.Glob(filepath.Join(out, "*"))
			for _, p := range paths {
				files[filepath.Join(kind, filepath.Base(p))] = readFile(t, p)
			}
		}
		return files
	}
	want := seal("a", 1<<30)
	if len(want) != 4 {
		t.Fatalf("sealed into %d files", len(want))
	}
	for name, budget := range map[string]int{"again": 1 << 30, "with hardly any memory": 1} {
		if diff := diff(want, seal(name, budget)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
