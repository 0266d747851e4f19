// Package inputtest is what the tests of kinds of recordings share: a file to read, the reading of it as a run does with what has to hold of every kind,
// the comparison of what came of it, and the same for bytes that a fuzz test makes up.
package inputtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// File writes a file of that name into a directory of its own and returns its path.
func File(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Compare compares records in words, one a line.
func Compare(t testing.TB, want, got []string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s\ngot:\n%s", d, strings.Join(got, "\n"))
	}
}

// Read reads one input twice, as a run does, shows each record in run time, and returns what was told of the input. Of every kind has to hold that what was read was
// kept or rejected, and that what was counted at the first reading comes at the second.
func Read(t testing.TB, s input.Spec, settings input.Settings, see func(set *input.Set, r assay.Record)) (input.Summary, error) {
	t.Helper()
	if settings.Temp == "" {
		settings.Temp = t.TempDir()
	}
	set, err := input.Open(t.Context(), []input.Spec{s}, settings)
	if err != nil {
		return input.Summary{}, err
	}
	defer set.Close()
	sum := set.Summaries[0]
	kept := sum.Kept
	for _, n := range sum.Rejected {
		kept += n
	}
	if kept != sum.Read {
		t.Errorf("%s: %d %s were read, %d kept or rejected", s.Path, sum.Read, sum.Things, kept)
	}
	var spans, samples int64
	err = set.Run(t.Context(), func(r assay.Record) error {
		switch r := r.(type) {
		case *assay.Span:
			spans++
		case *assay.Sample:
			samples++
		case *assay.Scrape:
			samples += int64(len(r.Samples))
		}
		see(set, r)
		return nil
	})
	if err == nil && len(set.Summaries) == 1 && (spans != sum.Spans || samples != sum.Samples) {
		t.Errorf("%s: %d spans and %d samples came at the second reading, %d and %d at the first", s.Path, spans, samples, sum.Spans, sum.Samples)
	}
	return sum, err
}
