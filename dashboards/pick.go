package dashboards

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/assay-dev/assay"
)

// What views look up in a report. Several views say the same things in different
// forms; what they say is decided here.

// availability returns the finding that stands for natural availability, or nil.
func availability(r *assay.Report) *assay.Finding {
	if serviceProbed(r) {
		return r.Find("availability/natural", "by", "time")
	}
	for _, pairs := range [][]string{{"by", "request"}, nil, {"by", "time"}} {
		if f := r.Find("availability/natural", pairs...); f != nil {
			return f
		}
	}
	return nil
}

// reasonOf returns why metric has no value, or fallback where no finding tells.
func reasonOf(r *assay.Report, metric, fallback string) string {
	if f := r.Find(metric); f != nil && f.Quantity.Reason != "" {
		return f.Quantity.Reason
	}
	return fallback
}

// objectiveTitle names an objective the way people do, or by its path where no title is given.
func objectiveTitle(j assay.Judgement) string {
	if j.Title != "" {
		return j.Title
	}
	return j.Objective.Metric + labelText(j.Objective.Labels)
}

// labelText writes selectors in order: {cold=cold, phase=steady}.
func labelText(labels map[string]string) string {
	if len(labels) == 0 {
		return ""
	}
	var parts []string
	for k, v := range labels {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}

// because says why an objective does not hold and what data would decide it.
func because(j assay.Judgement) string {
	var parts []string
	if j.Why != "" {
		parts = append(parts, j.Why)
	} else if j.Quantity.Reason != "" {
		parts = append(parts, j.Quantity.Reason)
	}
	if j.Enough != "" && !strings.HasSuffix(j.Why, "; "+j.Enough) {
		parts = append(parts, j.Enough)
	}
	return strings.Join(parts, "; ")
}

// note is what a view adds to an objective that does not hold. What makes the whole run invalid is
// said once, at the top, and not again for each objective.
func note(r *assay.Report, j assay.Judgement) string {
	if j.Verdict == assay.VerdictInvalid && r.Decision == assay.InvalidRun {
		return j.Quantity.Reason
	}
	return because(j)
}

// watched is the natural ledger's share of the run, in seconds.
func watched(r *assay.Report) float64 {
	var ns int64
	for _, s := range r.Segments {
		if s.Ledger == assay.Natural {
			ns += s.End - s.Begin
		}
	}
	return seconds(ns)
}

// naturalFailures counts the natural episodes of a subject.
func naturalFailures(r *assay.Report, s assay.Subject) int {
	n := 0
	for _, e := range r.Episodes {
		if e.Ledger == assay.Natural && e.Subject == s {
			n++
		}
	}
	return n
}

// of counts "x of y" for a ratio that rests on N things.
func of(q assay.Quantity) string {
	if !q.Known() || q.N == 0 || q.Value != q.Value {
		return Value(q)
	}
	return fmt.Sprintf("%d/%d %s", int(q.Value*float64(q.N)+0.5), q.N, Bracket(q))
}

// streamText writes the outcomes of cut or stalled answers, most frequent first: "4 cut stall".
func streamText(m map[string]int) string {
	var keys []string
	for k, n := range m {
		if n > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%d %s", m[k], words(k))
	}
	if len(keys) == 0 {
		return "none"
	}
	return strings.Join(keys, ", ")
}

// coldParts sums the critical paths of all starts by phase, longest first; the
// unattributed remainder comes last. total is their sum in seconds.
func coldParts(starts []assay.Start) (parts []assay.Share, total float64, held int) {
	sums := map[string]float64{}
	rest := 0.0
	for _, s := range starts {
		for _, p := range s.Shares {
			if p.Name == "unattributed" {
				continue // told by the start itself
			}
			sums[p.Name] += p.Seconds
			total += p.Seconds
		}
		rest += s.Unattributed
		held += s.Held
	}
	total += rest
	for name, sec := range sums {
		parts = append(parts, assay.Share{Name: name, Seconds: sec})
	}
	slices.SortFunc(parts, func(a, b assay.Share) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.Name, b.Name))
	})
	if total > 0 {
		parts = append(parts, assay.Share{Name: "unattributed", Seconds: rest})
	}
	return parts, total, held
}

// capRefusals counts the requests that our own in-flight cap kept back.
func capRefusals(r *assay.Report) int {
	n := 0
	for _, e := range r.Errors {
		if e.Outcome == assay.RefusedByCap {
			n += e.Count
		}
	}
	return n
}

// kindName names a fault by its kind and the share of the service it hit, where it hit instances: "kill 1/2".
func kindName(f assay.FaultResult) string {
	kind := f.Window.Kind
	if f.Window.Simulated {
		kind += " (simulated)"
	}
	if f.Window.Healthy > 0 && !f.Window.Hurts("") {
		return fmt.Sprintf("%s 1/%d", kind, f.Window.Healthy)
	}
	return kind
}

// instanceNoun counts instances.
func instanceNoun(n int) string { return Things(n, "instances") }
