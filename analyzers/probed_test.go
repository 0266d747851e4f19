package analyzers

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// looked makes the event of a look whose outcome changed, each second.
func looked(at int64, probe, result string, looks int, pairs ...string) assay.Event {
	resolution := sec
	if looks == 1 || len(pairs) > 0 {
		resolution = 0
	}
	return happened(at, assay.EventInstanceProbe, "", "probes", resolution, append([]string{"probe", probe, "result", result, "ok", strconv.FormatBool(result == "ok"),
		"period_ns", "1000000000", "looks", strconv.Itoa(looks)}, pairs...)...)
}

// While a simulator starts it is alive, says that it is not ready, and serves: three signals, three availabilities.
func TestThreeAvailabilities(t *testing.T) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 100 * sec}}}
	run.E = []assay.Event{
		{Time: sec, Kind: assay.EventPhaseBegin, Phase: "steady", Attrs: map[string]string{"role": "steady", "rate": "1"}},
		looked(sec, "liveness", "ok", 1), looked(sec, "readiness", "refused", 1),
		looked(6*sec, "readiness", "not_ready", 6), looked(21*sec, "readiness", "ok", 21), looked(50*sec, "readiness", "shed", 50), looked(55*sec, "readiness", "ok", 55),
		looked(100*sec, "liveness", "ok", 100, "end", "true"), looked(100*sec, "readiness", "ok", 100, "end", "true"),
		{Time: 100 * sec, Kind: assay.EventPhaseEnd, Phase: "steady"},
	}
	for i := range uint64(99) {
		r := got(i+1, "", int64(i+1)*sec, 100*msec, assay.ColdNo, assay.OK)
		r.Phase = "steady"
		if r.Due >= 70*sec && r.Due < 80*sec {
			r.Outcome = assay.ServerError
		}
		run.R = append(run.R, r)
	}
	r := assess(t, run, "episodes", "availability")
	live, ready, serving := r.Find("availability/live"), r.Find("availability/ready"), r.Find("availability/serving")
	if q := live.Quantity; q.Known() || !strings.Contains(q.Reason, "it was good in all of 99 s") || live.Evidence[0] != "100 looks, one each 1 s; 99 s of natural time" {
		t.Errorf("live %s, %q", q, live.Evidence)
	}
	if q := ready.Quantity; q.N != 2 || math.Abs(q.Value-74.5/99) > 0.006 || !(q.Lo < q.Value && q.Value < q.Hi) || q.Hi > 1 || ready.Evidence[1] != "not ready 15 s, refused 4.5 s, shed 5 s" {
		t.Errorf("ready %s, %q", q, ready.Evidence)
	}
	if q := serving.Quantity; q.N != 1 || math.Abs(q.Value-0.9) > 0.02 {
		t.Errorf("serving %s", q)
	}
}

// A platform that tells of failed probes alone says nothing of how long they were good.
func TestProbesOfAPlatform(t *testing.T) {
	run := startRun()
	run.E = append(run.E, happened(120*sec, assay.EventInstanceProbe, "pod-1", "kubernetes", sec, "probe", "liveness", "ok", "false"))
	f := assess(t, run, "availability").Find("availability/live")
	if f.Quantity.Reason != "not measured, because 1 look failed as the platform tells, and not for how long" {
		t.Errorf("got %s", f.Quantity)
	}
}

// A path that the target does not have says nothing of whether it is alive: nothing was measured. Where it was good before, it is a failure.
func TestProbesOfNoEndpoint(t *testing.T) {
	for name, tt := range map[string]struct {
		looks []assay.Event
		want  string
	}{
		"each look":            {[]assay.Event{looked(sec, "liveness", "no_endpoint", 1)}, "not measured, because no such endpoint: status 404 to each look of collect.probes.live"},
		"once it listens":      {[]assay.Event{looked(sec, "liveness", "refused", 1), looked(6*sec, "liveness", "no_endpoint", 6)}, "not measured, because no such endpoint: status 404 to each look of collect.probes.live"},
		"it was there before":  {[]assay.Event{looked(sec, "liveness", "ok", 1), looked(51*sec, "liveness", "no_endpoint", 51)}, ""},
		"it was never reached": {[]assay.Event{looked(sec, "liveness", "refused", 1)}, ""},
	} {
		run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 100 * sec}}, E: append(tt.looks, looked(100*sec, "liveness", "no_endpoint", 100, "end", "true"))}
		run.R = []assay.Request{got(1, "", 2*sec, 100*msec, assay.ColdNo, assay.OK), got(2, "", 99*sec, 100*msec, assay.ColdNo, assay.OK)}
		q := assess(t, run, "episodes", "availability").Find("availability/live").Quantity
		if q.Reason != tt.want {
			t.Errorf("%s: got %s, want %q", name, q, tt.want)
		}
	}
}

// Gaps of metrics are told with the targets that they are of.
func TestFailingScrapes(t *testing.T) {
	of := map[string][2]int{"http://a/metrics": {100, 20}, "http://b/metrics": {100, 95}, "http://c/metrics": {100, 0}}
	if got, want := targetsOf(of), "http://b/metrics 95 %, http://a/metrics 20 %"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range 5 {
		of[strconv.Itoa(i)] = [2]int{10, 5}
	}
	if got, want := targetsOf(of), "http://b/metrics 95 %, http://a/metrics 20 %, 0 50 %, 1 50 %, 3 more targets"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := scraped([]assay.Label{{Name: "instance", Value: "h:1"}, {Name: "target", Value: "http://h:1/metrics"}}); got != "http://h:1/metrics" {
		t.Errorf("target %q", got)
	}
}
