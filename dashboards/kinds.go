package dashboards

import (
	"io"

	"github.com/assay-dev/assay"
)

// A Render writes one view of a report. It does not keep or change the report.
type Render func(w io.Writer, r *assay.Report) error

// A Kind is one view that can be asked for by name.
type Kind struct {
	Name   string // as flags and plans name it
	File   string // name of the file it is written to in the run directory
	Help   string // one sentence
	Render Render
}

// Kinds returns the table of views, in the order that lists show them.
func Kinds() []Kind {
	return []Kind{
		{"text", "report.txt", "the first screen, as a terminal shows it", Text(TextOptions{})},
		{"html", "report.html", "one self-contained page with the plots", HTML},
		{"markdown", "report.md", "tables for a pull request or a job summary", Markdown},
		{"json", "result.json", "everything found, as versioned data", JSON},
		{"junit", "junit.xml", "one test case for each objective and each fault, for CI", JUnit},
		{"annotations", "annotations.jsonl", "one line for each region of each fault, to be posted to Grafana's /api/annotations", Annotations},
	}
}

// KindOf returns the view of the given name, and whether there is one.
func KindOf(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}
