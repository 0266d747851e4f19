package plan

import (
	"strings"
	"testing"
	"time"
)

func TestProbes(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: tiny}\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 1s}]\ncollect:\n  probes: "
	p, err := Parse("p.yaml", []byte(head+"{live: /healthz, ready: 'http://127.0.0.1:1/ready'}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *p.Collect.Probes, (Probes{Live: "/healthz", Ready: "http://127.0.0.1:1/ready", Interval: Duration(time.Second), Timeout: Duration(time.Second)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for text, want := range map[string]string{
		"{interval: 1s}":                              "looks at nothing",
		"{live: healthz}":                             "collect.probes.live",
		"{live: /healthz, interval: 1ms}":             "1ms is out of range; 50ms to 1m0s",
		"{live: /healthz, interval: 1s, timeout: 2s}": "2s is longer than the interval of 1s",
	} {
		if _, err := Parse("p.yaml", []byte(head+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
