package plan

import (
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/stat"
)

// TestEnough: what a plan cannot decide comes with what would be enough.
func TestEnough(t *testing.T) {
	k := kinds
	k.Metrics = func(metric string) (assay.Desc, bool) {
		d := assay.Desc{Metric: metric, Unit: assay.Seconds, Better: "higher"}
		switch head, _, _ := strings.Cut(metric, "/"); head {
		case "failure_rate":
			d.Unit = assay.PerHour
		case "availability", "error_ratio":
			d.Unit = assay.Ratio
		}
		return d, true
	}
	for _, c := range []struct {
		name, load, chaos, objective string
		ok                           bool
		want                         string
	}{
		{"latency", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 30s}]", "", "{metric: ttft/p95, max: 1s}", false, "about 30 natural requests expected; 59 independent ones are the least for a 95 % interval of p95: 59s at this load"},
		{"latency of enough", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 60s}]", "", "{metric: ttft/p95, max: 1s}", true, "about 60 natural requests"},
		{"mtbf", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 3h}]", "", "{metric: mtbf/service, min: 1h}", true, "3h0m0s of natural time planned; 2h59m45s without a failure are needed to show 1h0m0s at 95 %, 5h34m18s with one"},
		{"mtbf with a fault", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 2h59m50s}]", "[{fault: kill, at: 1h}]", "{metric: mtbf/service, min: 1h}", false, "2h59m40s of natural time planned; 2h59m45s"},
		{"mtbf under stress", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 1h}, {name: b, role: stress, arrivals: {even: {rate: 9/s}}, for: 3h}]", "", "{metric: mtbf/service, min: 1h}", false, "1h0m0s of natural time planned"},
		{"instances", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 1h}]", "", "{metric: mtbf/instance, min: 1h}", false, "summed over all that are watched: 3 of them would do"},
		{"rate", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 1h}]", "", "{metric: failure_rate/service, max: 1/h}", false, "2h59m45s without a failure"},
		{"cold starts", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 1h}]", "", "{metric: cold/start/p90, max: 9s}", false, "29 independent instance starts are the least for a 95 % interval, and how many a run sees is not planned; a phase with cold: {force: 29}"},
		{"worst cold start", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 1h}]", "", "{metric: cold/start/worst, max: 9s}", true, "decided by the instance starts"},
		{"errors", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 150s}]", "", "{metric: error_ratio, max: 1%}", false, "about 150 natural requests expected; 299 without a failure are the least that show 1 % at 95 %, 473 with one: 4m59s at this load"},
		{"errors of enough", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 300s}]", "", "{metric: error_ratio, max: 1%}", true, "about 300 natural requests"},
		{"no error", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 300s}]", "", "{metric: error_ratio, max: 0%}", false, "no number of requests shows that none will fail"},
		{"availability", "[{name: a, arrivals: {even: {rate: 1/s}}, for: 1h}]", "", "{metric: availability/natural, min: 99%}", false, "were a failure known to last no more than a minute, 4h59m34s without one would show 99 %, and as much more for each further minute; assay evidence adds up"},
	} {
		text := head + "load: " + c.load + "\n"
		if c.chaos != "" {
			text += "chaos: " + c.chaos + "\n"
		}
		p, err := Parse("p", []byte(text+"objectives: ["+c.objective+"]\n"))
		if err != nil {
			t.Fatal(c.name, err)
		}
		obj, err := p.Validate(k)
		if err != nil {
			t.Fatal(c.name, err)
		}
		d := p.Estimate(obj, stat.LeastN, nil).Objectives[0]
		if d.OK != c.ok || !strings.Contains(d.Why, c.want) {
			t.Errorf("%s: %v, %q; want %v, %q", c.name, d.OK, d.Why, c.ok, c.want)
		}
	}
}
