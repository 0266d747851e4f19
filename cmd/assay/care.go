package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/assay-dev/assay/internal/plan"
)

// printCare says what a plan does so that a run harms nobody: what ends it, who is told, what is silenced.
func printCare(w io.Writer, p *plan.Plan) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "  %-9s "+format+"\n", append([]any{label}, args...)...)
	}
	for i := range p.Guards {
		line("guard", "%s", guardLine(&p.Guards[i]))
	}
	if s := p.Stop; s != nil {
		ways := []string{"Ctrl-C", "assay stop"}
		if s.File != "" {
			ways = append(ways, "the file "+p.Path(s.File))
		}
		if s.HTTP != nil {
			ways = append(ways, "POST /stop at "+s.HTTP.Listen)
		}
		line("stop", "%s", strings.Join(ways, ", "))
	}
	if n := len(p.Notify); n > 0 {
		line("notify", "%d webhooks: begin, faults, breach and end", n)
	}
	if a := p.Alerts; a != nil {
		matchers := (&alarm{plan: a}).matchers()
		text := "are expected and asked for at " + cmp.Or(a.Prometheus, a.Alertmanager)
		if a.Silence.On {
			length := "the planned end and 5m"
			if a.Silence.For > 0 {
				length = a.Silence.For.String() + " from the beginning"
			}
			text += fmt.Sprintf("; silenced at %s until the end of the run, at most until %s", a.Alertmanager, length)
		}
		line("alerts", "%s %s", selector(matchers), text)
	}
}

func guardLine(g *plan.Guard) string {
	limit := func(v *plan.Value) string { b, _ := v.MarshalText(); return string(b) }
	var s string
	switch {
	case g.Burn != nil:
		s = fmt.Sprintf("the error budget of %s burns at most %g times too fast over %v and over %v", limit(g.Burn.Objective), g.Burn.Rate, g.Burn.Over.D(), g.Burn.Short.D())
	case g.PromQL != "":
		s = g.PromQL + " at " + g.Prometheus
	default:
		s = fmt.Sprintf("%s over %v", g.Metric, g.Over.D())
	}
	if g.Max != nil {
		s += " is at most " + limit(g.Max)
	}
	if g.Max != nil && g.Min != nil {
		s += " and at least " + limit(g.Min)
	} else if g.Min != nil {
		s += " is at least " + limit(g.Min)
	}
	if g.PromQL != "" && g.Over > 0 {
		s += fmt.Sprintf(" within %v", g.Over.D())
	}
	return s + ", or all faults are reverted"
}
