package series

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// fuzz reads what it is given twice, as a set does, and checks what both say.
func fuzz(f *testing.F, k *input.Kind, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "in")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		spec := input.Spec{Kind: k, Path: path, Options: map[string]string{"zone": "UTC"}}
		_, _ = inputtest.Read(t, spec, input.Settings{Latest: (base + 86400) * 1e9}, func(_ *input.Set, r assay.Record) {
			if why := inputtest.Untrue(r); why != "" {
				t.Fatalf("%s: %+v", why, r)
			}
		})
	})
}

func FuzzMetrics(f *testing.F) {
	fuzz(f, &Metrics, "a 1\nb{x=\"y\"} 2 1795434000000\n", "# TYPE a counter\na_total 1 1795434000.5 # {trace_id=\"t\"} 1\n# EOF\na 1\na 2\n", "a{b=\"\\\"}\"} NaN\n")
}

func FuzzAPI(f *testing.F) {
	fuzz(f, &Prometheus, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up"},"values":[[1795434000,"1"]],"histograms":[[1795434000,{"count":"1","sum":"1","buckets":[[0,"1","2","1"]]}]]}]}}`,
		`{"data":[{"__name__":"b"}]}`)
}

func FuzzRedisInfo(f *testing.F) {
	fuzz(f, &RedisInfo, "# Server\nredis_version:7\nserver_time_usec:1795434000000000\nkeyspace_hits:1\nkeyspace_hits:2\n")
}
