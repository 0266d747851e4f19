package cloud

import (
	"testing"

	"github.com/assay-dev/assay/collectors/input/inputtest"
)

// The same invocations in each form that a log of Lambda comes in.
func TestLambdaForms(t *testing.T) {
	const id1, id2 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	const stream = "2026/01/01/[$LATEST]0123456789abcdef"
	report := `REPORT RequestId: ` + id1 + `\tDuration: 100.00 ms\tBilled Duration: 301 ms\tMemory Size: 128 MB\tMax Memory Used: 70 MB\tInit Duration: 200.00 ms\t\nXRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tSegmentId: 1\tSampled: true\n`
	for _, tt := range []struct {
		name, file, text string
		want             []string
	}{
		{"filter-log-events", "events.json", `{ "events": [
			{"logStreamName":"` + stream + `","timestamp":1767225600200,"message":"START RequestId: ` + id1 + ` Version: $LATEST\n","ingestionTime":1,"eventId":"1"},
			{"logStreamName":"` + stream + `","timestamp":1767225600300,"message":"` + report + `"}], "searchedLogStreams": [] }`,
			[]string{"0 instance.created " + stream, "200 instance.phase " + stream + " init", "200 instance.ready " + stream, "0+300 ok cold " + stream + " trace 5759e988"}},
		{"Logs Insights as CSV, newest first", "insights.csv", "@timestamp,@message,@logStream\n" +
			"2026-01-01 00:00:00.300,\"REPORT RequestId: " + id1 + "\tDuration: 100.00 ms\tInit Duration: 200.00 ms\",\"" + stream + "\"\n" +
			"2026-01-01 00:00:00.200,START RequestId: " + id1 + " Version: 1," + stream + "\n",
			[]string{"0 instance.created " + stream, "200 instance.phase " + stream + " init", "200 instance.ready " + stream, "0+300 ok cold " + stream}},
		{"Logs Insights from the API, REPORT fields alone", "insights.json", `{"results":[[{"field":"@timestamp","value":"2026-01-01 00:00:01.000"},{"field":"@requestId","value":"` + id2 + `"},{"field":"@type","value":"REPORT"},{"field":"@duration","value":"50.0"},{"field":"@logStream","value":"s"}],
			[{"field":"@timestamp","value":"2026-01-01 00:00:00.300"},{"field":"@requestId","value":"` + id1 + `"},{"field":"@type","value":"REPORT"},{"field":"@duration","value":"100.0"},{"field":"@initDuration","value":"200.0"},{"field":"@maxMemoryUsed","value":"7.0E7"},{"field":"@logStream","value":"s"}]],"status":"Complete"}`,
			[]string{"0 instance.created s", "200 instance.phase s init", "200 instance.ready s", "0+300 ok cold s", "950+50 ok warm s"}},
		{"aws logs tail --format detailed", "tail.log", "2026-01-01T00:00:00.200000+00:00 " + stream + " START RequestId: " + id1 + " Version: 1\n" +
			"2026-01-01T00:00:00.300000+00:00 " + stream + " REPORT RequestId: " + id1 + "\tDuration: 100.00 ms\n",
			[]string{"0+100 ok warm " + stream}},
		{"Telemetry API events, in a batch", "telemetry.json", `[
			{"time":"2026-01-01T00:00:00.000Z","type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"x"}},
			{"time":"2026-01-01T00:00:00.250Z","type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","status":"success"}},
			{"time":"2026-01-01T00:00:00.250Z","type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","metrics":{"durationMs":250.5}}},
			{"time":"2026-01-01T00:00:00.251Z","type":"platform.start","record":{"requestId":"` + id1 + `","version":"1","tracing":{"spanId":"1","type":"X-Amzn-Trace-Id","value":"Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1"}}},
			{"time":"2026-01-01T00:00:00.300Z","type":"function","record":"hello"},
			{"time":"2026-01-01T00:00:00.351Z","type":"platform.runtimeDone","record":{"requestId":"` + id1 + `","status":"success","spans":[{"name":"responseLatency","start":"2026-01-01T00:00:00.251Z","durationMs":40.0}],"metrics":{"durationMs":100.0,"producedBytes":15}}},
			{"time":"2026-01-01T00:00:00.352Z","type":"platform.report","record":{"requestId":"` + id1 + `","status":"success","metrics":{"billedDurationMs":352,"durationMs":100.9,"initDurationMs":250.5,"maxMemoryUsedMB":84,"memorySizeMB":128}}},
			{"time":"2026-01-01T00:00:01.000Z","type":"platform.start","record":{"requestId":"` + id2 + `"}},
			{"time":"2026-01-01T00:00:01.010Z","type":"function","record":{"timestamp":"2026-01-01T00:00:01.010Z","level":"ERROR","requestId":"` + id2 + `","errorType":"KeyError","errorMessage":"secret prompt"}},
			{"time":"2026-01-01T00:00:01.020Z","type":"platform.runtimeDone","record":{"requestId":"` + id2 + `","status":"error","errorType":"KeyError","metrics":{"durationMs":20.0}}},
			{"time":"2026-01-01T00:00:01.021Z","type":"platform.report","record":{"requestId":"` + id2 + `","status":"error","metrics":{"durationMs":20.5}}}]`,
			[]string{"0 instance.created telemetry", "250.5 instance.phase telemetry init", "250.5 instance.ready telemetry", "0+351 ok cold telemetry first 291 trace 62e900b2",
				"1000+20 server_error warm telemetry: the function raised KeyError"}},
		{"a web function", "web.jsonl", `{"timestamp":"2026-01-01T00:00:00.000Z","level":"INFO","type":"platform.initStart","record":{"instanceId":"i-1","initializationType":"on-demand"}}
{"timestamp":"2026-01-01T00:00:00.400Z","level":"INFO","type":"platform.initReport","record":{"instanceId":"i-1","status":"success","metrics":{"durationMs":400}}}
{"timestamp":"2026-01-01T00:00:00.500Z","level":"DEBUG","type":"platform.requestComplete","record":{"instanceId":"i-1","requestId":"r1","status":"success","statusCode":200,"metrics":{"durationMs":480}}}
{"timestamp":"2026-01-01T00:00:01.000Z","level":"DEBUG","type":"platform.requestComplete","record":{"instanceId":"i-1","requestId":"r2","status":"success","statusCode":503,"metrics":{"durationMs":10}}}
{"timestamp":"2026-01-01T00:05:00.000Z","level":"INFO","type":"platform.spinDownReport","record":{"instanceId":"i-1","status":"success"}}
`,
			[]string{"0 instance.created i-1", "400 instance.phase i-1 init", "400 instance.ready i-1", "20+480 ok cold i-1", "990+10 unavailable warm i-1", "300000 instance.exited i-1 scale_in"}},
		{"provisioned ahead", "pc.jsonl", `{"time":"2026-01-01T00:00:00.000Z","type":"platform.initStart","record":{"initializationType":"provisioned-concurrency"}}
{"time":"2026-01-01T00:00:00.400Z","type":"platform.initReport","record":{"initializationType":"provisioned-concurrency","metrics":{"durationMs":400}}}
{"time":"2026-01-01T00:00:00.500Z","type":"platform.start","record":{"requestId":"r"}}
{"time":"2026-01-01T00:00:00.600Z","type":"platform.report","record":{"requestId":"r","metrics":{"durationMs":100,"initDurationMs":400}}}
`, []string{"0 instance.created pc provisioned", "400 instance.phase pc init", "400 instance.ready pc", "500+100 ok warm pc"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := emitted(t, &lambdaKind, inputtest.File(t, tt.file, tt.text), nil)
			inputtest.Compare(t, tt.want, got)
		})
	}
}
