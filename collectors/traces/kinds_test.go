package traces

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/collectors/input"
)

func kind(t testing.TB, name string) *input.Kind {
	t.Helper()
	i := slices.IndexFunc(Kinds, func(k input.Kind) bool { return k.Name == name })
	if i < 0 {
		t.Fatalf("no kind %s", name)
	}
	return &Kinds[i]
}

// read reads a file as an input of a run is read.
func read(t testing.TB, k *input.Kind, path string) (spans []assay.Span, tally *input.Tally, err error) {
	t.Helper()
	f, err := input.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tally = &input.Tally{}
	err = k.Read(t.Context(), &input.Input{File: f, Tally: tally}, func(r assay.Record) error {
		s := *r.(*assay.Span)
		s.Attrs = slices.Clone(s.Attrs)
		spans = append(spans, s)
		return nil
	})
	return spans, tally, err
}

func write(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// show puts a span on a line: times in µs after the first span's start.
func show(spans []assay.Span) (out []string) {
	for _, s := range spans {
		line := fmt.Sprintf("%x<%x %s/%s %s %d+%d", s.SpanID[6:], s.Parent[6:], s.Service, s.Name, s.Kind, (s.Start-spans[0].Start)/1000, (s.End-s.Start)/1000)
		if s.Instance != "" {
			line += " on " + s.Instance
		}
		if s.Failed {
			line += " failed"
		}
		for _, a := range s.Attrs {
			line += " " + a.Key + "=" + a.Value
		}
		out = append(out, line)
	}
	return out
}

func TestZipkinKeepsBothHalvesOfASharedSpan(t *testing.T) {
	spans, tally, err := read(t, kind(t, "zipkin"), "testdata/zipkin-skew.json")
	if err != nil || tally.Kept != 4 || tally.Read() != 4 || tally.Resolution != 1000 {
		t.Fatalf("kept %d of %d, resolution %d: %v", tally.Kept, tally.Read(), tally.Resolution, err)
	}
	want := []string{
		"1234<8063 serviceb/async unspecified 0+65000",
		"8063<8062 serviceb/post server -1+93577",
		"84bf<0000 servicea/get server 62306+99411",
		"8062<84bf servicea/post client 65440+94539",
	}
	if diff := cmp.Diff(want, show(spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if spans[0].TraceID.String() != "00000000000000001e223ff1f80f1c69" || spans[0].Start != 1470150004008762000 {
		t.Errorf("trace %s at %d", spans[0].TraceID, spans[0].Start)
	}
}

func TestZipkin(t *testing.T) {
	const in = `[[{"traceId":"1","id":"a","kind":"CLIENT","name":"q","timestamp":"1700000000000000","duration":5,"debug":true,"localEndpoint":{"serviceName":"s"},"remoteEndpoint":{"serviceName":"db"},
	  "tags":{"faas.coldstart":"True","http.status_code":"503","error":"","sql.query":"select 'secret'","http.url":"http://x/?q=secret"}},
	 {"traceId":"1","id":"b","kind":"SERVER","shared":true,"timestamp":1700000000000000,"duration":5}],
	 [{"traceId":"1","id":"c","kind":"PRODUCER","timestamp":1700000000000001},{"traceId":"1","id":"d","timestamp":1700000000000001},{"traceId":"1","id":"e","timestamp":9e30,"duration":1},{"traceId":7}, 3]]`
	spans, tally, err := read(t, kind(t, "zipkin"), write(t, []byte(in)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"000a<0000 s/q client 0+5 failed peer.service=db faas.coldstart=true http.status_code=503 db.system.name=other_sql http.response.status_code=503",
		"000b<0000 / server 0+5",
		"000c<0000 / producer 1+0",
	}
	if diff := cmp.Diff(want, show(spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"no start time or no duration": 2, "not a span of Zipkin": 2}, tally.Rejected); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1 attributes were dropped that hold content or credentials"}, tally.Notes()); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

func TestJaeger(t *testing.T) {
	const in = `{"data":[{"traceID":"0af7651916cd43dd8448eb211c80319c","spans":[
	 {"traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"b7ad6b7169203331","operationName":"infer","startTime":1700000000000000,"duration":900,"processID":"p1","references":[],
	  "tags":[{"key":"span.kind","type":"string","value":"server"},{"key":"http.status_code","type":"int64","value":200},{"key":"gen_ai.latency.time_to_first_token","type":"float64","value":0.25},{"key":"otel.status_code","value":"ERROR"},{"key":"gen_ai.prompt","value":"secret"}]},
	 {"traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"00f067aa0ba902b7","operationName":"next","startTime":"1700000000000100","duration":"5","processID":"p2",
	  "references":[{"refType":"FOLLOWS_FROM","traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"1111"},{"refType":"CHILD_OF","traceID":"other","spanID":"2222"},{"refType":"CHILD_OF","traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"b7ad6b7169203331"}],
	  "tags":[{"key":"error","type":"bool","value":false}]},
	 {"traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"3","operationName":"back","startTime":1700000000000100,"duration":-5},
	 {"traceID":"0af7651916cd43dd8448eb211c80319c","spanID":"","startTime":1700000000000100,"duration":5}, "x"],
	 "processes":{"p1":{"serviceName":"gateway","tags":[{"key":"service.instance.id","value":"w-1"},{"key":"k8s.pod.name","value":"pod"},{"key":"hostname","value":"h"}]},"p2":{"serviceName":"engine"}}}],"total":0,"errors":null}`
	spans, tally, err := read(t, kind(t, "jaeger"), write(t, []byte(in)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"3331<0000 gateway/infer server 0+900 on w-1 failed k8s.pod.name=pod http.status_code=200 gen_ai.latency.time_to_first_token=0.25 http.response.status_code=200",
		"02b7<3331 engine/next unspecified 100+5",
	}
	if diff := cmp.Diff(want, show(spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"end before start": 1, "zero span id": 1, "not a span of Jaeger": 1}, tally.Rejected); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
}

// Stamps that count from no date are told of, with the option that gives one.
func TestJaegerWithoutADate(t *testing.T) {
	path := write(t, []byte(`{"data":[{"traceID":"a","spans":[{"traceID":"a","spanID":"1","operationName":"o","startTime":0,"duration":100},{"traceID":"a","spanID":"2","operationName":"o","startTime":50,"duration":100}]}]}`))
	specs := []input.Spec{{Kind: kind(t, "jaeger"), Path: path}}
	if _, err := input.Open(t.Context(), specs, input.Settings{}); err == nil || !strings.Contains(err.Error(), "2 spans are stamped before the year 2000: option epoch= says what their stamps count from") {
		t.Errorf("error %v, want one that names epoch", err)
	}
	specs[0].Options = map[string]string{"epoch": "2026-01-01T00:00:00Z"}
	s, err := input.Open(t.Context(), specs, input.Settings{})
	if err != nil || len(s.Summaries[0].Notes) > 0 || s.Summaries[0].Kept != 2 {
		t.Errorf("%+v: %v, want both spans", s, err)
	}
}

func TestXRay(t *testing.T) {
	spans, tally, err := read(t, kind(t, "xray"), "testdata/xray-ddb.json")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a7be<0000 DDB/DDB server 0+57440 failed",
		"5d8d<a7be DDB/DDB.DescribeExistingTableAndPutToMissingTable internal 82+57349 failed DDB.DescribeExistingTableAndPutToMissingTable.Annotation=anno",
		"57f5<5d8d DDB/dynamodb client 108+51872 http.response.status_code=200 cloud.region=us-west-2 rpc.method=DescribeTable db.system.name=aws.dynamodb",
	}
	if diff := cmp.Diff(want, show(spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if spans[0].TraceID.String() != "5f29ab21d4ebf299219a65bd5c31d6da" || spans[0].Start != 1596566305535414000 || spans[0].End != 1596566305592854500 {
		t.Errorf("trace %s from %d to %d", spans[0].TraceID, spans[0].Start, spans[0].End)
	}
	if diff := cmp.Diff(map[string]int64{"in progress: it has no end yet": 1}, tally.Rejected); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
}

func TestXRayOfLambda(t *testing.T) {
	spans, _, err := read(t, kind(t, "xray"), "testdata/xray-lambda.json")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"1111<0000 tiny/tiny server 0+1200000 http.response.status_code=200 aws.xray.origin=AWS::Lambda faas.invocation_id=aa11",
		"2222<1111 tiny/tiny server 400000+750000 aws.xray.origin=AWS::Lambda::Function cloud.resource_id=arn:aws:lambda:eu-central-1:123456789012:function:tiny faas.coldstart=true",
		"3333<2222 tiny/Initialization internal -100000+450000",
		"4444<2222 tiny/Invocation internal 400000+700000 http.response.status_code=429",
	}
	if diff := cmp.Diff(want, show(spans)); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	line := `{"format": "json", "version": 1}
{"trace_id":"1-581cf771-a006649127e371903a2de979","id":"3fd8634e78ca9560","name":"db","start_time":1484872218.696,"end_time":1484872218.697,"namespace":"remote","type":"subsegment","parent_id":"defdfd9912dc5a56","sql":{"database_type":"PostgreSQL","sanitized_query":"SELECT"}}
[{"trace_id":"1-581cf771-a006649127e371903a2de979","id":"1","name":"a","start_time":1484872218,"end_time":1484872219,"error":true}, 5]
{"trace_id":"1-581cf771-a0066491`
	spans, tally, err := read(t, kind(t, "xray"), write(t, []byte(line)))
	if err != nil {
		t.Fatal(err)
	}
	want = []string{"9560<5a56 db/db client 0+1000 db.system.name=postgresql", "0001<0000 a/a server -696000+1000000 failed"}
	if diff := cmp.Diff(want, show(spans)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int64{"not a segment of X-Ray": 1, "cut short: the input ends in the middle": 1}, tally.Rejected); diff != "" {
		t.Errorf("rejected (-want +got):\n%s", diff)
	}
}

// batch is a message of OTLP with one span of each given number.
func batch(ids ...byte) ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "gateway")
	ss := rs.ScopeSpans().AppendEmpty().Spans()
	for _, id := range ids {
		s := ss.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1})
		s.SetSpanID(pcommon.SpanID{7: id})
		s.SetKind(ptrace.SpanKindServer)
		s.SetName("infer")
		s.SetStartTimestamp(1700000000000000000)
		s.SetEndTimestamp(1700000000000001000)
		s.Attributes().PutInt("gen_ai.usage.prompt_tokens", 7)
		s.Attributes().PutStr("gen_ai.input.messages", "secret")
	}
	return ptraceotlp.NewExportRequestFromTraces(td)
}

func TestOTLP(t *testing.T) {
	one, _ := batch(1).MarshalProto()
	two, _ := batch(2, 3).MarshalProto()
	js, _ := batch(1).MarshalJSON()
	more, _ := batch(2, 3).MarshalJSON()
	framedBy := func(msgs ...[]byte) (out []byte) {
		for _, m := range msgs {
			out = binary.BigEndian.AppendUint32(out, uint32(len(m)))
			out = append(out, m...)
		}
		return out
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(framedBy(one, two))
	z.Close()
	pack, _ := zstd.NewWriter(nil)
	var indented = strings.NewReplacer("{", "{\n", ",", ",\n").Replace(string(more[:len(more)-1])) + "}\n"
	all := []string{"0001<0000 gateway/infer server 0+1 gen_ai.usage.prompt_tokens=7 gen_ai.usage.input_tokens=7", "", ""}
	all[1], all[2] = strings.Replace(all[0], "0001", "0002", 1), strings.Replace(all[0], "0001", "0003", 1)
	lenient := `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"gateway"}}]},"scopeSpans":[{"spans":[{"traceId":"01000000000000000000000000000000","spanId":"0000000000000001","name":"infer","kind":"SPAN_KIND_SERVER","startTimeUnixNano":1700000000000000000,"endTimeUnixNano":"1700000000000001000","attributes":[{"key":"gen_ai.usage.prompt_tokens","value":{"intValue":7}}]}]}]}]}`
	tempos := strings.NewReplacer(`"01000000000000000000000000000000"`, `"AQAAAAAAAAAAAAAAAAAAAA=="`, `"0000000000000001"`, `"AAAAAAAAAAE="`, "resourceSpans", "batches").Replace(lenient)
	for name, tt := range map[string]struct {
		in       []byte
		want     []string
		rejected map[string]int64
	}{
		"lines":            {[]byte(string(js) + "\n" + string(more) + "\n"), all, nil},
		"one document":     {[]byte(indented), all[1:], nil},
		"lengths":          {framedBy(one, two), all, nil},
		"lengths and zstd": {framedBy(pack.EncodeAll(one, nil), pack.EncodeAll(two, nil)), all, nil},
		"gzip":             {zipped.Bytes(), all, nil},
		"bare":             {two, all[1:], nil},
		"ints and names":   {[]byte(lenient), all[:1], nil},
		"Tempo's ids":      {[]byte(tempos), all[:1], nil},
		"Tempo's v2":       {[]byte(`{"trace":` + lenient + `,"metrics":{}}`), all[:1], nil},
		"other signals": {[]byte(string(js) + "\n" + `{"resourceMetrics":[7,{"b":2}]}` + "\n" + `{"resourceLogs":[{}]}` + "\n7\n"), all[:1],
			map[string]int64{"a batch that cannot be decoded as OTLP metrics": 1, "a resource's logs, which are neither traces nor metrics": 1, "neither traces, metrics nor logs": 1}},
		"cut":          {framedBy(one, two)[:len(one)+20], all[:1], map[string]int64{"cut short: the input ends in the middle": 1}},
		"a line cut":   {[]byte(string(js) + "\n" + string(more[:60])), all[:1], map[string]int64{"cut short: the input ends in the middle": 1}},
		"wrong shapes": {[]byte(string(js) + `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz"}]}]}, 5]}`), all[:1], map[string]int64{"a batch that cannot be decoded as OTLP traces": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			spans, tally, err := read(t, kind(t, "otlp"), write(t, tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, show(spans)); diff != "" {
				t.Errorf("spans (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.rejected, tally.Rejected); diff != "" {
				t.Errorf("rejected (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHostileInputIsAnError(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write([]byte(`[{"traceId":"1","name":"`))
	for range 20 {
		z.Write([]byte(strings.Repeat(" ", 1<<20)))
	}
	z.Close()
	for name, tt := range map[string]struct{ kind, in, want string }{
		"a long value":        {"jaeger", `{"data":[{"spans":[{"operationName":"` + long + `"}]}]}`, "a row of more than 4 MiB"},
		"a long line":         {"xray", long, "invalid character"},
		"a gzip bomb":         {"zipkin", bomb.String(), "a row of more than 4 MiB"},
		"deep":                {"xray", strings.Repeat("[", 20000), "exceeded max depth"},
		"deep attributes":     {"otlp", `{"resourceSpans":[` + strings.Repeat(`{"a":`, 400) + "1" + strings.Repeat("}", 400) + "]}", "nest deeper than 32"},
		"a length":            {"otlp", "\xff\xff\xff\xff1234", "a message of 4294967295 bytes: want at most 64 MiB"},
		"zeros":               {"otlp", strings.Repeat("\x00", 8<<10), "more than 1000 empty messages one after another"},
		"a zipkin span alone": {"zipkin", `{"traceId":"1"}`, "want a list of Zipkin's spans"},
		"broken JSON":         {"jaeger", `{"data":[}`, "byte 9: invalid character"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(t, kind(t, tt.kind), write(t, []byte(tt.in)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want …%s…", err, tt.want)
			}
		})
	}
}

// Every file of the shared samples is read with nothing dropped silently.
func TestSharedSamples(t *testing.T) {
	for dir, k := range map[string]string{"zipkin": "zipkin", "critical-path": "jaeger"} {
		paths, _ := filepath.Glob("../../../shared/data/" + dir + "/*.json")
		if len(paths) == 0 {
			t.Skip("the shared samples are not here")
		}
		for _, path := range paths {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := int64(strings.Count(string(raw), `"duration"`)) // each span has one
			_, tally, err := read(t, kind(t, k), path)
			if err != nil || tally.Read() != want {
				t.Errorf("%s: read %d of %d spans, kept %d, rejected %v: %v", path, tally.Read(), want, tally.Kept, tally.Rejected, err)
			}
			if got := of(path, raw); got != k {
				t.Errorf("%s is told to be %q", path, got)
			}
		}
	}
}

// of returns the kind that a file seems to be of.
func of(path string, raw []byte) string {
	for i := range Kinds {
		if is := Kinds[i].Is; is != nil && is(path, raw[:min(len(raw), input.MaxHead)]) {
			return Kinds[i].Name
		}
	}
	return ""
}

func TestKindsAreTold(t *testing.T) {
	js, _ := batch(1).MarshalJSON()
	for want, in := range map[string]string{
		"otlp":   string(js),
		"jaeger": `{"data":[{"traceID":"a","spans":[]}]}`,
		"zipkin": `[{"traceId":"a","id":"b"}]`,
		"xray":   `{"Traces":[{"Segments":[{"Document":"{}"}]}]}`,
		"":       "time,status\n1,200\n",
	} {
		if got := of("x", []byte(in)); got != want {
			t.Errorf("%s is told to be %q", in, got)
		}
	}
}
