package analyzers

import (
	"testing"

	"github.com/assay-dev/assay"
)

// Each rule speaks only where its evidence is there, and the most telling one first.
func TestAdvice(t *testing.T) {
	s := func(v float64) assay.Quantity { return stretch(int64(v*1e9), 0, 1e12, 1, "fault", "seen") }
	base := func() assay.FaultResult {
		return assay.FaultResult{Window: assay.FaultWindow{Kind: "hang", Healthy: 2}, State: assay.Recovered, Revert: "verified", Detect: s(1), Isolate: s(.5), Restore: s(8.5), User: s(10), Capacity: s(30)}
	}
	lost := func(x *assay.FaultResult, o assay.Outcome, n int) {
		x.Lost += n
		x.Outcomes = map[string]int{o.String(): n}
	}
	for _, c := range []struct {
		name   string
		change func(x *assay.FaultResult, m *assay.Manifest)
		want   string
	}{
		{"no evidence, no advice", func(*assay.FaultResult, *assay.Manifest) {}, ""},
		{"left behind", func(x *assay.FaultResult, _ *assay.Manifest) { x.Revert = "not verified: stopped" }, "run assay heal and see that nothing is left before the next experiment"},
		{"a hang that nobody saw", func(x *assay.FaultResult, _ *assay.Manifest) {
			lost(x, assay.Timeout, 7)
			x.Detect, x.Isolate, x.Restore = s(10), s(0), s(0)
		}, "7 requests waited in vain while the platform saw nothing wrong: make the liveness probe a real inference with a deadline, not a connect or a status"},
		{"a hang of a platform that tells nothing", func(x *assay.FaultResult, _ *assay.Manifest) {
			lost(x, assay.Timeout, 7)
			x.Detect = assay.NotMeasured(assay.Seconds, "nothing told how the platform reacted")
		}, ""},
		{"a hang that was seen", func(x *assay.FaultResult, m *assay.Manifest) { lost(x, assay.Timeout, 7); m.MaxWait = 30 * sec },
			"7 requests waited for their whole deadline of 30 s: a shorter deadline to the first token, and another instance after it"},
		{"not drained", func(x *assay.FaultResult, _ *assay.Manifest) { lost(x, assay.Reset, 3); x.Window.Kind = "terminate" },
			"the instance was asked to end and 3 requests were lost with it: take it out of routing first, and let its termination grace be longer than the longest answer"},
		{"taken back", func(x *assay.FaultResult, _ *assay.Manifest) { lost(x, assay.CutFIN, 9); x.Returned = 4 },
			"the victim was taken back into routing 4 times while it still failed: ask for several good probes in a row before it is readmitted"},
		{"the only one", func(x *assay.FaultResult, _ *assay.Manifest) { lost(x, assay.Unavailable, 9); x.Window.Healthy = 1 }, "the victim was the only instance ready: keep at least two (min replicas)"},
		{"not retried", func(x *assay.FaultResult, _ *assay.Manifest) { lost(x, assay.Reset, 9) },
			"9 requests failed before their answer began while another instance was ready: let the gateway send such requests again, to another instance"},
		{"nowhere to send them", func(x *assay.FaultResult, _ *assay.Manifest) {
			lost(x, assay.Unavailable, 9)
			x.Window.Kind, x.Window.Target = "scale", assay.WholeTarget
		}, ""},
		{"the only one, and all of it", func(x *assay.FaultResult, _ *assay.Manifest) {
			lost(x, assay.Unavailable, 9)
			x.Window.Kind, x.Window.Target, x.Window.Healthy = "quota", assay.WholeTarget, 1
		}, ""},
		{"retried in vain", func(x *assay.FaultResult, m *assay.Manifest) { lost(x, assay.Reset, 9); m.Attempts = 3 },
			"9 requests failed before their answer began while another instance was ready: let the gateway send such requests again, to another instance; the client's own 3 attempts did not save them"},
		{"429", func(x *assay.FaultResult, _ *assay.Manifest) { lost(x, assay.Throttled, 5) }, "5 requests were answered 429 and not sent again: retry after the time that the answer names"},
		{"429 in spite of retries", func(x *assay.FaultResult, m *assay.Manifest) { lost(x, assay.Throttled, 5); m.Attempts = 3 }, ""},
		{"seen late", func(x *assay.FaultResult, _ *assay.Manifest) { x.Detect, x.Isolate, x.Restore = s(6), s(1), s(3) },
			"detection took 6 s of the 10 s: probe more often, or give up after fewer failures"},
		{"waited for a start", func(x *assay.FaultResult, _ *assay.Manifest) { x.Capacity = s(9.5) }, "users were well when capacity was back, after 9.5 s: keep a spare instance, or make its start shorter"},
		{"a queue that took long to drain", func(x *assay.FaultResult, _ *assay.Manifest) { x.Capacity, x.Slow = s(3), 40 },
			"capacity was back after 3 s and users were well only after 10 s: let the queue be shorter and shed what would wait longer than it is worth"},
		{"streams", func(x *assay.FaultResult, _ *assay.Manifest) { lost(x, assay.CutRST, 12) }, "12 answers were cut after they had begun, which no gateway can retry: let clients resume or ask again"},
	} {
		x, m := base(), assay.Manifest{}
		c.change(&x, &m)
		if got := advise(&assay.Facts{Manifest: &m}, &x); got != c.want {
			t.Errorf("%s: got %q\nwant %q", c.name, got, c.want)
		}
	}
}
