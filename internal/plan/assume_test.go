package plan

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
)

func TestAssume(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: p\ntarget: {kind: sandbox, model: tiny}\nload: [{name: a, arrivals: {poisson: {rate: 1/s}}, for: 1s}]\nassume:\n"
	kinds := Kinds{Faults: []FaultKind{{Name: "kill"}, {Name: "hang"}}}
	p, err := Parse("p.yaml", []byte(head+"  - {fault: kill, every: 720h}\n  - {fault: hang, every: 90m}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Validate(kinds); err != nil {
		t.Fatal(err)
	}
	want := []assay.Assumption{{Fault: "kill", Every: int64(720 * time.Hour)}, {Fault: "hang", Every: int64(90 * time.Minute)}}
	if d := cmp.Diff(want, p.Assumed()); d != "" {
		t.Errorf("assumed (-want +got):\n%s", d)
	}
	for text, want := range map[string]string{
		"  - {fault: kil, every: 720h}\n":                                `assume[0].fault: "kil" is no fault`,
		"  - {fault: kill, every: 720h}\n  - {fault: kill, every: 1h}\n": `assume[1].fault: "kill" is assumed twice`,
		"  - {fault: kill, every: 10ms}\n":                               "assume[0].every: 10ms between failures; want at least 1s",
		"  - {fault: kill}\n":                                            "every",
	} {
		p, err := Parse("p.yaml", []byte(head+text))
		if err == nil {
			_, err = p.Validate(kinds)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want …%s…", text, err, want)
		}
	}
}
