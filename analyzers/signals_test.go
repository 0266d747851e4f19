package analyzers

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers/facts/factstest"
)

// Readiness and liveness as kube-state-metrics shows them once a minute: two pods, of which one goes for a while, then both.
func TestAvailabilitiesOfPods(t *testing.T) {
	epoch := float64(time.Now().Add(-100 * time.Hour).Unix())
	const of = "{pod=%,container=vllm,instance=ksm:8080}"
	series := func(name, pod string, at func(int) float64) told {
		return told{name + strings.ReplaceAll(of, "%", pod), at}
	}
	ready := func(pod string, more ...float64) told {
		return told{"kube_pod_status_ready{pod=" + pod + ",condition=true}", after(1, more...)}
	}
	restarts := func(pod string, more ...float64) told {
		return series("kube_pod_container_status_restarts_total", pod, after(0, more...))
	}
	ended := func(pod string, minute int, second float64) told {
		return series("kube_pod_container_status_last_terminated_timestamp", pod, after(math.NaN(), float64(minute), epoch+1+float64(minute-1)*60+second))
	}
	started := func(pod string, minute int, second float64) told {
		return series("kube_pod_container_state_started", pod, after(epoch-3600, float64(minute), epoch+1+float64(minute-1)*60+second))
	}
	for _, c := range []struct {
		name   string
		told   []told
		metric string
		value  float64 // of 999 minutes; NaN: not known
		n      int
		text   string // in the evidence, or the reason
	}{
		{"one is ready while the other is not", []told{ready("a", 300, 0, 310, 1), ready("b")}, "availability/ready", math.NaN(), 0, "it was good in all of 17 h"},
		{"neither is", []told{ready("a", 300, 0, 320, 1), ready("b", 310, 0, 314, 1)}, "availability/ready", 1 - 4./999, 1, "by kube_pod_status_ready of 2 instances, of which at least one, known to 60"},
		{"the only one, twice", []told{ready("a", 300, 0, 310, 1, 500, 0, 505, 1)}, "availability/ready", 1 - 15./999, 2, "not ready 15 min"},
		{"one that was taken away", []told{ready("a", 300, 0, 302, math.NaN())}, "availability/ready", math.NaN(), 0, "it was good in all of"},
		{"one that comes up", []told{ready("a", 1, 1, 0, 0, 20, 1)}, "availability/ready", math.NaN(), 0, "it was good in all of 16 h"},
		{"nothing tells", []told{restarts("a")}, "availability/ready", math.NaN(), 0, "nothing looked at it all the time"},
		{"alive all the time", []told{restarts("a")}, "availability/live", math.NaN(), 0, "it was good in all of 17 h"},
		{"restarted, and nothing tells for how long", []told{restarts("a", 300, 1)}, "availability/live", math.NaN(), 0, "nothing tells for how long one was down: want kube_pod_container_status_last_terminated_timestamp"},
		{"restarted within half a minute", []told{restarts("a", 300, 1), ended("a", 300, 10), started("a", 300, 40)}, "availability/live", 1 - 0.5/999, 1, "not running 30 s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "one that comes up" {
				c.told = []told{{c.told[0].series, func(minute int) float64 {
					if minute < 20 {
						return 0
					}
					return 1
				}}}
			}
			r, err := Assess(t.Context(), minutes(t, 1000, c.told...), Options{Kinds: only("episodes", "availability")})
			if err != nil {
				t.Fatal(err)
			}
			x := r.Find(c.metric)
			said := x.Quantity.Reason + strings.Join(x.Evidence, "; ")
			if x.Quantity.Known() == math.IsNaN(c.value) || !strings.Contains(said, c.text) {
				t.Fatalf("%s, %q; want …%s…", x.Quantity, x.Evidence, c.text)
			}
			if x.Quantity.Known() && (math.Abs(x.Quantity.Value-c.value) > 0.00003 || x.Quantity.N != c.n) {
				t.Errorf("%s, want %g of %d", x.Quantity, c.value, c.n)
			}
		})
	}
}

// A pod whose conditions and container states the cluster told: it crashed, was started again after two seconds and was ready half a minute later.
func TestAvailabilitiesOfAPodsConditions(t *testing.T) {
	run := &factstest.Run{M: assay.Manifest{Epoch: epoch, Imported: true, End: assay.Ending{Status: assay.EndComplete, At: 1001 * sec}}}
	for _, e := range []struct {
		at     int64
		kind   string
		reason string
	}{{1, assay.EventInstanceCreated, ""}, {11, assay.EventInstanceStarted, ""}, {101, assay.EventInstanceReady, ""}, {501, assay.EventInstanceExited, "crash"},
		{501, assay.EventInstanceCreated, "restart"}, {503, assay.EventInstanceStarted, ""}, {533, assay.EventInstanceReady, ""}, {1001, assay.EventAnnotation, ""}} {
		run.E = append(run.E, happened(e.at*sec, e.kind, "a", "kubernetes", sec, "reason", e.reason))
	}
	r := assess(t, run, "episodes", "availability")
	live, ready := r.Find("availability/live").Quantity, r.Find("availability/ready").Quantity
	if math.Abs(live.Value-988./990) > 1e-6 || live.N != 1 || !strings.Contains(live.Method, "known to a period of 1 s") {
		t.Errorf("live %s, want 988 of 990 s", live)
	}
	if math.Abs(ready.Value-868./900) > 1e-6 || ready.N != 1 {
		t.Errorf("ready %s, want 868 of 900 s", ready)
	}
}
