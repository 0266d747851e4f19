package analyzers

import (
	"slices"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// The target is judged by its attempts, and users by what they got and how long it took from the first due on.
func TestRetriedRequests(t *testing.T) {
	run := &factstest.Run{M: quiet().M}
	run.M.Attempts = 3
	run.E = []assay.Event{{Time: sec, Kind: assay.EventPhaseBegin, Phase: "steady", Attrs: map[string]string{"role": "steady", "rate": "10"}},
		{Time: 11 * sec, Kind: assay.EventPhaseEnd, Phase: "steady"}}
	add := func(id uint64, attempt int32, due, took int64, o assay.Outcome) {
		r := assay.Request{ID: id, Attempt: attempt, Phase: "steady", Due: due, Sent: due, End: due + took, Outcome: o, Cold: assay.ColdNo, NoSchedule: attempt > 0}
		if o == assay.OK {
			r.FirstByte, r.FirstToken, r.TokensOut = due+took/2, due+took/2, 2
		}
		run.R = append(run.R, r)
	}
	const n = 100
	for i := range int64(n) {
		due := sec + i*100*msec
		if i%10 != 0 {
			add(uint64(i+1), 0, due, 40*msec, assay.OK)
			continue
		}
		// In 20 ms it is turned away, and served at the second or third attempt, or never.
		add(uint64(i+1), 0, due, 20*msec, assay.Unavailable)
		switch i / 10 {
		case 0:
			add(uint64(i+1), 1, due+50*msec, 20*msec, assay.Unavailable)
			add(uint64(i+1), 2, due+90*msec, 20*msec, assay.Unavailable)
		case 1:
			add(uint64(i+1), 1, due+50*msec, 20*msec, assay.Unavailable)
			add(uint64(i+1), 2, due+90*msec, 40*msec, assay.OK)
		default:
			add(uint64(i+1), 1, due+50*msec, 40*msec, assay.OK)
		}
	}
	slices.SortStableFunc(run.R, func(a, b assay.Request) int { return int(a.Due - b.Due) })
	max := 0.1
	run.M.Objectives = []assay.Objective{{Metric: "e2e/p95", Max: &max, Unit: assay.Seconds}}
	r := assess(t, run, append(reliability[:len(reliability):len(reliability)], "retries")...)
	for _, want := range []struct {
		metric string
		value  float64
		n      int
	}{
		{"retries/ratio", 0.1, n}, {"retries/amplification", 1.12, n}, {"retries/served", 0.9, 10}, {"retries/success", 0.99, n},
		{"error_ratio", 13.0 / 112, 112}, // of attempts
		{"load/offered", 10, n}, {"load/sent", 11.2, 112},
		{"goodput", 9.8, 98}, // all but the one that was not served, and the one that took 130 ms
	} {
		f := r.Find(want.metric)
		if f == nil {
			t.Errorf("%s is missing", want.metric)
			continue
		}
		if q := f.Quantity; q.Value < want.value-1e-9 || q.Value > want.value+1e-9 || q.N != want.n {
			t.Errorf("%s: got %s, want %g of %d", want.metric, q, want.value, want.n)
		}
	}
	// 90 took 40 ms, 8 took 50+40 ms, one 90+40 ms; the one that was never served has no latency.
	if q := r.Find("e2e/max"); q == nil || q.Quantity.N != 99 || q.Quantity.Value < 0.1299 || q.Quantity.Value > 0.1301 {
		t.Errorf("e2e/max %+v", q)
	}
	run.M.Attempts = 0
	if f := assess(t, run, "retries").Find("retries/ratio"); f != nil {
		t.Errorf("a plan without retries: %+v", f)
	}
}
