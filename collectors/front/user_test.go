package front

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// TestUsers: a log that says who asked gives pseudonyms; a dash is nobody.
func TestUsers(t *testing.T) {
	const plain = "10.0.0.1 - ann [25/Nov/2026:20:13:17 +0000] \"POST /v1/completions HTTP/1.1\" 200 10 \"-\" \"curl\" 0.100\n" +
		"10.0.0.1 - - [25/Nov/2026:20:13:18 +0000] \"POST /v1/completions HTTP/1.1\" 200 10 \"-\" \"curl\" 0.100\n"
	const object = `{"time_iso8601":"2026-11-25T20:13:17+00:00","request_method":"POST","request_uri":"/v1/completions","status":"200","request_time":"0.1","user_id":"-","session_id":"s1"}` + "\n"
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"combined": {plain, []string{assay.Pseudonym("ann"), ""}},
		"json":     {object, []string{assay.Pseudonym("s1")}},
	} {
		path := filepath.Join(t.TempDir(), "access.log")
		if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		var got []string
		if _, err := inputtest.Read(t, input.Spec{Kind: kindOf(t, "nginx"), Path: path}, input.Settings{}, func(_ *input.Set, r assay.Record) {
			if r, ok := r.(*assay.Request); ok {
				got = append(got, r.User)
			}
		}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
