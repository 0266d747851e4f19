package compare

import (
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/analyzers"
)

// A kind is one metric that runs are compared by.
type kind struct {
	metric string
	labels map[string]string
	role   assay.ChangeRole // where neither the plan nor a person says what must pass
}

// Default margins: the largest change for the worse that passes.
const (
	RatioMargin = 0.05  // of times and rates, relative
	ShareMargin = 0.005 // of shares, half a percentage point
	RateMargin  = 1     // of rates of failures, relative: twice as many

	RecoveryFloor = 0.5 // s: of a recovery no margin is smaller, since what tells of it is no finer
)

// always are the metrics that are compared wherever both sides have them.
var always = []kind{
	{"ttft/p50", nil, assay.ChangeGate}, {"ttft/p95", nil, assay.ChangeGate}, {"ttft/p99", nil, assay.ChangeShow},
	{"itl/p50", nil, assay.ChangeGate}, {"itl/p95", nil, assay.ChangeShow}, {"tpot/p50", nil, assay.ChangeShow},
	{"e2e/p50", nil, assay.ChangeGate}, {"e2e/p95", nil, assay.ChangeGate}, {"e2e/p99", nil, assay.ChangeShow},
	{"error_ratio", nil, assay.ChangeWatch}, {"goodput", nil, assay.ChangeWatch}, // of an open load it is the load's more than the target's
	{"limit/rate", nil, assay.ChangeShow}, {"goodput/ratio", nil, assay.ChangeShow}, {"availability/natural", nil, assay.ChangeShow},
	{"failure_rate/service", nil, assay.ChangeWatch}, {"failure_rate/instance", nil, assay.ChangeWatch}, {"failure_rate/gpu", nil, assay.ChangeWatch},
	{"cold/start/p50", nil, assay.ChangeShow}, {"cold/first_token/p50", nil, assay.ChangeShow}, {"cold/share", map[string]string{"of": "requests"}, assay.ChangeShow},
	{"score", nil, assay.ChangeShow},
}

// kindsOf returns what the runs are compared by: what was asked for, else what the plan has objectives on, else the table's own
// gates. What is neither asked for nor an objective's decides nothing then, but that what is watched stays so.
func kindsOf(runs []Run, gates []assay.Objective) []kind {
	out := slices.Clone(always)
	for i := range runs {
		for j := range runs[i].Report.Faults {
			for _, m := range []string{"recovery/user", "recovery/rate", "recovery/capacity"} {
				k := kind{m, map[string]string{"fault": runs[i].Report.Faults[j].Window.Kind}, assay.ChangeWatch}
				if m == "recovery/capacity" {
					k.role = assay.ChangeShow
				}
				if index(out, k.metric, k.labels) < 0 {
					out = append(out, k)
				}
			}
		}
	}
	if len(gates) == 0 && len(runs) > 0 {
		for _, o := range runs[0].Manifest.Objectives {
			if judged(o.Metric) {
				gates = append(gates, o)
			}
		}
	}
	if len(gates) == 0 {
		return out
	}
	for i := range out {
		if out[i].role == assay.ChangeGate {
			out[i].role = assay.ChangeShow
		}
	}
	for _, g := range gates {
		i := index(out, g.Metric, g.Labels)
		if i < 0 {
			i = len(out)
			out = append(out, kind{metric: g.Metric, labels: g.Labels})
		}
		out[i].role = assay.ChangeGate
	}
	return out
}

func index(ks []kind, metric string, labels map[string]string) int {
	return slices.IndexFunc(ks, func(k kind) bool { return k.metric == metric && same(k.labels, labels) })
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// Refused says which metric to gate on instead of one that runs cannot be compared by, or "".
func Refused(metric string) string {
	family, subject, _ := strings.Cut(metric, "/")
	switch {
	case family == "mtbf":
		return "failure_rate/" + subject
	case metric == "availability/natural":
		return "failure_rate/service"
	}
	return ""
}

// judged reports whether less or more of a metric is better, without which no change of it is for the worse. What an
// availability or an MTBF says of single runs is compared by the rate of failures.
func judged(metric string) bool {
	d, ok := analyzers.Lookup(metric)
	return ok && d.Better != "" && Refused(metric) == "" && !strings.HasPrefix(metric, "validity/")
}

// counted reports whether a metric is a rate of events over exposure.
func counted(metric string) bool { return strings.HasPrefix(metric, "failure_rate/") }

// titleOf returns a metric as people say it; that latencies are those of warm requests goes without saying.
func titleOf(k kind) string {
	return strings.TrimSuffix(analyzers.Title(k.metric, k.labels), ", warm")
}

// valueOf returns what one run says of a metric. Of several faults of a kind it is the mean.
func valueOf(r *Run, k kind) assay.Quantity {
	if name, ok := strings.CutPrefix(k.metric, "recovery/"); ok && (name == "user" || name == "capacity") {
		return recoveryOf(r, name, k.labels["fault"])
	}
	var pairs []string
	for name, v := range k.labels {
		pairs = append(pairs, name, v)
	}
	if f := r.Report.Find(k.metric, pairs...); f != nil {
		return f.Quantity
	}
	for i := range r.Report.Findings { // an objective's selectors may be fewer than the finding's
		f := &r.Report.Findings[i]
		if f.Metric == k.metric && len(k.labels) > 0 && len(f.Labels) > len(k.labels) && holds(f.Labels, k.labels) {
			return f.Quantity
		}
	}
	return assay.NotMeasured("", "the run has nothing that shows it")
}

func holds(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}
