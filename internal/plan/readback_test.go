package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReadBack(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: tiny}\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 1s}]\ncollect:\n"
	p, err := Parse("p.yaml", []byte(head+"  tempo: [{url: 'http://t:3200', tenant: us, query: '{ name = \"cold_start\" }', token: {env: TEMPO_TOKEN}}]\n  jaeger: [{url: 'http://j:16686', services: [a, b], wait: 2m}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Tempo{{URL: "http://t:3200", Tenant: "us", Query: `{ name = "cold_start" }`, Token: &Auth{Env: "TEMPO_TOKEN"}, Wait: Duration(30 * time.Second)}}, p.Collect.Tempo); diff != "" {
		t.Errorf("tempo (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Jaeger{{URL: "http://j:16686", Services: []string{"a", "b"}, Wait: Duration(2 * time.Minute)}}, p.Collect.Jaeger); diff != "" {
		t.Errorf("jaeger (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"  tempo: [{query: '{}'}]\n":                               "collect.tempo[0]: needs url",
		"  jaeger: [{url: 'h:16686'}]\n":                           `p.yaml:6:18: collect.jaeger[0].url: "h:16686" is not a URL`,
		"  tempo: [{url: 'http://t', wait: 1h}]\n":                 "collect.tempo[0].wait: 1h0m0s is not between 1s and 10m0s",
		"  tempo: [{url: 'http://t', token: {env: A, file: b}}]\n": "collect.tempo[0].token: needs exactly one of env and file",
		"  tempo: [{url: 'http://t/?x=1'}]\n":                      "has a query, which would not reach the API behind it",
		"  tempo: [{url: 'http://me:x@t'}]\n":                      "a URL in a plan must not carry credentials",
	} {
		if _, err := Parse("p.yaml", []byte(head+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", text, err, want)
		}
	}
}
