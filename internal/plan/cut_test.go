package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A fault that the end of the load cuts short is told of; one that would have less than half of its time is refused.
func TestFaultsThatTheEndOfTheLoadCutsShort(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox}\nload:\n" +
		"  - {name: first, arrivals: {even: {rate: 5/s}}, for: 10s}\n  - {name: last, arrivals: {even: {rate: 5/s}}, for: 10s}\nchaos:\n"
	for _, c := range []struct {
		name, fault string
		doubts      []string
		refused     string
	}{
		{"to the end", "  - {fault: hang, at: 15s, for: 5s}", nil, ""},
		{"into the next phase", "  - {fault: hang, phase: first, at: 8s, for: 5s}", nil, ""},
		{"cut", "  - {fault: hang, at: 16s, for: 5s}", []string{"hang-1 will be cut short by the end of the load after 4s of its 5s"}, ""},
		{"cut in its phase", "  - {name: x, fault: hang, phase: last, at: 6s, for: 8s}", []string{"x will be cut short by the end of the load after 4s of its 8s"}, ""},
		{"less than half", "  - {fault: hang, phase: last, at: 6s, for: 9s}", nil, "plan.yaml:8:45: chaos[0].for: 9s would be cut short by the end of the load, 20s, after 4s: less than half of it"},
		{"strikes once", "  - {fault: kill, at: 19s}", nil, ""},
		{"the last of several", "  - {fault: hang, at: 4s, for: 4s, repeat: {every: 7s, times: 3}}", []string{"the last strike of hang-1 will be cut short by the end of the load after 2s of its 4s"}, ""},
		{"serial", "  - {at: 10s, serial: [{fault: hang, for: 4s}, {fault: hang, for: 7s}]}", []string{"hang-1.2 will be cut short by the end of the load after 6s of its 7s"}, ""},
		{"serial, less than half", "  - {at: 12s, serial: [{fault: hang, for: 4s}, {fault: hang, at: 1s, for: 7s}]}", nil, "chaos[0].serial[1].for: 7s would be cut short by the end of the load, 20s, after 3s"},
		{"parallel", "  - {at: 12s, parallel: [{fault: hang, for: 4s}, {fault: hang, at: 1s, for: 8s}]}", []string{"hang-1.2 will be cut short by the end of the load after 7s of its 8s"}, ""},
		{"one that never comes is told as that", "  - {fault: hang, at: 25s, for: 9s}", nil, "chaos[0].at: 25s is not before the end of the load, 20s: the fault would never strike"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Parse("plan.yaml", []byte(head+c.fault+"\n"))
			switch {
			case c.refused != "":
				if err == nil || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want %s", err, c.refused)
				}
			case err != nil:
				t.Error(err)
			default:
				if diff := cmp.Diff(c.doubts, p.Doubts(nil)); diff != "" {
					t.Errorf("(-want +got): %s", diff)
				}
			}
		})
	}
}
