package cloud

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay/collectors/input"
	"github.com/assay-dev/assay/collectors/input/inputtest"
)

func TestPlatforms(t *testing.T) {
	for _, tt := range []struct {
		name     string
		kind     *input.Kind
		file     string
		text     string
		options  map[string]string
		want     []string
		rejected map[string]int64
	}{
		{"RunPod jobs", &runpodKind, "jobs.json", `[
			{"id":"a","status":"COMPLETED","delayTime":1500,"executionTime":500.5,"workerId":"w1","output":"secret","createdAt":"2026-01-01T00:00:00Z"},
			{"id":"b","status":"FAILED","delayTime":10,"executionTime":90,"workerId":"w1","error":"secret","completedAt":"2026-01-01T00:00:03Z"},
			{"id":"c","status":"TIMED_OUT","delayTime":0,"executionTime":1000,"createdAt":1767225605000},
			{"id":"d","status":"IN_QUEUE"},{"id":"e","status":"COMPLETED"}]`, nil,
			[]string{"0+2000.5 ok unknown w1", "2000.5 runpod_job_delay_milliseconds worker_id=w1 1500", "2000.5 runpod_job_execution_milliseconds worker_id=w1 500.5",
				"2900+100 server_error unknown w1: the job failed", "3000 runpod_job_delay_milliseconds worker_id=w1 10", "3000 runpod_job_execution_milliseconds worker_id=w1 90",
				"5000+1000 timeout unknown : timed out by the platform", "6000 runpod_job_delay_milliseconds 0", "6000 runpod_job_execution_milliseconds 1000"},
			map[string]int64{"not finished": 1, "says not how long it took": 1}},
		{"a RunPod job that was asked for twice", &runpodKind, "jobs.json", `[
			{"id":"a","status":"IN_PROGRESS"},
			{"id":"a","status":"FAILED","executionTime":90,"createdAt":"2026-01-01T00:00:00Z"},
			{"id":"a","status":"FAILED","executionTime":90,"createdAt":"2026-01-01T00:00:00Z"}]`, nil,
			[]string{"0+90 server_error unknown : the job failed", "90 runpod_job_execution_milliseconds 90"}, map[string]int64{"not finished": 1, input.Duplicate: 1}},
		{"RunPod health", &runpodKind, "health.jsonl", `{"timestamp":"2026-01-01T00:00:00Z","jobs":{"completed":3,"failed":1,"inQueue":2},"workers":{"idle":0,"throttled":4}}` + "\n", nil,
			[]string{"0 runpod_endpoint_jobs state=completed 3", "0 runpod_endpoint_jobs state=failed 1", "0 runpod_endpoint_jobs state=inQueue 2",
				"0 runpod_endpoint_workers state=idle 0", "0 runpod_endpoint_workers state=throttled 4"}, nil},
		{"Cloud Run counts", &cloudRunKind, "ts.json", `{"timeSeries":[{"metric":{"type":"run.googleapis.com/request_count","labels":{"response_code_class":"5xx"}},"resource":{"type":"cloud_run_revision","labels":{"service_name":"s"}},"metricKind":"DELTA","valueType":"INT64",
			"points":[{"interval":{"startTime":"2026-01-01T00:01:00Z","endTime":"2026-01-01T00:02:00Z"},"value":{"int64Value":"5"}},{"interval":{"startTime":"2026-01-01T00:00:00Z","endTime":"2026-01-01T00:01:00Z"},"value":{"int64Value":"2"}},{"interval":{},"value":{"int64Value":"2"}}]},
			{"metric":{"type":"run.googleapis.com/container/instance_count","labels":{"state":"idle"}},"resource":{"labels":{"service_name":"s"}},"metricKind":"GAUGE","points":[{"interval":{"endTime":"2026-01-01T00:01:00Z"},"value":{"int64Value":"4"}}]}],"unit":"1"}`, nil,
			[]string{"0 run_googleapis_com:request_count response_code_class=5xx service_name=s 0", "60000 run_googleapis_com:request_count response_code_class=5xx service_name=s 2", "120000 run_googleapis_com:request_count response_code_class=5xx service_name=s 7",
				"60000 run_googleapis_com:container_instance_count service_name=s state=idle 4"}, map[string]int64{"a point without a time": 1}},
		{"Cloud Run start-up latencies", &cloudRunKind, "ts.json", `[{"metric":{"type":"run.googleapis.com/container/startup_latencies"},"resource":{"labels":{}},"metricKind":"DELTA","points":[
			{"interval":{"endTime":"2026-01-01T00:02:00Z"},"value":{"distributionValue":{"count":"1","mean":150,"bucketOptions":{"explicitBuckets":{"bounds":[100,200]}},"bucketCounts":["0","1"]}}},
			{"interval":{"endTime":"2026-01-01T00:01:00Z"},"value":{"distributionValue":{"count":"2","mean":400,"bucketOptions":{"explicitBuckets":{"bounds":[100,200]}},"bucketCounts":["1","0","1"]}}}]}]`, nil,
			[]string{"0 run_googleapis_com:container_startup_latencies_bucket le=100 1", "0 run_googleapis_com:container_startup_latencies_bucket le=200 1", "0 run_googleapis_com:container_startup_latencies_bucket le=+Inf 2",
				"0 run_googleapis_com:container_startup_latencies_sum 800", "0 run_googleapis_com:container_startup_latencies_count 2",
				"60000 run_googleapis_com:container_startup_latencies_bucket le=100 1", "60000 run_googleapis_com:container_startup_latencies_bucket le=200 2", "60000 run_googleapis_com:container_startup_latencies_bucket le=+Inf 3",
				"60000 run_googleapis_com:container_startup_latencies_sum 950", "60000 run_googleapis_com:container_startup_latencies_count 3"}, nil},
		{"get-metric-data", &cloudWatchKind, "cw.json", `{"MetricDataResults":[{"Id":"m1","Label":"ConcurrentExecutions","Timestamps":["2026-01-01T00:01:00+00:00","2026-01-01T00:00:00+00:00"],"Values":[3.0,1.0],"StatusCode":"Complete"}],"Messages":[]}`,
			map[string]string{"function": "fn"}, []string{"0 aws_lambda_concurrent_executions function_name=fn id=m1 1", "60000 aws_lambda_concurrent_executions function_name=fn id=m1 3"}, nil},
		{"get-metric-statistics", &cloudWatchKind, "cw.json", `{"Label":"Throttles","Datapoints":[{"Timestamp":"2026-01-01T00:01:00+00:00","Sum":7.0,"Unit":"Count"},{"Timestamp":"2026-01-01T00:00:00+00:00","Sum":2.0,"Unit":"Count"},{"Timestamp":"2026-01-01T00:00:00+00:00","Unit":"Count"}]}`,
			nil, []string{"0 aws_lambda_throttles_sum 2", "60000 aws_lambda_throttles_sum 7"}, map[string]int64{"a datapoint without a number": 1}},
		{"a metric stream", &cloudWatchKind, "cw.jsonl", `{"metric_stream_name":"s","namespace":"AWS/Lambda","metric_name":"Duration","dimensions":{"FunctionName":"fn"},"timestamp":1767225600000,"value":{"count":4.0,"sum":100.0},"unit":"Milliseconds"}` + "\n",
			nil, []string{"0 aws_lambda_duration_count function_name=fn 4", "0 aws_lambda_duration_sum function_name=fn 100"}, nil},
		{"Application Insights, query answer", &appInsightsKind, "ai.json", `{"tables":[{"name":"PrimaryResult","columns":[{"name":"timestamp","type":"datetime"},{"name":"duration","type":"real"},{"name":"success","type":"string"},{"name":"resultCode","type":"string"},{"name":"operation_Id","type":"string"},{"name":"customDimensions","type":"dynamic"}],
			"rows":[["2026-01-01T00:00:00Z",100,"True","200","0af7651916cd43dd8448eb211c80319c","{\"HostInstanceId\":\"h1\",\"InvocationId\":\"i\"}"],
			["2026-01-01T00:10:00Z",900,"True","200","","{\"HostInstanceId\":\"h2\"}"],["2026-01-01T00:10:01Z",50,"False","0","","{\"HostInstanceId\":\"h2\"}"],["x",1,"True","200","",""]]}]}`, nil,
			[]string{"0+100 ok unknown h1 trace 0af76519", "600000+900 ok cold h2", "601000+50 server_error warm h2: the function failed"}, map[string]int64{"a row without a time": 1}},
		{"Application Insights, JSON lines with a host's start", &appInsightsKind, "ai.jsonl", `{"time":"2026-01-01T00:00:02Z","itemType":"trace","message":"Host started (1500ms)","customDimensions":"{\"HostInstanceId\":\"h1\"}"}
{"time":"2026-01-01T00:00:01Z","itemType":"request","duration":"00:00:01.5000000","success":"True","resultCode":"200","customDimensions":"{\"HostInstanceId\":\"h1\"}"}
{"time":"2026-01-01T00:00:01Z","itemType":"trace","message":"Executing 'x'"}
{"time":"2026-01-01T00:00:01Z","itemType":"dependency"}
`, nil, []string{"0 instance.created h1", "1500 instance.phase h1 runtime_start", "1500 instance.ready h1", "500+1500 ok cold h1"},
			map[string]int64{"says nothing we record": 1, "neither a request nor a trace": 1}},
		{"Application Insights, CSV of the portal", &appInsightsKind, "ai.csv", "\"timestamp [UTC]\",name,success,resultCode,duration,customDimensions\n" +
			"\"1/1/2026, 12:00:00.000 AM\",f,True,200,\"1,234.5\",\"{\"\"HostInstanceId\"\":\"\"h1\"\"}\"\n", nil, []string{"0+1234.5 ok unknown h1"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, sum := emitted(t, tt.kind, inputtest.File(t, tt.file, tt.text), tt.options)
			inputtest.Compare(t, tt.want, got)
			if diff := cmp.Diff(tt.rejected, sum.Rejected); diff != "" {
				t.Errorf("rejected (-want +got):\n%s", diff)
			}
		})
	}
}

// Of each kind a file is told by how it begins, and by no other's.
func TestKindsAreTold(t *testing.T) {
	for name, text := range map[string]string{
		"lambda": "START RequestId: 11111111-1111-4111-8111-111111111111 Version: $LATEST\n", "cloudwatch": `{ "MetricDataResults": [`, "cloud-run": `{"timeSeries":[{"metric"`,
		"app-insights": `{"tables":[{"name":"PrimaryResult"`, "runpod": `{"delayTime":12,"executionTime":3,"id":"x"}`,
	} {
		for i := range Kinds {
			if k := &Kinds[i]; k.Is("f", []byte(text)) != (k.Name == name) {
				t.Errorf("%s: Is of %s says %v", name, k.Name, k.Is("f", []byte(text)))
			}
		}
	}
}

func TestHostile(t *testing.T) {
	for name, text := range map[string]string{
		"a long row":     `{"timeSeries":[{"x":"` + strings.Repeat("a", 5<<20) + `"}]}`,
		"deep":           `{"timeSeries":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
		"torn":           `{"timeSeries":[{"metric":`,
		"not JSON":       "hello",
		"only numbers":   "1 2 3",
		"no array":       `{"timeSeries":{"a":1}}`,
		"wrong elements": `{"timeSeries":[1,"x",null]}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := inputtest.File(t, "x.json", text)
			if _, err := input.Open(t.Context(), []input.Spec{{Kind: &cloudRunKind, Path: path}}, input.Settings{}); err == nil || !strings.Contains(err.Error(), "x.json") {
				t.Errorf("error %v", err)
			}
		})
	}
}
