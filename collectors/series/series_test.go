package series

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
	"github.com/assay-dev/assay/internal/flatten"
)

// base is an instant in 2026.
const base = int64(1_795_434_000)

// read gives a sample a line, seconds after base, and what became of all things.
func read(t *testing.T, k *input.Kind, text string, options map[string]string) (samples []string, told []string, err error) {
	t.Helper()
	path := inputtest.File(t, "in", text)
	mtime := time.Unix(base+500, 0)
	if err := os.Chtimes(path, mtime, mtime); err != nil {
		t.Fatal(err)
	}
	sum, err := inputtest.Read(t, input.Spec{Kind: k, Path: path, Options: options}, input.Settings{Latest: (base + 86400) * 1e9}, func(set *input.Set, r assay.Record) {
		switch r := r.(type) {
		case *assay.Sample:
			samples = append(samples, fmt.Sprintf("%s @%g %g", flatten.Series(r.Name, r.Labels), float64(r.Time+set.Epoch-base*1e9)/1e9, r.Value))
		case *assay.Event:
			if r.Kind != assay.EventWarning {
				samples = append(samples, r.Kind+" "+r.Attrs["series"]+" "+r.Attrs["trace"])
			}
		}
	})
	if sum.Read == 0 && err != nil {
		return nil, nil, err
	}
	told = append(told, fmt.Sprintf("%d of %d", sum.Kept, sum.Read))
	for _, why := range slices.Sorted(maps.Keys(sum.Rejected)) {
		told = append(told, fmt.Sprintf("%d %s", sum.Rejected[why], why))
	}
	return samples, append(told, sum.Notes...), err
}

func TestMetrics(t *testing.T) {
	const note = "without times of its own: stamped with the time of the file; the option at gives another"
	for name, tt := range map[string]struct {
		text    string
		options map[string]string
		want    []string
		told    []string
	}{
		"one look": {"# TYPE a gauge\na 1\nb{x=\"y # {z\"} 2\n", nil, []string{"a @500 1", `b{x="y # {z"} @500 2`}, []string{"2 of 2", note}},
		"its labels": {"a{job=\"theirs\"} 1\n", map[string]string{"job": "engine", "instance": "w-1", "at": "2026-11-23T10:20:01Z"},
			[]string{`a{exported_job="theirs",instance="w-1",instance_id="w-1",job="engine"} @-4799 1`}, []string{"1 of 1"}},
		"stamped in ms": {fmt.Sprintf("a 1 %d\na 2 %d\n", base*1000, (base+15)*1000), nil, []string{"a @0 1", "a @15 2"}, []string{"2 of 2"}},
		"in seconds":    {fmt.Sprintf("a 1 %d\na 2 %d.5\n", base, base+15), nil, []string{"a @0 1", "a @15.5 2"}, []string{"2 of 2"}},
		"OpenMetrics one after another": {fmt.Sprintf("# TYPE a counter\na_total 1 %d\n# EOF\n# TYPE a counter\na_total 2 %d # {trace_id=\"t\"} 0.5\n# EOF\n", base, base+1), nil,
			[]string{"a_total @0 1", "a_total @1 2", "metric.exemplar a_total t"}, []string{"2 of 2"}},
		"looks without a time": {"a 1\nb 1\na 2\nb 2\n", map[string]string{"every": "10s"}, []string{"a @500 1", "b @500 1", "a @510 2", "b @510 2"}, []string{"4 of 4", note}},
		"looks that nothing tells apart": {"a 1\nb 1\na 2\nb 2\n", nil, []string{"a @500 1", "b @500 1"},
			[]string{"2 of 4", "2 of a second look without a time: the option every says how far apart looks were", note}},
		"a broken line":        {"a 1\nb{ 2\n<html>\nc 3\n", nil, []string{"a @500 1", "c @500 3"}, []string{"2 of 4", "2 no line of an exposition", note}},
		"values that are none": {"a NaN\nb +Inf\n", nil, []string{"a @500 NaN", "b @500 +Inf"}, []string{"2 of 2", note}},
		"stamps that cannot be": {fmt.Sprintf("a 1 %d\na 1 9223372036854775807\na 1 1\n", base*1000), nil, []string{"a @0 1"},
			[]string{"1 of 3", "1 stamped before the year 2000", "1 stamped in the future"}},
		"a negative stamp": {"a 1\nb 1 -5\n", nil, []string{"a @500 1"}, []string{"1 of 2", "1 stamped before the year 2000", note}},
		"a label too long": {"a 1\nb{x=\"" + strings.Repeat("y", 5000) + "\"} 1\n", nil, []string{"a @500 1"}, []string{"1 of 2", "1 of a series with too many labels, or too long ones", note}},
	} {
		t.Run(name, func(t *testing.T) {
			got, told, err := read(t, &Metrics, tt.text, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("samples (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.told, told); d != "" {
				t.Errorf("told (-want +got):\n%s", d)
			}
		})
	}
}

func TestMetricsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		text    string
		options map[string]string
		want    string
	}{
		"at":        {"a 1\n", map[string]string{"at": "noon"}, `at "noon": want RFC 3339`},
		"every":     {"a 1\n", map[string]string{"every": "-1s"}, `every "-1s": want a duration such as 15s`},
		"no metric": {"hello world\n", nil, "nothing to keep of 1 samples (1 no line of an exposition): is it of the kind metrics?"},
		"10 MB":     {"a{x=\"" + strings.Repeat("y", 10<<20) + "\"} 1\n", nil, "a row of more than 4 MiB"},
	} {
		if _, _, err := read(t, &Metrics, tt.text, tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want …%s…", name, err, tt.want)
		}
	}
}

func TestMetricsOfAMillionLabels(t *testing.T) {
	var b strings.Builder
	b.WriteString("a 1\nb{")
	for i := range 250_000 {
		fmt.Fprintf(&b, "l%d=\"\",", i)
	}
	b.WriteString("} 1\n")
	_, told, err := read(t, &Metrics, b.String(), nil)
	if err != nil || told[0] != "1 of 2" {
		t.Errorf("%q, %v", told, err)
	}
}

// TestMetricsOfPromtool reads what promtool dumps: series after series and not look after look.
func TestMetricsOfPromtool(t *testing.T) {
	got, told, err := read(t, &Metrics, fmt.Sprintf("a{x=\"1\"} 1 %d\na{x=\"1\"} 2 %d\na{x=\"2\"} 5 %d\n# EOF\n", base, base+15, base), nil)
	if d := cmp.Diff([]string{`a{x="1"} @0 1`, `a{x="1"} @15 2`, `a{x="2"} @0 5`}, got); d != "" || err != nil || told[0] != "3 of 3" {
		t.Errorf("%v %q (-want +got):\n%s", err, told, d)
	}
}

func TestMetricsOfSimulator(t *testing.T) {
	b, err := os.ReadFile("../../../shared/data/recordings/llm-d-inference-sim-metrics.prom")
	if os.IsNotExist(err) {
		t.Skip("recording is absent")
	}
	got, told, err := read(t, &Metrics, string(b), nil)
	if err != nil || len(got) != 274 || told[0] != "274 of 274" {
		t.Errorf("%d samples, %q, %v", len(got), told, err)
	}
}

func TestAPI(t *testing.T) {
	for name, tt := range map[string]struct {
		text       string
		want, told []string
	}{
		"query_range": {fmt.Sprintf(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a","e":""},"values":[[%d,"1"],[%d.5,"0"]]}]},"warnings":["w"]}`, base, base+15),
			[]string{`up{job="a"} @0 1`, `up{job="a"} @15.5 0`}, []string{"2 of 2"}},
		"two answers": {fmt.Sprintf("{\"status\":\"success\",\"data\":{\"result\":[{\"metric\":{\"__name__\":\"a\"},\"value\":[%d,\"NaN\"]}],\"resultType\":\"vector\"}}\n{\"data\":{\"result\":[{\"metric\":{\"__name__\":\"b\"},\"value\":[%d,\"1e3\"]}]}}\n", base, base),
			[]string{"a @0 NaN", "b @0 1000"}, []string{"2 of 2"}},
		"native histograms": {fmt.Sprintf(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"h"},"histograms":[[%d,{"count":"5","sum":"7","buckets":[[0,"1","2","5"]]}],[%d,{"count":"6","sum":"9","buckets":[[0,"1","2","5"],[0,"2","4","1"]]}],[%d,{"count":"x"}]]}]}}`, base, base+1, base+2),
			[]string{`h_bucket{le="1"} @0 0`, `h_bucket{le="2"} @0 5`, `h_bucket{le="+Inf"} @0 5`, "h_sum @0 7", "h_count @0 5",
				`h_bucket{le="1"} @1 0`, `h_bucket{le="2"} @1 5`, `h_bucket{le="4"} @0 5`, `h_bucket{le="4"} @1 6`, `h_bucket{le="+Inf"} @1 6`, "h_sum @1 9", "h_count @1 6"},
			[]string{"2 of 3", "1 no native histogram"}},
		"what is none": {fmt.Sprintf(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[%d,"1"]]},{"metric":{"__name__":"a"},"values":[[%d,"1"],[%d,"x"],[1e300,"1"]]},7]}}`+
			`{"status":"success","data":[{"__name__":"b"}]}{"status":"error","error":"x"}`, base, base, base),
			[]string{"a @0 1"}, []string{"1 of 7", "1 a name of a series without a value", "1 a number without a series", "1 an answer that says it is an error", "2 no point of a series", "1 of an expression: want series with their names"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, told, err := read(t, &Prometheus, tt.text, nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("samples (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.told, told); d != "" {
				t.Errorf("told (-want +got):\n%s", d)
			}
		})
	}
	for text, want := range map[string]string{
		`{"data":{"result":[{"metric":{"__name__":"a"},"value":[1795434000,"1"]}`: "unexpected EOF",
		`{"data":"x"}`: "want the data of an answer",
		`{"data":{"result":[` + strings.Repeat("[", 20000):                             "exceeded max depth",
		`{"data":{"result":[{"metric":{"a":"` + strings.Repeat("x", 10<<20) + `"}}]}}`: "a row of more than 4 MiB",
	} {
		if _, _, err := read(t, &Prometheus, text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: error %v, want …%s…", text, err, want)
		}
	}
}

const info = "# Server\r\nredis_version:7.0.15\r\nserver_time_usec:%d\r\n# Stats\r\nkeyspace_hits:%d\r\nkeyspace_misses:10\r\nused_memory:1024\r\nrole:master\r\n"

func TestRedisInfo(t *testing.T) {
	got, told, err := read(t, &RedisInfo, fmt.Sprintf(info, base*1_000_000, 90)+fmt.Sprintf(info, (base+60)*1_000_000, 190), map[string]string{"instance": "c"})
	if err != nil {
		t.Fatal(err)
	}
	at := func(s int, hits int) []string {
		l := `{instance="c",instance_id="c"}`
		return []string{fmt.Sprintf("redis_server_time_usec%s @%d %g", l, s, float64((base+int64(s))*1_000_000)), fmt.Sprintf("redis_keyspace_hits_total%s @%d %d", l, s, hits),
			fmt.Sprintf("redis_keyspace_misses_total%s @%d 10", l, s), fmt.Sprintf("redis_memory_used_bytes%s @%d 1024", l, s)}
	}
	if d := cmp.Diff(append(at(0, 90), at(60, 190)...), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"8 of 12", "4 a field of INFO that is no number"}, told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	if _, told, err := read(t, &RedisInfo, "keyspace_hits:1\nkeyspace_hits:2\n", nil); err != nil || told[1] != "1 of a second INFO without a time: the option every says how far apart they were" {
		t.Errorf("%q, %v", told, err)
	}
}

func TestKindsAreToldApart(t *testing.T) {
	for text, want := range map[string]string{
		"# HELP a b\n# TYPE a gauge\na 1\n": "metrics",
		"vllm:x{a=\"b\"} 1 1795434000000\n": "metrics",
		"up 1\n":                            "metrics",
		"timeStamp,elapsed\n1,2\n":          "",
		"2026-11-18 INFO started\n":         "",
		`{"status":"success","data":{"resultType":"matrix","result":[]}}`: "prometheus",
		`{"status":"ok","data":[]}`:                                       "",
		"# Server\r\nredis_version:7.0.15\r\n":                            "redis-info",
	} {
		got := ""
		for _, k := range Kinds {
			if k.Is("x", []byte(text)) {
				got += k.Name
			}
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
