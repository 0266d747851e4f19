package analyzers

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

var update = flag.Bool("update", false, "write golden files")

const (
	sec  = factstest.Second
	msec = int64(1e6)
)

func full() bool { return os.Getenv("ASSAY_FULL") != "" }

// only returns the named kinds.
func only(names ...string) []Kind {
	var out []Kind
	for _, k := range Kinds() {
		if slices.Contains(names, k.Name) {
			out = append(out, k)
		}
	}
	return out
}

// reliability are the kinds that this file's tests are about.
var reliability = []string{"episodes", "recovery", "mtbf", "availability", "latency", "load", "overload", "errors", "slowest", "validity"}

func assess(t testing.TB, run *factstest.Run, kinds ...string) *assay.Report {
	t.Helper()
	if kinds == nil {
		kinds = reliability
	}
	r, err := Assess(context.Background(), run, Options{Kinds: only(kinds...)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func float(v float64) *float64 { return &v }

// gameDay is half a minute of warm load, a kill and a hang, at two instances.
func gameDay() factstest.Deployment {
	return factstest.Deployment{
		Instances: 2, Rate: 8, Warmup: 10 * sec, For: 110 * sec, Sigma: .3, Slowdown: 12, Tokens: 8,
		Faults: []factstest.Fault{
			{Kind: "kill", At: 40 * sec, For: sec, Detect: 200 * msec, Eject: 100 * msec, Start: 4 * sec},
			{Kind: "hang", At: 80 * sec, For: 12 * sec, Detect: 1500 * msec, Eject: 500 * msec, Start: 5 * sec},
		},
	}
}

func objectives() []assay.Objective {
	return []assay.Objective{
		{Metric: "ttft/p95", Labels: map[string]string{"phase": "steady"}, Max: float(.8)},
		{Metric: "recovery/user", Labels: map[string]string{"fault": "kill"}, Max: float(15)},
		{Metric: "recovery/user", Labels: map[string]string{"fault": "hang"}, Max: float(20)},
		{Metric: "error_ratio", Max: float(.01)},
	}
}

func TestGameDay(t *testing.T) {
	run, truth := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	run.M.Objectives = objectives()
	r := assess(t, run)
	if r.Decision != assay.Go || r.Exit != 0 || r.Why != "4/4 gated objectives hold; availability not estimable" {
		t.Errorf("got %s, exit %d: %s", r.Decision, r.Exit, r.Why)
	}
	for _, j := range r.Objectives {
		if j.Verdict != assay.VerdictPass {
			t.Errorf("%s: %s, %s (%s)", j.Title, j.Verdict, j.Quantity, j.Why)
		}
	}
	kill, hang := &r.Faults[0], &r.Faults[1]
	if kill.State != assay.Recovered || hang.State != assay.Recovered || kill.Revert != "verified" {
		t.Errorf("states %s, %s; revert %s", kill.State, hang.State, kill.Revert)
	}
	if hang.Lost == 0 || hang.Streams["timeout"]+hang.Streams["cut_stall"] != hang.Lost {
		t.Errorf("hang lost %d, streams %v", hang.Lost, hang.Streams)
	}
	for i, x := range r.Faults {
		want := seconds(truth.Ends[i] - x.Window.Applied)
		if x.Capacity.Lo > want || x.Capacity.Hi < want || math.Abs(x.Capacity.Value-want) > .25 {
			t.Errorf("%s: capacity %s, truth %g", x.Window.Kind, x.Capacity, want)
		}
		// Slow while the instance is missing, so users are well again about when it is back.
		if math.Abs(x.User.Value-want) > .8 {
			t.Errorf("%s: users %s, truth %g", x.Window.Kind, x.User, want)
		}
	}
	if math.Abs(kill.Detect.Value-.2) > 1e-6 || math.Abs(kill.Isolate.Value-.1) > 1e-6 || math.Abs(hang.Detect.Value-1.5) > 1e-6 || math.Abs(hang.Isolate.Value-.5) > 1e-6 {
		t.Errorf("stages: kill %s, %s; hang %s, %s", kill.Detect, kill.Isolate, hang.Detect, hang.Isolate)
	}
	m := r.Find("mtbf/service").Quantity
	natural := 0.0
	for _, s := range r.Segments {
		if s.Ledger == assay.Natural {
			natural += seconds(s.End - s.Begin)
		}
	}
	if m.N != 0 || !math.IsNaN(m.Value) || !math.IsInf(m.Hi, 1) || math.Abs(m.Lo-natural/math.Log(20)) > .2 {
		t.Errorf("MTBF %s after %g s of natural time", m, natural)
	}
	if q := r.Find("recovery/rate").Quantity; q.Value != 1 || q.N != 2 || math.Abs(q.Lo-.1581) > 1e-4 {
		t.Errorf("recovery rate %s", q)
	}
	if q := r.Find("fault_tolerance").Quantity; q.Value != 0 || math.Abs(q.Hi-.8419) > 1e-4 {
		t.Errorf("fault tolerance %s", q)
	}
	if q := r.Find("availability/natural").Quantity; q.Known() || !strings.HasPrefix(q.Reason, "not estimable, because") {
		t.Errorf("availability %s", q)
	}
	if q := r.Find("availability/during/hang").Quantity; !(q.Value > .5 && q.Value < 1) || q.Basis != assay.Measured {
		t.Errorf("availability during the hang %s", q)
	}
	if !r.Trust.Valid || len(r.Slowest) != slowestN {
		t.Errorf("trust %+v, %d slowest", r.Trust, len(r.Slowest))
	}
}

// Whatever happens, the three parts of a recovery sum to it.
func TestStagesSumToRecovery(t *testing.T) {
	n := 60
	if full() {
		n = 2000
	}
	states := map[assay.FaultState]int{}
	for seed := range uint64(n) {
		rng := rand.New(rand.NewPCG(seed, 7))
		d := factstest.Deployment{Instances: 1 + rng.IntN(3), Rate: 1 + 12*rng.Float64(), For: int64(20+rng.IntN(60)) * sec, Sigma: .4, Slowdown: 1 + 8*rng.Float64()}
		if rng.IntN(3) == 0 {
			d.MTBF, d.MTTR = 30, 3
		}
		at := 2 * sec
		for range 1 + rng.IntN(4) {
			at += int64(rng.Float64() * 25e9)
			f := factstest.Fault{Kind: []string{"kill", "hang"}[rng.IntN(2)], At: at, For: int64(rng.Float64() * 8e9), Detect: int64(rng.Float64() * 3e9), Eject: int64(rng.Float64() * 2e9)}
			if d.Slowdown < 4 {
				f.Detect, f.Eject, d.Slowdown = 1, 1, 1 // only what is in flight feels it
			}
			if rng.IntN(3) > 0 {
				f.Start = int64(1 + rng.Float64()*8e9)
			}
			d.Faults = append(d.Faults, f)
		}
		run, _ := d.Simulate(rng)
		run.M.Objectives = []assay.Objective{{Metric: "ttft/p95", Max: float(.5)}}
		r := assess(t, run, "recovery")
		for _, x := range r.Faults {
			states[x.State]++
			switch {
			case x.User.Known() && !math.IsNaN(x.User.Value):
				if sum := x.Detect.Value + x.Isolate.Value + x.Restore.Value; math.Abs(sum-x.User.Value) > 1e-9 {
					t.Errorf("seed %d, %s: %g + %g + %g = %g, not %g", seed, x.Window.ID, x.Detect.Value, x.Isolate.Value, x.Restore.Value, sum, x.User.Value)
				}
				for _, q := range []assay.Quantity{x.Detect, x.Isolate, x.Restore, x.User} {
					if q.Lo < 0 || q.Lo > q.Value || q.Hi < q.Value {
						t.Errorf("seed %d, %s: %s", seed, x.Window.ID, q)
					}
				}
			case x.User.Known():
				if sum := x.Detect.Lo + x.Isolate.Lo + x.Restore.Lo; x.State != assay.Unrecovered || sum > x.User.Lo+1e-9 {
					t.Errorf("seed %d, %s (%s): lower bounds sum to %g, user %s", seed, x.Window.ID, x.State, sum, x.User)
				}
			case x.State != assay.Unmeasured && x.State != assay.VoidFault:
				t.Errorf("seed %d, %s: %s without a figure: %s", seed, x.Window.ID, x.State, x.User)
			}
		}
	}
	t.Logf("states: %v", states)
	if states[assay.Recovered] == 0 || states[assay.Tolerated] == 0 || states[assay.Unrecovered] == 0 {
		t.Errorf("the runs do not show every state: %v", states)
	}
}

// The whole way from requests to the interval, on a service whose truth is known.
func TestMTBFCoversTheTruth(t *testing.T) {
	n := 200
	if full() {
		n = 1000
	}
	const mtbf, mttr = 60., 4.
	hit, hitAvailability, told := 0, 0, 0
	var found, real float64
	for seed := range uint64(n) {
		d := factstest.Deployment{Rate: 6, For: 400 * sec, MTBF: mtbf, MTTR: mttr, Tokens: 1}
		run, truth := d.Simulate(rand.New(rand.NewPCG(seed, 3)))
		r := assess(t, run, "mtbf", "availability")
		m := r.Find("mtbf/service").Quantity
		if m.Lo <= mtbf && mtbf <= m.Hi {
			hit++
		}
		found += float64(m.N)
		real += float64(len(truth.Outages))
		if a := r.Find("availability/natural", "by", "time").Quantity; a.Known() {
			told++
			if want := mtbf / (mtbf + mttr); a.Lo <= want && want <= a.Hi {
				hitAvailability++
			}
		}
	}
	// Outages shorter than three requests are errors, not episodes: one in eight here.
	got := float64(hit) / float64(n)
	t.Logf("MTBF covered in %.3f of %d runs; %.2f episodes found a run of %.2f; availability by time covered in %.3f of %d", got, n, found/float64(n), real/float64(n), float64(hitAvailability)/float64(told), told)
	if least := .95 - 3.72*math.Sqrt(.95*.05/float64(n)); got < least {
		t.Errorf("MTBF: coverage %.3f, want at least %.3f", got, least)
	}
	if a, least := float64(hitAvailability)/float64(told), .95-3.72*math.Sqrt(.95*.05/float64(told)); a < least {
		t.Errorf("availability: coverage %.3f, want at least %.3f", a, least)
	}
}

func TestReportIsAFunctionOfTheRun(t *testing.T) {
	d := gameDay()
	d.MTBF, d.MTTR = 60, 4
	run, _ := d.Simulate(rand.New(rand.NewPCG(4, 2)))
	run.M.Objectives = objectives()
	var first []byte
	for _, block := range []int{500, 500, 37, 100_000} {
		run.Block = block
		r, err := Assess(context.Background(), run, Options{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		} else if !bytes.Equal(first, b) {
			t.Fatalf("blocks of %d give another report:\n%s", block, cmp.Diff(string(first), string(b)))
		}
	}
}

func TestGoldenReport(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("other architectures fuse multiplications and differ in the last digit")
	}
	d := gameDay()
	d.Rate, d.MTBF, d.MTTR = 4, 60, 4
	run, _ := d.Simulate(rand.New(rand.NewPCG(4, 2)))
	run.M.Objectives = objectives()
	got, err := json.MarshalIndent(assess(t, run), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", "report.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("report (-want +got); run with -update if it is meant:\n%s", diff)
	}
}

// Every finding must be one that a table of kinds describes, in its unit, with an interval or a reason.
func TestFindingsAreDescribed(t *testing.T) {
	d := gameDay()
	d.MTBF, d.MTTR = 40, 4
	run, _ := d.Simulate(rand.New(rand.NewPCG(9, 2)))
	r := assess(t, run)
	seen := map[string]bool{}
	for _, f := range r.Findings {
		desc, ok := Lookup(f.Metric)
		if !ok || desc.Unit != f.Quantity.Unit {
			t.Errorf("%s %v: described %v, unit %q, want %q", f.Metric, f.Labels, ok, f.Quantity.Unit, desc.Unit)
		}
		id := f.Metric + key(f.Labels)
		if seen[id] {
			t.Errorf("%s %v is found twice", f.Metric, f.Labels)
		}
		seen[id] = true
		q := f.Quantity
		switch {
		case !q.Known():
			if !strings.HasPrefix(q.Reason, "not ") {
				t.Errorf("%s %v: reason %q", f.Metric, f.Labels, q.Reason)
			}
		case !q.Bounded() || q.Method == "" || q.Basis == "" || q.Confidence == 0 || q.Of == "":
			t.Errorf("%s %v: incomplete %+v", f.Metric, f.Labels, q)
		case !math.IsNaN(q.Value) && (q.Lo > q.Value || q.Hi < q.Value):
			t.Errorf("%s %v: value outside its interval: %s", f.Metric, f.Labels, q)
		}
	}
}

func ExampleAssess() {
	run, _ := gameDay().Simulate(rand.New(rand.NewPCG(1, 1)))
	run.M.Objectives = objectives()
	r, err := Assess(context.Background(), run, Options{Kinds: only(reliability...)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Decision, r.Why)
	for _, j := range r.Objectives {
		fmt.Printf("%s: %s\n", j.Title, j.Verdict)
	}
	// Output:
	// GO 4/4 gated objectives hold; availability not estimable
	// TTFT p95, steady, warm: pass
	// recovery, kill: pass
	// recovery, hang: pass
	// error ratio: pass
}

func BenchmarkAssess(b *testing.B) {
	run, _ := factstest.Deployment{Rate: 100, For: 100 * sec, Sigma: .3, Tokens: 32}.Simulate(rand.New(rand.NewPCG(1, 1)))
	run.Block = 4096
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Assess(context.Background(), run, Options{Kinds: only(reliability...)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(run.R)*b.N)/b.Elapsed().Seconds(), "requests/s")
}
