package cloud

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

// emitted reads a file as a kind and returns its records in words, with times in ms from the first record, and what became of its lines.
func emitted(t *testing.T, k *input.Kind, path string, options map[string]string) ([]string, input.Summary) {
	t.Helper()
	s, err := input.Open(t.Context(), []input.Spec{{Kind: k, Path: path, Options: options}}, input.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ms := func(ns int64) string { return fmt.Sprintf("%g", float64((ns-1e6)/1e4)/100) }
	err = s.Run(t.Context(), func(r assay.Record) error {
		switch r := r.(type) {
		case *assay.Request:
			took := "?"
			if r.End != 0 {
				took = ms(r.End - r.Due + 1e6)
			}
			line := fmt.Sprintf("%s+%s %v %v %s", ms(r.Due), took, r.Outcome, r.Cold, r.Instance)
			if r.FirstByte != 0 {
				line += " first " + ms(r.FirstByte)
			}
			if !r.TraceID.IsZero() {
				line += " trace " + r.TraceID.String()[:8]
			}
			if r.Error != "" {
				line += ": " + r.Error
			}
			out = append(out, line)
			if !r.NoSchedule || r.Phase != recorded {
				t.Errorf("a request with a schedule, or of the phase %q", r.Phase)
			}
		case *assay.Event:
			if r.Kind != assay.EventWarning && !strings.HasPrefix(r.Kind, "phase.") && r.Kind != assay.EventLoadEnd {
				line := fmt.Sprintf("%s %s %s", ms(r.Time), r.Kind, r.Instance)
				for _, k := range []string{"reason", "phase", "code"} {
					if v := r.Attrs[k]; v != "" {
						line += " " + v
					}
				}
				out = append(out, line)
			}
		case *assay.Sample:
			labels := ""
			for _, l := range r.Labels {
				labels += " " + l.Name + "=" + l.Value
			}
			if !strings.HasSuffix(r.Name, "_bytes") {
				out = append(out, fmt.Sprintf("%s %s%s %g", ms(r.Time), r.Name, labels, r.Value))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sum := s.Summaries[0]
	n := sum.Kept
	for _, r := range sum.Rejected {
		n += r
	}
	if n != sum.Read {
		t.Errorf("%d read, %d kept or rejected", sum.Read, n)
	}
	return out, sum
}

func put(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func compare(t *testing.T, want, got []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s\ngot:\n%s", diff, strings.Join(got, "\n"))
	}
}
