package analyzers

import (
	"math"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
)

// What stands in front counted two requests a second, and for six minutes none was served.
func TestServiceByCounters(t *testing.T) {
	served := func(minute int) float64 { // nothing in the minutes 600 to 605
		return 120 * float64(minute-max(0, min(minute-599, 6)))
	}
	failed := func(minute int) float64 { return 60 * float64(max(0, min(minute-599, 6))) }
	late := func(minute int) float64 { // a server makes the series with the first failure
		if minute < 600 {
			return math.NaN()
		}
		return failed(minute)
	}
	fresh := func(minute int) float64 { // the server began anew in the middle
		if minute >= 300 {
			return served(minute) - served(299)
		}
		return served(minute)
	}
	few := func(minute int) float64 { return 6 * float64(max(0, min(minute-599, 6))) } // beside 120 that are served
	all := func(minute int) float64 { return 120 * float64(minute) }
	const envoy, http, lambda = "envoy_cluster_upstream_rq{envoy_cluster_name=m,envoy_response_code=", "http_requests_total{handler=/v1/completions,status=", "aws_lambda_requests_total{outcome="
	for _, c := range []struct {
		name      string
		told      []told
		good, bad int
		failures  int
		by        string
	}{
		{"Envoy's", []told{{envoy + "200}", served}, {envoy + "503}", failed}}, 119_160, 360, 1, "envoy_cluster_upstream_rq,"},
		{"a server's, grouped", []told{{http + "2xx}", served}, {http + "5xx}", failed}}, 119_160, 360, 1, "http_requests_total,"},
		{"both are not added up", []told{{envoy + "200}", served}, {envoy + "503}", failed}, {http + "2xx}", served}, {http + "5xx}", failed}}, 119_160, 360, 1, "envoy_cluster_upstream_rq,"},
		{"of two pods are", []told{{"http_requests_total{pod=a,code=200}", served}, {"http_requests_total{pod=b,code=200}", all}, {"http_requests_total{pod=a,code=500}", failed}}, 239_040, 360, 0, "http_requests_total,"},
		{"its failures first seen when they come", []told{{http + "200}", served}, {http + "500}", late}}, 119_160, 360, 1, "http_requests_total,"},
		{"begun anew", []told{{http + "2xx}", fresh}, {http + "5xx}", failed}}, 119_160, 360, 1, "http_requests_total,"},
		{"Cloud Run's", []told{{"run_googleapis_com:request_count{response_code_class=2xx}", served}, {"run_googleapis_com:request_count{response_code_class=5xx}", late}}, 119_160, 360, 1, "run_googleapis_com:request_count,"},
		{"AWS Lambda's", []told{{lambda + "ok}", served}, {lambda + "error}", failed}, {lambda + "throttled}", all}}, 119_160, 360, 1, "aws_lambda_requests_total, looked at each 60 s: an instant is known no better, and what fails for less is not told from an error here and there; 119880 more requests were throttled"},
		{"no failure", []told{{http + "2xx}", all}}, 119_880, 0, 0, "http_requests_total,"},
		{"some failures make no outage", []told{{http + "2xx}", all}, {http + "5xx}", few}}, 119_880, 36, 0, "http_requests_total,"},
		{"looks at health are none", []told{{http + "2xx}", all}, {"http_requests_total{handler=/health,status=5xx}", all}}, 119_880, 0, 0, "http_requests_total,"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Assess(t.Context(), minutes(t, 1000, c.told...), Options{Kinds: only("episodes", "mtbf", "availability")})
			if err != nil {
				t.Fatal(err)
			}
			ratio := r.Find("error_ratio").Quantity
			if got := float64(c.bad) / float64(c.good+c.bad); math.Abs(ratio.Value-got) > 1e-9 || ratio.N != c.good+c.bad {
				t.Errorf("error ratio %s of %d, want %.5g of %d", ratio, ratio.N, got, c.good+c.bad)
			}
			by := r.Find("availability/natural", "by", "request")
			if e := strings.Join(by.Evidence, " "); !strings.Contains(e, "by the counters "+c.by) || !strings.Contains(e, "looked at each 60 s") {
				t.Errorf("evidence %q", e)
			}
			var of []assay.Episode
			for _, e := range r.Episodes {
				if e.Subject == assay.Service {
					of = append(of, e)
				}
			}
			if len(of) != c.failures {
				t.Fatalf("%d failures of the service, want %d: %+v", len(of), c.failures, of)
			}
			m := r.Find("mtbf/service").Quantity
			if m.N != c.failures || !m.Bounded() {
				t.Errorf("MTBF of the service %s", m)
			}
			if c.failures == 0 {
				return
			}
			e := of[0]
			if e.Ledger != assay.Natural || e.Lost != 360 || !lookedAtMinute(e.BeginLo, 599) || !lookedAtMinute(e.Begin, 600) || !lookedAtMinute(e.End, 605) || !lookedAtMinute(e.EndHi, 606) {
				t.Errorf("%+v: want it between the minutes 599..600 and 605..606", e)
			}
			q := r.Find("availability/natural", "by", "time").Quantity
			if math.Abs(q.Value-993.0/999) > 2e-4 {
				t.Errorf("by time %s, want 993 of 999 minutes", q)
			}
		})
	}
}

// lookedAtMinute says whether a run time is a minute of looks, or the look at it.
func lookedAtMinute(at int64, minute int) bool {
	return math.Abs(float64(at-sec)/60e9-float64(minute)) < 0.1
}

func TestCountersThatTellNoFailure(t *testing.T) {
	run := minutes(t, 100, told{"vllm:request_success_total{instance=a,finished_reason=stop}", func(m int) float64 { return float64(m) }})
	r, err := Assess(t.Context(), run, Options{Kinds: only("mtbf", "availability")})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"mtbf/service", "error_ratio", "availability/natural"} {
		if got, want := r.Find(m).Quantity.Reason, "not measured, because the run holds no requests, and its counters do not tell served from failed ones: vllm:request_success_total"; got != want {
			t.Errorf("%s: %s, want %s", m, got, want)
		}
	}
	if r.Find("requests/counted") != nil {
		t.Error("requests were counted")
	}
}
