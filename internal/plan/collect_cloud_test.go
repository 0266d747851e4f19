package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCollectClouds(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: tiny}\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 1s}]\ncollect:\n"
	p, err := Parse("p.yaml", []byte(head+"  cloudwatch: [{function: fn, region: eu-west-1}, {namespace: AWS/SageMaker, dimensions: {EndpointName: e}, metrics: [ModelLatency/p99], period: 10s, endpoint: 'http://h', wait: 1m}]\n  runpod: [{url: 'https://api.runpod.ai/v2/x', token: {env: KEY}, jobs: ids}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	minute := Duration(time.Minute)
	if diff := cmp.Diff([]CloudWatch{{Function: "fn", Region: "eu-west-1", Period: minute, Wait: 2 * minute},
		{Namespace: "AWS/SageMaker", Dimensions: map[string]string{"EndpointName": "e"}, Metrics: []string{"ModelLatency/p99"}, Period: Duration(10 * time.Second), Endpoint: "http://h", Wait: minute}}, p.Collect.CloudWatch); diff != "" {
		t.Errorf("cloudwatch (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]RunPod{{"https://api.runpod.ai/v2/x", &Auth{Env: "KEY"}, "ids", Duration(2 * time.Second)}}, p.Collect.RunPod); diff != "" {
		t.Errorf("runpod (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"  cloudwatch: [{region: x}]\n":                                    "collect.cloudwatch[0]: names nothing to read; write function: NAME, or dimensions",
		"  cloudwatch: [{function: f, namespace: AWS/SageMaker}]\n":        "collect.cloudwatch[0].function: goes with the namespace AWS/Lambda",
		"  cloudwatch: [{dimensions: {E: e}, namespace: AWS/SageMaker}]\n": "collect.cloudwatch[0]: needs metrics for the namespace AWS/SageMaker",
		"  cloudwatch: [{function: f, metrics: [Duration]}]\n":             `collect.cloudwatch[0].metrics[0]: "Duration" is no metric with its statistic; for example Duration/Average or Duration/p99`,
		"  cloudwatch: [{function: f, period: 1500ms}]\n":                  "collect.cloudwatch[0].period: 1.5s is not a number of seconds between 1s and 1h",
		"  cloudwatch: [{function: f, wait: 1h}]\n":                        "collect.cloudwatch[0].wait: 1h0m0s is not between 1s and 10m0s",
		"  runpod: [{jobs: x}]\n":                                          "collect.runpod[0]: needs url",
		"  runpod: [{url: 'https://api.runpod.ai/v2/x', interval: 1ms}]\n": "collect.runpod[0].interval: 1ms is not between 500ms and 10m0s",
		"  runpod: [{url: 'https://api.runpod.ai/v2/x?token=abc'}]\n":      "may carry a credential",
		"  runpod: [{url: 'https://api.runpod.ai/v2/x', token: {}}]\n":     "collect.runpod[0].token: needs exactly one of env and file",
	} {
		if _, err := Parse("p.yaml", []byte(head+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", text, err, want)
		}
	}
}
