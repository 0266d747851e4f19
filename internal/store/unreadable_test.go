package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestUnreadable(t *testing.T) {
	const good = `{"kind":"warning","time_ns":1}` + "\n"
	for name, tt := range map[string]struct {
		events, notes string
		want          []string
	}{
		"whole":             {good + good, good, nil},
		"torn tail":         {good + `{"kind":"fau`, good + `{"kind`, nil},
		"in the middle":     {good + `{"kind":"fault.ar` + "\n" + good, "", []string{"line 2 of events.jsonl cannot be read: unexpected end of JSON input"}},
		"the last, whole":   {good + "x\n", "", []string{"line 2 of events.jsonl cannot be read: invalid character 'x' looking for beginning of value"}},
		"no event":          {"{}\n" + good, "", []string{"line 1 of events.jsonl cannot be read: it has no kind"}},
		"note":              {good, good + "xx\n" + good, []string{"line 2 of guardian.jsonl cannot be read: invalid character 'x' looking for beginning of value"}},
		"note that was cut": {good, good + `{"kind":"ann` + "\n" + good, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w, err := Create(filepath.Join(dir, "r"), &assay.Manifest{Schema: "assay/run/v1", ID: "0123456789abcdef", Epoch: 1, End: assay.Ending{Status: assay.EndRunning}})
			if err != nil {
				t.Fatal(err)
			}
			w.Close()
			for file, text := range map[string]string{eventsName: tt.events, guardianName: tt.notes} {
				if err := os.WriteFile(filepath.Join(dir, "r", file), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			r, err := Open(filepath.Join(dir, "r"))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := r.Unreadable()
			if err != nil || !cmp.Equal(tt.want, got) {
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			}
		})
	}
}
