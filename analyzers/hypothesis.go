package analyzers

import (
	"cmp"
	"math"
	"slices"

	"github.com/assay-dev/assay"
)

// Steady lists what was seen of the steady-state hypothesis before, during and after each fault. It reports no metric.
//
// A look that names no fault belongs to every fault that begins after it, until the same part is looked at again: a steady state is checked
// once before several faults. Where no fault was injected, as when the state did not hold before, each part has one row of its own.
type Steady struct{}

// Describe lists nothing: what it adds are rows.
func (Steady) Describe() []assay.Desc { return nil }

// Begin starts a pass.
func (Steady) Begin(f *assay.Facts) assay.Pass { return &steadyPass{f} }

type steadyPass struct{ f *assay.Facts }

func (*steadyPass) Requests([]assay.Request) {}

// Stages and answers of a look.
const (
	stageBefore = "before"
	stageDuring = "during"
	stageAfter  = "after"
	lookTrue    = "true"
	lookFalse   = "false"
)

func (p *steadyPass) Finish(r *assay.Report) error {
	var names []string
	for i := range p.f.Events {
		if e := &p.f.Events[i]; e.Kind == assay.EventHypothesis && !slices.Contains(names, e.Attrs["name"]) {
			names = append(names, e.Attrs["name"])
		}
	}
	for i := range p.f.Faults {
		w := &p.f.Faults[i]
		for _, name := range names {
			if h := p.around(name, w); h.Before.OK != "" || h.During.OK != "" || h.After.OK != "" {
				r.Hypotheses = append(r.Hypotheses, h)
			}
		}
	}
	for _, name := range names {
		if slices.ContainsFunc(r.Hypotheses, func(h assay.Hypothesis) bool { return h.Name == name }) {
			continue
		}
		r.Hypotheses = append(r.Hypotheses, p.around(name, nil))
	}
	return nil
}

// around gathers the looks at one part around fault w, or all of them where w is nil.
func (p *steadyPass) around(name string, w *assay.FaultWindow) assay.Hypothesis {
	h := assay.Hypothesis{Name: name}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if w != nil {
		h.Fault = w.ID
		if w.Applied != 0 {
			from = w.Applied
		}
		to = cmp.Or(w.Reverted, w.Clear, to)
	}
	for i := range p.f.Events {
		e := &p.f.Events[i]
		if e.Kind != assay.EventHypothesis || e.Attrs["name"] != name || w != nil && e.Fault != "" && e.Fault != w.ID {
			continue
		}
		look := assay.Look{OK: e.Attrs["ok"], Value: e.Attrs["value"], Text: e.Text, At: e.Time}
		mine := w == nil || e.Fault != "" // else the instant decides
		switch e.Attrs["stage"] {
		case stageBefore:
			if mine || from == math.MinInt64 || e.Time <= from {
				h.Before = look
			}
		case stageDuring:
			if (mine || from <= e.Time && e.Time <= to) && worseLook(look.OK, h.During.OK) {
				h.During = look
			}
		case stageAfter:
			if mine || e.Time >= from {
				h.After = look
			}
		}
	}
	return h
}

// worseLook reports whether a look is worse than the worst before it.
func worseLook(ok, than string) bool {
	rank := func(s string) int {
		switch s {
		case "":
			return 0
		case lookTrue:
			return 1
		case lookFalse:
			return 3
		}
		return 2
	}
	return rank(ok) > rank(than)
}
