package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCollectLogs(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: tiny}\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 1s}]\ncollect:\n  logs:\n"
	p, err := Parse("p.yaml", []byte(head+"    - {file: a.log, instance: w-1, zone: Europe/Berlin}\n    - {file: b.log}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Log{{"a.log", "w-1", "Europe/Berlin"}, {File: "b.log"}}, p.Collect.Logs); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
	for text, want := range map[string]string{
		"    - {instance: w-1}\n":             `collect.logs[0]: names no file`,
		"    - {file: a.log, zone: Berlin}\n": `p.yaml:7:27: collect.logs[0].zone: "Berlin" is unknown; write a name such as Europe/Berlin`,
		"    - {file: a.log, path: x}\n":      `path`,
	} {
		if _, err := Parse("p.yaml", []byte(head+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", text, err, want)
		}
	}
}
