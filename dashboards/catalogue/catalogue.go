// Package catalogue lists the panels of the live dashboards: for each its title, the
// question it answers, its unit, its queries over a run's live metrics and its goal line. It
// links no dashboard library, so that assay itself can print, check and export what it holds; the
// generator in package dashboards/grafana/gen draws Grafana's JSON from it.
//
// Queries use three variables, which [Expand] fills in for whoever executes them:
// $run, the name of the run; $phase, a regular expression over load phases; and $__rate_interval, the
// window that Grafana derives from the scrape interval. The label they share is the run, not a job: load
// generator, platform and engines are scraped by different jobs.
package catalogue

import (
	"strings"

	"github.com/assay-dev/assay"
)

// Form is the way a panel draws its queries.
type Form string

// The forms.
const (
	Stat          Form = "stat"
	TimeSeries    Form = "timeseries"
	Stacked       Form = "stacked" // a time series whose lines add up
	StateTimeline Form = "state-timeline"
	Table         Form = "table"
	Heatmap       Form = "heatmap"
)

// A Query is one PromQL expression of a panel.
type Query struct {
	Expr   string
	Legend string // Grafana's legend format
	// EmptyOK says why the query may return nothing on a run without faults or goals; empty means
	// it may not. A query must always return something on a run that has them.
	EmptyOK  string
	Exemplar bool // ask for exemplars too
	Goal     bool // draws the goal line of the panel
}

// A Panel is one drawing and the question it answers.
type Panel struct {
	ID       uint32 // never reused: links and exports refer to it
	Title    string
	Question string // what a reader learns from it, and what it looks like when all is well
	Form     Form
	Unit     string // Grafana's unit id
	Queries  []Query
	Width    uint32           // of 24 columns
	Height   uint32           // in grid rows
	States   map[string]State // of a state timeline or a stat, by value
	Warn     float64          // value from which a stat is marked; 0: never
	NoValue  string           // shown in place of nothing
}

// A State names and colours one value.
type State struct{ Text, Colour string }

// A Row is a titled group of panels.
type Row struct {
	ID     uint32
	Title  string
	Panels []Panel
}

// A Variable is a choice at the top of the dashboard.
type Variable struct {
	Name, Label string
	Query       string // label_values(selector, label)
	Multi       bool   // several at once, and all
}

// An Annotation marks a stretch of time in all panels.
type Annotation struct {
	Name, Expr, Colour, Title, Text string
	Tags                            string
	// Interval is the step of the query. Grafana merges points closer than the step and its default
	// is a minute: fault windows of seconds then vanish or run together.
	Interval string
	EmptyOK  string
}

// A Dashboard is rows of panels with their variables and annotations.
type Dashboard struct {
	UID, Title, Description string
	Variables               []Variable
	Annotations             []Annotation
	Rows                    []Row
}

// Panels returns all panels in order.
func (d *Dashboard) Panels() []Panel {
	var out []Panel
	for _, r := range d.Rows {
		out = append(out, r.Panels...)
	}
	return out
}

// Expand replaces the variables of a query. window is a duration such as 5s; phase is a regular expression.
func Expand(expr, run, phase, window string) string {
	return strings.NewReplacer("$run", run, "$phase", phase, "$__rate_interval", window).Replace(expr)
}

// failed is the regular expression of the outcomes that error_ratio counts as not served, by the vocabulary's own rule.
func failed() string { return outcomes(assay.Outcome.Bad) }

// judged is that of all outcomes that it counts.
func judged() string { return outcomes(assay.Outcome.Counts) }

func outcomes(keep func(assay.Outcome) bool) string {
	var names []string
	for o := assay.Outcome(0); !strings.HasPrefix(o.String(), "invalid("); o++ {
		if keep(o) {
			names = append(names, o.String())
		}
	}
	return strings.Join(names, "|")
}
