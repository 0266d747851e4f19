package dashboards

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assay-dev/assay"
	"github.com/assay-dev/assay/internal/figure"
)

// TestFiguresOfSamples holds the samples to what is asked of results, so that what the views make of them is what they make of results.
func TestFiguresOfSamples(t *testing.T) {
	for _, s := range samples() {
		if s.name == "hostile" {
			continue
		}
		for _, f := range figure.Walk(s.report) {
			if lacks := figure.Check(*f.Quantity); lacks != "" {
				t.Errorf("%s: %s %s: %v", s.name, f.Path, lacks, *f.Quantity)
			}
		}
	}
}

// TestFiguresShown changes one figure after another and looks at which sections of a view change: a section that shows its value shows its n and its interval as well,
// since what nobody would see change is not there.
func TestFiguresShown(t *testing.T) {
	for _, s := range samples() {
		if s.name != "full" && s.name != "clean" {
			continue
		}
		for _, v := range figureViews {
			for _, bare := range alone(t, v, s.report) {
				t.Errorf("%s, %s, %s", s.name, v.name, bare)
			}
		}
	}
}

// A figureView is a view that tells figures, with how its sections begin.
type figureView struct {
	name    string
	render  Render
	section *regexp.Regexp
}

// textHead is how a section of the text begins. A word in capitals at the begin of a line may be the rest of a cell.
var textHead = regexp.MustCompile(`(?m)^(WHY|DEMO|LIMIT|KNEE|NEXT|OBJECTIVES?|LOAD|LATENCY|GOODPUT|CLASSES|NATURAL|SLO|REPLAY|GPU|ENGINE|INJECTED|SUITE|HYPOTHESIS|ALERTS|OVERLOAD|CANARY|RETRIES|COLD|BOTTLENECK|SCALING|NOTES|BUDGET|TRUST|RUN|UNSEEN|FILES) `)

var figureViews = []figureView{
	{"text", Text(TextOptions{Width: 120}), textHead},
	{"markdown", Markdown, regexp.MustCompile(`(?m)^###? .*$`)},
	{"html", HTML, regexp.MustCompile(`<section[^>]*>\s*(<h2>[^<]*)?`)},
}

// alone returns the figures of r that a section of a view shows without n or interval. Of those of one kind it looks at two.
func alone(t *testing.T, v figureView, r *assay.Report) []string {
	t.Helper()
	base := sections(t, v, r)
	seen := map[string]int{}
	var out []string
	for _, f := range figure.Walk(r) {
		was := *f.Quantity
		if seen[f.Kind]++; seen[f.Kind] > 2 || !was.Known() {
			continue
		}
		changed := func(change func(q *assay.Quantity)) map[string]bool {
			change(f.Quantity)
			defer func() { *f.Quantity = was }()
			out := map[string]bool{}
			for name, text := range sections(t, v, r) {
				if base[name] != text {
					out[name] = true
				}
			}
			return out
		}
		value := changed(func(q *assay.Quantity) {
			q.Value, q.Lo, q.Hi = q.Value*0.617+0.0123, q.Lo*0.617+0.0123, q.Hi*0.617+0.0123
		})
		n := changed(func(q *assay.Quantity) { q.N += 43210 })
		between := changed(func(q *assay.Quantity) {
			if !math.IsNaN(q.Value) {
				q.Lo, q.Hi = q.Lo*0.31-0.017, q.Hi*1.53+0.013
			}
		})
		exact := was.Lo == was.Hi && was.Confidence == 1
		for _, section := range slices.Sorted(maps.Keys(value)) {
			if !n[section] && was.N > 1 && !figure.Excepted(v.name, f.Kind, "n") {
				out = append(out, fmt.Sprintf("%s: %s is shown without n: %v", section, f.Path, was))
			}
			if !between[section] && !math.IsNaN(was.Value) && !exact && !figure.Excepted(v.name, f.Kind, "interval") {
				out = append(out, fmt.Sprintf("%s: %s is shown without interval: %v", section, f.Path, was))
			}
		}
	}
	return out
}

// sections renders r and returns what the view says under each of its heads.
func sections(t *testing.T, v figureView, r *assay.Report) map[string]string {
	t.Helper()
	text := string(render(t, v.render, r))
	out := map[string]string{}
	name, from := "head", 0
	for _, at := range v.section.FindAllStringIndex(text, -1) {
		out[name] += text[from:at[0]]
		name, from = strings.Join(strings.Fields(text[at[0]:at[1]]), " "), at[0]
	}
	out[name] += text[from:]
	if len(out) < 4 {
		t.Fatalf("%s has %d sections", v.name, len(out))
	}
	return out
}
