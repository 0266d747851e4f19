package dashboards

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/assay-dev/assay"
)

// kneeLine says where throughput stops to pay and how it goes with concurrency; "" where no search tells.
func kneeLine(r *assay.Report) string {
	f := r.Find("limit/knee")
	if f == nil || !f.Quantity.Known() {
		return ""
	}
	sigma := r.Find("usl/sigma")
	if q := f.Quantity; (q.Lo <= 0 || math.IsInf(q.Hi, 1)) && (sigma == nil || !sigma.Quantity.Known()) {
		return "" // the steps of a search for something else did not show it
	}
	parts := []string{Whole(f.Quantity)}
	switch {
	case sigma == nil:
	case !sigma.Quantity.Known():
		parts = append(parts, "coefficients "+sigma.Quantity.Reason)
	default:
		for _, m := range []struct{ metric, word string }{{"usl/lambda", "one in flight"}, {"usl/sigma", "contention"}, {"usl/kappa", "coherence"}} {
			if f := r.Find(m.metric); f != nil {
				parts = append(parts, m.word+" "+Measure(f.Quantity))
			}
		}
		if f := r.Find("usl/peak"); f != nil && f.Quantity.Known() {
			s := "peak " + Measure(f.Quantity)
			if n := r.Find("usl/peak/concurrency"); n != nil && n.Quantity.Known() {
				s += " with " + Measure(n.Quantity) + " in flight"
			}
			parts = append(parts, s)
		} else if f != nil {
			parts = append(parts, "peak "+f.Quantity.Reason)
		}
	}
	if sigma != nil && sigma.Quantity.Known() && sigma.Quantity.N != f.Quantity.N { // the law and the knee may rest on different steps
		parts = append(parts, "the law by "+NText(sigma.Quantity))
	}
	return strings.Join(parts, "; ")
}

func seriesNamed(r *assay.Report, name string) *assay.Series {
	for i := range r.Series {
		if r.Series[i].Name == name {
			return &r.Series[i]
		}
	}
	return nil
}

// uslChart draws throughput against concurrency: the steps of a search, and the law fitted to them. Nothing where there are no steps.
func uslChart(id string, r *assay.Report) template.HTML {
	steps := seriesNamed(r, "usl/steps")
	if steps == nil || len(steps.Values) < 3 || len(steps.Lo) != len(steps.Values) {
		return ""
	}
	most := func(v []assay.Num) float64 {
		m := 0.0
		for _, x := range v {
			if f := float64(x); !math.IsInf(f, 0) {
				m = math.Max(m, f)
			}
		}
		return m
	}
	const left, top, height, below = 60.0, 12.0, 190.0, 38.0
	s := newSVG(id, plotWidth, top+height+below, "chart", "Throughput by concurrency", fmt.Sprintf("%s, with the universal scalability law where it fits.", Things(len(steps.Values), "steps")))
	nTicks, nTop := ticks(0, most(steps.Lo)*1.05, 8)
	xTicks, xTop := ticks(0, most(steps.Values)*1.1, 5)
	x := scale{0, nTop, left, plotWidth - 20}
	y := scale{0, xTop, top + height, top}
	for _, v := range xTicks {
		s.line("grid", left, y.at(v), plotWidth-20, y.at(v))
		s.text("t", "end", left-6, y.at(v)+4, Number(v))
	}
	for _, v := range nTicks {
		s.line("tick", x.at(v), top+height, x.at(v), top+height+4)
		s.text("t", "middle", x.at(v), top+height+16, Number(v))
	}
	s.text("t", "start", left, top+height+32, "requests in flight, by Little's law; throughput upwards, requests per second")
	if fit := seriesNamed(r, "usl/fit"); fit != nil && len(fit.Lo) == len(fit.Values) {
		var xs, ys []float64
		for i := range fit.Values {
			if n := float64(fit.Lo[i]); n <= nTop {
				xs, ys = append(xs, x.at(n)), append(ys, y.at(float64(fit.Values[i])))
			}
		}
		s.path("l l2", linePath(xs, ys))
	}
	for i := range steps.Values {
		s.circle("f1", x.at(float64(steps.Lo[i])), y.at(float64(steps.Values[i])), 4)
	}
	return s.html()
}
