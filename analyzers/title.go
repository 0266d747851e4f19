package analyzers

import (
	"slices"
	"strings"
)

var titles = map[string]string{
	"ttft": "TTFT", "itl": "ITL", "tpot": "TPOT", "e2e": "end to end", "mtbf/service": "MTBF, service", "mtbf/instance": "MTBF, instance",
	"failure_rate/service": "failure rate, service", "failure_rate/instance": "failure rate, instance",
	"availability/natural": "availability", "error_ratio": "error ratio", "fault_tolerance": "fault tolerance",
	"recovery/user": "recovery", "recovery/capacity": "capacity recovery", "recovery/detect": "detection", "recovery/isolate": "isolation",
	"recovery/restore": "restoration", "recovery/verify": "revert verified", "degraded": "degraded area", "recovery/rate": "recovery rate", "cold/start": "cold start", "cold/share": "cold share",
	"limit/rate": "highest load held", "load/offered": "offered load", "load/sent": "sent load", "overload/refused": "refused in overload",
	"overload/throttled": "throttled in overload", "k6/threshold": "k6 threshold", "idle/gap": "idle time to zero",
	"slo/burn": "burn rate", "slo/burn/worst": "worst burn rate", "slo/spent": "budget spent", "slo/lasts": "a budget lasts",
	"neighbour/latency": "wait beside a loud class", "fairness/goodput": "fairness", "scaling/fairness": "balance of instances", "cold/flip": "quantile at which cold begins",
	"drift/ttft": "drift of TTFT", "drift/e2e": "drift of end to end", "drift/memory": "growth of memory", "drift/memory/rate": "growth of memory by the hour", "drift/memory/left": "time left of memory",
}

// Title returns a metric with its selectors as people say it: "TTFT p95, warm".
func Title(metric string, labels map[string]string) string {
	if metric == "slo/good" {
		return "promise " + labels["slo"]
	}
	name, ok := titles[metric]
	if !ok {
		family, last := metric, ""
		if i := strings.LastIndexByte(metric, '/'); i > 0 {
			family, last = metric[:i], metric[i+1:]
		}
		if t, ok := titles[family]; ok {
			family = t
		}
		name = strings.TrimSpace(strings.ReplaceAll(family, "/", " ") + " " + last)
	}
	family, _, _ := strings.Cut(metric, "/")
	latency := slices.Contains(latencyFamilies, family)
	var parts []string
	for _, k := range keys(labels) {
		if k == "cold" && latency {
			continue
		}
		if k == "forced" {
			parts = append(parts, k)
			continue
		}
		if k == "by" && family == "neighbour" {
			parts = append(parts, "while "+labels[k]+" is loud")
			continue
		}
		parts = append(parts, labels[k])
	}
	if latency {
		switch c := labels["cold"]; c {
		case "":
			parts = append(parts, "warm")
		case "all":
			parts = append(parts, "cold and warm")
		default:
			parts = append(parts, c)
		}
	}
	if len(parts) == 0 {
		return name
	}
	return name + ", " + strings.Join(parts, ", ")
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
