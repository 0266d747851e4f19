package traces

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

// A credential in a span is not recorded, neither as an attribute nor in a name that holds a query.
func TestCredentialsAreNotRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spans.json")
	if err := os.WriteFile(path, []byte(`[{"traceId":"aaaaaaaaaaaaaaaa","id":"aaaaaaaaaaaaaaa1","name":"GET /x?api_key=hunter2","timestamp":1795168800000000,"duration":1000,"localEndpoint":{"serviceName":"s"},
		"tags":{"Authorization":"hunter2","x-api-key":"hunter2","db.connection_string":"hunter2","access_token":"hunter2","gen_ai.usage.input_tokens":"5"}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	spans, _, err := read(t, kind(t, "zipkin"), path)
	if err != nil || len(spans) != 1 {
		t.Fatal(spans, err)
	}
	if d := cmp.Diff([]assay.Attr{{Key: "gen_ai.usage.input_tokens", Value: "5"}}, spans[0].Attrs); d != "" || spans[0].Name != "GET /x" {
		t.Errorf("name %q, attributes (-want +got):\n%s", spans[0].Name, d)
	}
}
