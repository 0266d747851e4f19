package main

import (
	"slices"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/plan"
)

// sloHelp is what --slo takes.
const sloHelp = "what must hold, for example ttft/p95=2s, error_ratio=1% or e2e/p95{class=search}=300ms; or an OpenSLO file; repeatable"

// sloLabels are what a metric of --slo can be of.
var sloLabels = []string{"phase", "class", "cold", "fault", "cause", "by", "engine"}

// objectivesOf reads the values of --slo: a metric, what it is of in braces, and its bound, an upper one unless more of the metric is better.
func objectivesOf(slo []string) ([]assay.Objective, error) {
	var out []assay.Objective
	for _, text := range slo {
		metric, labels, bound, ok := cutSLO(text)
		if !ok {
			return nil, exit(assay.ExitUsage, "--slo %q: write metric=bound or metric{label=value}=bound, for example ttft/p95=2s", text)
		}
		for k := range labels {
			if !slices.Contains(sloLabels, k) {
				return nil, exit(assay.ExitUsage, "--slo %s: there is no label %q; one of %s", metric, k, strings.Join(sloLabels, ", "))
			}
		}
		if c, is := labels["cause"]; is && (!strings.HasPrefix(metric, "failure_rate/") || !slices.Contains(assay.FailureCauses, c)) {
			return nil, exit(assay.ExitUsage, "--slo %s{cause=%s}: want failure_rate/service or failure_rate/instance, and a cause of %s", metric, c, strings.Join(assay.FailureCauses, ", "))
		}
		var v plan.Value
		if err := v.UnmarshalText([]byte(bound)); err != nil {
			return nil, exit(assay.ExitUsage, "--slo %s: %v", metric, err)
		}
		d, known := kinds().Metrics(metric)
		if !known && slices.Contains([]string{"availability", "ttft", "e2e", "tpot"}, metric) {
			return nil, exit(assay.ExitUsage, "--slo %s is a promise, which has a target over a window: write it in the plan (target: 99.9%%, window: 30d) or in an OpenSLO file, --slo FILE.yaml; of one run itself speak availability/natural and %s", metric, map[bool]string{true: "error_ratio", false: metric + "/p95"}[metric == "availability"])
		}
		if !known {
			return nil, exit(assay.ExitUsage, "--slo %q is no metric; for example ttft/p95, e2e/p95 or error_ratio; assay list metric names all", metric)
		}
		limit, err := v.In(d.Unit)
		if err != nil {
			return nil, exit(assay.ExitUsage, "--slo %s: %v", metric, err)
		}
		o := assay.Objective{Metric: metric, Labels: labels, Unit: d.Unit}
		up, err := plan.Upper(d)
		if err != nil {
			return nil, exit(assay.ExitUsage, "--slo %s: %v", metric, err)
		}
		if up {
			o.Max = &limit
		} else {
			o.Min = &limit
		}
		out = append(out, o)
	}
	return out, nil
}

// cutSLO takes metric{label=value,…}=bound apart.
func cutSLO(text string) (metric string, labels map[string]string, bound string, ok bool) {
	name, rest, braces := strings.Cut(text, "{")
	if !braces {
		metric, bound, ok = strings.Cut(text, "=")
		return metric, nil, bound, ok
	}
	end := strings.LastIndex(rest, "}=") // a value may hold anything else
	if end < 0 {
		return "", nil, "", false
	}
	labels = map[string]string{}
	for pair := range strings.SplitSeq(rest[:end], ",") {
		k, v, ok := strings.Cut(pair, "=")
		if !ok || v == "" {
			return "", nil, "", false
		}
		labels[strings.TrimSpace(k)] = v
	}
	return name, labels, rest[end+2:], true
}
