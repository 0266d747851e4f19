package analyzers

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
	"github.com/assay-dev/assay/internal/stat"
)

// struckBy makes n faults of a kind, of which some were recovered from, each with a degraded area in seconds.
func struckBy(kind string, n, recovered int, cost float64) (out []assay.FaultResult) {
	for i := range n {
		x := assay.FaultResult{Window: assay.FaultWindow{Kind: kind}, State: assay.Unrecovered, Degraded: counted(cost+float64(i%2), assay.Seconds, 1, "fault", "area")}
		if i < recovered {
			x.State = assay.Recovered
		}
		out = append(out, x)
	}
	return out
}

// Weights of 0.5, 0.3 and 0.2 with 40 of 40, 29 of 30 and 8 of 10 recovered give 0.95 in (0.8712, 0.9789); adding all up would give 0.9625.
func TestStratifiedCoverage(t *testing.T) {
	xs := append(append(struckBy("kill", 40, 40, 1), struckBy("hang", 30, 29, 1)...), struckBy("cut", 10, 8, 1)...)
	hour := int64(time.Hour)
	f := &assay.Facts{Manifest: &assay.Manifest{Assume: []assay.Assumption{{Fault: "kill", Every: 2 * hour}, {Fault: "hang", Every: 10 * hour / 3}, {Fault: "cut", Every: 5 * hour}}}}
	found := coverage(f, xs)[0]
	if q := found.Quantity; math.Abs(q.Value-.95) > 1e-9 || math.Abs(q.Lo-.8712) > 5e-4 || math.Abs(q.Hi-.9789) > 5e-4 || q.N != 80 || !strings.Contains(q.Method, "weighed by assumed rates") {
		t.Errorf("got %s", q)
	}
	if d := cmp.Diff([]string{"cut 8 of 10, weight 0.2", "hang 29 of 30, weight 0.3", "kill 40 of 40, weight 0.5", "at least 0.883 one-sided"}, found.Evidence); d != "" {
		t.Errorf("evidence (-want +got):\n%s", d)
	}
	f.Manifest.Assume = append(f.Manifest.Assume[:2:2], assay.Assumption{Fault: "oom", Every: hour})
	found = coverage(f, xs)[0]
	if d := cmp.Diff([]string{"oom is assumed to strike and was not seen to: coverage speaks of the others", "cut is not assumed to strike, and counts for nothing"}, found.Warnings); d != "" || found.Quantity.N != 70 {
		t.Errorf("%s (-want +got):\n%s", found.Quantity, d)
	}
	f.Manifest.Assume = nil
	if q := coverage(f, xs)[0].Quantity; math.Abs(q.Value-(1+29./30+.8)/3) > 1e-9 || !strings.Contains(q.Method, "weighed alike, for the plan assumes no rates") {
		t.Errorf("without an assumption %s", q)
	}
	if q := coverage(f, nil)[0].Quantity; q.Known() {
		t.Errorf("without a fault %s", q)
	}
}

// The projection rests on the rates that were assumed: twice as many faults injected change nothing, twice the rate doubles it.
func TestProjection(t *testing.T) {
	f := &assay.Facts{Manifest: &assay.Manifest{Assume: []assay.Assumption{{Fault: "kill", Every: 720 * 3600 * sec}}}}
	q := projection(f, struckBy("kill", 2, 2, 10))[0].Quantity
	more := projection(f, struckBy("kill", 4, 4, 10))[0].Quantity
	if want := 10.5 / (720 * 3600); math.Abs(q.Value-want) > 1e-15 || more.Value != q.Value || q.Basis != assay.Assumed || math.Abs(q.Lo-10./(720*3600)) > 1e-15 || math.Abs(q.Hi-11./(720*3600)) > 1e-15 {
		t.Errorf("got %s, with more faults %s; want %g", q, more, want)
	}
	f.Manifest.Assume[0].Every /= 2
	if got := projection(f, struckBy("kill", 2, 2, 10))[0].Quantity.Value; math.Abs(got-2*q.Value) > 1e-15 {
		t.Errorf("at twice the rate %g", got)
	}
	f.Manifest.Assume = append(f.Manifest.Assume, assay.Assumption{Fault: "oom", Every: sec})
	if q := projection(f, struckBy("kill", 2, 2, 10))[0].Quantity; q.Reason != "not estimable, because no oom that could be felt shows what one costs" {
		t.Errorf("with an unseen kind %s", q)
	}
	f.Manifest.Assume = f.Manifest.Assume[:1]
	one := struckBy("kill", 1, 1, 3)
	one[0].Degraded.Lo, one[0].Degraded.Hi, one[0].Degraded.Confidence = 2, 5, .95
	if q := projection(f, one)[0].Quantity; math.Abs(q.Lo-3*0.271085/(360*3600)) > 1e-11 || math.Abs(q.Hi-3*39.49789/(360*3600)) > 1e-10 || q.Confidence != .95 {
		t.Errorf("of one fault %s at %g", q, q.Confidence)
	}
	mild := struckBy("kill", 1, 1, 10)
	mild[0].Degraded = stretch(0, 0, 0, 1, "fault", "m")
	if x := projection(f, mild)[0]; x.Quantity.Value != 0 || x.Quantity.Hi != 1 || !slices.Contains(x.Warnings, "1 of 1 kill cost nothing: nothing bounds what one that hurts costs") {
		t.Errorf("of one that cost nothing %s, %v", x.Quantity, x.Warnings)
	}
	last := projection(f, struckBy("kill", 2, 1, 10))[0]
	if q := last.Quantity; q.N != 2 || q.Hi != 1 || q.Lo != 10./(360*3600) || !slices.Contains(last.Warnings, "1 of 2 kill were not recovered from when last seen: what they cost is more than was seen, and nothing bounds it above") {
		t.Errorf("with one unrecovered %s, %v", q, last.Warnings)
	}
	f.Manifest.Assume = nil
	if found := projection(f, struckBy("kill", 2, 2, 10)); found != nil {
		t.Errorf("without an assumption %v", found)
	}
}

// Repairs that had not ended are in the count and lengthen the figure; too few give a reason, once.
func TestTimeToRepair(t *testing.T) {
	f := &assay.Facts{Manifest: &assay.Manifest{}}
	for i, s := range []int64{12, 30, 7, 45, 20} {
		at := int64(i) * 100 * sec
		f.Episodes = append(f.Episodes, assay.Episode{Subject: assay.Service, Ledger: assay.Natural, BeginLo: at, Begin: at, End: at + s*sec, EndHi: at + s*sec, RightCensored: s == 20})
	}
	xs := struckBy("kill", 2, 1, 1)
	xs[0].User, xs[1].User = stretch(4*sec, 3*sec, 4*sec, 1, "fault", "m"), atLeast(60*sec, 1, "fault", "m")
	xs[0].Capacity, xs[1].Capacity = assay.NotMeasured(assay.Seconds, "n"), assay.NotMeasured(assay.Seconds, "n")
	found := mttr(f, xs)
	var got []string
	for _, x := range found {
		got = append(got, x.Metric)
	}
	if d := cmp.Diff([]string{"mttr/service/median", "mttr/service/mean", "mttr/service/p90", "mttr/user/median"}, got); d != "" {
		t.Fatalf("findings (-want +got):\n%s", d)
	}
	if q := found[0].Quantity; q.N != 4 || !(q.Value > 17 && q.Value < 30) || !(q.Lo < q.Value && q.Value < q.Hi) || found[0].Evidence[0] != "5 repairs, of which 4 ended and 1 had not when last seen" {
		t.Errorf("median %s, %v", q, found[0].Evidence)
	}
	if !(found[0].Quantity.Value < found[1].Quantity.Value && found[1].Quantity.Value < found[2].Quantity.Value) {
		t.Errorf("median, mean and p90 %s, %s, %s", found[0].Quantity, found[1].Quantity, found[2].Quantity)
	}
	if q := found[3].Quantity; q.Reason != "not estimable, because 1 repair was seen to end; want 3, not all of one length" {
		t.Errorf("users %s", q)
	}
}

// An upper bound that nobody could use is none, and says how many repairs would do: so many like these do.
func TestTimeToRepairThatSaysNothing(t *testing.T) {
	times := []stat.Life{{Time: 0.124}, {Time: 6.03}, {Time: 6.19}}
	found := repairs("user", times, 0)
	for i, want := range []string{"", "not estimable, because 3 repairs that ended bound it by more than 1000 times the longest seen, 6.19 s; about 11 as variable as these would do",
		"not estimable, because 3 repairs that ended bound it by more than 1000 times the longest seen, 6.19 s; about 6 as variable as these would do"} {
		if q := found[i].Quantity; q.Reason != want {
			t.Errorf("%s: %s, want %q", found[i].Metric, q, want)
		}
	}
	for i := range 8 {
		times = append(times, stat.Life{Time: times[i%3].Time})
	}
	if q := repairs("user", times, 0)[1].Quantity; !q.Known() || q.Hi > 6200 {
		t.Errorf("mean of so many as would do: %s", q)
	}
}

// A fault that one of two tenants felt reached half of the users.
func TestBlastRadius(t *testing.T) {
	run, _ := factstest.Deployment{Instances: 1, Rate: 10, For: 60 * sec, Faults: []factstest.Fault{{Kind: "kill", At: 20 * sec, For: sec, Detect: sec / 2, Eject: sec / 4, Start: 4 * sec}}}.Simulate(rand.New(rand.NewPCG(5, 5)))
	for i := range run.R {
		r := &run.R[i]
		if r.Class = "calm"; r.Outcome.Failed() {
			r.Class = "struck"
		}
	}
	r := assess(t, run, "recovery")
	x := &r.Faults[0]
	requests, users := r.Find("blast/requests").Quantity, r.Find("blast/users").Quantity
	if users.Value != .5 || users.Unit != assay.Ratio || math.Abs(requests.Value-float64(x.Lost+x.Slow)/float64(x.Touched)) > 1e-9 || !(requests.Value > .3) {
		t.Errorf("requests %s, users %s; lost %d, slow %d of %d", requests, users, x.Lost, x.Slow, x.Touched)
	}
	if q := r.Find("availability/during/kill", "by", "fault").Quantity; q.Reason != "not estimable, because 1 fault judged requests: each fault is one observation, want 2 at least" {
		t.Errorf("during %s", q)
	}
}

// A row of all faults is of the worst, and says so.
func TestRowsOfAllFaultsAreOfTheWorst(t *testing.T) {
	xs := struckBy("kill", 2, 0, 3)
	all, one := worstOf(xs, "", func(x *assay.FaultResult) *assay.Quantity { return &x.Degraded }), worstOf(xs[:1], "", func(x *assay.FaultResult) *assay.Quantity { return &x.Degraded })
	if q := all.Quantity; q.Value != 4 || q.N != 2 || q.Method != "area; the worst of 2 faults" {
		t.Errorf("of two %s", q)
	}
	if q := one.Quantity; q.Value != 3 || q.Method != "area" {
		t.Errorf("of one %s", q)
	}
}

func TestPowerOfTolerance(t *testing.T) {
	xs := []assay.FaultResult{{State: assay.Tolerated, Carried: 12}, {State: assay.Tolerated, Carried: 5}, {State: assay.Recovered, Carried: 0}}
	if got := power(xs, ""); got != "the least that a victim of the 2 tolerated carried is 5 requests: a fault that hurts half of them would have been felt with 96.9 %, one that hurts a tenth with 41 %" {
		t.Errorf("got %q", got)
	}
}
