package analyzers

import (
	"math"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// ofService returns the episodes of the service.
func ofService(r *assay.Report) (out []assay.Episode) {
	for _, e := range r.Episodes {
		if e.Subject == assay.Service {
			out = append(out, e)
		}
	}
	return out
}

// A prober looked at the service once a minute: it failed from minute 200 to 205, and once, which is no failure, at 100; from 300 to 350 nobody looked.
func TestServiceByProber(t *testing.T) {
	up := func(m int) float64 {
		switch {
		case m >= 300 && m < 350:
			return math.NaN()
		case m == 100, m >= 200 && m <= 205:
			return 0
		}
		return 1
	}
	fine := func(int) float64 { return 1 }
	sometimes := func(m int) float64 { return max(1, up(m)) } // not a number where nobody looked
	down := func(int) float64 { return 0 }
	const probe = "probe_success{instance=https://m.example/health,job=a}"
	for _, c := range []struct {
		name     string
		told     []told
		failures int
		why      string
	}{
		{"one prober", []told{{probe, up}}, 1, ""},
		{"two, that agree for half and more", []told{{probe, up}, {"probe_success{instance=https://m.example/health,job=b}", up}, {"probe_success{instance=https://m.example/health,job=c}", sometimes}}, 1, ""},
		{"nothing failed", []told{{probe, fine}}, 0, ""},
		{"a pod is not the service", []told{{probe, up}, {"probe_success{instance=10.0.0.7,pod=m-0}", down}}, 1, ""},
		{"two targets", []told{{probe, up}, {"probe_success{instance=https://n.example/health}", fine}}, 0,
			"not measured, because the run holds no requests, and the blackbox exporter looked at 2 targets, and nothing tells which of them is the service: import the series of one"},
		{"pods alone", []told{{"probe_success{instance=10.0.0.7,pod=m-0}", up}}, 0, "not measured, because the run holds no requests"},
		{"counters go first", []told{{probe, down}, {"http_requests_total{code=2xx}", func(m int) float64 { return 100 * float64(m) }}, {"http_requests_total{code=5xx}", func(int) float64 { return 0 }}}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Assess(t.Context(), minutes(t, 400, c.told...), Options{Kinds: only("episodes", "mtbf", "availability")})
			if err != nil {
				t.Fatal(err)
			}
			mtbf := r.Find("mtbf/service")
			if mtbf.Quantity.Reason != c.why || c.why == "" && (mtbf.Quantity.N != c.failures || !mtbf.Quantity.Bounded()) {
				t.Fatalf("MTBF of the service %s", mtbf.Quantity)
			}
			of := ofService(r)
			if len(of) != c.failures {
				t.Fatalf("%d failures, want %d: %+v", len(of), c.failures, of)
			}
			if c.failures == 0 {
				return
			}
			e := of[0]
			if e.Ledger != assay.Natural || e.Lost != 0 || !lookedAtMinute(e.BeginLo, 199) || !lookedAtMinute(e.Begin, 200) || !lookedAtMinute(e.End, 205) || !lookedAtMinute(e.EndHi, 206) {
				t.Errorf("%+v: want it between the minutes 199..200 and 205..206", e)
			}
			if q := r.Find("availability/natural", "by", "time").Quantity; math.Abs(q.Value-343.0/349) > 1e-4 || !(q.Lo < q.Value && q.Value < q.Hi) {
				t.Errorf("by time %s, want 343 of 349 minutes", q)
			}
			if q := r.Find("watch/unknown").Quantity; math.Abs(q.Value-50*60) > 65 {
				t.Errorf("unknown %s, want 50 minutes", q)
			}
			if q := r.Find("episodes/service").Quantity; q.Value != 1 || q.Hi != 2 {
				t.Errorf("episodes %s, want 1, and 2 by the rules halved", q)
			}
			for _, m := range []string{"error_ratio", "availability/serving"} {
				if q := r.Find(m).Quantity; !strings.HasPrefix(q.Reason, "not measured, because the run holds no requests") {
					t.Errorf("%s %s", m, q)
				}
			}
			if !strings.HasPrefix(r.Find("probes/looks").Evidence[0], "by the blackbox exporter: 350 looks, one each 60 s, 7 failed") {
				t.Errorf("evidence %q", r.Find("probes/looks").Evidence)
			}
		})
	}
}

// Our own looks at readiness, each second, where no load was sent: 10 s not ready, and one look that failed alone. Liveness says nothing of the service, and one instance's looks neither.
func TestServiceByOwnProbes(t *testing.T) {
	for _, c := range []struct {
		probe, instance string
		failures        int
		serving         bool
	}{{"readiness", "", 1, false}, {"inference", "", 1, true}, {"liveness", "", 0, false}, {"readiness", "m-0", 0, false}} {
		t.Run(c.probe+c.instance, func(t *testing.T) {
			run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Resolution: 1000, End: assay.Ending{Status: assay.EndComplete, At: 120 * sec}}}
			run.E = []assay.Event{looked(sec, c.probe, "ok", 1), looked(40*sec, c.probe, "failed", 40), looked(41*sec, c.probe, "ok", 41), looked(60*sec, c.probe, "not_ready", 60), looked(70*sec, c.probe, "ok", 70),
				looked(100*sec, c.probe, "ok", 100, "end", "true"), happened(120*sec, assay.EventInstanceReady, "other", "log", 0)}
			for i := range run.E {
				if run.E[i].Kind == assay.EventInstanceProbe {
					run.E[i].Instance = c.instance
				}
			}
			r := assess(t, run, "episodes", "mtbf", "availability")
			of := ofService(r)
			if len(of) != c.failures || r.Find("mtbf/service").Quantity.Known() != (c.failures > 0) {
				t.Fatalf("%+v, MTBF %s", of, r.Find("mtbf/service").Quantity)
			}
			if c.failures == 0 {
				return
			}
			e := of[0]
			if got, want := [4]int64{e.BeginLo, e.Begin, e.End, e.EndHi}, [4]int64{59 * sec, 60 * sec, 69 * sec, 70 * sec}; got != want {
				t.Errorf("episode %v, want %v", got, want)
			}
			if q := r.Find("availability/natural", "by", "time").Quantity; math.Abs(q.Value-89./99) > 0.01 {
				t.Errorf("by time %s, want 89 of 99 s", q)
			}
			if q := r.Find("availability/serving").Quantity; q.Known() != c.serving {
				t.Errorf("serving %s", q)
			}
			if q := r.Find("watch/unknown").Quantity; math.Abs(q.Value-20) > 1.5 {
				t.Errorf("unknown %s, want the 20 s after the last look", q)
			}
		})
	}
}
