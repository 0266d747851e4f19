package dashboards

import (
	"math"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// engine writes what the engines told of themselves, if any did.
func (p *page) engine() {
	for i, s := range engineLines(p.r) {
		if i == 0 {
			p.para("ENGINE", 11, s)
			continue
		}
		p.para("", 2, s)
	}
}

// engineTimes are the times of a request as servers count them.
var engineTimes = []struct{ metric, what string }{
	{"engine/ttft", "TTFT"}, {"engine/itl", "ITL"}, {"engine/tpot", "TPOT"}, {"engine/e2e", "end to end"}, {"engine/queue_time", "queue"}, {"engine/inference_time", "in the model"}, {"engine/prefill_time", "prefill"}, {"engine/decode_time", "decode"},
	{"hop/time", "the hop itself"}, {"hop/upstream_time", "upstream"}, {"hop/upstream_connect_time", "its connection"}, {"hop/upstream_first_byte_time", "its first byte"},
}

// engineNumbers are the rest.
var engineNumbers = []struct{ metric, what string }{
	{"engine/success/rate", "answered"}, {"engine/tokens_in/rate", "tokens in"}, {"engine/tokens_out/rate", "tokens out"}, {"engine/running/max", "running at most"}, {"engine/waiting/max", "waiting at most"},
	{"engine/kv_usage/max", "KV cache at most"}, {"engine/preemptions", "preempted"}, {"engine/failures", "failed"}, {"engine/load_time", "load"}, {"engine/startup_time", "start"},
	{"cache/prefix/hit_ratio", "prefix cache hits"}, {"cache/prefix/saved", "prefill saved"}, {"cache/hit_ratio", "cache hits"}, {"cache/saved", "time saved by the cache"}, {"cache/evictions", "evicted"},
	{"hop/retries", "upstream asked again"}, {"hop/timeouts", "upstream too slow"}, {"hop/pending/max", "pending at most"}, {"hop/overflow", "refused while too many were pending"}, {"hop/ejections", "servers put aside"},
	{"hop/connections/max", "connections at most"}, {"hop/client_gone", "clients went away"},
}

// engineLines tells of each engine: the times it counted, the rest, what it did not tell, and the doubts.
func engineLines(r *assay.Report) (lines []string) {
	var kinds []string
	for i := range r.Findings {
		if k := r.Findings[i].Labels["engine"]; k != "" && !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	for _, kind := range kinds {
		find := func(metric string) *assay.Finding { return r.Find(metric, "engine", kind) }
		var times, numbers []entry
		var missing, doubts []string
		for _, m := range engineTimes {
			mean := find(m.metric + "/mean")
			if mean == nil {
				continue
			}
			if !mean.Quantity.Known() {
				missing = append(missing, m.what)
				continue
			}
			s := m.what + " mean " + Measure(mean.Quantity)
			if p95 := find(m.metric + "/p95"); p95 != nil && p95.Quantity.Known() {
				s += ", p95 " + Measure(p95.Quantity)
			}
			times = append(times, entry{s, mean.Quantity})
			for _, w := range mean.Warnings {
				doubts = append(doubts, m.what+": "+strings.TrimSuffix(w, "."))
			}
		}
		for _, m := range engineNumbers {
			f := find(m.metric)
			switch {
			case f == nil:
			case !f.Quantity.Known():
				missing = append(missing, m.what)
			case math.IsInf(f.Quantity.Hi, 1) && f.Quantity.Value == 0:
			default:
				numbers = append(numbers, entry{m.what + " " + Measure(f.Quantity), f.Quantity})
				if m.metric == "engine/tokens_out/rate" || m.metric == "engine/failures" {
					for _, w := range f.Warnings {
						doubts = append(doubts, m.what+": "+strings.TrimSuffix(w, "."))
					}
				}
			}
		}
		head := kind + ": "
		for _, part := range [][]entry{times, numbers} {
			if len(part) > 0 {
				lines = append(lines, head+listed(part, "; "))
				head = ""
			}
		}
		if len(missing) > 0 && head == "" {
			lines = append(lines, "not measured, because it was not exposed or nothing was counted: "+strings.Join(missing, ", "))
		}
		lines = append(lines, doubts...)
	}
	return lines
}
