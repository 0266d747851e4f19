package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

func FuzzReadTruth(f *testing.F) {
	f.Add([]byte(`{"request":{"trace_id":"a","cold":true}}`+"\n"), []byte(`{"kind":"request","trace_id":"a"}`+"\n"))
	f.Add([]byte(`{"event":{"seq":1,"kind":"scale"}}`+"\n"+`{"con`), []byte(`{"kind":"phase","phase":"warmup","start_unix_ns":1}`+"\n"))
	f.Add([]byte("{}\n\n"), []byte("null\n[]\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, platform, worker []byte) {
		for name, b := range map[string][]byte{platformTruth: platform, "engine-w-1.jsonl": worker} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tr, err := ReadTruth(dir)
		if (tr == nil) == (err == nil) {
			t.Fatalf("got %v and %v", tr, err)
		}
	})
}
