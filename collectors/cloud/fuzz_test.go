package cloud

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// FuzzRead reads any text as each format: it must end, in records that make sense or an error that names the file, and count what it saw.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*")
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for i := range Kinds {
			f.Add(uint8(i), raw)
		}
	}
	for _, s := range []string{
		`[{"time":"2026-01-01T00:00:00.000Z","type":"platform.report","record":{"requestId":"1","metrics":{"durationMs":-1,"initDurationMs":1e300}}}]`,
		"@timestamp,@message\n99999999999999999,REPORT RequestId: x\tDuration: NaN ms\n",
		"2026-01-01T00:00:00.200Z START RequestId: x\n2026-01-01T00:00:00.200Z REPORT RequestId: y\tDuration: 9999999999 ms\tInit Duration: 5 ms\n",
		`{"events":` + strings.Repeat(`[`, 500) + strings.Repeat(`]`, 500) + `}`,
	} {
		f.Add(uint8(0), []byte(s))
	}
	for i, s := range []string{"", `{"Label":"x","Datapoints":[{"Timestamp":1,"Sum":1e308}]}{"MetricDataResults":[{"Label":"","Timestamps":[1],"Values":[1]}]}`,
		`{"timeSeries":[{"metric":{"type":"a/b"},"metricKind":"DELTA","points":[{"interval":{"endTime":"2026-01-01T00:00:00Z"},"value":{"distributionValue":{"count":"1e9","mean":1e308,"bucketOptions":{"exponentialBuckets":{"numFiniteBuckets":900,"growthFactor":9,"scale":1}},"bucketCounts":["-1"]}}}]}]}`,
		`{"time":"2026-01-01T00:00:00Z","duration":"99:99:99","customDimensions":"{\"HostInstanceId\":\"h\"}","itemType":"request"}`,
		`{"status":"COMPLETED","delayTime":1e300,"executionTime":-1}{"jobs":{"a":1},"timestamp":-4}`} {
		f.Add(uint8(i), []byte(s))
	}
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		_, _ = inputtest.Made(t, &Kinds[int(kind)%len(Kinds)], text, nil, 64, func(r assay.Record) {
			if e, ok := r.(*assay.Event); ok && e.Time == 0 {
				t.Fatalf("event %+v", e)
			}
		})
	})
}
