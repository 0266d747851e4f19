package cloud

import (
	"fmt"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// emitted reads a file as a kind and returns its records in words, with times in ms from the first record, and what became of its lines.
func emitted(t *testing.T, k *input.Kind, path string, options map[string]string) ([]string, input.Summary) {
	t.Helper()
	var out []string
	ms := func(ns int64) string { return fmt.Sprintf("%g", float64((ns-1e6)/1e4)/100) }
	sum, err := inputtest.Read(t, input.Spec{Kind: k, Path: path, Options: options}, input.Settings{}, func(_ *input.Set, r assay.Record) {
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
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, sum
}
