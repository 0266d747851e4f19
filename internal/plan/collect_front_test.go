package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCollectFront(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: tiny}\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 1s}]\ncollect:\n"
	p, err := Parse("p.yaml", []byte(head+"  nginx: {log: a.log, format: '$msec $status', status: 'http://h/st', interval: 5s}\n  envoy: {admin: 'http://h:9901'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Nginx{"a.log", "$msec $status", "http://h/st", Duration(5 * time.Second)}, p.Collect.Nginx); diff != "" {
		t.Errorf("nginx (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&Envoy{Admin: "http://h:9901"}, p.Collect.Envoy); diff != "" {
		t.Errorf("envoy (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"  nginx: {}\n": "collect.nginx: names nothing to watch; write log: PATH or status: URL",
		"  envoy: {}\n": "collect.envoy: names nothing to watch; write log: PATH or admin: URL",
		"  nginx: {status: 'http://h/st', format: x}\n":         "collect.nginx.format: goes with log",
		"  nginx: {status: 'localhost:80'}\n":                   "collect.nginx.status",
		"  envoy: {admin: 'http://h:9901', interval: 1ms}\n":    "collect.envoy.interval: 1ms is too short; at least 100ms",
		"  envoy: {admin: 'http://h:9901', status: http://h}\n": "status",
	} {
		if _, err := Parse("p.yaml", []byte(head+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", text, err, want)
		}
	}
}
