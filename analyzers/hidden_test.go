package analyzers

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// got makes the request of an answer.
func got(id uint64, instance string, due, took int64, cold assay.Cold, outcome assay.Outcome) assay.Request {
	r := assay.Request{ID: id, Instance: instance, Due: due, Sent: due, End: due + took, Outcome: outcome, Cold: cold, NoSchedule: true}
	if outcome == assay.OK {
		r.FirstByte, r.FirstToken = r.End, r.End
	}
	return r
}

// hidden is what a test looks at of an episode of an instance.
type hidden struct {
	Ledger     assay.Ledger
	Cause      string
	Confidence assay.Confidence
	Begin      int64 // ms
	Lost       int
}

func hiddenOf(r *assay.Report) []hidden {
	var out []hidden
	for _, e := range r.Episodes {
		if e.Subject == assay.InstanceOf {
			out = append(out, hidden{e.Ledger, e.Cause, e.Confidence, e.Begin / msec, e.Lost})
		}
	}
	return out
}

// Ollama, as it answered in a recording: the first answer is cold, the second warm, the third cold after five idle seconds, and the fourth cold because its
// runner was killed right after the third. All say 200.
func TestHiddenRestartOfOllama(t *testing.T) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 30 * sec}}}
	run.R = []assay.Request{
		got(1, "ollama", 1*sec, 1128569_000, assay.ColdYes, assay.OK), // load_duration 263.6 ms
		got(2, "ollama", 3*sec, 4443269_000, assay.ColdNo, assay.OK),  // 0.96 ms
		got(3, "ollama", 13*sec, 2079798_000, assay.ColdYes, assay.OK),
		got(4, "ollama", 15500*msec, 1130*msec, assay.ColdYes, assay.OK), // 255 ms, and 420 ms after the answer before it
	}
	r := assess(t, run, "episodes", "mtbf")
	want := []hidden{{assay.Planned, "restart", "", 13_000, 0}, {assay.Natural, "restart", assay.ConfidenceLow, 15_500, 0}}
	if d := cmp.Diff(want, hiddenOf(r)); d != "" {
		t.Errorf("(-want +got)\n%s\n%+v", d, r.Episodes)
	}
	if e := r.Episodes[1].Evidence; len(e) != 2 || e[0] != "an answer was cold 420 ms after one that was warm" {
		t.Errorf("evidence %q", e)
	}
	if e := r.Episodes[0].Evidence; len(e) != 2 || !strings.HasPrefix(e[1], "explained: it had been idle for 5.56 s") {
		t.Errorf("evidence of the planned one %q", e)
	}
	f := r.Find("mtbf/instance")
	if f.Quantity.N != 1 || len(f.Warnings) != 2 || !strings.Contains(f.Warnings[0], "of 1 failures 1 are of low confidence") {
		t.Errorf("MTBF %s, warnings %q", f.Quantity, f.Warnings)
	}
}

// Where nobody says who answered, a cold answer after a warm one may be one instance more: it is a failure only of a target that is one server.
func TestColdAnswersOfNobody(t *testing.T) {
	for kind, want := range map[string][]hidden{
		"csv":         nil,
		"lambda":      nil,
		"ollama":      {{assay.Natural, "restart", assay.ConfidenceLow, 15_500, 0}},
		"logs+ollama": {{assay.Natural, "restart", assay.ConfidenceLow, 15_500, 0}},
	} {
		run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, Target: assay.Target{Kind: kind}, End: assay.Ending{Status: assay.EndComplete, At: 30 * sec}}}
		run.R = []assay.Request{got(1, "", 14*sec, 80*msec, assay.ColdNo, assay.OK), got(2, "", 15*sec, 80*msec, assay.ColdNo, assay.OK),
			got(3, "", 15500*msec, 1130*msec, assay.ColdYes, assay.OK), got(4, "", 17*sec, 80*msec, assay.ColdNo, assay.OK)}
		if d := cmp.Diff(want, hiddenOf(assess(t, run, "episodes"))); d != "" {
			t.Errorf("%s (-want +got)\n%s", kind, d)
		}
	}
}

// BenchmarkLives is a platform that starts an instance every second for a day.
func BenchmarkLives(b *testing.B) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 86_401 * sec}}}
	for i := range int64(86_400) {
		id := fmt.Sprintf("p%d", i%2000)
		run.E = append(run.E, happened(i*sec+1, assay.EventInstanceStarted, id, "k8s", sec), happened(i*sec+1, assay.EventInstanceReady, id, "k8s", sec), happened((i+1)*sec, assay.EventInstanceExited, id, "k8s", sec))
		outcome := assay.OK
		if i%100 == 0 {
			outcome = assay.Timeout
		}
		run.R = append(run.R, got(uint64(i+1), id, i*sec+1, 20*msec, assay.ColdUnknown, outcome))
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := facts.Compute(b.Context(), run); err != nil {
			b.Fatal(err)
		}
	}
}

// A function whose runtime exits answers 502 and tells of no init: the next answer is cold, and who lost a request makes it more than a guess.
func TestHiddenRestartOfAFunction(t *testing.T) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 30 * sec}}}
	run.R = []assay.Request{
		got(1, "stream", 1*sec, 458*msec, assay.ColdYes, assay.OK),
		got(2, "stream", 1500*msec, 22*msec, assay.ColdNo, assay.OK),
		got(3, "stream", 1600*msec, 4*msec, assay.ColdUnknown, assay.ServerError),
		got(4, "stream", 1650*msec, 425*msec, assay.ColdYes, assay.OK),
		got(5, "stream", 2200*msec, 22*msec, assay.ColdNo, assay.OK),
	}
	want := []hidden{{assay.Natural, "restart", assay.ConfidenceMedium, 1600, 1}}
	if d := cmp.Diff(want, hiddenOf(assess(t, run, "episodes"))); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// What ends an instance and starts it anew, and what each kind of it counts as.
func TestHiddenRule(t *testing.T) {
	base := func() *factstest.Run {
		run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 100 * sec}}}
		run.E = []assay.Event{
			happened(1*sec, assay.EventInstanceCreated, "p", "k8s", sec), happened(2*sec, assay.EventInstanceStarted, "p", "k8s", sec), happened(5*sec, assay.EventInstanceReady, "p", "k8s", sec),
		}
		for i := range int64(90) {
			run.R = append(run.R, got(uint64(i+1), "p", 6*sec+i*sec, 100*msec, assay.ColdNo, assay.OK))
		}
		return run
	}
	again := func(run *factstest.Run) {
		run.E = append(run.E, happened(52*sec, assay.EventInstanceStarted, "p", "k8s", sec), happened(55*sec, assay.EventInstanceReady, "p", "k8s", sec))
	}
	exit := func(run *factstest.Run, pairs ...string) {
		run.E = append(run.E, happened(50*sec, assay.EventInstanceExited, "p", "k8s", sec, pairs...))
	}
	lose := func(run *factstest.Run) {
		for i := range run.R {
			if r := &run.R[i]; r.Due >= 50*sec && r.Due < 52*sec {
				r.Outcome, r.FirstToken = assay.Refused, 0
			}
		}
	}
	counter := func(at int64) gauge {
		return gauge{"vllm:generation_tokens_total", []assay.Label{{Name: "pod", Value: "p"}}, func(t int64) float64 {
			if t >= at {
				return float64(t - at)
			}
			return float64(t)
		}}
	}
	for _, c := range []struct {
		name string
		make func(run *factstest.Run)
		want []hidden
	}{
		{"killed for memory", func(run *factstest.Run) {
			exit(run, "reason", "oom", "code", "137", "signal", "killed")
			again(run)
			lose(run)
		},
			[]hidden{{assay.Natural, "oom", assay.ConfidenceHigh, 50_000, 2}}},
		{"reason not known, killed", func(run *factstest.Run) { exit(run, "reason", "unknown", "signal", "killed"); again(run) },
			[]hidden{{assay.Natural, "restart", assay.ConfidenceHigh, 50_000, 0}}},
		{"a status alone, drained before", func(run *factstest.Run) {
			run.E = append(run.E, happened(49*sec, assay.EventInstanceDraining, "p", "k8s", sec))
			exit(run, "reason", "crash", "code", "1")
		}, []hidden{{assay.Planned, "crash", "", 50_000, 0}}},
		{"a status alone, nobody lost a request and it stays down", func(run *factstest.Run) { exit(run, "reason", "unknown", "code", "1"); run.R = run.R[:40] },
			[]hidden{{assay.Planned, "exit", "", 50_000, 0}}},
		{"a status and lost requests", func(run *factstest.Run) { exit(run, "reason", "unknown", "code", "1"); lose(run) },
			[]hidden{{assay.Natural, "exit", assay.ConfidenceHigh, 50_000, 2}}},
		{"in order, and nobody knows why", func(run *factstest.Run) { exit(run, "reason", "unknown", "code", "0"); again(run) },
			[]hidden{{assay.Planned, "unexplained restart", "", 50_000, 0}}},
		{"in order, and the autoscaler wanted it", func(run *factstest.Run) {
			run.E = append(run.E, happened(10*sec, assay.EventScale, "", "k8s", 0, "desired", "2"), happened(48*sec, assay.EventScale, "", "k8s", 0, "desired", "1"))
			exit(run, "reason", "unknown", "code", "0")
			again(run)
		}, []hidden{{assay.Planned, "exit", "", 50_000, 0}}},
		{"in order, in a rollout", func(run *factstest.Run) {
			run.E = append(run.E, happened(45*sec, "rollout", "", "k8s", 0))
			exit(run, "reason", "unknown")
			again(run)
		}, []hidden{{assay.Planned, "exit", "", 50_000, 0}}},
		{"two starts and no end", func(run *factstest.Run) { again(run); lose(run) }, []hidden{{assay.Natural, "restart", assay.ConfidenceMedium, 50_000, 2}}},
		{"two starts and no end, and a request in flight that never ended well", func(run *factstest.Run) {
			again(run)
			run.R[20].Outcome, run.R[20].FirstToken, run.R[20].End = assay.Timeout, 0, run.R[20].Due+30*sec // due at 26 s
		}, []hidden{{assay.Natural, "restart", assay.ConfidenceMedium, 51_100, 1}}},
		{"only the counters tell", func(run *factstest.Run) { run.Q = counter(50 * sec) }, []hidden{{assay.Natural, "restart", assay.ConfidenceLow, 50_000, 0}}},
		{"only the counters tell, and requests were lost", func(run *factstest.Run) { run.Q = counter(50 * sec); lose(run) },
			[]hidden{{assay.Natural, "restart", assay.ConfidenceMedium, 50_000, 1}}},
		{"counters that begin again with a crash", func(run *factstest.Run) {
			exit(run, "reason", "crash")
			again(run)
			run.Q = counter(53 * sec)
		}, []hidden{{assay.Natural, "crash", assay.ConfidenceHigh, 50_000, 0}}},
		{"readiness lost in the instant of the exit, told after it", func(run *factstest.Run) {
			exit(run, "reason", "evicted")
			run.E = append(run.E, happened(50*sec, assay.EventInstanceUnready, "p", "k8s", sec))
			lose(run)
		}, []hidden{{assay.Natural, "evicted", assay.ConfidenceHigh, 50_000, 2}}},
		{"readiness lost in the instant of the exit, told before it", func(run *factstest.Run) {
			run.E = append(run.E, happened(50*sec, assay.EventInstanceUnready, "p", "k8s", sec))
			exit(run, "reason", "oom", "code", "137")
			again(run)
			lose(run)
		}, []hidden{{assay.Natural, "oom", assay.ConfidenceHigh, 50_000, 2}}},
		{"readiness told lost after the exit", func(run *factstest.Run) {
			exit(run, "reason", "oom", "code", "137")
			run.E = append(run.E, happened(51*sec, assay.EventInstanceUnready, "p", "k8s", sec))
			lose(run)
		}, []hidden{{assay.Natural, "oom", assay.ConfidenceHigh, 50_000, 2}}},
		{"readiness lost a while before the exit", func(run *factstest.Run) {
			run.E = append(run.E, happened(47*sec, assay.EventInstanceUnready, "p", "k8s", sec))
			exit(run, "reason", "oom", "code", "137")
			lose(run)
		}, []hidden{{assay.Natural, "oom", assay.ConfidenceHigh, 47_000, 2}}},
		{"readiness lost before an exit that tells nothing", func(run *factstest.Run) {
			run.E = append(run.E, happened(47*sec, assay.EventInstanceUnready, "p", "k8s", sec))
			exit(run, "reason", "unknown")
			lose(run)
		}, []hidden{{assay.Natural, "instance.unready", "", 47_000, 2}}},
		{"before anything was watched", func(run *factstest.Run) {
			exit(run, "reason", "oom", "code", "137")
			run.R = run.R[60:]
		}, nil},
		{"nothing", func(*factstest.Run) {}, nil},
	} {
		run := base()
		c.make(run)
		r := assess(t, run, "episodes")
		if d := cmp.Diff(c.want, hiddenOf(r)); d != "" {
			t.Errorf("%s (-want +got)\n%s\n%+v", c.name, d, r.Episodes)
		}
	}
}

// Where nothing but metrics was recorded, instances are those whose engines have series, and a reset of these is a restart.
func TestHiddenRestartInMetricsAlone(t *testing.T) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, End: assay.Ending{Status: assay.EndComplete, At: 1000 * sec}}}
	run.Q = gauge{"vllm:generation_tokens_total", []assay.Label{{Name: "instance", Value: "gpu-1:8000"}}, func(t int64) float64 {
		if t < 100*sec {
			return math.NaN()
		}
		return float64(t % (600 * sec))
	}}
	r := assess(t, run, "episodes", "mtbf")
	if d := cmp.Diff([]hidden{{assay.Natural, "restart", assay.ConfidenceLow, 600_000, 0}}, hiddenOf(r)); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if q := r.Find("mtbf/instance").Quantity; q.N != 1 || math.Abs(q.Value-900) > 2 {
		t.Errorf("MTBF %s, want about 900 s in which it was seen", q)
	}
}
