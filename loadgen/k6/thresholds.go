package k6

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.k6.io/k6/v2/metrics"

	"github.com/assay-dev/assay"
)

// latencyOf names the metric of ours that a Trend of the module measures. assay_itl is not among them: it holds the mean gap of each
// answer, while itl pools all gaps.
var latencyOf = map[string]string{"assay_ttft": "ttft", "assay_tpot": "tpot", "assay_e2e": "e2e"}

var (
	thresholdPattern = regexp.MustCompile(`^\s*(p\(\s*([0-9.]+)\s*\)|avg|med|max|rate)\s*(<=?)\s*([0-9.eE+-]+)\s*$`)
	scenarioPattern  = regexp.MustCompile(`^([A-Za-z0-9_]+)(?:\{\s*scenario\s*:\s*([A-Za-z0-9_-]+)\s*\})?$`)
)

// metricK6 is the metric of the analyzers that holds k6's own verdict on a threshold.
const metricK6 = "k6/threshold"

// objectives turns thresholds into objectives, in a stable order: k6's own verdict must be that it held, and what means the same to us is
// judged by us too, with an interval.
func objectives(thresholds map[string]metrics.Thresholds) (list []assay.Objective) {
	held := 1.0
	for _, name := range slices.Sorted(maps.Keys(thresholds)) {
		for _, t := range thresholds[name].Thresholds {
			source := strings.TrimSpace(t.Source)
			list = append(list, assay.Objective{Metric: metricK6, Labels: map[string]string{"threshold": name + ": " + source}, Min: &held, Unit: assay.Ratio})
			if o, ok := objective(name, source); ok {
				list = append(list, o)
			}
		}
	}
	return list
}

// objective translates one threshold. Only upper limits on latencies and failures have the same meaning for both.
func objective(name, source string) (assay.Objective, bool) {
	where := scenarioPattern.FindStringSubmatch(name)
	what := thresholdPattern.FindStringSubmatch(source)
	if where == nil || what == nil {
		return assay.Objective{}, false
	}
	limit, err := strconv.ParseFloat(what[4], 64)
	if err != nil || limit < 0 {
		return assay.Objective{}, false
	}
	var o assay.Objective
	family, latency := latencyOf[where[1]]
	switch stat := what[1]; {
	case latency && stat != "rate":
		switch {
		case what[2] != "":
			p, err := strconv.ParseFloat(what[2], 64)
			if err != nil || p <= 0 || p >= 100 {
				return assay.Objective{}, false
			}
			stat = "p" + strconv.FormatFloat(p, 'f', -1, 64)
		case stat == "avg":
			stat = "mean"
		case stat == "med":
			stat = "p50"
		}
		limit /= 1e3 // k6 counts milliseconds
		o = assay.Objective{Metric: family + "/" + stat, Unit: assay.Seconds}
		if where[2] != "" {
			o.Labels = map[string]string{"phase": where[2]}
		}
	case where[1] == "assay_failed" && stat == "rate" && where[2] == "":
		o = assay.Objective{Metric: "error_ratio", Unit: assay.Ratio}
	default:
		return assay.Objective{}, false
	}
	o.Max = &limit
	return o, true
}

// verdicts reports what k6 itself found of its thresholds, once they were evaluated for the last time.
func verdicts(thresholds map[string]metrics.Thresholds, at int64, emit func(assay.Record) error) {
	for _, name := range slices.Sorted(maps.Keys(thresholds)) {
		for _, t := range thresholds[name].Thresholds {
			source, word := strings.TrimSpace(t.Source), "held"
			if t.LastFailed {
				word = "was crossed"
			}
			_ = emit(&assay.Event{Time: at, Kind: assay.EventAnnotation, Source: "k6", // a loss is counted by the writer
				Text: fmt.Sprintf("k6 threshold %s: %s %s", name, source, word), Attrs: map[string]string{"k6.metric": name, "k6.threshold": source, "ok": strconv.FormatBool(!t.LastFailed)}})
		}
	}
}

func wrongRole(scenario string, role assay.Role) error {
	return fmt.Errorf("scenario %s: tag %s: %q: want warmup, steady, stress or idle", scenario, RoleTag, role)
}
