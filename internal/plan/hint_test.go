package plan

import "testing"

// What was meant by a value that cannot be read is said where it is known.
func TestHints(t *testing.T) {
	const head = "apiVersion: assay/v1\nname: t\ntarget: {kind: sandbox}\n"
	load := func(length string) string {
		return "load: [{name: a, for: " + length + ", arrivals: {even: {rate: 2/s}}}]\n"
	}
	for _, c := range []struct{ plan, want string }{
		{head + load("10s") + "chaos: [{fault: kill, at: 1s, every: 30s}]\n", `plan.yaml:5:38: chaos[0].every: "30s" is a time, and every is one in so many requests; to strike again and again write repeat: {every: 30s, times: 3}`},
		{head + load("10s") + "chaos: [{fault: http, at: 1s, for: 2s, every: often}]\n", `plan.yaml:5:47: chaos[0].every: "often" is not a whole number`},
		{head + load("10s") + "chaos: [{fault: hang, at: 1s, for: -5s}]\n", `plan.yaml:5:36: chaos[0].for: "-5s" is negative; want how long the fault is held, for example 5s; leave it out where it strikes once`},
		{head + load("10s") + "chaos: [{serial: [{fault: hang, at: -1s}], at: 1s}]\n", `plan.yaml:5:37: chaos[0].serial[0].at: "-1s" is negative; a duration here is 0 or more`},
		{head + load("-10s"), `plan.yaml:4:23: load[0].for: "-10s" is negative; want how long the phase lasts, for example 10s`},
	} {
		if _, err := Parse("plan.yaml", []byte(c.plan)); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.plan, err, c.want)
		}
	}
}
