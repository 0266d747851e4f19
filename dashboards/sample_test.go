package dashboards

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/assay-dev/assay"
)

// Sample reports: what a run of the built-in plan looks like, and what views meet at the edges.

const (
	sec = int64(1e9)
	ms  = int64(1e6)
)

var inf = math.Inf(1)

func at(s float64) int64 { return int64(s * 1e9) }

func est(u assay.Unit, v, lo, hi float64, n int, of, method string) assay.Quantity {
	return assay.Quantity{Value: v, Lo: lo, Hi: hi, Confidence: 0.95, Unit: u, N: n, Of: of, Method: method, Basis: assay.Estimated}
}

func meas(u assay.Unit, v, err float64, n int, of, method string) assay.Quantity {
	return assay.Quantity{Value: v, Lo: v - err, Hi: v + err, Confidence: 1, Unit: u, N: n, Of: of, Method: method, Basis: assay.Measured}
}

func exact(u assay.Unit, v float64, n int, of string) assay.Quantity {
	return meas(u, v, 0, n, of, "count")
}

func maxOf(v float64) *float64 { return &v }

func finding(metric string, l assay.Ledger, q assay.Quantity, pairs ...string) assay.Finding {
	f := assay.Finding{Metric: metric, Ledger: l, Quantity: q}
	for i := 0; i+1 < len(pairs); i += 2 {
		if f.Labels == nil {
			f.Labels = map[string]string{}
		}
		f.Labels[pairs[i]] = pairs[i+1]
	}
	return f
}

func faultOf(id, kind, target string, applied, reverted, detect, isolate, restore float64, lost int, streams map[string]int) assay.FaultResult {
	user := detect + isolate + restore
	return assay.FaultResult{
		Window: assay.FaultWindow{ID: id, Kind: kind, Target: target, Healthy: 2, Armed: at(applied) - 20*ms, Applied: at(applied), Verified: at(applied) + 5*ms,
			Reverted: at(reverted), Clear: at(reverted) + 30*ms, Washout: at(applied + user + 0.5), Effect: "process stopped answering within 5 ms"},
		State: assay.Recovered, Verdict: assay.FaultPass, Outcomes: streams, Slow: lost / 3,
		Life: assay.FaultLife{Inject: meas(assay.Seconds, 0.02, 0, 1, "fault", "stamps"), Effect: meas(assay.Seconds, 0.005, 0, 1, "fault", "stamps"),
			Hold: meas(assay.Seconds, reverted-applied-0.005, 0, 1, "fault", "stamps"), Verify: meas(assay.Seconds, 0.03, 0, 1, "fault", "stamps"),
			Total: meas(assay.Seconds, reverted-applied+0.05, 0, 1, "fault", "stamps")},
		Degraded: est(assay.Seconds, user*float64(lost)/float64(lost+41), user*float64(lost)/float64(lost+50), user*float64(lost)/float64(lost+38), lost+41, "requests", "window and washout × shortfall"),
		Score:    meas(assay.Ratio, 1-user/60, 0.01, lost+41, "requests", "weighted sum of its parts"), Weight: 0.5,
		Parts: []assay.ScorePart{{Name: "availability", Weight: 0.5, Quantity: exact(assay.Ratio, 0.9, lost+41, "requests")}, {Name: "recovery", Weight: 0.3, Quantity: exact(assay.Ratio, 0.8, 1, "fault")},
			{Name: "streams", Weight: 0.2, Quantity: exact(assay.Ratio, 0.95, 40, "streams")}},
		Radius: assay.BlastRadius{Requests: exact(assay.Ratio, float64(lost+lost/3)/float64(lost+41), lost+41, "requests"), Users: assay.NotMeasured(assay.Ratio, "no request tells its user, or a class that could stand for one"),
			UserTime: assay.NotMeasured(assay.Seconds, "no request tells its user")},
		Affected: []assay.Affected{{Request: 301, TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7", Due: at(applied) + 40*ms, Outcome: assay.Reset}},
		Detect:   meas(assay.Seconds, detect, 0.25, 1, "faults", "probe period"), Isolate: meas(assay.Seconds, isolate, 0.25, 1, "faults", "probe period"),
		Restore: meas(assay.Seconds, restore, 0.25, 1, "faults", "probe period"), User: meas(assay.Seconds, user, 0.25, 1, "faults", "probe period"),
		Capacity: meas(assay.Seconds, user+0.6, 0.25, 1, "faults", "probe period"), Lost: lost, Touched: lost + 41, Streams: streams, Revert: "verified",
	}
}

// startOf builds a cold start of consecutive phases with a gap of rest seconds before the last.
func startOf(id, reason string, begin float64, held int, rest float64, phases ...any) assay.Start {
	s := assay.Start{Instance: id, Ledger: assay.Natural, Reason: reason, Begin: at(begin), Held: held, Unattributed: rest}
	t, total := begin, rest
	for i := 0; i < len(phases); i += 2 {
		name, d := phases[i].(string), phases[i+1].(float64)
		if i == len(phases)-2 {
			t += rest
		}
		s.Phases = append(s.Phases, assay.Interval{Name: name, Begin: at(t), End: at(t + d), Resolution: ms})
		s.Shares = append(s.Shares, assay.Share{Name: name, Seconds: d})
		t += d
		total += d
	}
	for i := range s.Shares {
		s.Shares[i].Ratio = meas(assay.Ratio, s.Shares[i].Seconds/total, 0, 1, "instance starts", "critical path")
	}
	s.Total = meas(assay.Seconds, total, 0.002, 1, "instance starts", "clock resolution")
	return s
}

func good(v, lo, hi float64, n int, rest string, pairs ...string) assay.Finding {
	f := finding("goodput/ratio", "", est(assay.Ratio, v, lo, hi, n, "planned requests", "good of planned; Wilson's interval"), pairs...)
	f.Evidence = []string{rest}
	if f.Ledger = assay.Natural; f.Labels["fault"] != "" {
		f.Ledger = assay.Injected
	}
	return f
}

func share(name string, v, lo, hi, secs float64, evidence ...string) assay.Share {
	return assay.Share{Name: name, Seconds: secs, Ratio: est(assay.Ratio, v, lo, hi, 236, "requests", "bootstrap over blocks"), Evidence: evidence}
}

// clean is the built-in plan on the sandbox as it should go: no natural failure, two
// faults survived, all objectives hold.
func clean() *assay.Report {
	r := &assay.Report{
		Schema: assay.Schema, Name: "pre-release", Target: "sandbox tiny (4 layers, width 128)", Simulated: []string{"accelerator metrics"}, Seed: 42,
		Schedule: "9f3c1a7be2d04c55", PlanHash: "4f1c8a90b7d2e613", Attempt: 1, Epoch: 1_795_420_800e9, Begin: sec, End: 115 * sec,
		Decision: assay.Go, Exit: 0, Why: "all four objectives hold", Next: "assay run --url URL --slo ttft/p95=2s     (no faults, at most 300 requests)",
	}
	ttft := est(assay.Seconds, 0.412, 0.371, 0.498, 236, "requests", "order statistic, Hyndman-Fan 1, 30 blocks")
	worst := meas(assay.Seconds, 6.91, 0.1, 4, "instance starts", "clock")
	kill := faultOf("f1", "kill", "w-1", 52, 52.1, 0.3, 0.2, 5.3, 3, map[string]int{"cut_rst": 2, "reset": 1})
	hang := faultOf("f2", "hang", "w-3", 75, 80, 2.0, 0.6, 6.5, 9, map[string]int{"cut_stall": 4, "timeout": 5})
	r.Faults = []assay.FaultResult{kill, hang}
	for _, f := range r.Faults {
		r.Hypotheses = append(r.Hypotheses, assay.Hypothesis{Name: "ttft/p95 ≤ 2 s", Fault: f.Window.ID, Before: assay.Look{OK: "true", Value: "0.41 s", At: f.Window.Armed},
			During: assay.Look{OK: "unknown", At: f.Window.Verified}, After: assay.Look{OK: "true", Value: "0.39 s", At: f.Window.Washout}})
	}
	r.Objectives = []assay.Judgement{
		{Objective: assay.Objective{Metric: "ttft/p95", Max: maxOf(0.8), Unit: assay.Seconds}, Title: "TTFT p95, warm", Quantity: ttft, Verdict: assay.VerdictPass},
		{Objective: assay.Objective{Metric: "cold/start/worst", Max: maxOf(15), Unit: assay.Seconds}, Title: "cold start worst", Quantity: worst, Verdict: assay.VerdictPass},
		{Objective: assay.Objective{Metric: "recovery/user", Labels: map[string]string{"fault": "kill"}, Max: maxOf(15), Unit: assay.Seconds}, Title: "recovery, kill", Quantity: kill.User, Verdict: assay.VerdictPass},
		{Objective: assay.Objective{Metric: "recovery/user", Labels: map[string]string{"fault": "hang"}, Max: maxOf(20), Unit: assay.Seconds}, Title: "recovery, hang", Quantity: hang.User, Verdict: assay.VerdictPass},
	}
	chi := "chi-square, one-sided, no failure seen"
	mtbf := assay.Quantity{Value: math.NaN(), Lo: 23.7, Hi: inf, Confidence: 0.95, Unit: assay.Seconds, Of: "episodes", Method: chi, Basis: assay.Estimated}
	mtbfI := mtbf
	mtbfI.Lo = 58.1
	rate := assay.Quantity{Value: math.NaN(), Lo: math.Inf(-1), Hi: 152, Confidence: 0.95, Unit: assay.PerHour, Of: "episodes", Method: chi, Basis: assay.Estimated}
	rateI := rate
	rateI.Hi = 62
	r.Findings = []assay.Finding{
		finding("availability/natural", assay.Natural, assay.NotEstimable(assay.Ratio, 0, "episodes", "no failure was seen and the plan bounds no recovery time"), "by", "request"),
		finding("availability/natural", assay.Natural, assay.NotEstimable(assay.Ratio, 0, "episodes", "no failure was seen and the plan bounds no recovery time"), "by", "time"),
		finding("mtbf/service", assay.Natural, mtbf), finding("mtbf/instance", assay.Natural, mtbfI),
		finding("failure_rate/service", assay.Natural, rate), finding("failure_rate/instance", assay.Natural, rateI),
		finding("error_ratio", assay.Natural, est(assay.Ratio, 0, 0, 0.0126, 236, "requests", "Clopper-Pearson")),
		finding("recovery/user", assay.Injected, kill.User, "fault", "kill"), finding("recovery/user", assay.Injected, hang.User, "fault", "hang"),
		finding("recovery/user", assay.Injected, hang.User), finding("recovery/capacity", assay.Injected, hang.Capacity),
		good(0.93, 0.901, 0.952, 381, "12 missed ttft/p95 ≤ 0.8 s, 9 timeout, 3 throttled, 3 reset"),
		good(0.969, 0.94, 0.985, 270, "7 missed ttft/p95 ≤ 0.8 s, 1 reset", "phase", "steady"), good(0.834, 0.767, 0.885, 111, "9 timeout, 5 missed ttft/p95 ≤ 0.8 s, 3 throttled, 2 reset", "phase", "return"),
		good(0.64, 0.501, 0.759, 50, "16 timeout, 2 reset", "ledger", "injected", "fault", "hang"),
		finding("score", assay.Injected, meas(assay.Ratio, 0.87, 0.01, 2, "of 2 faults", "weighted mean over faults")),
		finding("recovery/rate", assay.Injected, est(assay.Ratio, 1, 0.158, 1, 2, "faults", "Clopper-Pearson")),
		finding("fault_tolerance", assay.Injected, est(assay.Ratio, 0, 0, 0.842, 2, "faults", "Clopper-Pearson")),
		finding("availability/during/kill", assay.Injected, est(assay.Ratio, 0.932, 0.81, 0.986, 44, "requests", "block bootstrap")),
		finding("availability/during/hang", assay.Injected, est(assay.Ratio, 0.82, 0.69, 0.91, 50, "requests", "block bootstrap")),
		finding("ttft/p50", assay.Natural, est(assay.Seconds, 0.188, 0.181, 0.197, 236, "requests", "order statistic")),
		finding("ttft/p95", assay.Natural, ttft), finding("ttft/p95", assay.Natural, ttft, "phase", "steady"),
		finding("ttft/p99", assay.Natural, assay.NotEstimable(assay.Seconds, 236, "requests", "299 requests are the fewest that bound a p99 at 95 %")),
		finding("itl/p50", assay.Natural, est(assay.Seconds, 0.0061, 0.0060, 0.0063, 7316, "gaps", "order statistic")),
		finding("cold/start/p50", assay.Natural, est(assay.Seconds, 4.11, 2.2, 6.91, 4, "instance starts", "order statistic")),
		finding("cold/start/worst", assay.Natural, worst), finding("cold/held", assay.Natural, exact(assay.Count, 31, 4, "instance starts")),
		finding("cold/share", assay.Natural, est(assay.Ratio, 0.08, 0.05, 0.12, 380, "requests", "block bootstrap"), "of", "requests"),
		finding("cold/phase/weights_fetch", assay.Natural, est(assay.Seconds, 2.745, 1.12, 3.32, 4, "instance starts", "order statistic")),
		finding("cold/phase/warmup", assay.Natural, est(assay.Seconds, 1.34, 0.45, 2.11, 4, "instance starts", "order statistic")),
		finding("scaling/overshoot", assay.Natural, exact(assay.Count, 1, 2, "steps")),
		finding("scaling/to_zero", assay.Natural, assay.NotMeasured(assay.Seconds, "the load never paused for the scale-to-zero grace")),
		finding("overload/refused", assay.Overload, exact(assay.Count, 41, 41, "requests")),
		finding("limit/rate", assay.Overload, est(assay.PerSecond, 11, 10, 12, 4, "steps", "last step that held to first that broke")),
		finding("load/offered", assay.Natural, exact(assay.PerSecond, 8, 236, "requests")), finding("load/sent", assay.Natural, exact(assay.PerSecond, 7.98, 236, "requests")),
	}
	r.Findings[19].Warnings = []string{"4 starts are few: the p50 interval is the whole range"}
	r.Phases = []assay.Phase{
		{Name: "warmup", Role: assay.RoleWarmup, Begin: at(2), End: at(14), Rate: 2}, {Name: "steady", Role: assay.RoleSteady, Begin: at(14), End: at(92), Rate: 5},
		{Name: "stress", Role: assay.RoleStress, Begin: at(92), End: at(108), Rate: 14},
	}
	r.Segments = []assay.Segment{
		{Ledger: assay.Natural, Begin: at(2), End: at(52)}, {Ledger: assay.Injected, Fault: "f1", Begin: at(52), End: at(58.3)},
		{Ledger: assay.Natural, Begin: at(58.3), End: at(75)}, {Ledger: assay.Injected, Fault: "f2", Begin: at(75), End: at(84.6)},
		{Ledger: assay.Natural, Begin: at(84.6), End: at(92)}, {Ledger: assay.Overload, Begin: at(92), End: at(108)},
	}
	r.Episodes = []assay.Episode{{Subject: assay.Service, Ledger: assay.Injected, Fault: "f1", Cause: "crash", BeginLo: at(52), Begin: at(52.1), End: at(57), EndHi: at(57.8), Lost: 3}}
	r.Starts = []assay.Start{
		startOf("w-1", "scale_from_zero", 2.1, 12, 0.21, "schedule", 0.31, "runtime_start", 0.12, "weights_fetch", 3.32, "weights_load", 0.64, "warmup", 2.11, "readiness", 0.20),
		startOf("w-2", "scale_out", 16.4, 0, 0.12, "schedule", 0.02, "runtime_start", 0.10, "weights_fetch", 1.12, "weights_load", 0.31, "warmup", 0.45, "readiness", 0.12),
		startOf("w-3", "replace", 52.4, 8, 0.18, "schedule", 0.05, "runtime_start", 0.11, "weights_fetch", 2.48, "weights_load", 0.52, "warmup", 1.02, "readiness", 0.25),
		startOf("w-4", "replace", 77.6, 11, 0.22, "schedule", 0.04, "runtime_start", 0.14, "weights_fetch", 3.01, "weights_load", 0.77, "warmup", 1.66, "readiness", 0.21),
	}
	r.Starts[2].Ledger, r.Starts[3].Ledger = assay.Injected, assay.Injected
	r.Attribution = []assay.Share{
		share("compute", 0.88, 0.85, 0.91, 181.2, "accelerator busy 0.93 (simulated) while requests waited", "55 % is queueing behind a full batch"),
		share("cold_start", 0.06, 0.04, 0.08, 12.4, "31 requests waited for 4 starts"), share("network", 0.02, 0.01, 0.03, 4.1, "link round trip 1.2 ms"),
		share("storage", 0.01, 0.005, 0.015, 2.0, "weights read at 18 MB/s during starts"), share("memory", 0, 0, 0.004, 0, "KV usage at most 0.41, no preemption"),
		share("concurrency", 0, 0, 0.004, 0, "no wait with an idle accelerator"), share("unexplained", 0.03, 0.02, 0.04, 6.2),
	}
	r.Limit = &assay.Limit{Rate: est(assay.PerSecond, 11, 10, 12, 4, "steps", "last step that held to first that broke"), Cause: "compute", Detail: "decode", Broke: "TTFT p95 passed 800 ms",
		Path: []string{"stress/1 8/s passed: ttft/p95 0.41 s (n=32)", "stress/2 12/s broke: ttft/p95 1.2 s, cut short (15 missed ttft/p95) (n=41)"}}
	q := func(v, e float64) assay.Quantity { return meas(assay.Seconds, v, e, 1, "steps", "clock") }
	r.Scaling = []assay.ScaleStep{
		{At: at(2), From: 0, To: 1, Decide: q(0.1, 0.05), Provision: q(6.81, 0.05), Serve: q(0.33, 0.01), Total: q(7.24, 0.1)},
		{At: at(14), From: 1, To: 2, Decide: q(2.41, 0.05), Provision: q(2.24, 0.05), Serve: q(0.12, 0.01), Total: q(4.77, 0.1)},
	}
	for i := range 8 {
		e2e := 9.42 - float64(i)*0.61
		s := assay.Slow{Request: uint64(301 + 7*i), TraceID: fmt.Sprintf("4bf92f3577b34da6a3ce929d0e0e47%02x", i), Due: at(76 + float64(i)*0.3), E2E: e2e, TTFT: e2e - 0.8, Outcome: assay.OK,
			Cold: assay.ColdNo, Fault: "f2", Shares: []assay.Share{{Name: "cold_start", Seconds: e2e * 0.6}, {Name: "compute", Seconds: e2e * 0.3}, {Name: "unexplained", Seconds: e2e * 0.1}}}
		if i%3 == 0 {
			s.Outcome, s.TTFT, s.Cold = assay.CutStall, 0, assay.ColdYes
		}
		r.Slowest = append(r.Slowest, s)
	}
	law := "universal scalability law by weighted least squares (R² 0.994)"
	knee := meas(assay.PerSecond, 10, 0, 8, "steps of a search", "rate of the step with the largest throughput over residence time")
	knee.Lo, knee.Hi, knee.Confidence = 8, 12, 0.95
	r.Findings = append(r.Findings, finding("limit/knee", assay.Overload, knee),
		finding("usl/lambda", assay.Overload, est(assay.PerSecond, 5.1, 4.6, 5.7, 8, "steps of a search", law)), finding("usl/sigma", assay.Overload, est(assay.Ratio, 0.18, 0.11, 0.25, 8, "steps of a search", law)),
		finding("usl/kappa", assay.Overload, est(assay.Ratio, 0.0094, 0.0061, 0.0127, 8, "steps of a search", law)), finding("usl/peak", assay.Overload, est(assay.PerSecond, 12.2, 11.4, 13.1, 8, "steps of a search", law)),
		finding("usl/peak/concurrency", assay.Overload, est(assay.Count, 9.34, 8.1, 10.8, 8, "steps of a search", law)))
	r.Errors = []assay.ErrorRow{
		{Ledger: assay.Natural, Outcome: assay.OK, Count: 236}, {Ledger: assay.Injected, Outcome: assay.OK, Count: 82},
		{Ledger: assay.Injected, Outcome: assay.Reset, Count: 1, Example: "read: connection reset by peer"}, {Ledger: assay.Injected, Outcome: assay.CutRST, Count: 2, Example: "stream ended after 14 tokens"},
		{Ledger: assay.Injected, Outcome: assay.CutStall, Count: 4, Example: "no byte for 3 s"}, {Ledger: assay.Injected, Outcome: assay.Timeout, Count: 5, Example: "deadline of 30 s passed"},
		{Ledger: assay.Overload, Outcome: assay.OK, Count: 158}, {Ledger: assay.Overload, Outcome: assay.Throttled, Count: 41, Example: "429 Too Many Requests", Retry: 40, RetryMin: 1, RetryMax: 3},
	}
	r.Trust = assay.Trust{Valid: true, Rows: []assay.TrustRow{
		{Name: "late p99", Quantity: meas(assay.Seconds, 0.0002, 0.00001, 529, "requests", "clock"), Limit: "at most 8 ms", OK: true},
		{Name: "dropped", Quantity: exact(assay.Count, 0, 529, "requests"), Limit: "0", OK: true},
		{Name: "spans", Quantity: exact(assay.Ratio, 1, 517, "requests"), Limit: "at least 95 %", OK: true},
		{Name: "gaps in scrapes", Quantity: exact(assay.Count, 0, 228, "scrapes"), Limit: "0", OK: true},
		{Name: "clock step", Quantity: meas(assay.Seconds, 0.00004, 0.00001, 1, "runs", "wall minus monotonic"), Limit: "at most 50 ms", OK: true},
	}, Doubts: []string{"generator and target share one machine: the target had at most one core"}, Machine: "18 µs/request, 1.1 µs/event, safe to 14000/s, calibrated 2026-11-20",
		Lateness: []assay.Bin{{To: 2e-5, N: 41}, {To: 5e-5, N: 322}, {To: 1e-4, N: 140}, {To: 2e-4, N: 21}, {To: 5e-4, N: 4}, {To: 1e-3, N: 0}, {To: 2e-3, N: 1}}}
	r.Series = append(series(r, rand.New(rand.NewPCG(42, 1))), law91()...)
	return r
}

// law91 is throughput by concurrency with a peak.
func law91() []assay.Series {
	x := func(n float64) float64 { return 5.1 * n / (1 + 0.18*(n-1) + 0.0094*n*(n-1)) }
	steps := assay.Series{Name: "usl/steps", Unit: assay.PerSecond, Kind: "scatter"}
	for i, n := range []float64{0.4, 0.9, 1.7, 3.1, 5.2, 8.8, 13, 19} {
		steps.Lo, steps.Values = append(steps.Lo, assay.Num(n)), append(steps.Values, assay.Num(x(n)*(1+0.04*math.Sin(float64(i*i)))))
	}
	fit := assay.Series{Name: "usl/fit", Unit: assay.PerSecond, Kind: "line"}
	for i := 1; i <= 20; i++ {
		fit.Lo, fit.Values = append(fit.Lo, assay.Num(float64(i))), append(fit.Values, assay.Num(x(float64(i))))
	}
	return []assay.Series{steps, fit}
}

// series draws what an analyzer of the time line would: one point a second.
func series(r *assay.Report, rnd *rand.Rand) []assay.Series {
	type gen struct {
		name string
		unit assay.Unit
		kind string
		f    func(t, hurt float64) float64
	}
	noise := func(a float64) float64 { return a * (rnd.Float64() - 0.5) }
	rate := func(t float64) float64 {
		switch {
		case t < 2 || t > 108:
			return 0
		case t < 14:
			return 2
		case t < 92:
			return 5
		}
		return 14
	}
	gens := []gen{
		{"requests/ok", assay.PerSecond, "step", func(t, h float64) float64 {
			return math.Max(0, math.Round(math.Min(rate(t), 11)*(1-0.6*h)+noise(2.4)))
		}},
		{"requests/failed", assay.PerSecond, "step", func(t, h float64) float64 { return math.Round(h * (1.2 + noise(1))) }},
		{"requests/refused", assay.PerSecond, "step", func(t, h float64) float64 { return math.Max(0, math.Round(rate(t)-11+noise(1))) }},
		{"ttft/p50", assay.Seconds, "line", func(t, h float64) float64 { return 0.18 + noise(0.03) + 1.4*h + rate(t)/60 }},
		{"ttft/p95", assay.Seconds, "line", func(t, h float64) float64 {
			if t < 9 {
				return 6.5 - t*0.6
			}
			return 0.38 + noise(0.08) + 5*h + math.Max(0, rate(t)-11)*0.5
		}},
		{"e2e/p95", assay.Seconds, "line", func(t, h float64) float64 { return 0.9 + noise(0.2) + 6*h + math.Max(0, rate(t)-11)*0.7 }},
		{"in_flight", assay.Count, "step", func(t, h float64) float64 { return math.Round(rate(t)*0.5 + 14*h + noise(2)) }},
		{"instances/ready", assay.Count, "step", func(t, h float64) float64 {
			switch {
			case t < 9:
				return 0
			case t < 19:
				return 1
			case h > 0:
				return 1
			}
			return 2
		}},
		{"instances/desired", assay.Count, "step", func(t, h float64) float64 {
			switch {
			case t < 2:
				return 0
			case t < 16:
				return 1
			case t > 95 && t < 108:
				return 3
			}
			return 2
		}},
		{"gpu/busy", assay.Ratio, "line", func(t, h float64) float64 {
			return math.Min(0.98, math.Max(0, rate(t)*0.085+noise(0.1)))
		}},
		{"kv/usage", assay.Ratio, "line", func(t, h float64) float64 { return math.Max(0, rate(t)*0.03+noise(0.05)+0.1*h) }},
		{"queue/waiting", assay.Count, "step", func(t, h float64) float64 { return math.Max(0, math.Round(10*h+math.Max(0, rate(t)-11)*1.5+noise(1))) }},
	}
	hurt := func(t float64) float64 {
		for _, f := range r.Faults {
			b := seconds(f.Window.Applied)
			if u := f.User.Value; t >= b && t < b+u {
				return 1 - (t-b)/u*0.7
			}
		}
		return 0
	}
	var out []assay.Series
	for _, g := range gens {
		s := assay.Series{Name: g.name, Unit: g.unit, Kind: g.kind}
		for t := r.Begin; t < r.End; t += sec {
			x := seconds(t)
			v := g.f(x, hurt(x))
			if strings.HasPrefix(g.name, "ttft") && (x < 2 || x > 110) {
				v = math.NaN()
			}
			s.Times = append(s.Times, t)
			s.Values = append(s.Values, assay.Num(math.Max(v, 0)))
		}
		out = append(out, s)
	}
	for _, e := range []struct {
		name     string
		n        int
		base, by float64
	}{{"ttft/ecdf/warm", 120, 0.12, 0.06}, {"ttft/ecdf/cold", 31, 1.1, 0.9}} {
		s := assay.Series{Name: e.name, Unit: assay.Seconds, Kind: "ecdf"}
		x := e.base
		for i := range e.n {
			x += rnd.ExpFloat64() * e.by / float64(e.n-i)
			s.Values = append(s.Values, assay.Num(x))
			s.Lo = append(s.Lo, assay.Num(float64(i+1)/float64(e.n)))
		}
		out = append(out, s)
	}
	return out
}

// full has something of everything: natural failures, four verdicts, all kinds and states of faults.
func full() *assay.Report {
	r := clean()
	r.Decision, r.Exit, r.Attempt = assay.NoGo, assay.ExitNoGo, 3
	r.Why = "recovery from kill took 18.2 s, more than 15 s: weights_fetch is 56 % of it"
	r.Next = "keep one warm spare, or cut the weights read; then run the same plan again"
	r.Faults[0] = faultOf("f1", "kill", "w-1", 30, 30.1, 0.3, 0.2, 17.7, 23, map[string]int{"cut_rst": 2, "reset": 21})
	r.Faults[1].Window.ID = "f2"
	delay := faultOf("f3", "delay", "link of w-2", 88, 90, 0, 0, 0, 0, nil)
	delay.State = assay.Tolerated
	void := faultOf("f4", "cut", "link of w-9", 62, 63, 0, 0, 0, 0, nil)
	void.State, void.Window.Void, void.Window.Applied, void.Window.Reverted, void.Revert = assay.VoidFault, "the instance had already left", 0, 0, "not needed"
	for _, q := range []*assay.Quantity{&void.Detect, &void.Isolate, &void.Restore, &void.User, &void.Capacity} {
		*q = assay.NotMeasured(assay.Seconds, "the fault was not in effect")
	}
	void.Verdict, void.Why, void.Score, void.Parts, void.Degraded, void.Affected = assay.FaultVoid, "the instance had already left", assay.NotMeasured(assay.Ratio, "it was not in effect"), nil, void.User, nil
	void.Life = assay.FaultLife{Inject: void.User, Effect: void.User, Hold: void.User, Verify: void.User, Total: void.User}
	unmeasured := void
	unmeasured.Window.ID, unmeasured.Window.Kind, unmeasured.Window.Target, unmeasured.Window.Void = "f5", "kill", "w-2", ""
	unmeasured.Window.Applied, unmeasured.Window.Reverted, unmeasured.State, unmeasured.Revert = at(66), at(66.1), assay.Unmeasured, "self"
	unmeasured.Verdict, unmeasured.Why = assay.FaultUnmeasured, "the victim carried too little traffic to be felt: about 1.2 requests"
	r.Faults[0].Verdict, r.Faults[0].Why = assay.FaultFail, `the goal "recovery, kill" is missed`
	r.Faults[0].Advice = "21 requests failed before their answer began while another instance was ready: let the gateway send such requests again, to another instance"
	r.Faults = []assay.FaultResult{r.Faults[0], void, unmeasured, r.Faults[1], delay}
	r.Hypotheses = append(r.Hypotheses, assay.Hypothesis{Name: "error_ratio ≤ 1 %", Fault: "f1", Before: assay.Look{OK: "true", Value: "0 %", At: at(29)}, During: assay.Look{OK: "false", Value: "41 %", At: at(33)}, After: assay.Look{OK: "true", Value: "0 %", At: at(50)}})
	r.Faults[3].Warnings = []string{"the washout of f2 was cut short by the next phase"}
	r.Objectives[2].Quantity = r.Faults[0].User
	r.Objectives[2].Verdict, r.Objectives[2].Why = assay.VerdictFail, "the whole interval is above 15 s"
	r.Objectives = append(r.Objectives,
		assay.Judgement{Objective: assay.Objective{Metric: "ttft/p99", Max: maxOf(2), Unit: assay.Seconds}, Title: "TTFT p99, warm", Quantity: r.Find("ttft/p99").Quantity,
			Verdict: assay.VerdictInconclusive, Enough: "at least 299 requests in steady phases, or ask for p95"},
		assay.Judgement{Objective: assay.Objective{Metric: "availability/natural", Min: maxOf(0.995), Unit: assay.Ratio}, Title: "availability, natural",
			Quantity: est(assay.Ratio, 0.99714, 0.9892, 0.9996, 2, "episodes", "bootstrap over episodes"), Verdict: assay.VerdictInconclusive, Why: "the interval straddles 99.5 %", Enough: "about 40 min of load"})
	for i := range r.Findings {
		f := &r.Findings[i]
		switch f.Metric {
		case "availability/natural":
			f.Quantity = est(assay.Ratio, 0.99714, 0.9892, 0.9996, 2, "episodes", "bootstrap over episodes")
		case "mtbf/service":
			f.Quantity = est(assay.Seconds, 35.5, 9.8, 293, 2, "episodes", "chi-square")
		case "failure_rate/service":
			f.Quantity = est(assay.PerHour, 101, 12.3, 366, 2, "episodes", "chi-square")
		case "recovery/user":
			if f.Labels["fault"] != "hang" {
				f.Quantity = r.Faults[0].User
			}
		case "recovery/rate":
			f.Quantity = est(assay.Ratio, 1, 0.158, 1, 2, "faults", "Clopper-Pearson")
		case "score":
			f.Quantity = assay.Quantity{Value: 0.62, Lo: 0.6, Hi: 0.86, Confidence: 1, Unit: assay.Ratio, N: 3, Of: "of 5 faults", Method: "weighted mean over faults", Basis: assay.Measured}
		case "fault_tolerance":
			f.Quantity = est(assay.Ratio, 1.0/3, 0.0084, 0.906, 3, "faults", "Clopper-Pearson")
		}
	}
	r.Episodes = append(r.Episodes, assay.Episode{Subject: assay.Service, Ledger: assay.Natural, Cause: "oom", BeginLo: at(20), Begin: at(20.2), End: at(20.6), EndHi: at(21), Lost: 1},
		assay.Episode{Subject: assay.Service, Ledger: assay.Natural, Cause: "unknown", BeginLo: at(70), Begin: at(70.1), End: at(70.2), EndHi: at(70.4), Lost: 1},
		assay.Episode{Subject: assay.InstanceOf, Ledger: assay.Natural, Instance: "w-2", Cause: "oom", BeginLo: at(20), Begin: at(20.2), End: at(20.6), EndHi: at(21)})
	r.Warnings = []string{"2 spans arrived after the run had ended"}
	r.Limit.Doubts = []string{"10.4/s too close to call with so few requests"}
	r.Series = series(r, rand.New(rand.NewPCG(7, 1)))
	return r
}

// empty is what is left of a run that stopped before it saw anything.
func empty() *assay.Report {
	return &assay.Report{Schema: assay.Schema, Name: "nothing", Target: "http://127.0.0.1:9", Seed: 1, Begin: sec, End: sec + 1500*ms,
		Decision: assay.Undecided, Exit: assay.ExitInconclusive, Why: "no request was sent",
		Findings: []assay.Finding{finding("mtbf/service", assay.Natural, assay.NotMeasured(assay.Seconds, "nothing was watched"))},
		Trust:    assay.Trust{Valid: true}}
}

// invalid is a run whose generator fell behind.
func invalid() *assay.Report {
	r := clean()
	r.Decision, r.Exit, r.Why = assay.InvalidRun, assay.ExitInvalid, "requests were sent 41 ms late at p99; the most that the objectives allow is 8 ms"
	r.Next = "give the generator a core of its own, or lower the rate"
	for i := range r.Objectives {
		r.Objectives[i].Verdict, r.Objectives[i].Why = assay.VerdictInvalid, "the run could not measure"
	}
	for i := range r.Faults {
		r.Faults[i].Verdict, r.Faults[i].Why = assay.FaultUnmeasured, "the run could not measure"
	}
	r.Trust.Valid = false
	r.Trust.Problems = []string{"send lateness p99 41 ms is above 8 ms", "17 requests were not recorded"}
	r.Trust.Rules = []string{"lateness/p99", "unrecorded"}
	r.Trust.Rows[0].Quantity, r.Trust.Rows[0].OK = meas(assay.Seconds, 0.041, 1e-5, 529, "requests", "clock"), false
	r.Trust.Rows[1].Quantity, r.Trust.Rows[1].OK = exact(assay.Count, 17, 529, "requests"), false
	r.Series = nil
	return r
}

// remains is a run that could not verify that its fault is gone.
func remains() *assay.Report {
	r := clean()
	r.Decision, r.Exit, r.Why = assay.FaultMayRemain, assay.ExitFaultMayRemain, "the undo of hang on w-3 could not be verified"
	r.Next = "assay heal runs/20261123-demo"
	r.Faults[1].Window.Remains, r.Faults[1].Window.Clear, r.Faults[1].Revert = "process 4711 may still be stopped", 0, "not verified"
	r.Faults[1].State, r.Faults[1].Verdict, r.Faults[1].Why = assay.Unrecovered, assay.FaultFail, "its revert is not verified: process 4711 may still be stopped"
	r.Faults[1].Advice = "run assay heal and see that nothing is left before the next experiment"
	r.Faults[1].User = assay.NotEstimable(assay.Seconds, 1, "faults", "the run ended before users had recovered")
	r.Faults[1].Restore = r.Faults[1].User
	r.Series = r.Series[:2]
	return r
}

// long has names that no layout was made for.
func long() *assay.Report {
	r := clean()
	r.Name = strings.Repeat("a-very-long-run-name-", 6)
	r.Target = "https://" + strings.Repeat("inference.", 12) + "example.internal/v1"
	r.Objectives[0].Title = "time to first token, 95th percentile, warm requests of the tenant with the longest name in the whole company, Zeichenkettenlängenüberschreitung"
	r.Faults[0].Window.Kind = "network-partition-between-zones"
	r.Faults[0].Streams = map[string]int{"cut_rst": 120, "cut_stall": 31, "cut_fin": 7, "timeout": 2}
	r.Attribution[0].Evidence = []string{strings.Repeat("evidence that goes on and on ", 10)}
	r.Starts[0].Instance = "deployment-llama-3-70b-instruct-7d9f8c6b5-x2x9p"
	r.Slowest[0].TraceID = strings.Repeat("f", 64)
	r.Series = r.Series[:4]
	return r
}

// hostile has strings that a target could have chosen.
func hostile() *assay.Report {
	r := clean()
	bad := "<script>alert(1)</script>|`x`\n\x1b[31mred\u202egnp\"'&]]>{{.}}"
	r.Name, r.Target, r.Why, r.Next = bad, bad, bad, bad
	r.Decision, r.Exit = assay.NoGo, assay.ExitNoGo
	r.Simulated = []string{bad}
	r.Objectives[0].Title, r.Objectives[0].Verdict, r.Objectives[0].Why, r.Objectives[0].Enough = bad, assay.VerdictFail, bad, bad
	r.Faults[0].Window.Kind, r.Faults[0].Window.Target, r.Faults[0].Revert = bad, bad, bad
	r.Faults[0].Streams, r.Faults[0].Outcomes = map[string]int{bad: 3}, map[string]int{bad: 3}
	r.Faults[0].Warnings, r.Faults[0].Why, r.Faults[0].Verdict, r.Faults[0].Advice = []string{bad}, bad, assay.FaultFail, bad
	r.Faults[1].Verdict = assay.FaultVerdict(bad)
	r.Hypotheses[0] = assay.Hypothesis{Name: bad, Fault: bad, Before: assay.Look{OK: bad, Value: bad, Text: bad}}
	r.Starts[0].Instance, r.Starts[0].Phases[0].Name, r.Starts[0].Shares[0].Name = bad, bad, bad
	r.Attribution[0].Name, r.Attribution[0].Evidence = bad, []string{bad}
	r.Limit.Cause, r.Limit.Broke = bad, bad
	r.Limit.Doubts, r.Limit.Path = []string{bad}, []string{bad}
	r.Phases[0].Name = bad
	r.Slowest[0].TraceID, r.Slowest[0].Fault = bad, bad
	r.Slowest[0].Shares[0].Name = bad
	r.Errors[0].Example = bad
	r.Findings[0].Quantity.Reason, r.Findings[1].Labels = bad, map[string]string{bad: bad}
	r.Findings[2].Quantity.Method, r.Findings[2].Evidence = bad, []string{bad}
	r.Trust.Doubts, r.Trust.Problems, r.Warnings = []string{bad}, []string{bad}, []string{bad}
	r.Trust.Rows[0].Name, r.Trust.Rows[0].Limit = bad, bad
	r.Trust.Rules, r.Trust.Machine = []string{bad}, bad
	r.Series = append(r.Series[:3], assay.Series{Name: bad, Unit: assay.Unit(bad), Times: []int64{sec}, Values: []assay.Num{1}})
	return r
}

// samples are all of them by name, in order.
func samples() []struct {
	name   string
	report *assay.Report
} {
	return []struct {
		name   string
		report *assay.Report
	}{{"clean", clean()}, {"full", full()}, {"empty", empty()}, {"invalid", invalid()}, {"remains", remains()}, {"long", long()}, {"hostile", hostile()}}
}
