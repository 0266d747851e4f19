package analyzers

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

func TestOverloadIsNoFailure(t *testing.T) {
	run := quiet()
	run.E = append(run.E, assay.Event{Time: 41 * sec, Kind: assay.EventPhaseBegin, Phase: "stress/1", Attrs: map[string]string{"role": "stress"}},
		assay.Event{Time: 61 * sec, Kind: assay.EventPhaseEnd, Phase: "stress/1"})
	for i := range run.E {
		if run.E[i].Kind == assay.EventPhaseEnd && run.E[i].Phase == "steady" {
			run.E[i].Time = 41 * sec
		}
	}
	stress := 0
	for i := range run.R {
		r := &run.R[i]
		if r.Due < 41*sec {
			continue
		}
		r.Phase = "stress/1"
		stress++
		switch i % 4 {
		case 0:
			r.Outcome, r.Status = assay.Throttled, 429
		case 1:
			r.Outcome, r.Status = assay.Unavailable, 503
		case 2:
			r.Outcome, r.Sent = assay.RefusedByCap, 0
		}
	}
	r := assess(t, run)
	if q := r.Find("mtbf/service").Quantity; q.N != 0 {
		t.Errorf("MTBF counts overload: %s", q)
	}
	if q := r.Find("error_ratio").Quantity; q.Value != 0 || q.N != len(run.R)-stress {
		t.Errorf("error ratio %s", q)
	}
	refused, throttled := r.Find("overload/refused").Quantity, r.Find("overload/throttled").Quantity
	if refused.N != stress || math.Abs(refused.Value-.75*float64(stress)) > 1 || math.Abs(throttled.Value-.25*float64(stress)) > 1 {
		t.Errorf("refused %s, throttled %s of %d", refused, throttled, stress)
	}
	if !r.Trust.Valid {
		t.Errorf("our cap in a stress phase makes the run invalid: %v", r.Trust.Problems)
	}
	sum := 0
	for _, e := range r.Errors {
		sum += e.Count
	}
	if sum != len(run.R) {
		t.Errorf("the table of outcomes counts %d of %d requests", sum, len(run.R))
	}
	if q := r.Find("goodput").Quantity; math.Abs(q.Value-r.Find("load/offered").Quantity.Value) > 1e-9 {
		t.Errorf("goodput of the steady phase %s", q)
	}
}

func TestTrendIsNoted(t *testing.T) {
	run := quiet()
	run.R = nil
	for i := range 6000 { // ten a second for ten minutes, all outages in the first
		due := sec + int64(i)*100*msec
		r := assay.Request{ID: uint64(i + 1), Phase: "steady", Due: due, Sent: due, End: due + msec, Outcome: assay.OK}
		if i < 1000 && i%100 < 5 {
			r.Outcome = assay.ServerError
		}
		run.R = append(run.R, r)
	}
	run.E[len(run.E)-1].Time, run.E[len(run.E)-2].Time = 601*sec, 601*sec
	r := assess(t, run)
	f := r.Find("mtbf/service")
	if f.Quantity.N != 9 || r.Find("failure_rate/service", "cause", "server_error").Quantity.N != 9 || // one began with the watch, before there was an exposure
		!slices.Contains(f.Warnings, "1 failure that had begun when the service was first seen is not counted: it began before the time that rates are of") ||
		r.Find("failure_rate/service", "cause", "server_error").Quantity.Value != r.Find("failure_rate/service").Quantity.Value || r.Find("mtbf/service", "at", "end").Quantity.Value <= f.Quantity.Value ||
		!slices.ContainsFunc(f.Warnings, func(w string) bool { return strings.Contains(w, "not constant (improving") }) {
		t.Errorf("got %s, %v", f.Quantity, f.Warnings)
	}
}

func TestLatenessLimit(t *testing.T) {
	for _, c := range []struct {
		max  float64
		want int64
	}{{.8, 8 * msec}, {.05, msec}, {0, msec}} {
		m := &assay.Manifest{}
		if c.max > 0 {
			m.Objectives = []assay.Objective{{Metric: "recovery/user", Max: float(.0001)}, {Metric: "e2e/p95", Max: float(9)}, {Metric: "ttft/p95", Max: float(c.max)}}
		}
		if got := LatenessLimit(m); got != c.want {
			t.Errorf("max %g s: %d ns, want %d", c.max, got, c.want)
		}
	}
}

// TestOurCredentialIsNotTheTargetsFault: a token of ours that expires in the middle makes the run invalid by name, and the target no less available.
func TestOurCredentialIsNotTheTargetsFault(t *testing.T) {
	run := quiet()
	fine := assess(t, quiet())
	denied := 0
	for i := range run.R {
		if r := &run.R[i]; r.Due >= 41*sec {
			r.Outcome, r.Status = assay.Credential, 401
			denied++
		}
	}
	r := assess(t, run)
	want := fmt.Sprintf("our own credential was refused, expired or missing for %d of %d requests: they say nothing of the target", denied, len(run.R))
	if r.Trust.Valid || !slices.Contains(r.Trust.Problems, want) {
		t.Errorf("valid %v, problems %q, want %q", r.Trust.Valid, r.Trust.Problems, want)
	}
	if q := r.Find("validity/credential").Quantity; int(q.Value) != denied {
		t.Errorf("credential %s, want %d", q, denied)
	}
	if r.Exit != assay.ExitInvalid {
		t.Errorf("exit %d, want %d", r.Exit, assay.ExitInvalid)
	}
	for _, metric := range []string{"mtbf/service", "error_ratio"} {
		if a, b := fine.Find(metric).Quantity, r.Find(metric).Quantity; b.Value != a.Value && !(math.IsNaN(a.Value) && math.IsNaN(b.Value)) {
			t.Errorf("%s: %s with our credential refused, %s without", metric, b, a)
		}
	}
}
