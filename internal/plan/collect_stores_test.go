package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLogStores(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: tiny}\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 1s}]\ncollect:\n"
	p, err := Parse("p.yaml", []byte(head+"  loki: [{url: 'http://l:3100', tenant: us, query: '{app=\"vllm\"}', token: {env: LOKI_TOKEN}, instance: v}]\n  elasticsearch: [{url: 'http://e:9200', index: logs-*, query: 'pod:v*', interval: 2s, wait: 1m}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Loki{{"http://l:3100", `{app="vllm"}`, &Auth{Env: "LOKI_TOKEN"}, "us", "v", Duration(5 * time.Second), Duration(10 * time.Second)}}, p.Collect.Loki); diff != "" {
		t.Errorf("loki (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Elasticsearch{{"http://e:9200", "logs-*", "pod:v*", nil, "", Duration(2 * time.Second), Duration(time.Minute)}}, p.Collect.Elasticsearch); diff != "" {
		t.Errorf("elasticsearch (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"  loki: [{query: '{}'}]\n":                                            "collect.loki[0]: needs url",
		"  loki: [{url: 'http://l'}]\n":                                        `collect.loki[0]: needs query; for example {app="vllm"}`,
		"  loki: [{url: 'http://me:x@l', query: '{}'}]\n":                      "a URL in a plan must not carry credentials",
		"  elasticsearch: [{url: 'http://e'}]\n":                               "collect.elasticsearch[0]: needs index; for example logs-*",
		"  elasticsearch: [{url: 'e:9200', index: x}]\n":                       `collect.elasticsearch[0].url: "e:9200" is not a URL`,
		"  elasticsearch: [{url: 'http://e', index: x, wait: 1h}]\n":           "collect.elasticsearch[0].wait: 1h0m0s is not between 1s and 10m0s",
		"  elasticsearch: [{url: 'http://e', index: x, interval: 1ms}]\n":      "collect.elasticsearch[0].interval: 1ms is not between 1s and 10m0s",
		"  loki: [{url: 'http://l', query: '{}', token: {env: A, file: b}}]\n": "collect.loki[0].token: needs exactly one of env and file",
	} {
		if _, err := Parse("p.yaml", []byte(head+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", text, err, want)
		}
	}
}
