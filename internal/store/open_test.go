package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestNotARun(t *testing.T) {
	base := t.TempDir()
	write := func(path, text string) string {
		t.Helper()
		path = filepath.Join(base, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ name, dir, want string }{
		{"missing", filepath.Join(base, "none"), "it does not exist"},
		{"file", write("file", ""), "it is a file"},
		{"empty", filepath.Dir(write("empty/other", "")), "it has no run.json"},
		{"damaged", filepath.Dir(write("damaged/run.json", "{")), "its run.json is damaged: unexpected end of JSON input"},
		{"foreign", filepath.Dir(write("foreign/run.json", `{"schema":"x/v9"}`)), `the schema of its run.json is "x/v9", this version reads "assay/run/v1"`},
	} {
		_, err := Open(c.dir)
		if want := fmt.Sprintf("open run %s: not a run directory: %s", c.dir, c.want); !errors.Is(err, ErrNotARun) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", c.name, err, want)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	base := t.TempDir()
	full := filepath.Join(base, "full")
	if err := os.MkdirAll(filepath.Join(full, "precious"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := hashTree(t, base)
	if _, err := Create(full, testManifest()); !errors.Is(err, ErrNotEmpty) || !strings.Contains(err.Error(), full) {
		t.Errorf("a directory that holds something: got %v", err)
	}
	if _, err := Create(filepath.Join(base, "a", "b"), &assay.Manifest{}); err == nil || !strings.Contains(err.Error(), "epoch") {
		t.Errorf("a manifest without epoch: got %v", err)
	}
	// Everything that can fail on the way must leave nothing behind.
	for _, name := range []string{requestsDir + "/" + logName, spansDir + "/" + logName, eventsName} {
		boom := errors.New("boom")
		_, err := create(filepath.Join(base, "a", "b"), testManifest(), func(path string) (logFile, error) {
			if strings.HasSuffix(path, name) {
				return nil, boom
			}
			return openFile(path)
		})
		if !errors.Is(err, boom) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if diff := cmp.Diff(before, hashTree(t, base)); diff != "" {
		t.Errorf("refused runs left something behind (-before +after):\n%s", diff)
	}
	empty := filepath.Join(base, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := Create(empty, testManifest())
	if err != nil {
		t.Fatalf("an empty directory: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestManifestChanges(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	offsets := []assay.Offset{{Source: "gateway", Offset: 5, Error: 1}}
	if err := w.SetManifest(func(m *assay.Manifest) { m.Offsets = offsets }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(offsets, openRun(t, dir).Manifest().Offsets); diff != "" {
		t.Errorf("while running (-want +got):\n%s", diff)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndInterrupted}); err != nil {
		t.Fatal(err)
	}
	if got := openRun(t, dir).Manifest(); got.End.Status != assay.EndInterrupted || len(got.Offsets) != 1 {
		t.Errorf("sealed: got %+v", got)
	}
	if err := w.Seal(assay.Ending{}); !errors.Is(err, ErrClosed) {
		t.Errorf("a second Seal: got %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close after Seal: %v", err)
	}
}

// TestGuardian merges what another process wrote, which stamps Unix time, and reads around damage.
func TestGuardian(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []assay.Event{{Time: 10, Kind: "a"}, {Time: 30, Kind: "c"}} {
		if err := w.Emit(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	guardian := filepath.Join(dir, guardianName)
	text := fmt.Sprintf(`{"time_unix_ns":%d,"kind":"b","fault":"f1","attrs":{"x":"y"}}
{"time_unix_ns":%d,"kind":"at the epoch"}

not json
{"time_unix_ns":%d,"ki`, testEpoch+20, testEpoch, testEpoch)
	if err := os.WriteFile(guardian, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r := openRun(t, dir)
	got, err := r.Events()
	if err != nil {
		t.Fatal(err)
	}
	want := []assay.Event{{Time: 1, Kind: "at the epoch"}, {Time: 10, Kind: "a"},
		{Time: 20, Kind: "b", Fault: "f1", Attrs: map[string]string{"x": "y"}}, {Time: 30, Kind: "c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	var damage []string
	for _, w := range r.Warnings() {
		if rest, ok := strings.CutPrefix(w, guardian); ok {
			damage = append(damage, rest)
		}
	}
	line := strings.Index(text, "not json")
	wantDamage := []string{
		fmt.Sprintf(": the line at byte %d is no event and was not read: invalid character 'o' in literal null (expecting 'u')", line),
		fmt.Sprintf(": the last line, at byte %d, is torn and was not read", line+len("not json\n")),
	}
	if diff := cmp.Diff(wantDamage, damage); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// FuzzEvents feeds files of events: no line takes another with it.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"time_ns":1,"kind":"a"}` + "\n" + `{"time_unix_ns":5,"kind":"b"}`))
	f.Add([]byte("\n\n{]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		good := []byte(`{"time_ns":7,"kind":"good"}` + "\n")
		events, _ := parseEvents(append(append([]byte(nil), data...), append([]byte("\n"), good...)...), "f", 3)
		if n := len(events); n == 0 || events[n-1].Kind != "good" || events[n-1].Time != 7 {
			t.Fatalf("after %q the good line reads as %+v", data, events)
		}
	})
}

// TestLimits cuts what is too long, and says so.
func TestLimits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w, err := Create(dir, testManifest())
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", maxText-1) + "é" // the limit is inside the last character
	s := testSpans(newRand(1), 0)[0]
	s.Attrs = append([]assay.Attr{{Key: "long", Value: long}}, make([]assay.Attr, maxAttrs)...)
	for i := range s.Attrs[1:] {
		s.Attrs[i+1].Key = fmt.Sprint("k", i)
	}
	req := assay.Request{ID: 1, Due: 1, Error: long}
	for _, rec := range []assay.Record{&s, &req} {
		if err := w.Emit(rec); err != nil {
			t.Fatal(err)
		}
	}
	if req.Error != long || len(s.Attrs) != maxAttrs+1 {
		t.Error("the caller's records were changed")
	}
	if got := w.Stats().Cut; got != 3 {
		t.Errorf("cut: got %d, want 3", got)
	}
	if err := w.Seal(assay.Ending{Status: assay.EndComplete, At: 99}); err != nil {
		t.Fatal(err)
	}
	r := openRun(t, dir)
	cutText := strings.Repeat("x", maxText-1)
	if got := readRequests(t, r)[0].Error; got != cutText {
		t.Errorf("error text: %d bytes", len(got))
	}
	spans := readTraces(t, r)[0].Spans
	if len(spans[0].Attrs) != maxAttrs || spans[0].Attrs[0].Value != cutText {
		t.Errorf("span: %d attributes, the first of %d bytes", len(spans[0].Attrs), len(spans[0].Attrs[0].Value))
	}
	events, err := r.Events()
	want := []assay.Event{{Time: 99, Kind: assay.EventWarning, Source: "store", Text: "3 texts, attributes and lists were over the limits and were cut"}}
	if diff := cmp.Diff(want, events); diff != "" || err != nil {
		t.Errorf("events: %v (-want +got):\n%s", err, diff)
	}
}
