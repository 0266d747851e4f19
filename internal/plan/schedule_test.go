package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGroupsTakeTheirPlace(t *testing.T) {
	p, err := Parse("p", []byte(head+"load: [{name: a, arrivals: {poisson: {rate: 5/s}}, for: 60s}]\nchaos:\n"+
		"  - {fault: kill, at: 1s}\n"+
		"  - serial: [{fault: hang, for: 2s}, {name: last, fault: kill, at: 3s, instances: 50%}]\n    at: 10s\n    phase: a\n"+
		"  - {parallel: [{fault: kill, repeat: {every: 2s, times: 4}}], when: saturation}\n"+
		"  - {fault: kill, at: 2s, repeat: {rate: 6/m, within: 30s}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Place, Number, Fault, Name, Group, Instances string
		At                                           time.Duration
	}
	var got []row
	for i, f := range p.Chaos {
		g := ""
		if f.Group != nil {
			b, _ := json.Marshal(f.Group)
			g = string(b)
		}
		got = append(got, row{p.Place(i), p.Number(i), f.Fault, f.Name, g, f.Instances.String(), f.At.D()})
	}
	serial := `{"kind":"serial","at":"10s","phase":"a"}`
	want := []row{
		{"chaos[0]", "1", "kill", "", "", "1", time.Second},
		{"chaos[1].serial[0]", "2.1", "hang", "", serial, "1", 0},
		{"chaos[1].serial[1]", "2.2", "kill", "last", serial, "50%", 3 * time.Second},
		{"chaos[2].parallel[0]", "3.1", "kill", "", `{"kind":"parallel","at":"0s","when":"saturation"}`, "1", 0},
		{"chaos[3]", "4", "kill", "", "", "1", 2 * time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p.Chaos[1].Group != p.Chaos[2].Group {
		t.Error("members have not the same group")
	}
	// 1 + 1 + 1 + 4 + 6 a minute for half of one
	if e := p.Estimate(nil, func(q, c float64) int { return 1 }, nil); e.Faults != 10 {
		t.Errorf("%d faults estimated, want 10", e.Faults)
	}
	if n := p.strikes("kill"); n != 9 {
		t.Errorf("%v kills expected, want 9", n)
	}
}

func TestScheduleRefusals(t *testing.T) {
	for _, tt := range []struct{ chaos, want string }{
		{"{fault: kill, at: 1s, repeat: {}}", "chaos[0].repeat: needs every and times, or rate and within"},
		{"{fault: kill, at: 1s, repeat: {every: 1s, times: 3, rate: 2/m}}", "chaos[0].repeat: needs every and times, or rate and within"},
		{"{fault: kill, at: 1s, repeat: {every: 1s}}", "chaos[0].repeat.times: 0 is out of range; 2 to 1000"},
		{"{fault: kill, at: 1s, repeat: {times: 3}}", "chaos[0].repeat: needs every"},
		{"{fault: kill, at: 1s, repeat: {every: 1ms, times: 3}}", "chaos[0].repeat.every: 1ms is out of range; 100ms to 24h"},
		{"{fault: kill, at: 1s, repeat: {rate: 2/m}}", "chaos[0].repeat: needs within"},
		{"{fault: kill, at: 1s, repeat: {within: 5s}}", "chaos[0].repeat: needs rate"},
		{"{fault: kill, at: 1s, repeat: {rate: 900/s, within: 5s}}", "chaos[0].repeat.rate: is about 4500 strikes; at most 1000"},
		{"{fault: kill, at: 1s, repeat: {every: 5s, times: 3}}", "chaos[0].repeat: strike 3 would be at 11s, not before the end of the load, 10s: it would never come"},
		{"{fault: kill, at: 1s, repeat: {rate: 2/s, within: 10s}}", "chaos[0].repeat.within: strikes would be drawn until 11s, after the end of the load, 10s"},
		{"{fault: kill, at: 12s}", "chaos[0].at: 12s is not before the end of the load, 10s: the fault would never strike"},
		{"{fault: kill, at: 12s, when: saturation}", "chaos[0].at: 12s at the earliest is not before the end of the load"},
		{"{fault: kill, when: full}", `chaos[0].when: "full" is unknown; known here: saturation, scale-from-zero`},
		{"{serial: [{fault: hang, for: 6s}, {fault: kill, at: 5s}]}", "chaos[0].serial[1].at: 11s at the earliest is not before the end of the load, 10s"},
		{"{parallel: [{fault: kill, at: 5s}], at: 5s}", "chaos[0].parallel[0].at: 10s at the earliest is not before the end of the load, 10s"},
		{"{serial: [], at: 5s}", "chaos[0].serial: is empty; it needs at least one fault"},
		{"{serial: [{fault: kill}], parallel: [{fault: kill}]}", "chaos[0]: has serial and parallel; give one of them"},
		{"{serial: [{fault: kill}], mode: reset}", "chaos[0].mode: belongs to a fault; put it under serial"},
		{"{serial: [{serial: [{fault: kill}]}]}", "chaos[0].serial[0]: is a group within a group; groups are nested one level"},
		{"{serial: [{fault: kill, phase: a}]}", "chaos[0].serial[0].phase: belongs to the group"},
		{"{serial: [{fault: kill}], phase: b}", `chaos[0].phase: "b" is no load phase; did you mean "a"?`},
		{"{serial: [{fault: kil}]}", `chaos[0].serial[0].fault: "kil" is no kind of fault; did you mean "kill"?`},
		{"{fault: kill, name: a b}", `chaos[0].name: "a b" is not a name`},
		{"{fault: kill, name: a}, {fault: kill, name: a}", `chaos[1].name: "a" is taken by an earlier fault`},
		{"{fault: kill, instances: 0}", `chaos[0].instances: "0" is no number of instances; write for example 2 or 50%`},
		{"{fault: kill, instances: 120%}", `chaos[0].instances: "120%" is no number of instances`},
		{"{fault: kill, instances: 1001}", `chaos[0].instances: 1001 is out of range; 1 to 1000`},
		{"{fault: kill}]\nlimits: {}\nbudget: {requests: 3}\nguards: [", "limits: limits nothing; give instances, share or faults"},
		{"{fault: kill}]\nlimits: {share: 2, faults: -1}\nguards: [", "limits.share: 2 is out of range; more than 0 and at most 1"},
	} {
		p, err := Parse("plan.yaml", []byte(head+load+"chaos: ["+tt.chaos+"]\n"))
		if err == nil {
			_, err = p.Validate(kinds)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.chaos, err, tt.want)
		}
	}
	p := "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox, sandbox: {minScale: 1}}\n" + load + "chaos: [{fault: kill, when: scale-from-zero}]\n"
	if _, err := Parse("p", []byte(p)); err == nil || !strings.Contains(err.Error(), "chaos[0].when: the sandbox never scales to zero with minScale 1") {
		t.Errorf("a sandbox that never is at zero: %v", err)
	}
}
