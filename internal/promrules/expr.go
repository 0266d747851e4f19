package promrules

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/live"
)

// RequestSeries, and LatencySeries with a family in its place, name the live metrics of a run that count its requests: those that rules on its own requests ask.
const (
	RequestSeries = "assay_requests_total"
	latencySeries = "assay_request_%s_seconds_bucket"
)

// LatencySeries returns the name of the series that count served requests of a latency by bucket.
func LatencySeries(family string) string { return fmt.Sprintf(latencySeries, family) }

// outcomes returns a matcher of those that take; it names the fewer others.
func outcomes(take func(assay.Outcome) bool) string {
	var others []string
	for o := assay.OutcomeUnknown; o <= assay.Credential; o++ {
		if !take(o) {
			others = append(others, o.String())
		}
	}
	return `outcome!~"` + strings.Join(others, "|") + `"`
}

// Bucket returns the bound of the bucket, in seconds, that stands for a limit on a latency: the limit itself where the live metrics have a bucket that ends
// there, else the next one below it.
func Bucket(family string, maximum int64) (le float64, exact bool) {
	bounds := live.LatencyBounds()
	limit := float64(maximum) / 1e9
	i := sort.SearchFloat64s(bounds, limit)
	if family == "tpot" || i < len(bounds) && bounds[i] == limit || i == 0 {
		return limit, family != "tpot" && i < len(bounds) && bounds[i] == limit
	}
	return bounds[i-1], false
}

// errorRatio returns the PromQL of the share of bad events over a window, and what is to be known of it.
func errorRatio(s *assay.SLO, window string) (expr string, notes []string) {
	in := &s.Good
	fill := func(q string) string { return strings.ReplaceAll(q, assay.RangeMark, window) }
	switch {
	case in.Metric == "availability":
		labels := selectors(in)
		return fmt.Sprintf("sum(rate(%s{%s}[%s]))\n/\nsum(rate(%s{%s}[%s]))", RequestSeries, labels+outcomes(assay.Outcome.Bad), window, RequestSeries, labels+outcomes(assay.Outcome.Counts), window), own(in)
	case in.Own():
		le, exact := Bucket(in.Metric, in.Max)
		labels, notes := selectors(in), own(in)
		if !exact {
			notes = append(notes, fmt.Sprintf("the live metrics have no bucket that ends at %gs: the rules take %gs", float64(in.Max)/1e9, le))
		}
		if in.Metric == "tpot" {
			notes = []string{"no live metric counts requests by tpot: these rules have nothing to ask but in a replay"}
		}
		fast := fmt.Sprintf(`sum(rate(%s{%s%s}[%s]))`, LatencySeries(in.Metric), labels, bucketMatcher(le), window)
		return fmt.Sprintf("1 - (\n  (%s or vector(0))\n  /\n  sum(rate(%s{%s}[%s]))\n)", fast, RequestSeries, labels+outcomes(assay.Outcome.Counts), window), notes
	case in.Good != "":
		return fmt.Sprintf("1 - (\n  (%s)\n  /\n  (%s)\n)", fill(in.Good), fill(in.Total)), nil
	case in.Bad != "":
		return fmt.Sprintf("(%s)\n/\n(%s)", fill(in.Bad), fill(in.Total)), nil
	case in.Raw != "" && in.Failed:
		return fmt.Sprintf("avg_over_time((%s)[%s:])", fill(in.Raw), window), nil
	case in.Raw != "":
		return fmt.Sprintf("1 - avg_over_time((%s)[%s:])", fill(in.Raw), window), nil
	}
	return fmt.Sprintf("1 - avg_over_time(((%s) %s bool %s)[%s:])", fill(in.Query), in.Op, formatFloat(in.Value), window), nil
}

// bucketMatcher matches the bound of a bucket as it is exposed: 2 in the text format of old, 2.0 in OpenMetrics and in what Prometheus 3 stores.
func bucketMatcher(le float64) string {
	if text := formatFloat(le); le == float64(int64(le)) {
		return `le=~"` + text + `|` + text + `.0"`
	} else {
		return `le="` + text + `"`
	}
}

func own(in *assay.Indicator) []string {
	if in.Class != "" {
		return []string{"no live metric tells classes of requests apart: these rules have nothing to ask but in a replay"}
	}
	return nil
}

// selectors returns the matchers of the requests that an indicator is about, each with a comma after it.
func selectors(in *assay.Indicator) (s string) {
	if in.Phase != "" {
		s += "phase=" + strconv.Quote(in.Phase) + ","
	}
	if in.Class != "" {
		s += "class=" + strconv.Quote(in.Class) + ","
	}
	return s
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
