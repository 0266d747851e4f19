package kubernetes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/collectors/input"
)

// What lies beside dumps, and comes last by its name, does not end the import: it is told of, and the others are read as they are without it.
func TestDirectoryWithWhatIsNoDump(t *testing.T) {
	want, clean, err := lines(t, input.Settings{}, nil, "testdata/rollout")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/rollout")); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("8-describe.txt", "Name:         llama-predictor-6d9f7c-aaaaa\n")
	put("9-notes.md", "# Taken by hand\n")
	got, with, err := lines(t, input.Settings{}, nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("events (-without +with):\n%s", d)
	}
	n := len(clean)
	if len(with) != n+2 || with[n-1].Events != clean[n-1].Events || with[n-1].Joined || !slices.Equal(with[n-1].Notes, clean[n-1].Notes) {
		t.Fatalf("summaries %+v, want those without the two and %+v", with, clean[n-1])
	}
	for _, s := range with[n:] {
		if s.Kept != 0 || s.Rejected["nothing in it is of the kind kubernetes"] != 1 {
			t.Errorf("%s: %+v, want it rejected", s.Path, s)
		}
	}

	put("9-notes.md", "")
	put("7-torn.json", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"models","creationTimestamp":"2026-11-20T09:00:00Z"}} and no more`)
	got, with, err = lines(t, input.Settings{}, nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(with, func(s input.Summary) bool { return strings.HasSuffix(s.Path, "7-torn.json") }); i < 0 || with[i].Kept != 1 ||
		with[i].Rejected["what follows an error was not read"] != 1 || len(with[i].Notes) == 0 || !strings.Contains(strings.Join(got, "\n"), "09:00:00 instance.created p") {
		t.Errorf("a file that is torn: %+v", with)
	}

	left, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	for _, name := range left {
		os.Remove(name)
	}
	if _, _, err := lines(t, input.Settings{}, nil, dir); err == nil || !strings.Contains(err.Error(), "8-describe.txt") {
		t.Errorf("nothing of the kind: error %v, want the first file and why", err)
	}
}
