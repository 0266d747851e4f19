// Package dashboards shows a run to people and to their tools: one view a file,
// each a pure function of the [assay.Report].
//
// [Kinds] is the table of views that are written as files. The terminal view takes
// settings, so [Text] returns the view for a given width and palette; the table
// holds it with its defaults. Every view renders the same report to the same
// bytes: no clock, no locale, no iteration over maps without order.
//
// How numbers read is decided in one place, format.go. Reports come from runs, and
// a run holds strings that its target chose; each view therefore escapes for its own medium:
// control characters for terminals, markup for HTML, pipes for Markdown.
//
// The HTML page is one file without scripts: its plots are drawn as SVG by svg.go
// and the chart files, coloured by the page's style sheet so that dark mode and print
// need nothing else. Patterns, dashes and words carry every meaning that colour does.
//
// Package dashboards/catalogue lists the panels of the live Grafana dashboard and
// package dashboards/grafana holds the dashboard generated from it.
package dashboards
